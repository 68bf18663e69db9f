"""Draws and what holds them back: one row a draw, unique per (bill, purpose, sequence) (T23)."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.draws import DRAW_TRANSITIONS, PROMISED, DrawState, Purpose
from orchestrator.domain.ids import effect_key
from orchestrator.errors import Rejected, Stale
from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import draws, trust_holds

DISPUTE = "dispute"
CLAIM = "claim"


class Draws(Repository):
    def propose(
        self, *, bill_id: int, purpose: str, ledger: Row, amount_cents: int
    ) -> Row | None:  # fmt: skip
        """A new draw of a bill; None when one is open already. The reservation is the caller's, in the same transaction."""
        if purpose not in set(Purpose):
            raise Rejected(
                f"{purpose!r} is no purpose for which money may leave trust.", reason="trust_purpose_unknown"
            )
        last = sa.select(sa.func.max(draws.c.sequence)).where(draws.c.bill_id == bill_id, draws.c.purpose == purpose)
        sequence = (self.connection.execute(last).scalar_one() or 0) + 1
        key = effect_key("draw", bill_id, purpose, sequence)
        added = self.add_once(
            draws, bill_id=bill_id, purpose=purpose, sequence=sequence, state=DrawState.PROPOSED, ledger_id=ledger["id"],
            account=ledger["account"], client_id=ledger["client_id"], matter_id=ledger["matter_id"],
            amount_cents=amount_cents, currency=ledger["currency"], key=key, proposed_at=self.now, updated_at=self.now,
        )  # fmt: skip
        return self.keyed(key) if added else None

    def move(self, draw: Row, state: DrawState, **values: Any) -> None:
        """Along `DRAW_TRANSITIONS` only; a draw that has moved meanwhile raises `Stale`."""
        if state not in DRAW_TRANSITIONS[DrawState(draw["state"])]:
            raise Rejected(f"Draw {draw['id']} is {draw['state']}: it cannot become {state}.", reason="trust_draw_over")
        moved = sa.update(draws).where(draws.c.id == draw["id"], draws.c.state == draw["state"])
        if self.change(moved.values(state=state, updated_at=self.now, **values)) != 1:
            raise Stale(f"Draw {draw['id']} moved while we looked.")

    def noticed(self, draw_id: int, *, notice: str, channel: str, at: datetime | None, draw_from: date | None) -> None:
        """What told the client of a proposed draw and when it was delivered; without a moment it is no notice (T18)."""
        told = {"notice": notice, "notice_channel": channel, "noticed_at": at, "draw_from": draw_from}
        open_ = sa.update(draws).where(draws.c.id == draw_id, draws.c.state == DrawState.PROPOSED)
        self.change(open_.values(**told, updated_at=self.now))

    def reconciled(self, draw_id: int) -> bool:
        """Every source shows the posted draw; False when it is not (or no longer) posted."""
        posted = sa.update(draws).where(draws.c.id == draw_id, draws.c.state == DrawState.POSTED)
        done = posted.values(state=DrawState.RECONCILED, reconciled_at=self.now, updated_at=self.now)
        return self.change(done) == 1

    def follow(self, draw: Row, line_id: int) -> None:
        """The line that posted a draw was corrected: this one stands in its place."""
        self.change(sa.update(draws).where(draws.c.id == draw["id"]).values(line_id=line_id, updated_at=self.now))

    def get(self, draw_id: int) -> Row | None:
        return self.one(sa.select(draws).where(draws.c.id == draw_id))

    def told_by(self, notice: str) -> Row | None:
        """The proposed draw that this message gave notice of."""
        mine = sa.and_(draws.c.notice == notice, draws.c.state == DrawState.PROPOSED)
        return self.one(sa.select(draws).where(mine, draws.c.noticed_at.is_not(None)))

    def keyed(self, key: str) -> Row | None:
        return self.one(sa.select(draws).where(draws.c.key == key))

    def open_of(self, bill_ids: Collection[int]) -> dict[int, Row]:
        """The one draw of each of these bills that is promised and has not left yet."""
        chosen = sa.select(draws).where(draws.c.bill_id.in_(bill_ids), draws.c.state.in_(PROMISED))
        return {row["bill_id"]: row for row in self.rows(chosen)}

    def open_on(self, ledger_id: int) -> list[Row]:
        """The draws promised of a ledger, the newest first."""
        chosen = sa.select(draws).where(draws.c.ledger_id == ledger_id, draws.c.state.in_(PROMISED))
        return self.rows(chosen.order_by(draws.c.id.desc()))

    def declined(self, bill_ids: Collection[int]) -> set[int]:
        """Those of these bills to whose last draw a person said no."""
        last = sa.select(sa.func.max(draws.c.id)).where(draws.c.bill_id.in_(bill_ids)).group_by(draws.c.bill_id)
        chosen = sa.select(draws.c.bill_id).where(draws.c.id.in_(last), draws.c.state == DrawState.DECLINED)
        return set(self.connection.execute(chosen).scalars())

    def of_bill(self, bill_id: int) -> list[Row]:
        return self.rows(sa.select(draws).where(draws.c.bill_id == bill_id).order_by(draws.c.id))

    def of_lines(self, line_ids: Collection[int]) -> dict[int, Row]:
        """The draws that these ledger lines posted, by line."""
        return {row["line_id"]: row for row in self.rows(sa.select(draws).where(draws.c.line_id.in_(line_ids)))}

    def listed(self, *, states: Collection[str] = (), limit: int = 200) -> list[Row]:
        """The newest first."""
        chosen = sa.select(draws).order_by(draws.c.id.desc()).limit(limit)
        return self.rows(chosen.where(draws.c.state.in_(states)) if states else chosen)

    def counts(self) -> dict[str, int]:
        """Draws by state."""
        return self.tally(draws.c.state)

    def promised_by_ledger(self) -> dict[int, int]:
        """What open draws promise of each ledger: the ledger's own figure must say the same."""
        summed = sa.select(draws.c.ledger_id, sa.func.sum(draws.c.amount_cents)).where(draws.c.state.in_(PROMISED))
        rows = self.connection.execute(summed.group_by(draws.c.ledger_id))
        return {int(ledger_id): int(cents) for ledger_id, cents in rows}

    # ── what is held ──

    def hold(
        self, kind: str, *, amount_cents: int, why: str, by: str, bill_id: int | None = None, ledger_id: int | None = None
    ) -> int:  # fmt: skip
        values = {
            "kind": kind, "bill_id": bill_id, "ledger_id": ledger_id, "amount_cents": amount_cents, "why": why,
            "made_by": by, "made_at": self.now,
        }  # fmt: skip
        added = sa.insert(trust_holds).values(**values).returning(trust_holds.c.id)
        return int(self.connection.execute(added).scalar_one())

    def hold_of(self, hold_id: int) -> Row | None:
        return self.one(sa.select(trust_holds).where(trust_holds.c.id == hold_id))

    def release(self, hold_id: int, *, by: str, why: str) -> bool:
        """End a hold; False when it was over."""
        mine = sa.update(trust_holds).where(trust_holds.c.id == hold_id, trust_holds.c.released_at.is_(None))
        return self.change(mine.values(released_by=by, released_why=why, released_at=self.now)) == 1

    def holds(self, *, kind: str | None = None, bill_id: int | None = None, standing: bool = True) -> list[Row]:
        chosen = sa.select(trust_holds).order_by(trust_holds.c.id)
        if standing:
            chosen = chosen.where(trust_holds.c.released_at.is_(None))
        if kind is not None:
            chosen = chosen.where(trust_holds.c.kind == kind)
        if bill_id is not None:
            chosen = chosen.where(trust_holds.c.bill_id == bill_id)
        return self.rows(chosen)

    def disputed(self, bill_id: int) -> int:
        """What is in dispute of a bill (T26)."""
        return sum(row["amount_cents"] for row in self.holds(kind=DISPUTE, bill_id=bill_id))
