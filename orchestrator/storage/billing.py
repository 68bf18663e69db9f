"""Billing requests and the last decision about each matter."""

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.bills import UNISSUED, BillKind, BillState
from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import billing_decisions, billing_requests, bills


class Billing(Repository):
    def decided(self, matter_id: int, *, verdict: str, reason: str, amount_cents: int) -> None:
        """Keep why this matter is, or is not, asked a bill for."""
        values = {"verdict": verdict, "reason": reason, "amount_cents": amount_cents, "decided_at": self.now}
        statement = self.insert(billing_decisions).values(matter_id=matter_id, **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["matter_id"], set_=values))

    def decisions(self, *, limit: int | None = None) -> list[sa.RowMapping]:
        """The last decision about each matter with work; all of them, unless `limit` says how many."""
        return self.rows(sa.select(billing_decisions).order_by(billing_decisions.c.matter_id).limit(limit))

    def ask(self, **values: Any) -> int | None:
        """A new billing request; None when one is open for the matter or this period was asked for before."""
        if not self.add_once(billing_requests, **values, created_at=self.now, updated_at=self.now):
            return None
        period = (
            billing_requests.c[name] == values[name] for name in ("matter_id", "period_start", "period_end", "kind")
        )
        row = self.one(sa.select(billing_requests.c.id).where(*period))
        return int(row["id"]) if row else None

    def get(self, request_id: int) -> sa.RowMapping | None:
        return self.one(sa.select(billing_requests).where(billing_requests.c.id == request_id))

    def listed(self, *, limit: int = 200) -> list[sa.RowMapping]:
        """The newest requests first."""
        return self.rows(sa.select(billing_requests).order_by(billing_requests.c.id.desc()).limit(limit))

    def keyed(self, key: str) -> sa.RowMapping | None:
        return self.one(sa.select(billing_requests).where(billing_requests.c.key == key))

    def asked_of(self, matter_ids: Collection[int]) -> list[sa.RowMapping]:
        """The open requests of these matters."""
        open_ = sa.and_(billing_requests.c.matter_id.in_(matter_ids), billing_requests.c.state == "asked")
        return self.rows(sa.select(billing_requests).where(open_))

    def asked_matters(self) -> set[int]:
        chosen = sa.select(billing_requests.c.matter_id).where(billing_requests.c.state == "asked")
        return set(self.connection.execute(chosen).scalars())

    def last_period_ends(self) -> dict[int, date]:
        """For each matter, the last day any of its requests covered."""
        grouped = sa.select(billing_requests.c.matter_id, sa.func.max(billing_requests.c.period_end))
        rows = self.connection.execute(grouped.group_by(billing_requests.c.matter_id))
        return {matter_id: end for matter_id, end in rows if end is not None}

    def move(self, request_id: int, state: str, **values: Any) -> None:
        moved = sa.update(billing_requests).where(billing_requests.c.id == request_id)
        self.change(moved.values(state=state, updated_at=self.now, **values))

    def drafts_by_matter(self) -> dict[int, list[sa.RowMapping]]:
        """Mirrored bills that are not issued yet, under each matter they bill."""
        found: dict[int, list[sa.RowMapping]] = {}
        for row in self.rows(sa.select(bills).where(bills.c.state.in_(UNISSUED)).order_by(bills.c.id)):
            for matter_id in row["matter_ids"]:
                found.setdefault(matter_id, []).append(row)
        return found

    def expected(self) -> int:
        """How many bills are drafted or asked for."""
        asked = sa.select(sa.func.count()).select_from(billing_requests).where(billing_requests.c.state == "asked")
        revenue = sa.and_(bills.c.state.in_(UNISSUED), bills.c.kind == BillKind.REVENUE)
        drafted = sa.select(sa.func.count()).select_from(bills).where(revenue, bills.c.request_id.is_(None))
        return sum(int(self.connection.execute(chosen).scalar_one()) for chosen in (asked, drafted))

    def decided_on(self, reason: str) -> set[int]:
        """Matters about which this was the last that was decided; whether they still have work is another question."""
        chosen = sa.select(billing_decisions.c.matter_id).where(billing_decisions.c.reason == reason)
        return set(self.connection.execute(chosen).scalars())

    def counts(self) -> dict[str, int]:
        """Requests made, and bills of ours by state."""
        requested = self.connection.execute(sa.select(sa.func.count()).select_from(billing_requests)).scalar_one()
        grouped = self.tally(bills.c.state)
        issued = sum(grouped.get(state, 0) for state in (BillState.AWAITING_PAYMENT, BillState.PAID, BillState.VOID))
        return {"requested": requested, "issued": issued, "paid": grouped.get(BillState.PAID, 0)}
