"""The matter-ID lookup table: what matters are called, and which one a text names (W11)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from orchestrator.domain.lawpay_pages import parse_reference
from orchestrator.domain.lawpay_pages import plain as lawpay_plain
from orchestrator.domain.matters import Matter
from orchestrator.domain.references import (
    CLIO_KINDS,
    LONGEST,
    Known,
    Provider,
    ReferenceKind,
    ReferenceTable,
    Resolution,
    Unknown,
    id_in,
    normalise,
    resolve,
)
from orchestrator.storage.repository import CHUNK, Repository, Row, parts
from orchestrator.storage.tables import backfills, bill_matters, bills, links, matter_references, matters, movements

EVERYWHERE = (Provider.CLIO, Provider.ANY)
"""Whose words are understood wherever a text was found."""

_STANDING = matter_references.c.withdrawn_at.is_(None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table as people carry it from firm to firm: by hand, and in CSV files."""

    provider: str
    kind: str
    reference: str
    matter_id: int


@dataclass(frozen=True, slots=True)
class Renumbered:
    """What a matter is called that it was not, and what it was called that it is no longer."""

    matter_id: int
    new: tuple[str, ...]
    ended: tuple[str, ...]


def own_key(text: str) -> str | None:
    """A reference of ours as it was made, whatever its case; None when it is nobody's or was edited."""
    return lawpay_plain(text) if parse_reference(text) is not None else None


