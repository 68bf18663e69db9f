"""Our client ledgers and Clio's book of one trust account, side by side, as they were known when a run began (T35, T44)."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa

from orchestrator.domain.movements import Source
from orchestrator.domain.three_way import Line, Owner
from orchestrator.domain.trust import Origin
from orchestrator.storage.repository import CHUNK, Repository, Row
from orchestrator.storage.tables import movements, trust_ledgers, trust_lines
from orchestrator.storage.windows import in_book, worth


@dataclass(frozen=True, slots=True)
class Cut:
    """An account at the end of a day, as far as the movements and the ledger lines up to these rows tell of it."""

    account: str
    until: date
    upto: int
    lines_upto: int


class ThreeWay(Repository):
    def newest(self) -> int:
        """The id of the last ledger line: everything up to it is one state of knowledge (T44)."""
        return int(self.connection.execute(sa.select(sa.func.coalesce(sa.func.max(trust_lines.c.id), 0))).scalar_one())

    # ── the client ledgers ──

    def ledgers(self, cut: Cut) -> list[Row]:
        """Every client ledger, in order of client and matter: whose, which kind, its cents and how many lines it has."""
        # Summed before it is asked whose they are: that is looked up for each ledger, not for each line.
        cents = sa.cast(sa.func.sum(trust_lines.c.amount_cents), sa.BigInteger).label("cents")
        summed = sa.select(trust_lines.c.ledger_id, cents, sa.func.count().label("lines")).where(_in_ledgers(cut))
        by = summed.group_by(trust_lines.c.ledger_id).subquery()
        mine = sa.select(*WHOSE, by.c.cents, by.c.lines).join(by, by.c.ledger_id == trust_ledgers.c.id)
        return self.rows(mine.order_by(*WHOSE, trust_ledgers.c.id))

    def posts(self, cut: Cut) -> bool:
        """Whether any client ledger of the account has a line."""
        return self.connection.execute(sa.select(trust_lines.c.id).where(_in_ledgers(cut)).limit(1)).first() is not None

    def cents(self, cut: Cut) -> int:
        """What all client ledgers of the account come to."""
        total = sa.func.coalesce(sa.func.sum(trust_lines.c.amount_cents), 0)
        return int(self.connection.execute(sa.select(total).where(_in_ledgers(cut))).scalar_one())

    def card_lines(self, cut: Cut) -> Iterator[Row]:
        """The lines of every client ledger, ledger by ledger and in each by the day it belongs to, as they are read."""
        names = ("id", "external_id", "kind", "reference", "bill_id", "amount_cents")
        own = (*WHOSE, trust_lines.c.effective_on.label("on"), *(trust_lines.c[name] for name in names))
        order = (*WHOSE, trust_lines.c.effective_on, trust_lines.c.id)
        chosen = sa.select(*own).select_from(POSTED).where(_in_ledgers(cut)).order_by(*order)
        # A long list must not stand in memory; other statements run between its pages.
        size, place = CHUNK, 0
        while page := self.rows(chosen.limit(size).offset(place)):
            yield from page
            place += size

    # ── line by line ──

    def book_apart(self, cut: Cut, after: str, size: int) -> tuple[set[str], str | None]:
        """Lines of the book, of the next so many names, that their owner's ledgers have in another amount or not at all.

        And the last name that was looked at; None when these were the last.
        """
        of_book = sa.and_(movements.c.account == cut.account, movements.c.source == Source.CLIO_LEDGER)
        following = sa.select(movements.c.external_id).where(of_book, movements.c.external_id > after)
        page = following.order_by(movements.c.external_id).offset(size - 1).limit(1)
        end: str | None = self.connection.execute(page).scalar_one_or_none()
        here = movements.c.external_id > after
        if end is not None:
            here = sa.and_(here, movements.c.external_id <= end)
        same = sa.and_(
            _in_ledgers(cut), trust_lines.c.origin == Origin.CLIO, trust_lines.c.external_id == movements.c.external_id,
            trust_ledgers.c.client_id == sa.func.coalesce(movements.c.client_id, 0),
            trust_ledgers.c.matter_id == sa.func.coalesce(movements.c.matter_id, 0),
        )  # fmt: skip
        posted = sa.select(sa.func.sum(trust_lines.c.amount_cents)).select_from(POSTED).where(same)
        differs = worth() != sa.func.coalesce(posted.scalar_subquery(), 0)
        mine = sa.and_(here, in_book(cut.account, cut.until, cut.upto), differs)
        return set(self.connection.execute(sa.select(movements.c.external_id).where(mine)).scalars()), end

    def as_many(self, cut: Cut) -> bool:
        """Whether Clio's lines in client ledgers are as many as those of the book that are worth something.

        If each of these has the like of it in its owner's ledger, no ledger then has a line that the book does not.
        """
        book = sa.select(sa.func.count()).where(in_book(cut.account, cut.until, cut.upto), worth() != 0)
        posted = sa.select(sa.func.count()).where(_in_ledgers(cut), trust_lines.c.origin != Origin.OURS)
        counted = [self.connection.execute(chosen).scalar_one() for chosen in (book, posted)]
        return bool(counted[0] == counted[1])

    def ledgers_apart(self, cut: Cut, after: int, size: int) -> tuple[set[str], int | None]:
        """Clio's lines in client ledgers, of the next so many, that the book does not have for that owner.

        And the last that was looked at; None when these were the last.
        """
        same = sa.and_(
            in_book(cut.account, cut.until, cut.upto), movements.c.external_id == trust_lines.c.external_id,
            trust_ledgers.c.client_id == sa.func.coalesce(movements.c.client_id, 0),
            trust_ledgers.c.matter_id == sa.func.coalesce(movements.c.matter_id, 0),
        )  # fmt: skip
        end = min(after + size, cut.lines_upto)
        # One end of the page, and not "is Clio's": SQLite goes by either, and would read up to the last line for each page.
        mine = sa.and_(
            trust_lines.c.id > after, _in_ledgers(replace(cut, lines_upto=end)), trust_lines.c.origin != Origin.OURS
        )
        owned = sa.and_(same, trust_ledgers.c.id == trust_lines.c.ledger_id)
        known = sa.exists(
            sa.select(sa.literal(1)).select_from(movements, trust_ledgers).where(owned).correlate(trust_lines)
        )
        chosen = sa.select(trust_lines.c.external_id).where(mine, sa.not_(known))
        return set(self.connection.execute(chosen).scalars()), end if end < cut.lines_upto else None

    def lines(self, cut: Cut, names: Collection[str]) -> list[Line]:
        """These lines of Clio's, as the book and as the client ledgers have them, in order of name."""
        wanted = sorted(names)
        book: dict[str, Row] = {}
        posted: dict[str, list[Row]] = defaultdict(list)
        for start in range(0, len(wanted), CHUNK):
            some = wanted[start : start + CHUNK]
            chosen = sa.select(movements, worth().label("cents"))
            mine = sa.and_(in_book(cut.account, cut.until, cut.upto), movements.c.external_id.in_(some))
            book |= {row["external_id"]: row for row in self.rows(chosen.where(mine))}
            ours = sa.and_(trust_lines.c.origin == Origin.CLIO, trust_lines.c.external_id.in_(some))
            for row in self._posted(cut, ours):
                posted[row["external_id"]].append(row)
        return [_line(name, book.get(name), posted[name]) for name in wanted]

    def halves(self, cut: Cut) -> list[Line]:
        """Lines that a person entered here, by what they call themselves, where they do not add up to nothing.

        Each moves money from one ledger of the account to another, and no book of Clio's has it.
        """
        pairs: dict[str, list[Row]] = defaultdict(list)
        for row in self._posted(cut, trust_lines.c.origin == Origin.OURS):
            pairs[row["reference"]].append(row)
        return [
            _line(name, None, rows) for name, rows in sorted(pairs.items()) if sum(row["amount_cents"] for row in rows)
        ]

    def _posted(self, cut: Cut, which: sa.ColumnElement[bool]) -> list[Row]:
        names = ("external_id", "reference", "amount_cents", "effective_on")
        chosen = sa.select(*WHOSE, *(trust_lines.c[name] for name in names)).select_from(POSTED)
        return self.rows(chosen.where(_in_ledgers(cut), which).order_by(trust_lines.c.id))


POSTED = trust_lines.join(trust_ledgers, trust_ledgers.c.id == trust_lines.c.ledger_id)
WHOSE = (trust_ledgers.c.client_id, trust_ledgers.c.matter_id, trust_ledgers.c.kind.label("ledger"))


def _in_ledgers(cut: Cut) -> sa.ColumnElement[bool]:
    """The lines that belong to these days: a correction that posted later belongs to the day of what it corrects (T44)."""
    known = sa.and_(trust_lines.c.id <= cut.lines_upto, trust_lines.c.effective_on <= cut.until)
    return sa.and_(trust_lines.c.account == cut.account, known)


def _line(name: str, book: Row | None, posted: list[Row]) -> Line:
    ledgers: dict[Owner, int] = defaultdict(int)
    for row in posted:
        ledgers[Owner(row["client_id"], row["matter_id"])] += row["amount_cents"]
    first = posted[0] if posted else None
    said = book if book is not None else first
    assert said is not None
    return Line(
        name, said["on"] if said is book else said["effective_on"], book["id"] if book is not None else None,
        said["reference"],
        {Owner(book["client_id"] or 0, book["matter_id"] or 0): book["cents"]} if book is not None else {}, ledgers,
    )  # fmt: skip
