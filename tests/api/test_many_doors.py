"""Many firms behind one address: each its own door, and a hanging database behind one keeps the others open."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from orchestrator.api.firms import Doors, create_firms_app
from orchestrator.bootstrap import build
from orchestrator.clients.clio.webhooks import signed
from orchestrator.settings import load
from orchestrator.storage.migrate import migrate
from orchestrator.storage.tables import receipts
from tests.firm import CONFIG, START


@contextmanager
def serving(app):
    """The application on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
        thread.start()
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=20, trust_env=False
            ) as http:
                yield http
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@pytest.fixture
def house(tmp_path):
    """A config folder with main, acme and brown; acme's database takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as mute:
        databases = {
            "main": f"sqlite:///{tmp_path}/main.sqlite3",
            "acme": f"postgresql://nobody@127.0.0.1:{mute.getsockname()[1]}/acme",
            "brown": f"sqlite:///{tmp_path}/brown.sqlite3",
        }
        (tmp_path / "firms").mkdir()
        (tmp_path / "templates").symlink_to(CONFIG / "templates")
        (tmp_path / "reminders").symlink_to(CONFIG / "reminders")
        for firm, url in databases.items():
            (tmp_path / "firms" / f"{firm}.toml").write_text(
                f'database_url = "{url}"\n[firm]\nname = "{firm.title()}"\n'
            )
        yield tmp_path


@pytest.fixture
def built(house):
    found = {
        firm: build(
            load(firm, config_dir=house, environment="test", clio={"access_token": f"token of {firm}"}),
            firm,
            clock=lambda: START,
        )
        for firm in ("main", "acme", "brown")
    }
    for firm in ("main", "brown"):
        migrate(found[firm].uow.engine)
        with found[firm].uow() as work:
            work.subscriptions.put(
                "bill", path_token=f"path-of-{firm}", state="enabled", url="", events="updated", fields="id",
                secret=found[firm].cipher.seal(f"secret of {firm}"), offered=[],
            )  # fmt: skip
    yield found
    for rt in found.values():
        rt.close()


@pytest.fixture
def http(built):
    doors = Doors()
    for rt in built.values():
        doors.open(rt)
    doors.expect("later")
    with serving(create_firms_app(doors)) as http:
        yield http


BODY = b'{"data":{"id":7},"meta":{"event":"updated","webhook_id":1}}'


def deliver(http, door, firm, *, secret=None):
    signature = signed(BODY, secret or f"secret of {firm}")
    answer = http.post(f"{door}/webhooks/clio/path-of-{firm}", content=BODY, headers={"X-Hook-Signature": signature})
    return answer.status_code


def kept(rt):
    with rt.read() as work:
        return len(work.connection.execute(receipts.select()).all())


def test_a_delivery_goes_to_the_firm_in_its_path_and_to_no_other(http, built):
    assert deliver(http, "/firms/brown", "brown") == 200
    assert (kept(built["main"]), kept(built["brown"])) == (0, 1)
    assert deliver(http, "", "main") == 200
    assert deliver(http, "/firms/main", "main") == 200
    assert (kept(built["main"]), kept(built["brown"])) == (1, 1)


def test_one_firm_s_address_and_secret_open_no_other_door(http, built):
    assert deliver(http, "/firms/brown", "main") == 404
    assert deliver(http, "", "brown") == 404
    assert deliver(http, "/firms/brown", "brown", secret="secret of main") == 401
    assert (kept(built["main"]), kept(built["brown"])) == (0, 0)


def test_an_unknown_firm_has_no_door_and_one_that_is_expected_asks_to_come_again(http):
    assert deliver(http, "/firms/nobody", "brown") == 404
    assert deliver(http, "/firms/later", "brown") == 503


def test_a_client_is_thanked_by_the_firm_that_was_paid(http):
    assert "Brown" in http.get("/firms/brown/thanks/key").text
    assert "Main" in http.get("/thanks/key").text


def test_a_database_that_hangs_keeps_no_other_firm_s_delivery_waiting(http, built):
    hanging = threading.Thread(target=deliver, args=(http, "/firms/acme", "acme"), daemon=True)
    hanging.start()
    time.sleep(0.3)
    assert hanging.is_alive()
    begun = time.monotonic()
    assert deliver(http, "/firms/brown", "brown") == 200
    assert time.monotonic() - begun < 2
    assert hanging.is_alive()
    hanging.join(timeout=15)
    assert kept(built["brown"]) == 1


def test_health_tells_of_every_firm_and_waits_for_none(http, built):
    begun = time.monotonic()
    answer = http.get("/health/ready")
    assert time.monotonic() - begun < 6
    assert answer.status_code == 503
    found = answer.json()
    assert found["firms"].keys() == {"main", "acme", "brown", "later"}
    assert any(said.startswith("acme: The database does not answer") for said in found["findings"])
    with built["brown"].uow() as work:
        work.pulses.beat("beat")
        work.pulses.beat("heartbeat")
    # One firm at work is enough for the process; the others' own pages say what is wrong with them.
    assert http.get("/health/ready").status_code == 200
    assert http.get("/firms/brown/health/ready").status_code == 200
    assert http.get("/health/ready").json()["firms"]["main"]["ready"] is False
    assert http.get("/firms/main/health/ready").status_code == 503
    assert http.get("/health/live").status_code == 200
