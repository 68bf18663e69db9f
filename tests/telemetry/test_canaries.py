"""I7: people, money's keys and our own secrets are planted wherever real ones would be, and looked for in all that is written."""

import json
import subprocess
import sys
import tomllib
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from orchestrator.sandbox import scenario
from orchestrator.storage.tables import exceptions, jobs
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from tests.firm import CONFIG, START
from tests.servers import free_port
from tests.workflows.fleet import CLEAN, Fleet, a_fleet
from workflows.app import celery_app

NAME, EMAIL, CARD = "Zephyrine Quillfeather", "zq@canary-client.test", "4111 1111 1111 1111"
PEOPLE = (*NAME.split(), "Plumelocke", "Thistledown", "Larkspurton", "Gossamer Street")
SECRETS = (EMAIL, "canary-client", "canary-firm", CARD, CARD.replace(" ", ""), "wh-secret-canary", "db-canary-pw", "smtp-canary-pw",
           "key-canary-0123456789", "refresh-canary-token")  # fmt: skip
SAID = f"{NAME} <{EMAIL}> card {CARD} refresh-canary-token-1234567890"
LOUD = {"ORCH_LOG_LEVEL": "debug", "ORCH_LOG_FORMAT": "json", "ORCH_SECRET_KEY": "key-canary-0123456789", "ORCH_FIRM__NAME": "Plumelocke LLP",
        "ORCH_FIRM__PHONE": "555 Gossamer Street", "ORCH_ENGINE__SETTLE_SECONDS": "0", "ORCH_ENGINE__ATTEMPTS": "3"}  # fmt: skip


