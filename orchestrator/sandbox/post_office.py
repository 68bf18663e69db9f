"""What every sender of webhooks in the sandbox shares: deliveries under way, those a fault held back, and one open door out."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, Generic, TypeVar

import httpx

from orchestrator.sandbox.faults import Faults

PATIENCE = 10.0

P = TypeVar("P")


@cache
def _tls() -> ssl.SSLContext:
    """One for every firm that is begun here: reading the machine's certificates takes longer than a small firm's deliveries."""
    return httpx.create_ssl_context(trust_env=False)


class PostOffice(Generic[P]):
    """Carries parcels without ever holding their senders up; `carry` delivers one, `lose` hears of those a fault dropped.

    `point` names the scripted faults that parcels meet here, `catch_up` lets what fell due while we waited happen.
    """

    def __init__(
        self, faults: Faults, point: str, *, carry: Callable[[P], Coroutine[Any, Any, None]], lose: Callable[[P], None],
        catch_up: Callable[[], None],
    ) -> None:  # fmt: skip
        self._faults = faults
        self._point = point
        self._carry = carry
        self._lose = lose
        self._catch_up = catch_up
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[P] = []
        self._client: httpx.AsyncClient | None = None

    def hand_in(self, parcel: P) -> None:
        """Send one parcel, unless a fault drops it, doubles it, or lets later ones overtake it."""
        fault = self._faults.take(self._point)
        match fault.do if fault else None:
            case "webhook_drop":
                self._lose(parcel)
            case "webhook_duplicate":
                for _ in range(int(fault.params.get("n", 2)) if fault else 1):
                    self.start(self._carry(parcel))
            case "webhook_reorder":
                self._held.append(parcel)
            case _:
                self._release(parcel)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside everything else; `settle` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def post(self, url: str, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response | None:
        """POST JSON and return the answer; None when there was none."""
        if self._client is None:
            limits = httpx.Limits(max_connections=32, max_keepalive_connections=8)
            self._client = httpx.AsyncClient(timeout=PATIENCE, limits=limits, trust_env=False, verify=_tls())
        try:
            return await self._client.post(
                url, content=body, headers={"Content-Type": "application/json", **(headers or {})}
            )
        except httpx.HTTPError:
            return None

    async def settle(self) -> int:
        """Wait until nothing is on its way; returns how many deliveries that took."""
        self._release()
        waited = 0
        while self._tasks:
            waiting = list(self._tasks)
            waited += len(waiting)
            await asyncio.gather(*waiting, return_exceptions=True)
            self._catch_up()
        return waited

    async def close(self) -> None:
        """Drop what is on its way and let go of the connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _release(self, *first: P) -> None:
        """Send a parcel and, one after another behind it, what was held back, latest first."""
        held, self._held = self._held[::-1], []
        if first or held:
            self.start(self._in_turn([*first, *held]))

    async def _in_turn(self, parcels: list[P]) -> None:
        for parcel in parcels:
            await self._carry(parcel)
