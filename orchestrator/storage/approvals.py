"""Approvals of time: ours, because Clio has none (API notes §3)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import approvals, entries


@dataclass(frozen=True, slots=True)
class ApprovedEntry:
    """An approved, still unbilled entry: what a billing decision adds up."""

    entry_id: int
    matter_id: int
    total_cents: int
    worked_on: date


class Approvals(Repository):
    def resting(self, *, changed_before: datetime, entry_ids: Collection[int] | None = None) -> list[sa.RowMapping]:
        """Billable, unbilled, fully visible entries without a standing approval that last changed before this moment."""
        chosen = self._candidates().where(entries.c.changed_at <= changed_before)
        if entry_ids is not None:
            chosen = chosen.where(entries.c.id.in_(entry_ids))
        return self.rows(chosen)

    def unapproved_of_matter(self, matter_id: int, *, changed_before: datetime) -> list[sa.RowMapping]:
        return self.rows(
            self._candidates().where(entries.c.matter_id == matter_id, entries.c.changed_at <= changed_before)
        )

    def next_rest(self, *, changed_after: datetime) -> datetime | None:
        """When the oldest entry still within its quiet period last changed."""
        soonest = self._candidates(sa.func.min(entries.c.changed_at)).where(entries.c.changed_at > changed_after)
        found: datetime | None = self.connection.execute(soonest).scalar_one()
        return found

    def approve(self, entry: sa.RowMapping, *, by: str, signal: str) -> bool:
        """Record who approved which values of an entry; False when an approval stands already."""
        return self.add_once(
            approvals,
            entry_id=entry["id"],
            digest=entry["digest"],
            total_cents=entry["total_cents"],
            approved_by=by,
            signal=signal,
            approved_at=self.now,
        )

    def withdraw_changed(self, entry_ids: Collection[int]) -> list[int]:
        """Withdraw approvals whose entry is no longer what was approved; returns those entries' ids."""
        stale = self.rows(
            sa.select(approvals.c.id, approvals.c.entry_id)
            .join(entries, entries.c.id == approvals.c.entry_id)
            .where(
                approvals.c.entry_id.in_(entry_ids),
                approvals.c.withdrawn_at.is_(None),
                # Once on a bill the values are the bill's business: Clio locks the entry there.
                entries.c.bill_id.is_(None),
                sa.or_(entries.c.digest != approvals.c.digest, entries.c.gone.is_(True)),
            )
        )
        if stale:
            ids = [row["id"] for row in stale]
            self.change(sa.update(approvals).where(approvals.c.id.in_(ids)).values(withdrawn_at=self.now))
        return [row["entry_id"] for row in stale]

    def approved_unbilled(self, matter_ids: Collection[int] | None = None) -> list[ApprovedEntry]:
        """Every standing approval of an entry that is on no bill."""
        chosen = (
            sa.select(entries.c.id, entries.c.matter_id, approvals.c.total_cents, entries.c.worked_on)
            .join(approvals, sa.and_(approvals.c.entry_id == entries.c.id, approvals.c.withdrawn_at.is_(None)))
            .where(self._unbilled(), entries.c.matter_id.is_not(None))
            .order_by(entries.c.worked_on, entries.c.id)
        )
        if matter_ids is not None:
            chosen = chosen.where(entries.c.matter_id.in_(matter_ids))
        return [ApprovedEntry(*row) for row in self.connection.execute(chosen)]

    def matters_with_work(self) -> set[int]:
        """Matters with approved work that is on no bill."""
        standing = sa.and_(approvals.c.entry_id == entries.c.id, approvals.c.withdrawn_at.is_(None))
        chosen = sa.select(entries.c.matter_id).join(approvals, standing)
        mine = chosen.where(self._unbilled(), entries.c.matter_id.is_not(None))
        return set(self.connection.execute(mine.distinct()).scalars())

    def redacted(self) -> list[sa.RowMapping]:
        """Unbilled billable entries of matters whose figures are hidden from our user (F41): `id` and `matter_id`."""
        hidden = sa.or_(
            entries.c.total_cents.is_(None),
            sa.and_(entries.c.type == "TimeEntry", entries.c.quantity_seconds.is_(None)),
        )
        billable = sa.and_(self._unbilled(), entries.c.non_billable.is_(False), entries.c.matter_id.is_not(None))
        return self.rows(sa.select(entries.c.id, entries.c.matter_id).where(billable, hidden))

    def standing(self, entry_ids: Collection[int]) -> set[int]:
        """Those of these entries that have a standing approval."""
        chosen = sa.select(approvals.c.entry_id).where(
            approvals.c.entry_id.in_(entry_ids), approvals.c.withdrawn_at.is_(None)
        )
        return set(self.connection.execute(chosen).scalars())

    def by_whom(self, entry_ids: Collection[int]) -> dict[int, str]:
        """Who approved those of these entries that have a standing approval."""
        chosen = sa.select(approvals.c.entry_id, approvals.c.approved_by).where(
            approvals.c.entry_id.in_(entry_ids), approvals.c.withdrawn_at.is_(None)
        )
        return {entry_id: by for entry_id, by in self.connection.execute(chosen)}  # noqa: C416  a result is no mapping

    def listed(self, *, matter_id: int | None = None, limit: int = 200) -> list[sa.RowMapping]:
        """Entries not yet on a bill, with their approval where one stands, newest change first."""
        joined = entries.outerjoin(
            approvals, sa.and_(approvals.c.entry_id == entries.c.id, approvals.c.withdrawn_at.is_(None))
        )
        chosen = (
            sa.select(entries, approvals.c.approved_by, approvals.c.approved_at, approvals.c.signal)
            .select_from(joined)
            .where(self._unbilled())
            .order_by(entries.c.changed_at.desc(), entries.c.id)
            .limit(limit)
        )
        return self.rows(chosen.where(entries.c.matter_id == matter_id) if matter_id is not None else chosen)

    def _candidates(self, *columns: Any) -> sa.Select[Any]:
        standing = sa.select(approvals.c.id).where(
            approvals.c.entry_id == entries.c.id, approvals.c.withdrawn_at.is_(None)
        )
        return sa.select(*(columns or (entries,))).where(
            self._unbilled(),
            entries.c.non_billable.is_(False),
            entries.c.no_charge.is_(False),
            entries.c.matter_id.is_not(None),
            entries.c.total_cents.is_not(None),
            sa.or_(entries.c.type != "TimeEntry", entries.c.quantity_seconds.is_not(None)),
            ~standing.exists(),
        )

    def _unbilled(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            entries.c.gone.is_(False),
            entries.c.on_bill.is_(False),
            entries.c.billed.is_(False),
            entries.c.bill_id.is_(None),
        )
