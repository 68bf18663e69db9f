"""One sandbox for the whole folder, begun afresh and frozen for each test."""

import http.server
import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from orchestrator.sandbox import SandboxHandle, running_sandbox
from orchestrator.sandbox.scenario import SCENARIOS
from tests.servers import TLS

START = "2026-03-02T15:00:00Z"


@dataclass
class Clio:
    """A client of the sandbox's Clio that knows its token and the names of the scenario."""

    sandbox: SandboxHandle
    http: httpx.Client
    names: dict[str, Any]

    def ask(self, method: str, path: str, data: Any = None, **params: Any) -> httpx.Response:
        body = None if data is None else {"data": data}
        return self.http.request(method, f"/api/v4{path}.json", params=params or None, json=body)

    def get(self, path: str, fields: str | None = None, **params: Any) -> Any:
        answer = self.ask("GET", path, **({"fields": fields} if fields else {}), **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def matter(self, name: str) -> int:
        return int(self.names["matters"][name])

    def account(self, name: str = "operating") -> int:
        return int(self.names["bank_accounts"][name])

    def issued_bill(self, matter: str = "okafor-lease", **facts: Any) -> dict[str, Any]:
        bill = self.sandbox.act("generate_bill", matter_id=self.matter(matter), **facts)
        return self.sandbox.act("approve_bill", id=bill["id"])

    def link(self, bill: dict[str, Any], **changes: Any) -> httpx.Response:
        data = {
            "currency": "USD",
            "duration": 86_400 * 30,
            "destination_account": {"id": self.account()},
            "subject": {"id": bill["id"], "type": "Bill"},
            "amount": bill["balance"],
            **changes,
        }
        return self.ask("POST", "/clio_payments/links", data, fields="id,etag,url,active,expires_at,amount,bill{id}")


@pytest.fixture(scope="session")
def running() -> Iterator[SandboxHandle]:
    with running_sandbox("tiny") as handle:
        yield handle


@pytest.fixture
def enter(running: SandboxHandle) -> Iterator[Callable[..., Clio]]:
    """Begin a scenario and become its client."""
    opened: list[httpx.Client] = []

    def begin(scenario: str | dict[str, Any] = "small-firm", **start: Any) -> Clio:
        names = running.reset(scenario, **{"now": START, "frozen": True, "rate_limit": 100_000, **start})
        bearer = {"Authorization": f"Bearer {names['access_token']}"}
        client = httpx.Client(base_url=running.url, headers=bearer, trust_env=False, verify=TLS, timeout=20)
        opened.append(client)
        return Clio(running, client, names)

    yield begin
    for client in opened:
        client.close()


@pytest.fixture
def clio(enter: Callable[..., Clio]) -> Clio:
    return enter()


@dataclass
class Receiver:
    """A subscriber's server: keeps what it gets and answers as told."""

    url: str = ""
    echo: bool = True
    answers: list[int] = field(default_factory=list)
    handshakes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    parcels: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def events(self) -> list[tuple[str, Any]]:
        read = [json.loads(body) for _, body in self.parcels]
        return [(parcel["meta"]["event"], parcel["data"]) for parcel in read]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            secret = self.headers.get("X-Hook-Secret")
            if secret:
                kept.handshakes.append((secret, json.loads(body)))
                self.send_response(200)
                if kept.echo:
                    self.send_header("X-Hook-Secret", secret)
            else:
                kept.parcels.append((dict(self.headers), body))
                self.send_response(kept.answers.pop(0) if kept.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """The tiny scenario as data, to be varied."""
    return tomllib.loads((SCENARIOS / "tiny.toml").read_text("utf-8"))