class References(Repository):
    # ── what is asked ──

    def resolve(self, provider: str, text: str) -> Resolution:
        """The matter that `text` names where `provider` carried it; ambiguity is an answer, never a guess."""
        return self.resolve_all(provider, [text])[text]

    def resolve_all(self, provider: str, texts: Collection[str]) -> dict[str, Resolution]:
        """`resolve` for many texts in a few statements."""
        wanted = {text: text.strip() for text in texts}
        found = self._tables(provider, {text for text in wanted.values() if text and len(text) <= LONGEST})
        return {text: resolve(bare, found[bare]) if bare in found else Unknown() for text, bare in wanted.items()}

    def _tables(self, provider: str, texts: Collection[str]) -> dict[str, ReferenceTable]:
        """What is known about each of these texts about which anything may be known."""
        norms = {text: normalise(text)[:LONGEST] for text in texts}
        known, numbered = self._known(provider, set(norms.values())), self._bills(set(norms.values()) - {""})
        ids = self._ids({ident for text in texts if (ident := id_in(text)) is not None})
        keys = self._keys({key for text in texts if (key := own_key(text)) is not None})
        return {
            text: ReferenceTable(known.get(norm, ()), ids, numbered.get(norm, ()), keys, own_key)
            for text, norm in norms.items()
            if ids or keys or norm in known or norm in numbered
        }

    def _known(self, provider: str, norms: Collection[str]) -> dict[str, list[Known]]:
        theirs = matter_references.c.provider.in_({provider, *EVERYWHERE})
        found: dict[str, list[Known]] = defaultdict(list)
        for part in parts(norms):
            chosen = sa.select(matter_references).where(matter_references.c.normalised.in_(part), theirs, _STANDING)
            for row in self.rows(chosen):
                found[row["normalised"]].append(_known(row))
        return found

    def _bills(self, norms: Collection[str]) -> dict[str, list[Known]]:
        """Bills of these numbers, one row for each of a bill's matters."""
        joined = sa.select(bills.c.number, bills.c.number_normalised, bills.c.created_at, bill_matters.c.matter_id)
        joined = joined.join(bill_matters, bill_matters.c.bill_id == bills.c.id)
        found: dict[str, list[Known]] = defaultdict(list)
        for part in parts(norms):
            for row in self.rows(joined.where(bills.c.number_normalised.in_(part))):
                bill = Known(row["number"], row["matter_id"], "bill_number", row["created_at"])
                found[row["number_normalised"]].append(bill)
        return found

    def _keys(self, references: Collection[str]) -> dict[str, set[int]]:
        """The matters of the bills that these references of ours were made for."""
        joined = sa.select(links.c.reference, bill_matters.c.matter_id)
        joined = joined.join(bill_matters, bill_matters.c.bill_id == links.c.bill_id)
        found: dict[str, set[int]] = defaultdict(set)
        for part in parts(references):
            mine = sorted({parsed.key for text in part if (parsed := parse_reference(text)) is not None})
            for row in self.rows(joined.where(links.c.reference_key.in_(mine))):
                found[lawpay_plain(row["reference"])].add(row["matter_id"])
        return found

    def _ids(self, ids: Collection[int]) -> set[int]:
        """Those of `ids` that are matters and were not merged into another."""
        found: set[int] = set()
        for part in parts(ids):
            found |= set(self.connection.execute(sa.select(matters.c.id).where(matters.c.id.in_(part))).scalars())
        return found - self._merged(found)

    def _merged(self, ids: Collection[int]) -> set[int]:
        """Those of `ids` that were merged into another matter."""
        found: set[int] = set()
        for part in parts(str(one) for one in ids):
            named = sa.and_(
                matter_references.c.reference.in_(part), matter_references.c.kind == ReferenceKind.MERGED_ID
            )
            mine = sa.select(matter_references.c.reference).where(named, _STANDING)
            found |= {int(reference) for reference in self.connection.execute(mine).scalars()}
        return found

    # ── what Clio says ──

    def keep(self, read: Iterable[Matter], *, source: str = "clio") -> list[Renumbered]:
        """Bring the numbers of these matters up to date; one that a matter no longer has stays as an alias of it (F70).

        Returns what changed; a matter that was merged into another keeps what was decided then.
        """
        known = {matter.id: matter for matter in read}
        for gone in self._merged(known):
            del known[gone]
        standing: dict[int, list[Row]] = defaultdict(list)
        for part in parts(known):
            clio = sa.and_(matter_references.c.kind.in_(CLIO_KINDS), matter_references.c.provider == Provider.CLIO)
            for row in self.rows(
                sa.select(matter_references).where(matter_references.c.matter_id.in_(part), clio, _STANDING)
            ):
                standing[row["matter_id"]].append(row)
        found = (self._renumber(matter, standing[matter.id], source) for matter in known.values())
        return [changed for changed in found if changed.new or changed.ended]

    def _renumber(self, matter: Matter, standing: Sequence[Row], source: str) -> Renumbered:
        now = set(_numbers(matter))
        ended = [row for row in standing if row["current"] and (row["kind"], row["reference"]) not in now]
        again = [row for row in standing if not row["current"] and (row["kind"], row["reference"]) in now]
        new = sorted(now - {(row["kind"], row["reference"]) for row in standing})
        if ended:
            self._change([row["id"] for row in ended], current=False, ended_at=self.now)
        if again:
            self._change([row["id"] for row in again], current=True, ended_at=None)
        for kind, reference in new:
            self.add(Entry(Provider.CLIO, kind, reference, matter.id), source=source)
        return Renumbered(matter.id, tuple(reference for _, reference in new), tuple(row["reference"] for row in ended))

    # ── what people say ──

    def add(self, entry: Entry, *, source: str, current: bool = True) -> bool:
        """Keep one line; False when it stands already."""
        return self.add_once(
            matter_references, provider=entry.provider, kind=entry.kind, reference=entry.reference,
            normalised=normalise(entry.reference)[:LONGEST], matter_id=entry.matter_id, source=source, current=current,
            since=self.now, ended_at=None if current else self.now,
        )  # fmt: skip

    def add_all_new(self, entries: Sequence[Entry], *, source: str) -> list[Entry]:
        """`add` for many lines, each of them once: returns those that were not there.

        Only Clio says what a matter is called now: of the others a person's word holds, and a number is one that it had.
        """
        wanted = set(entries)
        known = {
            entry for part in parts(entry.reference for entry in wanted) for entry in self._standing(part)
        } & wanted
        new = [entry for entry in entries if entry not in known]
        rows = [
            {
                "provider": entry.provider, "kind": entry.kind, "reference": entry.reference,
                "normalised": normalise(entry.reference)[:LONGEST], "matter_id": entry.matter_id, "source": source,
                "current": entry.kind == ReferenceKind.MAPPED, "since": self.now,
                "ended_at": None if entry.kind == ReferenceKind.MAPPED else self.now,
            }
            for entry in new
        ]  # fmt: skip
        if rows:
            self.connection.execute(sa.insert(matter_references), rows)
        return new

    def _standing(self, references: Collection[str]) -> Iterator[Entry]:
        columns = [matter_references.c[name] for name in ("provider", "kind", "reference", "matter_id")]
        mine = sa.select(*columns).where(matter_references.c.reference.in_(references), _STANDING)
        return (Entry(*row) for row in self.connection.execute(mine).all())

    def mappings(self, references: Collection[str]) -> dict[tuple[str, str], int]:
        """The standing words of people on exactly these texts: the matter, by provider and text."""
        found = (entry for part in parts(references) for entry in self._standing(part))
        return {(one.provider, one.reference): one.matter_id for one in found if one.kind == ReferenceKind.MAPPED}

    def mapping(self, provider: str, reference: str) -> Row | None:
        """The standing word of a person on exactly this text of this provider."""
        mine = sa.and_(matter_references.c.provider == provider, matter_references.c.reference == reference.strip())
        return self.one(
            sa.select(matter_references).where(mine, matter_references.c.kind == ReferenceKind.MAPPED, _STANDING)
        )

    def withdraw(self, ids: Collection[int]) -> None:
        """Take lines back: they stay as history and resolve no more."""
        self._change(ids, withdrawn_at=self.now, current=False, ended_at=self.now)

    def merge(self, matter_id: int, *, into: int, source: str) -> int:
        """Whatever one matter is or was called, its own id too, names another from now on; returns how many lines moved."""
        moved = [row for row in self.of_matter(matter_id) if row["withdrawn_at"] is None]
        if moved:
            self.withdraw([row["id"] for row in moved])
        for row in moved:
            self.add(Entry(row["provider"], row["kind"], row["reference"], into), source=source, current=False)
        self.add(Entry(Provider.ANY, ReferenceKind.MERGED_ID, str(matter_id), into), source=source)
        return len(moved)

    # ── looking ──

    def of_matter(self, matter_id: int) -> list[Row]:
        """Everything a matter is or was called, withdrawn lines included, oldest first."""
        mine = sa.select(matter_references).where(matter_references.c.matter_id == matter_id)
        return self.rows(mine.order_by(matter_references.c.id))

    def written(self, text: str) -> list[Row]:
        """Every standing line that is written like this text, whoever's it is."""
        alike = sa.select(matter_references).where(
            matter_references.c.normalised == normalise(text)[:LONGEST], _STANDING
        )
        return self.rows(alike.order_by(matter_references.c.id))

    def listed(self, *, kind: str | None = None, provider: str | None = None, limit: int = 200) -> list[Row]:
        """The newest standing lines first."""
        chosen = sa.select(matter_references).where(_STANDING)
        if kind:
            chosen = chosen.where(matter_references.c.kind == kind)
        if provider:
            chosen = chosen.where(matter_references.c.provider == provider)
        return self.rows(chosen.order_by(matter_references.c.id.desc()).limit(limit))

    def entries(self) -> Iterator[Entry]:
        """Every standing line, in an order that two firms with the same lines agree on."""
        columns = [matter_references.c[name] for name in ("provider", "kind", "reference", "matter_id")]
        after = 0
        rows: list[Row] = []
        # By id in pieces, then sorted: a collation is the database's own, and SQLite's differs from PostgreSQL's.
        while part := self.rows(
            sa.select(matter_references.c.id, *columns)
            .where(matter_references.c.id > after, _STANDING)
            .order_by(matter_references.c.id)
            .limit(CHUNK)
        ):
            rows += part
            after = part[-1]["id"]
        found = (Entry(row["provider"], row["kind"], row["reference"], row["matter_id"]) for row in rows)
        yield from sorted(found, key=lambda one: (one.matter_id, one.provider, one.kind, one.reference))

    def counts(self) -> dict[str, int]:
        """Standing lines by kind."""
        return self.tally(matter_references.c.kind, _STANDING)

    def texts_without_id(self) -> Iterator[Row]:
        """What the movements that name no matter themselves carry, each text once for each source that carried it."""
        known_now = sa.and_(
            movements.c.ended_by.is_(None), movements.c.matter_id.is_(None), movements.c.reference != ""
        )
        figures = (
            sa.func.count().label("movements"),
            sa.func.sum(sa.func.abs(movements.c.amount_cents)).label("money_cents"),
            sa.func.min(movements.c.on).label("first_on"),
            sa.func.max(movements.c.on).label("last_on"),
        )
        chosen = sa.select(movements.c.source, movements.c.reference, *figures).where(known_now)
        grouped = chosen.group_by(movements.c.source, movements.c.reference)
        yield from self.connection.execute(grouped.execution_options(yield_per=CHUNK)).mappings()

    # ── backfill ──

    def backfill(self, name: str) -> Row | None:
        return self.one(sa.select(backfills).where(backfills.c.name == name))

    def backfill_begins(self, name: str) -> None:
        """From the first page, whatever was reached before."""
        values = {"began_at": self.now, "place": None, "read": 0, "total": None, "done_at": None}
        statement = self.insert(backfills).values(name=name, **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def backfill_turns(self, name: str, *, place: str | None, read: int, total: int | None) -> None:
        """A page is kept, in this commit; the list goes on at `place`, or is over."""
        values = {"place": place, "read": backfills.c.read + read, "done_at": self.now if place is None else None}
        counted = {"total": total} if total is not None else {}
        self.change(sa.update(backfills).where(backfills.c.name == name).values(**values, **counted))

    # ── shared ──

    def _change(self, ids: Collection[int], **values: bool | datetime | None) -> None:
        self.change(sa.update(matter_references).where(matter_references.c.id.in_(ids)).values(**values))


def _numbers(matter: Matter) -> Iterator[tuple[str, str]]:
    given = (matter.display_number, matter.custom_number, matter.client_reference)
    for kind, text in zip(CLIO_KINDS, given, strict=True):
        # On one line: what a person types has no line breaks, and a CSV of ours carries none.
        reference = " ".join((text or "").split())
        if reference and len(reference) <= LONGEST:
            yield kind.value, reference


def _known(row: Row) -> Known:
    return Known(row["reference"], row["matter_id"], row["kind"], row["since"], row["provider"], row["current"])
