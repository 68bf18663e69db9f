"""Which movements a run compares, in the words of SQL."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.matching import Leg
from orchestrator.domain.movements import PROCESSORS, Source
from orchestrator.storage.tables import matches, movements, unmatched

Seen = sa.FromClause
"""The table of movements, or an alias of it."""

CARRIED = ("break", "outstanding")
"""What of a signed period stays open in the next."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows a run compares: one account's, of a period, as they were known when it began."""

    account: str
    currency: str
    opened_on: date
    cut_off: date
    upto: int
    """The last row it knows of."""
    locked_upto: int | None = None
    """The last row that the signed period before it knew of: what came later about older days belongs here (T41)."""
    carried_from: int | None = None
    """The signed run whose outstanding items go on here (T40)."""


def visible(upto: int, of: Seen = movements) -> sa.ColumnElement[bool]:
    """A movement's newest version among the rows up to this one."""
    return sa.and_(of.c.id <= upto, sa.or_(of.c.ended_by.is_(None), of.c.ended_by > upto))


def worth() -> sa.ColumnElement[int]:
    """Cents, or nothing of what has failed or was voided."""
    return sa.case((movements.c.status.in_(["failed", "voided"]), 0), else_=movements.c.amount_cents)


def in_book(account: str, until: date, upto: int) -> sa.ColumnElement[bool]:
    """Clio's ledger of an account at the end of a day, as far as the rows up to one knew (T44)."""
    mine = sa.and_(movements.c.account == account, movements.c.source == Source.CLIO_LEDGER)
    return sa.and_(mine, movements.c.on <= until, visible(upto))


def carried_by(run_id: int, *legs: Leg) -> sa.Select[Any]:
    """The movements that stood unmatched at the end of a run."""
    mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.state.in_(CARRIED), unmatched.c.leg.in_(legs or Leg))
    return sa.select(unmatched.c.movement_id).where(mine)


def within(window: Window, of: Seen = movements) -> sa.ColumnElement[bool]:
    """The rows that a run compares, and no other run before it has settled."""
    days: sa.ColumnElement[bool] = of.c.on >= window.opened_on
    if window.locked_upto is not None:
        days = sa.or_(days, of.c.id > window.locked_upto)
    if window.carried_from is not None:
        days = sa.or_(days, of.c.id.in_(carried_by(window.carried_from)))
    return sa.and_(
        of.c.account == window.account, of.c.currency == window.currency, of.c.on <= window.cut_off,
        visible(window.upto, of), days,
    )  # fmt: skip


def of_processor(window: Window, of: Seen) -> sa.ColumnElement[bool]:
    """The payments among them."""
    return sa.and_(within(window, of), of.c.source.in_(PROCESSORS))


def of_ledger(window: Window, of: Seen) -> sa.ColumnElement[bool]:
    """The lines of Clio's ledger among them."""
    return sa.and_(within(window, of), of.c.source == Source.CLIO_LEDGER)


def same_text(of: Seen, text: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a movement has this reference, however it is written; none is nobody's."""
    return sa.and_(filled(of.c.reference_normalised), of.c.reference_normalised == text)


def filled(key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Not empty, in the very words of the indexes that leave the empty ones out."""
    return key != sa.literal_column("''")


def there_is(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists(sa.select(sa.literal(1)).where(*where))


def is_matched(run_id: int, leg: Leg) -> sa.ColumnElement[bool]:
    """Whether a run has matched a movement, on the right of a leg."""
    return there_is(matches.c.run_id == run_id, matches.c.leg == leg, matches.c.right_id == movements.c.id)
