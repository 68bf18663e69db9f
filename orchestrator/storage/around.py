"""What is known about a movement without a partner beside the movement itself, and about draws."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from orchestrator.domain.matching import NOT_YET, SAME_REFERENCE_DAYS, Item
from orchestrator.domain.movements import PROCESSORS, Source
from orchestrator.domain.references import normalise
from orchestrator.storage.repository import Repository, Row, parts
from orchestrator.storage.tables import draws, movements, trust_lines
from orchestrator.storage.windows import Window, visible, within, worth


class Around(Repository):
    def elsewhere(self, window: Window, items: Sequence[Item]) -> dict[int, str]:
        """For each of these whose other half stands in another account: that account, or "none" for one not configured."""
        if not items:
            return {}
        span = timedelta(days=SAME_REFERENCE_DAYS)
        # What has not settled stands on `NOT_YET`, after which there is no day.
        first, last = min(item.on for item in items) - span, min(max(item.on for item in items), NOT_YET - span) + span
        other = sa.and_(movements.c.account.is_distinct_from(window.account), movements.c.on.between(first, last))
        found: dict[int, list[Row]] = defaultdict(list)
        for part in parts({item.amount_cents for item in items}):
            chosen = sa.select(movements).where(movements.c.amount_cents.in_(part), other, visible(window.upto))
            for row in self.rows(chosen):
                found[row["amount_cents"]].append(row)
        named: dict[int, str] = {}
        for item in items:
            for row in found.get(item.amount_cents, ()):
                if _same(item, row):
                    named[item.id] = row["account"] or "none"
        return named

    def other_ends(self, window: Window, items: Sequence[Item]) -> set[int]:
        """Those of these whose id a processor shows in another account, as the same money the other way."""
        ids = {item.parent or item.reference.strip(): item for item in items}
        found: set[int] = set()
        for part in parts(ids):
            theirs = sa.and_(
                movements.c.source.in_(PROCESSORS), movements.c.external_id.in_(part), visible(window.upto)
            )
            elsewhere = sa.and_(theirs, movements.c.account != window.account)
            for name, cents in self.connection.execute(
                sa.select(movements.c.external_id, movements.c.amount_cents).where(elsewhere)
            ):
                if cents == -ids[name].amount_cents:
                    found.add(ids[name].id)
        return found

    def still_counted(self, window: Window, items: Sequence[Item]) -> set[int]:
        """Those of these worthless movements that Clio's ledger still counts, by the id its lines name."""
        ids = {item.external_id: item.id for item in items}
        found: set[int] = set()
        for part in parts(ids):
            mine = sa.and_(movements.c.account == window.account, movements.c.source == Source.CLIO_LEDGER)
            named = sa.select(movements.c.parent, sa.func.sum(worth())).where(
                mine, movements.c.parent.in_(part), visible(window.upto)
            )
            for parent, cents in self.connection.execute(named.group_by(movements.c.parent)):
                if cents > 0:
                    found.add(ids[parent])
        return found

    def foreign(self, window: Window) -> list[Row]:
        """Movements of the window in another currency than their account's (T50)."""
        period = sa.and_(movements.c.on >= window.opened_on, movements.c.on <= window.cut_off)
        other = sa.and_(movements.c.account == window.account, movements.c.currency != window.currency)
        return self.rows(sa.select(movements).where(other, period, visible(window.upto)).order_by(movements.c.id))

    def changed_since(self, window: Window) -> list[Row]:
        """Ledger lines of signed days that are worth something else than when they were signed."""
        before = movements.alias("before")
        worth_then = sa.func.coalesce(
            sa.select(before.c.amount_cents)
            .where(
                before.c.source == movements.c.source, before.c.external_id == movements.c.external_id,
                before.c.id <= window.locked_upto,
                sa.or_(before.c.ended_by.is_(None), before.c.ended_by > window.locked_upto),
            )
            .scalar_subquery(), 0,
        )  # fmt: skip
        mine = sa.and_(movements.c.account == window.account, movements.c.source == Source.CLIO_LEDGER)
        late = sa.and_(movements.c.on < window.opened_on, movements.c.id > window.locked_upto, visible(window.upto))
        chosen = sa.select(movements, worth_then.label("was_cents")).where(mine, late, movements.c.version > 1)
        return self.rows(chosen.order_by(movements.c.id))

    def draw_lines(self, window: Window) -> list[Row]:
        """Draws out of Clio's ledger in the window, each with the authorised draw that stands behind it, if any."""
        behind = trust_lines.outerjoin(draws, draws.c.line_id == trust_lines.c.id)
        line = sa.and_(trust_lines.c.origin == "clio", trust_lines.c.external_id == movements.c.external_id)
        draw = (
            sa.select(sa.func.max(draws.c.id))
            .select_from(behind)
            .where(line, draws.c.authorised_by.is_not(None))
            .scalar_subquery()
        )
        chosen = sa.select(movements, draw.label("draw_id")).where(_draw_line(window))
        return self.rows(chosen.order_by(movements.c.id))

    def posted_draws(self, window: Window) -> list[tuple[int, date, int]]:
        """Lines of draws that are posted: the line's id and day in the window, and the draw's id."""
        behind = trust_lines.join(draws, draws.c.line_id == trust_lines.c.id)
        mine = sa.and_(draws.c.account == window.account, draws.c.state == "posted", trust_lines.c.origin == "clio")
        latest = sa.select(trust_lines.c.external_id, sa.func.max(draws.c.id)).select_from(behind).where(mine)
        posted = {row[0]: row[1] for row in self.connection.execute(latest.group_by(trust_lines.c.external_id))}
        lines = sa.select(movements.c.id, movements.c.on, movements.c.external_id).where(_draw_line(window))
        return sorted(
            (row["id"], row["on"], posted[row["external_id"]])
            for part in parts(posted)
            for row in self.rows(lines.where(movements.c.external_id.in_(part)))
        )

    def watched_since(self, account: str) -> datetime | None:
        """When the first line of an account's ledger was read here."""
        mine = sa.and_(movements.c.account == account, movements.c.source == Source.CLIO_LEDGER)
        # Rows are only ever added: the first has been here longest, and is found without looking at the others.
        first = sa.select(movements.c.seen_at).where(mine).order_by(movements.c.id).limit(1)
        return self.connection.execute(first).scalar_one_or_none()

    def draws_waiting(self, account: str, before: datetime) -> list[Row]:
        """Draws that were authorised before a moment and are in no ledger yet."""
        mine = sa.and_(draws.c.account == account, draws.c.state == "authorised", draws.c.authorised_at < before)
        return self.rows(sa.select(draws).where(mine).order_by(draws.c.id))


def _same(item: Item, row: Row) -> bool:
    """Whether these two of different accounts call themselves halves of one, by id or by reference."""
    if (item.source == Source.CLIO_LEDGER) == (row["source"] == Source.CLIO_LEDGER):
        return False
    mine, theirs = normalise(item.reference), normalise(row["reference"])
    by_id = item.external_id == row["parent"] or (item.parent is not None and item.parent == row["external_id"])
    return (
        by_id
        or (bool(mine) and mine in {theirs, normalise(row["external_id"])})
        or (bool(theirs) and theirs == normalise(item.external_id))
    )


def _draw_line(window: Window) -> sa.ColumnElement[bool]:
    """A settled draw of the window, in Clio's ledger."""
    mine = sa.and_(within(window), movements.c.source == Source.CLIO_LEDGER)
    return sa.and_(mine, movements.c.kind == "draw", movements.c.status == "settled")
