"""Reconciliation runs: what each compared, matched, left open and said. Every query is a page, never a whole (T42)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from orchestrator.domain.matching import NOT_YET, SAME_REFERENCE_DAYS, SET, Item, Leg, Look, Match, Rule
from orchestrator.domain.movements import PROCESSORS, Source
from orchestrator.domain.references import normalise
from orchestrator.storage.repository import CHUNK, Repository, Row
from orchestrator.storage.tables import (
    bills,
    differences,
    draws,
    matches,
    matter_references,
    movements,
    periods,
    runs,
    trust_lines,
    unmatched,
)

MOST_ALIKE = 1000
"""Candidates that are looked at for a few hundred movements: what has more of them is nobody's certain partner."""

Sorted = TypeVar("Sorted", bound=tuple[Any, ...])

Seen = sa.FromClause
"""The table of movements, or an alias of it."""

POOLED = ("right", "movement_id", "matter_id", "amount_cents", "on", "name", "reference", "money", "client", "matter")
"""What the rules group a movement by, and what it is worth there."""

INDEXED = ("name", "reference", "money")
"""Columns by which the other side of a group is looked up; by any other the groups are counted."""

COMPARED = ("source", "external_id", "amount_cents", "on", "kind", "status", "reference", "matter_id", "client_id",
            "bill_id", "parent")  # fmt: skip
"""What a rule sees of a movement, in the order of `Item`."""


LOOKED_AT = ("id", "on", "amount_cents", "status", "kind", "source", "reference", "matter_id", "external_id")
LOOKED_AT_IN_LINE = ("id", "amount_cents", "status", "matter_id")
"""What a first look sees of a payment, and of a ledger line, in the order of `Look`."""


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


CARRIED = ("break", "outstanding")
"""What of a signed period stays open in the next."""


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


