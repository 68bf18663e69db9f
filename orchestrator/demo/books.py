"""What the worker itself has stored: its reasons, its queue and its books, read from its database at the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.demo.days import OFFICE
from orchestrator.domain.reminders import ReminderState
from orchestrator.domain.three_way import Statement
from orchestrator.storage import tables
from orchestrator.storage.jobs import LIVE, JobState
from orchestrator.storage.unit_of_work import UnitOfWork, Work


@dataclass(frozen=True, slots=True)
class Books:
    """The worker's own account of itself; bills and payments by their Clio ids, reasons as codes; `steps` by bill and step."""

    silences: Mapping[int, str] = field(default_factory=dict)
    worries: Mapping[int, str] = field(default_factory=dict)
    waiting_links: Mapping[int, str] = field(default_factory=dict)
    withheld: Mapping[int, str] = field(default_factory=dict)
    payment_bills: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    exceptions: Mapping[str, int] = field(default_factory=dict)
    withheld_messages: int = 0
    journal_sum: int = 0
    held_cents: int = 0
    due_jobs: tuple[str, ...] = ()
    silent_jobs: tuple[str, ...] = ()
    draws: Mapping[str, int] = field(default_factory=dict)
    breaks_found: Mapping[str, int] = field(default_factory=dict)
    breaks_open: Mapping[str, int] = field(default_factory=dict)
    signed: tuple[Mapping[str, Any], ...] = ()
    steps: Mapping[tuple[int, str], str] = field(default_factory=dict)
    told: Mapping[tuple[int, date], str] = field(default_factory=dict)
    """The reason for silence that it gave of a bill on a day of the office; `steps` has the last one, which may be another."""


def is_used(engine: sa.Engine) -> bool:
    """Whether this database already holds a run."""
    if not sa.inspect(engine).has_table(tables.jobs.name):
        return False
    with engine.connect() as connection:
        return connection.execute(sa.select(tables.jobs.c.id).limit(1)).first() is not None


def read_books(engine: sa.Engine, now: datetime) -> Books:
    """One consistent reading at the firm's `now`."""
    with UnitOfWork(engine, lambda: now).read() as work:
        open_ = work.exceptions.listed(limit=100_000)
        return Books(
            silences=_column(work, tables.bills.c.id, tables.bills.c.silence),
            worries={row["subject_id"]: row["kind"] for row in open_ if row["subject_kind"] == "bill"},
            waiting_links=_column(
                work, tables.links.c.bill_id, tables.links.c.state, tables.links.c.state.in_(["waiting", "reserved"])
            ),
            withheld=_column(
                work,
                tables.messages.c.bill_id,
                tables.messages.c.reason,
                tables.messages.c.state.in_(["withheld", "unknown"]),
            ),
            payment_bills={
                row.id: tuple(row.bill_ids)
                for row in work.connection.execute(sa.select(tables.payments.c.id, tables.payments.c.bill_ids))
            },
            exceptions=work.exceptions.open_counts(),
            withheld_messages=work.messages.counts().get("withheld", 0),
            journal_sum=work.journal.balance(),
            held_cents=work.journal.held(),
            due_jobs=_jobs(work, tables.jobs.c.state.in_(LIVE), tables.jobs.c.not_before <= now),
            silent_jobs=_jobs(work, tables.jobs.c.state.in_([JobState.PARKED, JobState.FAILED]), ~_told()),
            draws=_tally(work, tables.draws.c.state),
            breaks_found=_tally(work, tables.breaks.c.kind),
            breaks_open=_tally(work, tables.breaks.c.kind, tables.breaks.c.state == "open"),
            signed=_signed(work),
            steps=_steps(work),
            told=_told_of_bills(work),
        )


def _column(work: Work, key: sa.Column[int], value: sa.Column[str], *where: sa.ColumnElement[bool]) -> dict[int, str]:
    chosen = sa.select(key, value).where(value.is_not(None), *where)
    return {row[0]: row[1] for row in work.connection.execute(chosen)}


def _steps(work: Work) -> dict[tuple[int, str], str]:
    """Why a step of a bill's sequence was not taken, for each that was not."""
    rows = tables.reminders
    chosen = sa.select(rows.c.bill_id, rows.c.step, rows.c.reason)
    untaken = chosen.where(rows.c.state != ReminderState.SENT, rows.c.reason.is_not(None))
    return {(row.bill_id, row.step): row.reason for row in work.connection.execute(untaken)}


def _told_of_bills(work: Work) -> dict[tuple[int, date], str]:
    rows = tables.audit
    chosen = sa.select(rows.c.at, rows.c.subject_id, rows.c.facts).order_by(rows.c.seq)
    said = work.connection.execute(chosen.where(rows.c.action == "reminder.withheld"))
    return {(int(row.subject_id), row.at.astimezone(OFFICE).date()): row.facts["why"] for row in said}


def _tally(work: Work, column: sa.Column[str], *where: sa.ColumnElement[bool]) -> dict[str, int]:
    counted = sa.select(column, sa.func.count()).where(*where).group_by(column).order_by(column)
    return {row[0]: row[1] for row in work.connection.execute(counted)}


def _signed(work: Work) -> tuple[Mapping[str, Any], ...]:
    """What each signed period's run says of its account, the oldest first."""
    periods, runs = tables.periods, tables.runs
    chosen = sa.select(periods.c.account, periods.c.closed_on, runs.c.statement).join(
        runs, runs.c.id == periods.c.run_id
    )
    return tuple(
        {"account": row.account, "closed_on": row.closed_on, "statement": Statement(**row.statement)}
        for row in work.connection.execute(chosen.order_by(periods.c.id))
    )


def _jobs(work: Work, *where: sa.ColumnElement[bool]) -> tuple[str, ...]:
    rows = work.connection.execute(sa.select(tables.jobs.c.id, tables.jobs.c.topic).where(*where))
    return tuple(f"job {row.id} ({row.topic})" for row in rows)


def _told() -> sa.ColumnElement[bool]:
    """Whether a person was ever asked about this job."""
    return sa.exists().where(tables.exceptions.c.job_id == tables.jobs.c.id)
