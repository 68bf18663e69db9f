"""Client messages, one for each (bill, step)."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.bills import BillState
from orchestrator.domain.bounces import NO_ADDRESS
from orchestrator.domain.ids import address_key, effect_key
from orchestrator.storage.repository import Repository, parts
from orchestrator.storage.tables import bills, link_parts, links, messages, posted


def steps_of(cycle: int) -> tuple[str, str]:
    """The steps at which the message may stand that brings the link of this cycle."""
    return "invoice", f"revised-{cycle}"


FOLLOWS = "again-"


def step_at(address: str, cycle: int) -> str:
    """The step of the message that brings the link of this cycle after its client: one a bill, link and address, for the
    database knows no second.
    """
    return f"{FOLLOWS}{cycle}-{_short(address)}"


def follows(step: str) -> bool:
    """Whether a message went after its client to another address."""
    return step.startswith(FOLLOWS)


def goes_to(step: str, address: str) -> bool:
    """Whether the message of this step may go to this address; only one that follows its client is bound to one."""
    return not follows(step) or step.endswith(_short(address))


def _short(address: str) -> str:
    return address_key(address)[:16]


def message_key(bill_id: int, step: str, link_key: str) -> str:
    return effect_key("message", bill_id, step, link_key)


class Messages(Repository):
    def want(self, *, bill_id: int, link_id: int, link_key: str, cycle: int) -> sa.RowMapping:
        """The message that brings this link: `invoice` as long as none may have reached the client, else `revised-CYCLE`."""
        first = self.one(sa.select(messages).where(messages.c.bill_id == bill_id, messages.c.step == "invoice"))
        steps = steps_of(cycle)
        step = steps[0] if first is None or first["state"] in ("wanted", "withheld") else steps[1]
        return self._want(bill_id, step, link_id=link_id, link_key=link_key)

    def want_at(
        self, address: str, *, bill_id: int, link_id: int, link_key: str, cycle: int
    ) -> sa.RowMapping | None:  # fmt: skip
        """The message that brings this link to an address at which its bill's client can be reached now; None when one has
        left with it for there before, or is about to.
        """
        step = step_at(address, cycle)
        there = self.one(self._of(bill_id, step))
        if self.left_for(address, link_id) or (there is not None and there["state"] != "withheld"):
            return None
        return self._want(bill_id, step, link_id=link_id, link_key=link_key)

    def left_for(self, address: str, link_id: int) -> bool:
        """Whether a message ever left for this address with this link, whatever became of it."""
        left = sa.select(messages.c.id).join(posted, posted.c.message_id == messages.c.message_id)
        there = sa.and_(messages.c.link_id == link_id, posted.c.address == address_key(address))
        return self.one(left.where(there).limit(1)) is not None

    def _want(self, bill_id: int, step: str, *, link_id: int, link_key: str) -> sa.RowMapping:
        values = {
            "link_id": link_id,
            # Of facts only: row ids would differ in a database restored from a backup (F57).
            "key": message_key(bill_id, step, link_key),
            "state": "wanted",
            "reason": None,
            "created_at": self.now,
        }
        statement = self.insert(messages).values(bill_id=bill_id, step=step, **values)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["bill_id", "step"],
                set_=values,
                where=messages.c.state.in_(["wanted", "withheld"]),
            )
        )
        return self.connection.execute(self._of(bill_id, step)).mappings().one()

    def stranded(self, bill_ids: Collection[int] | None = None) -> list[sa.RowMapping]:
        """The last message of each unpaid bill, of these or of all, that brought its link to nobody: it came back, or no
        address was one to send it to.
        """
        other = messages.alias()
        told = sa.exists().where(
            other.c.bill_id == messages.c.bill_id, other.c.state.in_(["wanted", "unknown", "sent"]),
            sa.or_(other.c.link_id == messages.c.link_id, other.c.id > messages.c.id),
        )  # fmt: skip
        nowhere = sa.or_(
            messages.c.state == "bounced",
            sa.and_(messages.c.state == "withheld", messages.c.reason.in_(NO_ADDRESS)),
        )
        unpaid = sa.and_(bills.c.id == messages.c.bill_id, bills.c.state == BillState.AWAITING_PAYMENT)
        chosen = sa.select(messages).join(bills, unpaid).where(nowhere, ~told).order_by(messages.c.id)
        if bill_ids is None:
            return _last(self.rows(chosen))
        return _last(self.among(chosen, messages.c.bill_id, bill_ids))

    def get(self, message_id: int) -> sa.RowMapping | None:
        return self.with_id(messages, message_id)

    def left_with(self, link_ids: Collection[int]) -> set[int]:
        """Those of these links that a message brought to the client for certain."""
        mine = sa.and_(messages.c.link_id.in_(link_ids), messages.c.state == "sent")
        return set(self.connection.execute(sa.select(messages.c.link_id).where(mine)).scalars())

    def before(self, message: sa.RowMapping) -> sa.RowMapping | None:
        """The last message of the same bill before this one that reached the client, or may have."""
        mine = sa.and_(messages.c.bill_id == message["bill_id"], messages.c.id < message["id"])
        left = sa.select(messages).where(mine, messages.c.state.in_(["sent", "unknown"]))
        return self.one(left.order_by(messages.c.id.desc()).limit(1))

    def move(self, row_id: int, state: str, **values: Any) -> None:
        self.change(sa.update(messages).where(messages.c.id == row_id).values(state=state, **values))

    def logged(self, row_id: int, communication_id: int) -> None:
        """Clio knows of it, whatever became of it since."""
        mine = sa.update(messages).where(messages.c.id == row_id)
        self.change(mine.values(communication_id=communication_id))

    def doubt(self, reason: str) -> int:
        """Of every message still wanted whose link has existed, note that it may have been sent; returns of how many."""
        existed = sa.select(links.c.id).where(links.c.clio_id.is_not(None))
        wanted = sa.and_(messages.c.state == "wanted", messages.c.link_id.in_(existed))
        return self.change(sa.update(messages).where(wanted).values(state="unknown", reason=reason))

    def sent_to_client(self, client_id: int, *, since: datetime) -> int:
        """How many messages this client was sent since then, those in doubt included."""
        theirs = sa.select(sa.func.count()).select_from(messages.join(bills, bills.c.id == messages.c.bill_id))
        doubtful = sa.and_(messages.c.state == "unknown", messages.c.created_at >= since)
        left = sa.or_(messages.c.sent_at >= since, doubtful)
        return int(self.connection.execute(theirs.where(bills.c.client_id == client_id, left)).scalar_one())

    def sent(self, bill_ids: Collection[int]) -> dict[int, list[datetime]]:
        """When messages about each of these bills left, the earliest first; none for those of which none surely left."""
        found: dict[int, list[datetime]] = {}
        for row in self._about(bill_ids, "sent"):
            found.setdefault(row["bill_id"], []).append(row["sent_at"])
        return {bill_id: sorted(moments) for bill_id, moments in found.items()}

    def waiting(self, bill_ids: Collection[int]) -> set[int]:
        """Those of these bills of which a message is about to leave."""
        return {row["bill_id"] for row in self._about(bill_ids, "wanted")}

    def _about(self, bill_ids: Collection[int], state: str) -> Iterator[sa.RowMapping]:
        """The messages in this state, once for each of these bills that they speak of."""
        by_part = messages.join(link_parts, messages.c.link_id == link_parts.c.link_id)
        for some in parts(bill_ids):
            alone = sa.select(messages.c.bill_id, messages.c.sent_at).where(messages.c.bill_id.in_(some))
            shared = sa.select(link_parts.c.bill_id, messages.c.sent_at).select_from(by_part)
            mine = (alone, shared.where(link_parts.c.bill_id.in_(some)))
            both = sa.union(*(one.where(messages.c.state == state) for one in mine))
            yield from self.connection.execute(both).mappings()

    def of_bill(self, bill_id: int) -> list[sa.RowMapping]:
        return self.rows(sa.select(messages).where(messages.c.bill_id == bill_id).order_by(messages.c.id))

    def counts(self) -> dict[str, int]:
        """Messages by state."""
        return self.tally(messages.c.state)

    def _of(self, bill_id: int, step: str) -> sa.Select[Any]:
        return sa.select(messages).where(messages.c.bill_id == bill_id, messages.c.step == step)


def _last(rows: Iterable[sa.RowMapping]) -> list[sa.RowMapping]:
    return list({row["bill_id"]: row for row in rows}.values())