class Runs(Repository):
    # ── one run ──

    def begin(self, **values: Any) -> int:
        given = values | {"began_at": self.now, "state": "running", "steps": 0, "counts": {}}
        return int(self.connection.execute(sa.insert(runs).values(**given).returning(runs.c.id)).scalar_one())

    def get(self, run_id: int) -> Row | None:
        return self.one(sa.select(runs).where(runs.c.id == run_id))

    def of_inputs(self, account: str, opened_on: date, cut_off: date, digest: str) -> Row | None:
        """The run that has decided about exactly this, or is at it."""
        same = sa.and_(runs.c.account == account, runs.c.opened_on == opened_on, runs.c.cut_off == cut_off)
        return self.one(sa.select(runs).where(same, runs.c.inputs_digest == digest, runs.c.state != "abandoned"))

    def versions(self, account: str, opened_on: date, cut_off: date) -> list[Row]:
        """Every version of one window, oldest first; what came to the same as the one before it is none."""
        same = sa.and_(runs.c.account == account, runs.c.opened_on == opened_on, runs.c.cut_off == cut_off)
        return self.rows(sa.select(runs).where(same, runs.c.state != "same").order_by(runs.c.version))

    def alike_before(self, run: Row, digest: str) -> Row | None:
        """The finished version before this run, if it came to this very result."""
        versions = self.versions(run["account"], run["opened_on"], run["cut_off"])
        finished = [row for row in versions if row["state"] == "finished"]
        return finished[-1] if finished and finished[-1]["digest"] == digest else None

    def forget(self, run_id: int) -> None:
        """Drop what a run found: another version says all of it."""
        for table in (matches, unmatched, differences):
            self.change(sa.delete(table).where(table.c.run_id == run_id))

    def abandon(self, account: str, opened_on: date, cut_off: date) -> None:
        """What was killed and knows less than is known by now is never gone on with."""
        same = sa.and_(runs.c.account == account, runs.c.opened_on == opened_on, runs.c.cut_off == cut_off)
        self.change(sa.update(runs).where(same, runs.c.state == "running").values(state="abandoned"))

    def step(self, run: Row, **values: Any) -> bool:
        """Keep how far the run came; False when another worker went on with it meanwhile."""
        mine = sa.update(runs).where(runs.c.id == run["id"], runs.c.steps == run["steps"], runs.c.state == "running")
        return self.change(mine.values(steps=run["steps"] + 1, **values)) == 1

    def listed(self, *, account: str | None = None, limit: int = 200) -> list[Row]:
        """The newest runs first, without those that only said what was said already."""
        chosen = sa.select(runs).where(runs.c.state != "same").order_by(runs.c.id.desc()).limit(limit)
        return self.rows(chosen.where(runs.c.account == account) if account else chosen)

    def newest(self, account: str) -> Row | None:
        """The last finished run of an account, by cut-off and version."""
        mine = sa.select(runs).where(runs.c.account == account, runs.c.state == "finished")
        return self.one(mine.order_by(runs.c.cut_off.desc(), runs.c.id.desc()).limit(1))

    # ── what goes after a while ──

    def superseded(self, before: datetime) -> list[Row]:
        """Runs that were over before a moment, that nobody can sign any more, and that have matches still or never lost any.

        A newer version of the same days has come to its end, or its days are signed by another; or it was abandoned. The
        newest finished run of an account is none of them, and a signed one never is.
        """
        newer, other = runs.alias("newer"), periods.alias("other")
        days = sa.and_(*(newer.c[name] == runs.c[name] for name in ("account", "opened_on", "cut_off")))
        version = sa.exists().where(days, newer.c.version > runs.c.version, newer.c.state == "finished")
        locked = sa.exists().where(other.c.account == runs.c.account, other.c.closed_on >= runs.c.cut_off)
        over = sa.or_(runs.c.state == "abandoned", sa.and_(runs.c.state == "finished", sa.or_(version, locked)))
        finished = sa.select(sa.func.max(newer.c.id)).where(newer.c.state == "finished").group_by(newer.c.account)
        kept = sa.or_(runs.c.id.in_(sa.select(periods.c.run_id)), runs.c.id.in_(finished))
        some = sa.or_(runs.c.pruned_at.is_(None), sa.exists().where(matches.c.run_id == runs.c.id))
        old = sa.func.coalesce(runs.c.finished_at, runs.c.began_at) < before
        return self.rows(sa.select(runs).where(over, old, some, sa.not_(kept)).order_by(runs.c.id))

    def prune(self, run_id: int) -> bool:
        """Say of a run that its matches are let go; False when that was said before."""
        mine = sa.update(runs).where(runs.c.id == run_id, runs.c.pruned_at.is_(None))
        return self.change(mine.values(pruned_at=self.now)) == 1

    def forget_matches(self, run_id: int, size: int) -> int:
        """Delete at most so many matches of a run; returns how many there were."""
        some = sa.select(matches.c.id).where(matches.c.run_id == run_id).limit(size)
        return self.change(sa.delete(matches).where(matches.c.id.in_(some)))

    # ── what it compares ──

    def first_looks(self, window: Window, after: int, size: int) -> tuple[list[Look], int | None]:
        """The next movements of the processors, by id, each with all ledger lines that name it; and where they end.

        What belongs together was seen at about the same time, so both are read from the same pages of the database.
        """
        line = movements.alias("line")
        own, theirs = [movements.c[name] for name in LOOKED_AT], [line.c[name] for name in LOOKED_AT_IN_LINE]
        named = sa.and_(_line(window, line), line.c.link == movements.c.external_id)
        chosen = sa.select(*own, *theirs).select_from(movements.outerjoin(line, named))
        mine = chosen.where(_payment(window, movements), movements.c.id > after)
        looks, end = _whole(lambda size: self.tuples(mine.order_by(movements.c.id).limit(size)), _first, size)
        return cast(list[Look], looks), end

    def linked(self, window: Window, ids: Collection[int]) -> list[Item]:
        """These movements of the processors and all ledger lines that name them, as complete groups."""
        compared = [movements.c[name] for name in COMPARED]
        chosen = sa.select(movements.c.external_id, sa.literal_column("0"), movements.c.id, *compared)
        lines = sa.select(movements.c.link, sa.literal_column("1"), movements.c.id, *compared)
        named = lines.where(within(window), movements.c.source == Source.CLIO_LEDGER)
        found: list[Item] = []
        for part in _parts(ids):
            ours = self._items(chosen.where(movements.c.id.in_(part)))
            found += ours
            found += self._items(named.where(movements.c.link.in_([item.key for item in ours])))
        return sorted(found)

    def second_looks(self, window: Window, ids: Collection[int]) -> list[Look]:
        """Those of these payments that no line names, each with the one line of its reference, in order of id.

        Only where nobody else of the window has that reference, be it as its id, and no line the payment's id: then no other
        rung, and no other page, could say anything about the two.
        """
        line, named, again, known, other, its = (movements.alias(f"m{number}") for number in range(6))
        text = movements.c.reference_normalised
        nobody_else = ~sa.or_(
            _is(_payment(window, named), named.c.external_id == line.c.link),
            _is(_payment(window, again), _same_text(again, text), again.c.id != movements.c.id),
            _is(_payment(window, known), _filled(known.c.name_normalised), known.c.name_normalised == text),
            _is(_line(window, other), _same_text(other, text), other.c.id != line.c.id),
            _is(_line(window, its), _same_text(its, movements.c.name_normalised)),
        )
        own = [movements.c[name] for name in LOOKED_AT]
        theirs = [line.c[name] for name in (*LOOKED_AT_IN_LINE, "on")]
        both = movements.join(line, sa.and_(_line(window, line), _same_text(line, text)))
        chosen = sa.select(*own, *theirs).select_from(both).where(nobody_else)
        found = (row for part in _parts(ids) for row in self.tuples(chosen.where(movements.c.id.in_(part))))
        return [look for look, _ in _near(found)]

    def bank_looks(
        self, window: Window, run_id: int, after: int, size: int
    ) -> tuple[list[tuple[Look, Any]], int | None]:
        """The next open ledger lines of the bank's leg, by id, each with the one line of the bank that has its reference.

        That one stands where a `Look` has a payment, the ledger line where it has a line; beside it the day on which that
        settled. Only where nobody else has that reference; and where they end.
        """
        line, other, twin = movements.alias("line"), movements.alias("other"), unmatched.alias("twin")
        text = unmatched.c.reference
        pool = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.BANK, unmatched.c.state == "open")
        mine = sa.and_(pool, unmatched.c.right == 0, unmatched.c.movement_id > after)
        of_bank = sa.and_(within(window), movements.c.source == Source.BANK, _same_text(movements, text))
        nobody_else = ~sa.or_(
            _is_matched(run_id, Leg.BANK),
            _is(
                twin.c.run_id == run_id, twin.c.leg == Leg.BANK, twin.c.reference == text,
                twin.c.movement_id != unmatched.c.movement_id,
            ),
            _is(
                within(window, other), other.c.source == Source.BANK, _same_text(other, text),
                other.c.id != movements.c.id,
            ),
        )  # fmt: skip
        own = [movements.c[name] for name in LOOKED_AT]
        theirs = [line.c[name] for name in LOOKED_AT_IN_LINE]
        both = unmatched.join(line, line.c.id == unmatched.c.movement_id).join(movements, of_bank)
        chosen = sa.select(*own, *theirs, unmatched.c.on).select_from(both).where(mine, nobody_else)
        found = self.tuples(chosen.order_by(unmatched.c.movement_id).limit(size))
        return _near(found), found[-1][9] if len(found) == size else None

    def unseen(self, window: Window, run_id: int, after: int, size: int) -> list[Item]:
        """The next lines of Clio's ledger, by id, that are neither matched with a payment nor in the pool: they name none."""
        pool = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR)
        known = sa.or_(
            _is_matched(run_id, Leg.PROCESSOR), _is(pool, unmatched.c.movement_id == movements.c.id)
        )  # fmt: skip
        mine = _rights().where(_line(window, movements), movements.c.id > after, ~known)
        return self._items(mine.order_by(movements.c.id).limit(size))

    def at_bank(self, window: Window, run_id: int, after: str, size: int) -> list[Item]:
        """The next lines of the bank that are not matched, by name: so the index has them, side by side."""
        of_bank = sa.and_(within(window), movements.c.source == Source.BANK, movements.c.external_id > after)
        mine = _rights().where(of_bank, ~_is_matched(run_id, Leg.BANK))
        return self._items(mine.order_by(movements.c.external_id).limit(size))

    def bank_credits(self, window: Window) -> list[tuple[int, date, int]]:
        """What the bank's lines of the window brought in: each with its day and cents."""
        mine = sa.and_(within(window), movements.c.source == Source.BANK, movements.c.amount_cents > 0)
        chosen = sa.select(movements.c.id, movements.c.on, movements.c.amount_cents).where(mine)
        found = self.tuples(chosen.order_by(movements.c.external_id))
        return [(ident, _day(on), cents) for ident, on, cents in sorted(found)]

    def foreign(self, window: Window) -> list[Row]:
        """Movements of the window in another currency than their account's (T50)."""
        period = sa.and_(movements.c.on >= window.opened_on, movements.c.on <= window.cut_off)
        other = sa.and_(movements.c.account == window.account, movements.c.currency != window.currency)
        return self.rows(sa.select(movements).where(other, period, visible(window.upto)).order_by(movements.c.id))

    # ── what is not matched yet ──

    def pool(self, run_id: int, leg: Leg, rows: Iterable[tuple[Any, ...]]) -> None:
        """What is open in a leg from now on: rows of `POOLED`."""
        self.add_all(unmatched, POOLED, list(rows), run_id=run_id, leg=leg.value, state="open")

    def grouped(self, run_id: int, rule: Rule, after: str, size: int) -> tuple[list[Item], str | None]:
        """The next complete groups of what is open in a rule's leg, by its column of the pool, and where they end.

        Of a column that is not `INDEXED` only groups of several.
        """
        key = unmatched.c[rule.column]
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == rule.leg, unmatched.c.state == "open")
        chosen = self._pooled(key).where(mine, key > after, _filled(key))
        other = unmatched.alias("other")
        named = other.c[rule.column]
        pool = sa.and_(other.c.run_id == run_id, other.c.leg == rule.leg, other.c.state == "open", _filled(named))
        if rule.column not in INDEXED:
            enough = sa.func.count() > 1
            if rule.both:
                enough = sa.func.min(other.c.right) < sa.func.max(other.c.right)
            chosen = chosen.where(key.in_(sa.select(named).where(pool, named > after).group_by(named).having(enough)))
        elif rule.both:
            across = sa.and_(pool, named == key, other.c.right == 1 - unmatched.c.right)
            chosen = chosen.where(sa.exists(sa.select(sa.literal(1)).where(across)))
        return _whole(lambda size: self._items(chosen.order_by(key).limit(size)), _first, size)

    def leftovers(self, run_id: int, leg: Leg, after: int, size: int) -> list[Item]:
        """The next open movements of a leg, by id."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == leg, unmatched.c.state == "open")
        chosen = self._pooled(sa.literal_column("''")).where(mine, unmatched.c.movement_id > after)
        return self._items(chosen.order_by(unmatched.c.movement_id).limit(size))

    def taken_back(self, run_id: int) -> set[str]:
        """The ids of movements that a processor has taken back, wholly or in part, by what no rule has matched."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 0)
        joined = sa.select(movements.c.parent).join(unmatched, unmatched.c.movement_id == movements.c.id)
        back = joined.where(mine, unmatched.c.state == "open", movements.c.parent.is_not(None))
        return set(self.connection.execute(back.distinct()).scalars())

    def open_at_processors(self, run_id: int, names: Collection[str], *, by: str) -> list[Item]:
        """What no rule has matched yet of the processors' movements with these ids, or with these parents."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 0)
        chosen = self._pooled(sa.literal_column("''")).where(mine, unmatched.c.state == "open")
        some = (chosen.where(movements.c[by].in_(part)).order_by(movements.c.id) for part in _parts(names))
        return [item for statement in some for item in self._items(statement)]

    def _items(self, statement: sa.Select[Any]) -> list[Item]:
        return list(map(_item, self.tuples(statement)))

    def name(self, run_id: int, matters: Mapping[int, int], after: int, upto: int | None) -> None:
        """Matters that were found for some movements in the processor's leg; and by what its next ones, by id, go from now on.

        By far the most never come so far: money and matter are filled in, and their indexes kept, only for those that do.
        """
        leg = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR)
        if matters:
            mine = sa.and_(leg, unmatched.c.movement_id == sa.bindparam("of"))
            found = [{"of": ident, "by": matter} for ident, matter in sorted(matters.items())]
            self.connection.execute(sa.update(unmatched).where(mine).values(matter_id=sa.bindparam("by")), found)
        cents, matter = (sa.cast(unmatched.c[name], sa.String) for name in ("amount_cents", "matter_id"))
        known = sa.func.coalesce(matter, "")
        here = sa.and_(leg, unmatched.c.movement_id > after)
        if upto is not None:
            here = sa.and_(here, unmatched.c.movement_id <= upto)
        self.change(sa.update(unmatched).where(here).values(money=cents + "|" + known, matter=known))

    def passing(self, run_id: int, after: int, size: int) -> list[tuple[str, Item]]:
        """The next ledger lines that stand in the processor's leg, by id, each with its state there."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 1)
        chosen = self._pooled(sa.literal_column("''")).add_columns(unmatched.c.state)
        here = chosen.where(mine, unmatched.c.movement_id > after).order_by(unmatched.c.movement_id)
        return [(row[-1], _item(row[:-1])) for row in self.tuples(here.limit(size))]

    @staticmethod
    def _pooled(key: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Pool rows as items: the day they settled on, and the matter that was found for them."""
        own = {"on": unmatched.c.on, "matter_id": unmatched.c.matter_id}
        compared = [own.get(name, movements.c[name]) for name in COMPARED]
        chosen = sa.select(key, unmatched.c.right, unmatched.c.movement_id, *compared)
        return chosen.select_from(unmatched.join(movements, movements.c.id == unmatched.c.movement_id))

    def leave(self, run_id: int, leg: Leg, movement_ids: Collection[int], *, state: str | None = None) -> None:
        """Take these out of a leg's pool, or let them stand there in another state."""
        what = "DELETE FROM unmatched" if state is None else "UPDATE unmatched SET state = ?"
        mine = f"{what} WHERE run_id = ? AND leg = ? AND movement_id = ?".replace("?", self.hole)
        first = (run_id, leg.value) if state is None else (state, run_id, leg.value)
        if wanted := sorted(set(movement_ids)):
            self.connection.exec_driver_sql(mine, [(*first, ident) for ident in wanted])

    def rest_of(self, run_id: int) -> sa.Select[Any]:
        """Everything of a run that stands unmatched, with what was seen of it."""
        joined = unmatched.join(movements, movements.c.id == unmatched.c.movement_id)
        own = [unmatched.c.id.label("place"), unmatched.c.leg, unmatched.c.right, unmatched.c.state.label("standing")]
        found = [unmatched.c.matter_id.label("found_matter_id"), movements]
        return sa.select(*own, *found).select_from(joined).where(unmatched.c.run_id == run_id)

    def standing(self, run_id: int, *states: str) -> list[Row]:
        """The rows of a run that stand in these states, the oldest day first."""
        chosen = self.rest_of(run_id).where(unmatched.c.state.in_(states))
        return self.rows(chosen.order_by(movements.c.on, movements.c.id))

    def open_sum(self, run_id: int) -> tuple[int, int]:
        """What Clio's ledger has and the bank not yet, in cents: money in on its way, and money out."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.BANK, unmatched.c.right == 0)
        counted = sa.and_(mine, unmatched.c.state == "outstanding")
        into = sa.func.coalesce(
            sa.func.sum(sa.case((unmatched.c.amount_cents > 0, unmatched.c.amount_cents), else_=0)), 0
        )
        out = sa.func.coalesce(
            sa.func.sum(sa.case((unmatched.c.amount_cents < 0, unmatched.c.amount_cents), else_=0)), 0
        )
        plus, minus = self.connection.execute(sa.select(into, out).where(counted)).one()
        return int(plus), int(minus)

    # ── what it found ──

    def keep_matches(self, run_id: int, leg: Leg, found: Iterable[Match]) -> Counter[str]:
        """Every edge of these matches; returns how many each rule has."""
        rows = [
            (match.rule, left, right, match.on.isoformat())
            for match in found
            for left in match.lefts or (None,)
            for right in match.rights or (None,)
        ]
        self.add_all(matches, ("rule", "left_id", "right_id", "on"), rows, run_id=run_id, leg=leg.value)
        return Counter(row[0] for row in rows)

    def keep_pairs(self, run_id: int, leg: Leg, rule: str, pairs: Sequence[tuple[int, int, Any]]) -> None:
        """What was clear at the first look: by far the most rows of a run."""
        self.add_all(matches, ("left_id", "right_id", "on"), pairs, run_id=run_id, leg=leg.value, rule=rule)

    def matched_on(
        self, run_id: int, days: Mapping[str, Collection[date]], after: int, size: int
    ) -> tuple[list[Item], int | None]:
        """The next ledger lines that are matched with a movement of these days of a processor, by id; and where they end."""
        left = movements.alias("taken")
        compared = [{"on": matches.c.on}.get(name, movements.c[name]) for name in COMPARED]
        chosen = sa.select(sa.literal_column("''"), sa.literal_column("0"), movements.c.id, *compared)
        both = matches.join(movements, movements.c.id == matches.c.right_id).join(left, left.c.id == matches.c.left_id)
        mine = sa.and_(matches.c.run_id == run_id, matches.c.leg == Leg.PROCESSOR, matches.c.right_id > after)
        # Lines that move money inside the account stand on both sides of their match, and reach no bank.
        inside = matches.c.rule.in_(["client_level_draw", "internal_transfer"])
        theirs = [sa.and_(left.c.source == source, matches.c.on.in_(of)) for source, of in sorted(days.items())]
        open_ = sa.or_(*theirs, matches.c.on == NOT_YET, movements.c.amount_cents < 0)
        joined = chosen.select_from(both).where(mine, ~inside, open_).order_by(matches.c.right_id)
        found, end = _whole(lambda size: self._items(joined.limit(size)), lambda item: item.id, size)
        # A line that is the sum of several payments is one line.
        return list({item.id: item for item in found}.values()), end

    def matches_of(self, run_id: int, after: int = 0, size: int = 5000) -> list[Row]:
        """The next matches of a run, in the order in which it found them."""
        mine = sa.and_(matches.c.run_id == run_id, matches.c.id > after)
        return self.rows(sa.select(matches).where(mine).order_by(matches.c.id).limit(size))

    def keep_differences(self, run_id: int, found: Sequence[Mapping[str, Any]]) -> None:
        """The same difference twice is one."""
        if found:
            once = self.insert(differences).on_conflict_do_nothing()
            self.connection.execute(once, [{"run_id": run_id, **row} for row in found])

    def differences_of(self, run_id: int) -> list[Row]:
        """What a run said does not fit, the most money first, without what only follows from it."""
        mine = sa.select(differences).where(differences.c.run_id == run_id, differences.c.root.is_(None))
        return self.rows(mine.order_by(differences.c.money_cents.desc(), differences.c.id))

    def differences_in_pages(self, run_id: int) -> Iterator[list[Row]]:
        """What a run said does not fit, in the order in which it was found."""
        after = 0
        mine = sa.select(differences).where(differences.c.run_id == run_id).order_by(differences.c.id)
        while page := self.rows(mine.where(differences.c.id > after).limit(CHUNK)):
            yield page
            after = page[-1]["id"]

    def fingerprints(self, run_id: int) -> list[tuple[str, str, str | None]]:
        """The fingerprints of what a run found, each with its kind and its root's, in their order."""
        named = (differences.c.fingerprint, differences.c.kind, differences.c.root)
        mine = sa.select(*named).where(differences.c.run_id == run_id).order_by(differences.c.fingerprint)
        return [(row[0], row[1], row[2]) for row in self.connection.execute(mine)]

    def put_under(self, run_id: int, found: Mapping[str, str]) -> None:
        """Consequences stand under their roots, by fingerprint."""
        if found:
            mine = sa.and_(differences.c.run_id == run_id, differences.c.fingerprint == sa.bindparam("one"))
            moved = sa.update(differences).where(mine).values(root=sa.bindparam("under"))
            self.connection.execute(moved, [{"one": one, "under": root} for one, root in sorted(found.items())])

    def consequences(self, run_ids: Collection[int]) -> dict[tuple[int, str], list[Row]]:
        """What some runs found that follows from something else, by run and root."""
        found: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for part in _parts(run_ids):
            mine = sa.and_(differences.c.run_id.in_(part), differences.c.root.is_not(None))
            for row in self.rows(sa.select(differences).where(mine).order_by(differences.c.id)):
                found[row["run_id"], row["root"]].append(row)
        return found

    # ── what is around a movement without a partner ──

    def elsewhere(self, window: Window, items: Sequence[Item]) -> dict[int, str]:
        """For each of these whose other half stands in another account: that account, or "none" for one not configured."""
        if not items:
            return {}
        span = timedelta(days=SAME_REFERENCE_DAYS)
        # What has not settled stands on `NOT_YET`, after which there is no day.
        first, last = min(item.on for item in items) - span, min(max(item.on for item in items), NOT_YET - span) + span
        other = sa.and_(movements.c.account.is_distinct_from(window.account), movements.c.on.between(first, last))
        found: dict[int, list[Row]] = defaultdict(list)
        for part in _parts({item.amount_cents for item in items}):
            chosen = sa.select(movements).where(movements.c.amount_cents.in_(part), other, visible(window.upto))
            for row in self.rows(chosen):
                found[row["amount_cents"]].append(row)
        named: dict[int, str] = {}
        for item in items:
            for row in found.get(item.amount_cents, ()):
                if _same(item, row):
                    named[item.id] = row["account"] or "none"
        return named

    def alike(self, run_id: int, amounts: Collection[int]) -> dict[int, list[Row]]:
        """Ledger lines that no processor's movement was matched with, by amount."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 1)
        lines = sa.and_(mine, _filled(unmatched.c.money))
        found: dict[int, list[Row]] = defaultdict(list)
        for part in _parts(amounts):
            chosen = sa.select(unmatched).where(lines, unmatched.c.amount_cents.in_(part)).order_by(unmatched.c.id)
            for row in self.rows(chosen.limit(MOST_ALIKE)):
                found[row["amount_cents"]].append(row)
        return found

    def in_sets(self, run_id: int, leg: Leg, amounts: Collection[int]) -> dict[tuple[int, int], list[Row]]:
        """Movements that a leg matched as sets of equals, in order of day: by their side, left 0 and right 1, and amount."""
        found: dict[tuple[int, int], list[Row]] = defaultdict(list)
        sets = sa.and_(matches.c.run_id == run_id, matches.c.leg == leg, matches.c.rule.endswith(SET, autoescape=True))
        for right, side in enumerate((matches.c.left_id, matches.c.right_id)):
            for part in _parts(amounts):
                some = sa.and_(movements.c.id.in_(sa.select(side).where(sets)), movements.c.amount_cents.in_(part))
                for row in self.rows(sa.select(movements).where(some).order_by(movements.c.on, movements.c.id)):
                    found[right, row["amount_cents"]].append(row)
        return found

    def other_ends(self, window: Window, items: Sequence[Item]) -> set[int]:
        """Those of these whose id a processor shows in another account, as the same money the other way."""
        ids = {item.parent or item.reference.strip(): item for item in items}
        found: set[int] = set()
        for part in _parts(ids):
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
        for part in _parts(ids):
            mine = sa.and_(movements.c.account == window.account, movements.c.source == Source.CLIO_LEDGER)
            named = sa.select(movements.c.parent, sa.func.sum(worth())).where(
                mine, movements.c.parent.in_(part), visible(window.upto)
            )
            for parent, cents in self.connection.execute(named.group_by(movements.c.parent)):
                if cents > 0:
                    found.add(ids[parent])
        return found

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

    def matter_cents(self, account: str, matter_id: int, until: date, upto: int) -> int:
        """What Clio's ledger of a matter came to in an account at the end of a day."""
        total = sa.func.coalesce(sa.func.sum(worth()), 0)
        mine = sa.and_(in_book(account, until, upto), movements.c.matter_id == matter_id)
        return int(self.connection.execute(sa.select(total).where(mine)).scalar_one())

    def open_days(self, run_id: int, leg: Leg) -> tuple[dict[date, int], Callable[[Collection[date]], list[int]]]:
        """What is open on the left of a leg coming in, by day; and a way to ask which movements a few days are made of."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == leg, unmatched.c.state == "open")
        into = sa.and_(mine, unmatched.c.right == 0, unmatched.c.amount_cents > 0, _filled(unmatched.c.money))
        totals = sa.select(unmatched.c.on, sa.func.sum(unmatched.c.amount_cents)).where(into).group_by(unmatched.c.on)

        def of(days: Collection[date]) -> list[int]:
            some = sa.select(unmatched.c.movement_id).where(into, unmatched.c.on.in_(days))
            return list(self.connection.execute(some.order_by(unmatched.c.movement_id)).scalars())

        return {day: int(cents) for day, cents in self.connection.execute(totals)}, of

    def open_credits(self, run_id: int, leg: Leg) -> Iterator[tuple[int, date, int]]:
        """What is open on the right of a leg coming in."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == leg, unmatched.c.state == "open")
        into = sa.and_(mine, unmatched.c.right == 1, unmatched.c.amount_cents > 0, _filled(unmatched.c.money))
        chosen = sa.select(unmatched.c.movement_id, unmatched.c.on, unmatched.c.amount_cents).where(into)
        for row in self.connection.execute(chosen.order_by(unmatched.c.id).execution_options(yield_per=1000)):
            yield row[0], row[1], row[2]

    def carried(self, run_id: int, leg: Leg, movement_ids: Collection[int]) -> set[int]:
        """Those of these that a signed run left open in a leg."""
        found: set[int] = set()
        for part in _parts(movement_ids):
            mine = carried_by(run_id, leg).where(unmatched.c.movement_id.in_(part))
            found |= set(self.connection.execute(mine).scalars())
        return found

    def count_of(self, run_id: int, state: str) -> int:
        mine = sa.select(sa.func.count()).where(unmatched.c.run_id == run_id, unmatched.c.state == state)
        return int(self.connection.execute(mine).scalar_one())

    def matched_only_in(self, run_id: int, other: int, *, limit: int = 200) -> list[dict[str, Any]]:
        """Matches that one run made and the other did not, at most so many."""
        pair = [matches.c[name] for name in ("leg", "rule", "left_id", "right_id")]
        mine, theirs = (sa.select(*pair).where(matches.c.run_id == ident) for ident in (run_id, other))
        only = mine.except_(theirs).subquery()
        return [dict(row) for row in self.rows(sa.select(only).order_by(only.c.leg, only.c.left_id).limit(limit))]

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
            for part in _parts(posted)
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

    def alone(self, run_id: int, movement_ids: Collection[int]) -> set[int]:
        """Those of these that stand unmatched in a run, in any leg that could have matched them."""
        found: set[int] = set()
        for part in _parts(movement_ids):
            open_ = sa.and_(unmatched.c.run_id == run_id, unmatched.c.state.in_(CARRIED))
            mine = sa.select(unmatched.c.movement_id).where(open_, unmatched.c.movement_id.in_(part))
            found |= set(self.connection.execute(mine).scalars())
        return found

    # ── what a run depends on beside movements ──

    def known_draws(self) -> list[int]:
        """A state of the draws: how many there are, and how many were authorised and are over."""
        over = sa.case((draws.c.state.in_(["posted", "reconciled", "declined", "withdrawn"]), 1))
        chosen = sa.select(sa.func.count(), sa.func.count(draws.c.authorised_at), sa.func.count(over))
        return [int(figure) for figure in self.connection.execute(chosen.select_from(draws)).one()]

    def first_day(self, account: str, until: date) -> date | None:
        """The first day on which anything moved in an account."""
        mine = sa.select(sa.func.min(movements.c.on)).where(movements.c.account == account, movements.c.on <= until)
        first: date | None = self.connection.execute(mine).scalar_one()
        return first

    def known_references(self) -> list[int]:
        """A state of the lookup table, and of the bills whose numbers it understands: none of the figures ever goes back."""
        lines = sa.select(
            sa.func.coalesce(sa.func.max(matter_references.c.id), 0), sa.func.count(matter_references.c.withdrawn_at)
        )
        numbers = sa.select(sa.func.coalesce(sa.func.max(bills.c.id), 0), sa.func.count())
        return [
            int(figure)
            for chosen in (lines, numbers.select_from(bills))
            for figure in self.connection.execute(chosen).one()
        ]

    # ── figures ──

    def book_cents(self, account: str, until: date, upto: int) -> int:
        """What Clio's ledger of an account came to at the end of a day, as far as the rows up to one knew (T44)."""
        total = sa.func.coalesce(sa.func.sum(worth()), 0)
        return int(self.connection.execute(sa.select(total).where(in_book(account, until, upto))).scalar_one())

    def card_lines(self, account: str, until: date, upto: int) -> Iterator[Row]:
        """The lines of Clio's book of an account, owner by owner in order of day, as they are read."""
        by = [sa.func.coalesce(column, 0) for column in (movements.c.client_id, movements.c.matter_id)]
        chosen = sa.select(movements).where(in_book(account, until, upto)).order_by(*by, movements.c.on, movements.c.id)
        # A long list must not stand in memory; other statements run between its pages.
        size, place = CHUNK, 0
        while page := self.rows(chosen.limit(size).offset(place)):
            yield from page
            place += size

    def bank_lines(
        self, run_id: int, account: str, days: tuple[date, date], upto: int
    ) -> Iterator[tuple[Row, list[Row]]]:  # fmt: skip
        """The bank's lines of some days, each with the matches that a run made of it and the ledger lines in them."""
        mine = sa.and_(movements.c.account == account, movements.c.source == Source.BANK, movements.c.on.between(*days))
        chosen = sa.select(movements).where(mine, visible(upto)).order_by(movements.c.on, movements.c.id)
        left = movements.alias("line")
        joined = sa.select(matches.c.right_id, matches.c.left_id, matches.c.rule, matches.c.on, left.c.external_id)
        joined = joined.select_from(matches.outerjoin(left, left.c.id == matches.c.left_id))
        size, place = CHUNK, 0
        while page := self.rows(chosen.limit(size).offset(place)):
            ids = [row["id"] for row in page]
            of_run = sa.and_(matches.c.run_id == run_id, matches.c.leg == Leg.BANK, matches.c.right_id.in_(ids))
            found: dict[int, list[Row]] = defaultdict(list)
            for row in self.rows(joined.where(of_run).order_by(matches.c.id)):
                found[row["right_id"]].append(row)
            yield from ((row, found[row["id"]]) for row in page)
            place += size

    def bank_cents(self, account: str, after: date, until: date, upto: int) -> int:
        """What the bank's own lines of these days come to, `after` excluded."""
        if after >= until:
            return 0
        total = sa.func.coalesce(sa.func.sum(movements.c.amount_cents), 0)
        mine = sa.and_(movements.c.account == account, movements.c.source == Source.BANK, visible(upto))
        days = sa.and_(movements.c.on > after, movements.c.on <= until)
        return int(self.connection.execute(sa.select(total).where(mine, days)).scalar_one())

    # ── signed periods ──

    def period_before(self, account: str, day: date) -> Row | None:
        """The last signed period that ended before a day."""
        mine = sa.select(periods).where(periods.c.account == account, periods.c.closed_on < day)
        return self.one(mine.order_by(periods.c.closed_on.desc()).limit(1))

    def period_of(self, period_id: int | None) -> Row | None:
        return None if period_id is None else self.one(sa.select(periods).where(periods.c.id == period_id))

    def last_period(self, account: str) -> Row | None:
        """The last signed period."""
        mine = sa.select(periods).where(periods.c.account == account)
        return self.one(mine.order_by(periods.c.closed_on.desc()).limit(1))

    def sign(self, **values: Any) -> bool:
        """False when that period is signed already."""
        return self.add_once(periods, **values, signed_at=self.now)

    def authorisers(self, account: str, begins: datetime, ends: datetime) -> set[str]:
        """Who authorised the draws of an account between two moments."""
        mine = sa.and_(draws.c.account == account, draws.c.authorised_at >= begins, draws.c.authorised_at < ends)
        chosen = sa.select(draws.c.authorised_by).where(mine, draws.c.authorised_by.is_not(None))
        return set(self.connection.execute(chosen.distinct()).scalars())

    def signed(self, account: str | None = None) -> list[Row]:
        chosen = sa.select(periods).order_by(periods.c.closed_on.desc(), periods.c.id.desc())
        return self.rows(chosen.where(periods.c.account == account) if account else chosen)


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


def _near(found: Iterable[tuple[Any, ...]]) -> list[tuple[Look, Any]]:
    """Looks in order of id, each with the other side's day, as far as the two days are near enough for one reference."""
    return [
        (cast(Look, look), on)
        for *row, on in sorted(found)
        if abs((_day((look := tuple(row))[1]) - _day(on)).days) <= SAME_REFERENCE_DAYS
    ]


def _whole(read: Callable[[int], list[Sorted]], key: Callable[[Sorted], Any], size: int) -> tuple[list[Sorted], Any]:
    """The next whole groups of rows that come sorted by a key, and the last key; None when these were the last.

    What comes last may go on beyond what was read.
    """
    while True:
        rows = read(size)
        if len(rows) < size:
            return rows, None
        last, whole = key(rows[-1]), size - 1
        while whole and key(rows[whole - 1]) == last:
            whole -= 1
        if whole:
            return rows[:whole], key(rows[whole - 1])
        size *= 2


_first = itemgetter(0)


def _rights() -> sa.Select[Any]:
    """Movements as items of the right side, in a group of nobody's yet."""
    return sa.select(
        sa.literal_column("''"), sa.literal_column("1"), movements.c.id, *(movements.c[name] for name in COMPARED)
    )


def _item(row: tuple[Any, ...]) -> Item:
    """A row of the driver's, in the order of `Item`."""
    key, right, ident, source, name, cents, on, *rest = row
    return Item(key, right, ident, source, name, cents, _day(on), *rest)


def _draw_line(window: Window) -> sa.ColumnElement[bool]:
    """A settled draw of the window, in Clio's ledger."""
    mine = sa.and_(within(window), movements.c.source == Source.CLIO_LEDGER)
    return sa.and_(mine, movements.c.kind == "draw", movements.c.status == "settled")


def _payment(window: Window, of: Seen) -> sa.ColumnElement[bool]:
    return sa.and_(within(window, of), of.c.source.in_(PROCESSORS))


def _line(window: Window, of: Seen) -> sa.ColumnElement[bool]:
    return sa.and_(within(window, of), of.c.source == Source.CLIO_LEDGER)


def _same_text(of: Seen, text: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return sa.and_(_filled(of.c.reference_normalised), of.c.reference_normalised == text)


def _is(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists(sa.select(sa.literal(1)).where(*where))


def _is_matched(run_id: int, leg: Leg) -> sa.ColumnElement[bool]:
    """Whether a run has matched a movement, on the right of a leg."""
    return _is(matches.c.run_id == run_id, matches.c.leg == leg, matches.c.right_id == movements.c.id)


def _filled(key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Not empty, in the very words of the indexes that leave the empty ones out."""
    return key != sa.literal_column("''")


def _day(on: Any) -> date:
    return date.fromisoformat(on) if isinstance(on, str) else on


def _parts(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Distinct values in order, in pieces for one IN each; the last of several is filled up with what it ends with.

    A statement is kept prepared for each number of values: thousands of them, each of its own length, would stand in memory.
    """
    wanted = sorted(set(values))
    for start in range(0, len(wanted), size):
        part = wanted[start : start + size]
        yield part + part[-1:] * (size - len(part)) if start else part
