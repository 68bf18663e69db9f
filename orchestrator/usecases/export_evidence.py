"""T46: everything about one matter, or of one month, in a zip that proves itself: hashes of its files, and of the audit lines."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import IO, Any
from zoneinfo import ZoneInfo

from orchestrator.domain.cells import neutral
from orchestrator.domain.references import Resolved
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.evidence import PARTS, OfMatter, OfMonth, Part, Scope
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.show_references import PROVIDER
from orchestrator.usecases.verify_audit import checked, noted, told_of

DECEMBER = 12
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""A zip's files carry a date; the same facts must make the same bytes."""

README = """\
Evidence pack of {firm}: {what}.

Each part is there twice: as CSV (moments at the office, {zone}; amounts in cents) and as JSON (moments in UTC). A cell
of a CSV file that a spreadsheet could take for a formula has an apostrophe in front.

manifest.json names every file with its SHA-256, and says whether the audit lines of the whole database were as they
were written when the pack was made, and up to which line. To check a file: sha256sum FILE.

What the client was told: letters_sent has every letter that was handed to the mail relay, when, by its Message-ID, to whom,
and what came back of it (bounces); messages and reminder_letters say what each was, reminders why a step was not sent, and
reminder_holds who asked for that. An address is there as its digest alone: the SHA-256 of "v1|address|" and the
address in lower case, its domain in ASCII. To show that a letter went to one: printf 'v1|address|ana@x.example' | sha256sum

Audit lines are a chain. The hash of a line is the SHA-256 of the JSON list
["v1", prev, seq, at, actor, action, subject_kind, subject_id, facts]
with sorted keys, no spaces and non-ASCII characters escaped; prev is the hash of the line before it.
"""


@dataclass
class Pack:
    """What has been put into the zip so far."""

    zip: zipfile.ZipFile
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def file(self, name: str) -> Iterator[Callable[[str], None]]:
        """A file to be written piece by piece; its digest is kept."""
        digest, size = hashlib.sha256(), 0
        # Stored, not deflated: two versions of zlib squeeze the same text into different bytes.
        with self.zip.open(zipfile.ZipInfo(name, LONG_AGO), "w", force_zip64=True) as out:

            def write(text: str) -> None:
                nonlocal size
                part = text.encode()
                digest.update(part)
                size += len(part)
                out.write(part)

            yield write
        self.files[name] = {"bytes": size, "sha256": digest.hexdigest()}


def export_evidence(rt: Runtime, out: IO[bytes], *, matter_id: int | None, month: str | None) -> dict[str, Any]:
    """Write the pack of one matter or one month (YYYY-MM, at the office); returns its manifest.

    The same database makes the same bytes. Nobody's name or address is in it: ids, numbers, amounts, reasons.
    """
    heads = noted(rt)
    with rt.read() as work, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as zipped:
        work.evidence.hold_still()
        scope, what = _of_matter(work, matter_id) if matter_id is not None else _of_month(rt, str(month))
        pack = Pack(zipped)
        rows = {part.name: _put(pack, work, part, scope, rt.settings.firm.zone) for part in PARTS}
        with pack.file("README.txt") as write:
            write(README.format(firm=rt.settings.firm.name, what=what, zone=rt.settings.firm.time_zone))
        manifest = {
            "format": "clio-lawpay-orchestrator evidence 1",
            "of": {"matter_id": matter_id, "month": month},
            "rows": rows,
            "files": dict(sorted(pack.files.items())),
            "audit": told_of(checked(work, heads), heads, work.audit.head()),
        }
        with pack.file("manifest.json") as write:
            write(json.dumps(manifest, indent=2, sort_keys=True, default=str) + "\n")
    return manifest


def _of_matter(work: Work, matter_id: int) -> tuple[Scope, str]:
    if matter_id not in work.mirror.matters([matter_id]):
        raise Rejected(f"Matter {matter_id} is not known here: give Clio's id of a matter, as in its address.")
    texts: dict[str, list[str]] = {}
    for row in work.references.texts_without_id():
        answer = work.references.resolve(PROVIDER[row["source"]], row["reference"])
        if isinstance(answer, Resolved) and answer.matter_id == matter_id:
            texts.setdefault(row["source"], []).append(row["reference"])
    scope = OfMatter(matter_id, texts)
    return replace(scope, breaks=work.evidence.breaks_about(scope)), f"matter {matter_id}"


def _of_month(rt: Runtime, month: str) -> tuple[Scope, str]:
    try:
        first = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007  a month has no zone; the office's is added below
    except ValueError:
        raise Rejected(f"{month!r} is not a month: write it as 2026-03.") from None
    until = date(first.year + first.month // DECEMBER, first.month % DECEMBER + 1, 1)
    began, ended = (datetime.combine(day, time(), rt.settings.firm.zone).astimezone(UTC) for day in (first, until))
    return OfMonth(first, until, began, ended), f"the month {month}"


def _put(pack: Pack, work: Work, part: Part, scope: Scope, zone: ZoneInfo) -> int:
    """Write one part as CSV and as JSON; returns how many rows. Each is read for itself: a pack may be longer than our memory."""
    count = 0
    with pack.file(f"{part.name}.csv") as write:
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="\n")
        for cells in _cells(work, part, scope, zone):
            writer.writerow(cells)
            write(line.getvalue())
            line.seek(0)
            line.truncate()
    with pack.file(f"{part.name}.json") as write:
        for row in work.evidence.of(part, scope):
            said = {name: _plain(row[name]) for name in part.columns}
            write(("[\n" if count == 0 else ",\n") + json.dumps(said, sort_keys=True))
            count += 1
        write("\n]\n" if count else "[]\n")
    return count


def _cells(work: Work, part: Part, scope: Scope, zone: ZoneInfo) -> Iterator[list[str]]:
    yield list(part.columns)
    for row in work.evidence.of(part, scope):
        yield [_cell(row, name, zone) for name in part.columns]


def _cell(row: Row, name: str, zone: ZoneInfo) -> str:
    match row[name]:
        case None:
            return ""
        case bool() as yes:
            return "yes" if yes else "no"
        case int() as figure:
            return str(figure)
        case datetime() as moment:
            return moment.astimezone(zone).isoformat()
        case dict() | list() as nested:
            return neutral(json.dumps(nested, sort_keys=True))
        case other:
            return neutral(str(other))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value
