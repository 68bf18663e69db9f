"""Letters that left, by the key in their Message-ID, and what came back of them. An address is only ever its digest."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.bounces import AFTER, HELD, AddressState, Bounced, Patience, Report, wears_out
from orchestrator.domain.ids import address_key
from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import bounce_box, bounces, messages, posted, reminder_letters

MANY = 50
"""So many letters to one address are looked at: more than any patience allows to come back."""


class Bounces(Repository):
    def post(self, message_id: str, *, address: str, kind: str, bill_ids: Sequence[int]) -> None:
        """From now on this letter may be with the relay; `address` is the digest of its recipient.

        One that is sent again, to a corrected address perhaps, may come back again.
        """
        values = {"address": address, "kind": kind, "bill_ids": list(bill_ids), "posted_at": self.now, "bounced": None}
        statement = self.insert(posted).values(key=key_of(message_id), message_id=message_id, **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))

    def letter(self, key: str) -> Row | None:
        """The letter of ours whose Message-ID begins so."""
        return self.one(sa.select(posted).where(posted.c.key == key))

    def of(self, address: str) -> Row | None:
        """Why nothing more goes to this address (`HELD`): letters to it come back, and nobody has released it since (F76)."""
        held = sa.and_(bounces.c.address == address_key(address), bounces.c.state.in_(HELD))
        return self.one(sa.select(bounces).where(held))

    def held_among(self, addresses: Collection[str]) -> dict[str, AddressState]:
        """Those of these addresses to which nothing more goes, each with its state."""
        digests = {address: address_key(address) for address in addresses}
        held = sa.and_(bounces.c.address.in_(list(digests.values())), bounces.c.state.in_(HELD))
        found = {row["address"]: AddressState(row["state"]) for row in self.rows(sa.select(bounces).where(held))}
        return {address: found[digest] for address, digest in digests.items() if digest in found}

    def held(self, digest: str) -> Row:
        """The row of an address that a letter came back from, by the digest."""
        return self.connection.execute(sa.select(bounces).where(bounces.c.address == digest)).mappings().one()

    def add(self, report: Report, *, source: str) -> Row | None:
        """Note what came back; the address as it was before, None when it is no letter of ours or no news of it.

        One letter counts once as soft and once as hard, however often and by whichever way it is told.
        """
        letter = self.letter(report.key)
        if letter is None or letter["bounced"] in (Bounced.HARD, Bounced.SPAM, report.bounced):
            return None
        self.change(sa.update(posted).where(posted.c.key == report.key).values(bounced=report.bounced))
        self.add_once(
            bounces,
            address=letter["address"],
            state=AddressState.SOFT,
            soft=0,
            first_at=self.now,
            **self._last(letter, report, source),
        )
        before = self.one(sa.select(bounces).where(bounces.c.address == letter["address"]))
        assert before is not None
        if report.bounced is Bounced.HARD:
            self._came_back([letter], HELD[AddressState.HARD])
        after = AFTER[AddressState(before["state"]), report.bounced]
        soft = before["soft"] + (report.bounced is Bounced.SOFT)
        mine = sa.update(bounces).where(bounces.c.address == letter["address"])
        self.change(mine.values(state=after, soft=soft, **self._last(letter, report, source)))
        return before

    def wear_out(self, address: str, patience: Patience, *, until: datetime) -> list[Row]:
        """Hold an address from which the letters that left up to `until` came back softly too often; returns those letters.

        What came back before a person released it is forgiven.
        """
        row = self.held(address)
        if row["state"] in HELD:
            return []
        theirs = sa.and_(posted.c.address == address, posted.c.posted_at <= until)
        if row["released_at"] is not None:
            theirs = sa.and_(theirs, posted.c.posted_at > row["released_at"])
        left = self.rows(sa.select(posted).where(theirs).order_by(posted.c.posted_at.desc()).limit(MANY))
        worn = left[: wears_out([(one["posted_at"], one["bounced"]) for one in left], patience)]
        if worn:
            mine = sa.update(bounces).where(bounces.c.address == address)
            self.change(mine.values(state=AddressState.FAILING))
            self._came_back(worn, HELD[AddressState.FAILING])
        return worn

    def _came_back(self, letters: Sequence[Row], reason: str) -> None:
        ids = [letter["message_id"] for letter in letters]
        self.change(sa.update(messages).where(messages.c.message_id.in_(ids)).values(state="bounced", reason=reason))
        # Its steps were done all the same: none of them goes again because of it.
        reminder = sa.update(reminder_letters).where(reminder_letters.c.message_id.in_(ids))
        self.change(reminder.values(reason=reason))

    def release(self, bounce_id: int, *, by: str) -> bool:
        """A person says that the address may be written to again; False when it was not held."""
        held = sa.and_(bounces.c.id == bounce_id, bounces.c.state.in_(HELD))
        return (
            self.change(
                sa.update(bounces).where(held).values(state=AddressState.RELEASED, released_by=by, released_at=self.now)
            )
            == 1
        )

    def get(self, bounce_id: int) -> Row | None:
        return self.one(sa.select(bounces).where(bounces.c.id == bounce_id))

    def listed(self, *, state: str | None = None) -> list[Row]:
        """Addresses that a letter came back from, the newest first."""
        chosen = sa.select(bounces).order_by(bounces.c.last_at.desc(), bounces.c.id)
        return self.rows(chosen.where(bounces.c.state == state) if state else chosen)

    # ── where they are read ──

    def open_box(self, path_token: Callable[[], str]) -> Row:
        """The one row of the mailbox, made by whoever comes first."""
        box = self.box()
        if box is None:
            self.add_once(bounce_box, id=1, path_token=path_token(), uid=0)
            box = self.box()
        assert box is not None
        return box

    def box(self) -> Row | None:
        return self.one(sa.select(bounce_box))

    def read_to(self, validity: int, uid: int) -> None:
        """The mailbox was read up to this message."""
        self.change(sa.update(bounce_box).values(validity=validity, uid=uid, read_at=self.now))

    def _last(self, letter: Row, report: Report, source: str) -> dict[str, Any]:
        told = {"code": report.code[:32], "source": source, "key": letter["key"], "bill_ids": letter["bill_ids"]}
        return {**told, "last_at": self.now}


def key_of(message_id: str) -> str:
    """The part of a Message-ID that is ours."""
    return message_id.strip().removeprefix("<").partition("@")[0]
