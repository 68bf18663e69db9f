"""LawPay's webhooks: every event to every address of the firm, unsigned, up to six tries with growing pauses."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from orchestrator.sandbox.clio.fields import encoded
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.lawpay import shapes
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.things import Event, Transaction

PAUSES = tuple(timedelta(hours=hours) for hours in (1, 2, 3, 4, 5))
PATIENCE = 10.0


@dataclass(frozen=True)
class _Parcel:
    url: str
    event: str
    body: bytes


class Bell:
    """Rings at the firm's addresses for each event; only 200 counts as heard."""

    def __init__(self, gateway: Gateway, faults: Faults) -> None:
        self.gateway = gateway
        self.faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[_Parcel] = []
        self._client: httpx.AsyncClient | None = None
        gateway.listeners.append(self.heard)

    def heard(self, event: Event, _: Transaction) -> None:
        """The body is what `GET /events/{id}` shows."""
        body = encoded(shapes.event(event))
        for url in self.gateway.addresses():
            self._send(_Parcel(url, event.id, body))

    def _send(self, parcel: _Parcel) -> None:
        fault = self.faults.take("lawpay_webhook")
        match fault.do if fault else None:
            case "webhook_drop":
                self._note("lawpay_webhook.lost", parcel, why="dropped")
            case "webhook_duplicate":
                for _ in range(int(fault.params.get("n", 2)) if fault else 1):
                    self._start(self._in_turn([parcel]))
            case "webhook_reorder":
                self._held.append(parcel)
            case _:
                held, self._held = self._held[::-1], []
                self._start(self._in_turn([parcel, *held]))

    async def settle(self) -> int:
        """Wait until nothing is on its way; returns how many deliveries that took."""
        held, self._held = self._held[::-1], []
        if held:
            self._start(self._in_turn(held))
        waited = 0
        while self._tasks:
            waiting = list(self._tasks)
            waited += len(waiting)
            await asyncio.gather(*waiting, return_exceptions=True)
            self.gateway.clock.catch_up()
        return waited

    async def close(self) -> None:
        """Drop what is on its way and let go of the connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _in_turn(self, parcels: list[_Parcel]) -> None:
        for parcel in parcels:
            await self._attempt(parcel, 0, self.gateway.clock.now())

    async def _attempt(self, parcel: _Parcel, tried: int, due: datetime) -> None:
        if parcel.url not in self.gateway.addresses():
            return
        status = await self._post(parcel)
        if status == 200:
            self._note("lawpay_webhook.delivered", parcel, attempt=tried + 1)
        elif tried < len(PAUSES):
            again = due + PAUSES[tried]
            self.gateway.clock.at(again, lambda: self._start(self._attempt(parcel, tried + 1, again)))
            self._note("lawpay_webhook.failed", parcel, status=status, attempt=tried + 1)
        else:
            self._note("lawpay_webhook.lost", parcel, why="retries", status=status)

    async def _post(self, parcel: _Parcel) -> int:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        try:
            headers = {"Content-Type": "application/json"}
            return (await self._client.post(parcel.url, content=parcel.body, headers=headers)).status_code
        except httpx.HTTPError:
            return 0

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self, kind: str, parcel: _Parcel, **facts: object) -> None:
        self.gateway.journal.add(kind, parcel.event, url=parcel.url, **facts)