@pytest.fixture
def haunted(sandbox):
    """The tiny firm with canaries for people."""
    tiny = tomllib.loads((scenario.SCENARIOS / "tiny.toml").read_text("utf-8"))
    tiny["contacts"][0] |= {"name": NAME, "email": EMAIL}
    tiny["users"][0] |= {"name": "Octavia Plumelocke", "email": "octavia@canary-firm.test"}
    tiny["matters"][0]["description"] = "Thistledown v. Marrowgate"
    tiny["matters"][0]["entries"][0]["note"] = "Drafted the Larkspurton affidavit"
    sandbox.reset(tiny, seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    return sandbox


def lines(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """What a process wrote to stderr, each line of it JSON, beside the one sentence it says to people."""
    written = (fleet.folder / f"{name}.log").read_text("utf-8").splitlines()
    return [
        json.loads(line)
        for line in written
        if not line.startswith(("Up at", "Working with", "Serving", "Beating", "Stopped."))
    ]


def everything_goes_wrong(fleet: Fleet) -> list[str]:
    """A bill is carried to money in while each of our partners misbehaves, quoting people; returns what else must stay hidden."""
    sandbox = fleet.sandbox
    sandbox.fault("POST /clio_payments/links", "truncate")
    sandbox.fault("POST /notes", "status", code=422, body=json.dumps({"error": {"type": "Invalid", "message": SAID}}))
    sandbox.fault("POST /communications", "html")
    sandbox.fault("GET /bills", "status", code=503, body=SAID)
    sandbox.fault("smtp", "reply", stage="rcpt", code=451, text=f"4.2.0 <{EMAIL}> {NAME} is greylisted")
    bill = fleet.issued_bill()
    fleet.until(lambda: fleet.states("note.create").get("failed"))
    fleet.until(fleet.links)
    [link] = fleet.links()
    with fleet.books() as work:
        paths = [row["path_token"] for row in work.subscriptions.all()]
    # A stranger at the door, a body that is not JSON, a handshake that nobody asked for.
    for body, headers in (
        (SAID.encode(), {"X-Hook-Signature": "0" * 64}),
        (b"{", {"X-Hook-Secret": "wh-secret-canary"}),
    ):
        answer = httpx.post(
            f"{fleet.address}/webhooks/clio/{paths[0]}?who={EMAIL}",
            content=body,
            headers=headers,
            timeout=10,
            trust_env=False,
        )
        assert answer.status_code == 401
    poison(fleet)
    fleet.until(lambda: fleet.states("sweep").get("parked"))
    sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    fleet.until(lambda: sandbox.effects("matter.patched"))
    assert bill["id"]
    return [*paths, link["url"].rpartition("/")[2], sandbox.access_token]


def poison(fleet: Fleet) -> None:
    """A job whose body raises an error that nobody planned for and that quotes a client."""
    engine = connect(fleet.database_url)
    try:
        with UnitOfWork(engine, fleet.sandbox.now)() as work:
            work.jobs.add("sweep", "poisoned", kind=SAID)
    finally:
        engine.dispose()


def stored_words(fleet: Fleet) -> str:
    """What jobs and exceptions keep of what went wrong, for a person to read."""
    with fleet.books() as work:
        kept = [
            *work.connection.execute(sa.select(jobs.c.detail)).scalars(),
            *work.connection.execute(sa.select(exceptions.c.summary)).scalars(),
        ]
    return "\n".join(filter(None, kept))


def test_I7_nothing_that_the_worker_writes_names_a_person_or_a_secret(haunted, database_url, tmp_path):
    with a_fleet(haunted, tmp_path, database_url, "memory://", **LOUD) as fleet:
        fleet.start("up")
        fleet.until(fleet.ready)
        fleet.until(fleet.enabled)
        hidden = everything_goes_wrong(fleet)
        kept = stored_words(fleet)
        fleet.stop("up")
        said = fleet.said()
    told = lines(fleet, "up")
    assert {"call.made", "webhook.received", "job.ended"} <= {line["event"] for line in told}
    assert [line["error"] for line in told if line.get("reason") == "unplanned"] == ["ValueError"]
    for canary in (*PEOPLE, *SECRETS, *hidden):
        assert canary not in said
    # Clio's own words are kept for whoever has to act on them; a name may stand there, an address or a key may not.
    for canary in (*SECRETS, *hidden):
        assert canary not in kept

    [received] = {
        line["trace_id"] for line in told if line["event"] == "webhook.received" and line["kind"] == "bill"
    } & {line["trace_id"] for line in told if line["event"] == "call.made" and line["path"].endswith("/links.json")}
    following = [line for line in told if line.get("trace_id") == received]
    assert {"sync.bill", "link.create"} <= {line.get("topic") for line in following}
    assert all(line["firm"] == "main" for line in following)


@pytest.mark.slow
def test_I7_nothing_that_a_fleet_writes_names_a_person_or_a_secret(haunted, postgres_url, redis_url, tmp_path):
    secret_url = postgres_url.replace("postgres@", "postgres:db-canary-pw@")
    with a_fleet(haunted, tmp_path, secret_url, redis_url, **LOUD) as fleet:
        for name in ("serve", "worker", "beat"):
            fleet.start(name)
        fleet.until(fleet.ready)
        fleet.until(fleet.enabled)
        hidden = everything_goes_wrong(fleet)
        # A bell for a firm that nobody serves is ours to tell; one for a task that nobody has is Celery's, which would quote it.
        with celery_app(redis_url) as app:
            app.send_task("sweep", args=(NAME, 1), queue="interactive")
            app.send_task("no.such.task", args=(NAME, 1), queue="interactive")
        fleet.until(lambda: any(line.get("event") == "firm.unknown" for line in lines(fleet, "worker")))
        fleet.until(lambda: any(line.get("logger", "").startswith("celery") for line in lines(fleet, "worker")))
        for name in ("serve", "worker", "beat"):
            fleet.stop(name)
        for canary in (*PEOPLE, *SECRETS, *hidden):
            assert canary not in fleet.said()


DOOR = """
import sys
from starlette.routing import Route
from orchestrator.api.app import create_app
from orchestrator.bootstrap import build
from orchestrator.cli import logs
from orchestrator.settings import load
from orchestrator.storage.migrate import migrate
from workflows import processes
settings = load(database_url=sys.argv[1], listen=f"127.0.0.1:{sys.argv[2]}", environment="test", clio={"access_token": "token-canary"})
logs.configure(production=True, secrets=settings.secrets)
rt = build(settings)
migrate(rt.uow.engine)
server = processes._server(settings, create_app(rt))
async def fails(request):
    raise ValueError(sys.argv[3])
server.config.app.router.routes.append(Route("/fails", fails))
server.run()
"""


def test_I7_the_web_server_tells_where_a_request_failed_and_none_of_its_words(database_url):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", DOOR, database_url, str(port), SAID],
        cwd=CONFIG.parent,
        env=CLEAN,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    try:
        answer = _once_listening(f"http://127.0.0.1:{port}/fails")
        said = process.stderr.readline()
    finally:
        process.terminate()
        said += process.communicate(timeout=20)[1]
    assert (answer.status_code, answer.text) == (503, "")
    [line] = [json.loads(line) for line in said.splitlines()]
    assert (line["event"], line["error"], line["logger"]) == (
        "Exception in ASGI application",
        "ValueError",
        "uvicorn.error",
    )
    for canary in (*PEOPLE, *SECRETS):
        assert canary not in said


def _once_listening(url: str) -> httpx.Response:
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), trust_env=False, timeout=10) as client:
        return client.get(url)


def test_I7_a_command_that_fails_quotes_no_secret():
    environment = {
        "ORCH_ENVIRONMENT": "test", "ORCH_LOG_LEVEL": "debug", "ORCH_DATABASE_URL": "postgresql://ann:db-canary-pw@127.0.0.1:9/firm",
        "ORCH_BROKER_URL": "redis://:db-canary-pw@127.0.0.1:9/0", "ORCH_CLIO__ACCESS_TOKEN": "refresh-canary-token",
        "ORCH_MAIL__URL": "smtp://x:smtp-canary-pw@127.0.0.1:9", "ORCH_MAIL__FROM": "octavia@canary-firm.test",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "status"], cwd=CONFIG.parent, env=CLEAN | environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert "database does not answer" in done.stderr
    assert "caused by" in done.stderr
    for canary in (*SECRETS, "ann:"):
        assert canary not in done.stderr + done.stdout
