"""W11: the lookup table as a CSV file, out and in. What goes out comes back the same; what does not fit comes in not at all."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from orchestrator.domain.cells import neutral, plain
from orchestrator.domain.references import CLIO_KINDS, Provider, ReferenceKind, id_in
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.references import Entry
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.map_reference import explained, fault_of
from orchestrator.usecases.trial import trial

HEADER = ("provider", "kind", "reference", "matter_id")
PROVIDERS = frozenset(map(str, Provider))
KINDS = {str(Provider.CLIO): set(map(str, CLIO_KINDS)), str(Provider.ANY): {"mapped", "merged_id"}}
"""What each provider's lines can be, where that is not only `mapped`."""

IMPORT = "import"
PAGE = 5000
"""Lines that are kept together."""

MOST_SAID = 50
"""Faults of a file that are told at once."""


class NotImported(Rejected):
    """Nothing of a file was kept; `faults` has a sentence for each line that does not fit."""

    def __init__(self, faults: list[str]) -> None:
        more = len(faults) - MOST_SAID
        shown = faults[:MOST_SAID] + ([f"… and {more} more."] if more > 0 else [])
        super().__init__("\n".join(["Nothing was imported.", *shown]))
        self.faults = faults


def export_references(rt: Runtime, out: TextIO) -> int:
    """Write every standing line of the table as CSV; returns how many."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    with rt.read() as work:
        lines = list(work.references.entries())
    for line in lines:
        writer.writerow([neutral(str(value)) for value in (line.provider, line.kind, line.reference, line.matter_id)])
    return len(lines)


def import_references(
    rt: Runtime, source: str, *, by: str, dry_run: bool, say: Callable[[int, int], None] = lambda _done, _of: None
) -> dict[str, Any]:
    """Keep every line of a CSV file that is not there yet, or none of it: `NotImported` says, line by line, why not.

    `say` hears how many lines of how many are kept.
    """
    lines, faults = _lines(source)
    with trial(rt, dry_run=dry_run) as work:
        faults += _misfits(work, lines)
        if faults:
            raise NotImported([sentence for _, sentence in sorted(faults)])
        new: list[Entry] = []
        for start in range(0, len(lines), PAGE):
            page = [entry for _, entry in lines[start : start + PAGE]]
            new += work.references.add_all_new(page, source=IMPORT)
            say(start + len(page), len(lines))
        digest = hashlib.sha256(source.encode()).hexdigest()
        work.audit.line(
            "references.imported", "file", digest[:16], actor=by, lines=len(lines), new=len(new), sha256=digest
        )
        reopened = explained(work, [entry.reference for entry in new])
    return {
        "dry_run": dry_run, "lines": len(lines), "new": len(new), "known": len(lines) - len(new), "reopened": reopened,
    }  # fmt: skip


Line = tuple[int, Entry]
Fault = tuple[int, str]


def _lines(source: str) -> tuple[list[Line], list[Fault]]:
    reader = csv.reader(io.StringIO(source.removeprefix("\ufeff"), newline=""), strict=True)
    lines: list[Line] = []
    faults: list[Fault] = []
    try:
        header = next(reader, [])
        if tuple(header) != HEADER:
            return [], [(1, f"Line 1 must be the header {','.join(HEADER)}.")]
        begins = reader.line_num + 1
        for row in reader:
            found = _line(row)
            if isinstance(found, str):
                faults.append((begins, f"Line {begins}: {found}"))
            elif found is not None:
                lines.append((begins, found))
            begins = reader.line_num + 1
    except csv.Error as wrong:
        faults.append((reader.line_num, f"Line {reader.line_num} is not CSV: {wrong}."))
    return lines, faults


def _line(row: list[str]) -> Entry | str | None:
    """One line as it is kept, a sentence that says what is wrong with it, or None for an empty one."""
    if not row:
        return None
    if len(row) != len(HEADER):
        return f"it has {len(row)} cells, not {len(HEADER)}."
    provider, kind, reference, matter = (plain(cell).strip() for cell in row)
    if provider not in PROVIDERS:
        return f"provider {provider!r} is not one of {', '.join(Provider)}."
    if kind not in (known := KINDS.get(provider, {"mapped"})):
        return f"kind {kind!r} is not one of {', '.join(sorted(known))}, which is what {provider} has."
    if (matter_id := id_in(matter)) is None:
        return f"matter_id {matter!r} is not the id of a matter in Clio."
    return fault_of(reference) or Entry(provider, kind, reference, matter_id)


def _misfits(work: Work, lines: list[Line]) -> list[Fault]:
    """What is wrong with lines that are right by themselves: repeated, contradicting one another or us, of unknown matters."""
    known = work.mirror.known_matters({entry.matter_id for _, entry in lines})
    words = work.references.mappings({entry.reference for _, entry in lines if entry.kind == ReferenceKind.MAPPED})
    seen: dict[Entry, int] = {}
    mapped: dict[tuple[str, str], Line] = {}
    faults: list[Fault] = []
    for number, entry in lines:
        sentence = next(_objections(words, entry, number, seen, mapped), None)
        if sentence is None and entry.matter_id not in known:
            sentence = (
                f"matter {entry.matter_id} is not known here; `orchestrator matters backfill` reads every matter."
            )
        if sentence is not None:
            faults.append((number, f"Line {number}: {sentence}"))
    return faults


def _objections(
    words: dict[tuple[str, str], int], entry: Entry, number: int, seen: dict[Entry, int],
    mapped: dict[tuple[str, str], Line],
) -> Iterator[str]:  # fmt: skip
    if (first := seen.setdefault(entry, number)) != number:
        yield f"it repeats line {first}."
    if entry.kind != ReferenceKind.MAPPED:
        return
    line, other = mapped.setdefault((entry.provider, entry.reference), (number, entry))
    if other.matter_id != entry.matter_id:
        yield f"{entry.reference!r} is matter {other.matter_id} in line {line}, and {entry.matter_id} here."
    standing = words.get((entry.provider, entry.reference), entry.matter_id)
    if standing != entry.matter_id:
        yield (
            f"{entry.reference!r} is mapped to matter {standing} already; "
            "take that back first (`orchestrator matters unmap`)."
        )
