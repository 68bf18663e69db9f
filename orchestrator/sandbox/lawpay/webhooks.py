"""LawPay's webhooks: every event to every address of the firm, unsigned, up to six tries with growing pauses."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from orchestrator.sandbox.clio.fields import encoded
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.lawpay import shapes
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.things import Event, Transaction
from orchestrator.sandbox.post_office import PostOffice

PAUSES = tuple(timedelta(hours=hours) for hours in (1, 2, 3, 4, 5))


@dataclass(frozen=True)
class _Parcel:
    url: str
    event: str
    body: bytes


class Bell:
    """Rings at the firm's addresses for each event; only 200 counts as heard."""

    def __init__(self, gateway: Gateway, faults: Faults) -> None:
        self.gateway = gateway
        self._office: PostOffice[_Parcel] = PostOffice(
            faults, "lawpay_webhook", carry=self._carry, lose=partial(self._note, "lawpay_webhook.lost", why="dropped"),
            catch_up=gateway.clock.catch_up,
        )  # fmt: skip
        gateway.listeners.append(self.heard)

    def heard(self, event: Event, _: Transaction) -> None:
        """The body is what `GET /events/{id}` shows."""
        body = encoded(shapes.event(event))
        for url in self.gateway.addresses():
            self._office.hand_in(_Parcel(url, event.id, body))

    async def settle(self) -> int:
        """Wait until nothing is on its way; returns how many deliveries that took."""
        return await self._office.settle()

    async def close(self) -> None:
        """Drop what is on its way and let go of the connections."""
        await self._office.close()

    async def _carry(self, parcel: _Parcel) -> None:
        await self._attempt(parcel, 0, self.gateway.clock.now())

    async def _attempt(self, parcel: _Parcel, tried: int, due: datetime) -> None:
        if parcel.url not in self.gateway.addresses():
            return
        answer = await self._office.post(parcel.url, parcel.body)
        status = answer.status_code if answer is not None else 0
        if status == 200:
            self._note("lawpay_webhook.delivered", parcel, attempt=tried + 1)
        elif tried < len(PAUSES):
            again = due + PAUSES[tried]
            self.gateway.clock.at(again, lambda: self._office.start(self._attempt(parcel, tried + 1, again)))
            self._note("lawpay_webhook.failed", parcel, status=status, attempt=tried + 1)
        else:
            self._note("lawpay_webhook.lost", parcel, why="retries", status=status)

    def _note(self, kind: str, parcel: _Parcel, **facts: object) -> None:
        self.gateway.journal.add(kind, parcel.event, url=parcel.url, **facts)
