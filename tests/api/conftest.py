"""The firm with its real web process, at an address that the sandbox's webhooks reach."""

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from orchestrator.clients.clio.webhooks import signed
from orchestrator.storage.tables import receipts
from tests.firm import Firm, open_firm, web
from tests.servers import TLS, free_port


@dataclass
class Door:
    """A firm's web process and everything a sender may do to it."""

    firm: Firm
    url: str
    http: httpx.Client = field(repr=False)

    def subscription(self, model: str = "bill") -> Any:
        with self.firm.rt.read() as work:
            return work.subscriptions.get(model)

    def states(self) -> set[str]:
        with self.firm.rt.read() as work:
            return {row["state"] for row in work.subscriptions.all()}

    def secret(self, model: str = "bill") -> str:
        return self.firm.rt.cipher.open(self.subscription(model)["secret"])

    def path(self, model: str = "bill") -> str:
        return f"/webhooks/clio/{self.subscription(model)['path_token']}"

    def body(self, object_id: int, model: str = "bill", *, event: str = "updated", **facts: Any) -> bytes:
        meta = {"event": event, "webhook_id": self.subscription(model)["webhook_id"]}
        return json.dumps({"data": {"id": object_id, **facts}, "meta": meta}).encode()

    def deliver(self, body: bytes, model: str = "bill", *, signature: str | None = None) -> int:
        given = signature if signature is not None else signed(body, self.secret(model))
        return self.http.post(self.path(model), content=body, headers={"X-Hook-Signature": given}).status_code

    def shake(self, model: str, secret: str) -> httpx.Response:
        return self.http.post(self.path(model), content=b'{"data":{"id":1}}', headers={"X-Hook-Secret": secret})

    def hear(self) -> None:
        """Everything on its way arrives, and everything that follows from it is done."""
        for _ in range(10):
            delivered = self.firm.sandbox.settle()
            if not self.firm.work() and not delivered:
                return

    def settle(self) -> None:
        """Until every subscription is confirmed."""
        for _ in range(20):
            self.hear()
            if self.states() == {"enabled"}:
                return
            time.sleep(0.05)
        raise AssertionError(self.states())

    def receipts(self) -> list[Any]:
        with self.firm.rt.read() as work:
            return list(work.connection.execute(receipts.select().order_by(receipts.c.id)).mappings())

    def reads(self, kind: str) -> int:
        """How often Clio was asked for this kind of object."""
        return int(self.firm.sandbox.counts()["calls"].get(f"GET /{kind}", 0))


@contextmanager
def open_door(sandbox, database_url, **environment):
    """A firm that listens; its subscriptions are wanted but Clio has not been asked yet."""
    port = free_port()
    here = {"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    with (
        open_firm(sandbox, database_url, environment={**here, **environment}, subscribed=True) as firm,
        web(firm, port) as url,
        httpx.Client(base_url=url, timeout=20, trust_env=False, verify=TLS) as http,
    ):
        yield Door(firm, url, http)


@pytest.fixture
def opening():
    return open_door


@pytest.fixture
def door(sandbox, database_url):
    """A firm whose subscriptions are all confirmed."""
    with open_door(sandbox, database_url) as door:
        door.settle()
        yield door
