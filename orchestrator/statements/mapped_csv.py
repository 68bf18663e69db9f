"""CSV as banks write it, by a mapping; a running balance, where there is one, proves each line."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.bank_statements import BankStatement, StatementLine, UnusableStatement, first_and_last, kind_of
from orchestrator.domain.money import cents
from orchestrator.errors import Rejected
from orchestrator.statements.mapping import Mapping

Cells = dict[Any, Any]


def read_csv(content: bytes, account: FirmAccount, mapping: Mapping) -> BankStatement:
    """Every line or none: one that cannot be read refuses the file."""
    rows = _rows(content, mapping)
    if mapping.newest_first:
        rows.reverse()
    opening: int | None = None
    closing: int | None = None
    running: int | None = None
    days: list[date] = []
    lines: list[StatementLine] = []
    for number, row in rows:
        kind = (_cell(row, mapping.columns.type) or "").strip()
        on, balance = _day(number, row, account, mapping), _amount(number, row, mapping.columns.balance, mapping)
        days.append(on)
        if mapping.opening_type is not None and kind == mapping.opening_type:
            opening = running = balance
            continue
        if mapping.closing_type is not None and kind == mapping.closing_type:
            closing = balance
            continue
        line = _line(number, row, on, kind, mapping)
        lines.append(line)
        if balance is not None:
            before = balance - line.amount_cents
            if running is not None and running != before:
                raise UnusableStatement(
                    f"Line {number}: the balance does not follow from the one before: a line is missing. Fetch the file again."
                )
            opening = before if opening is None else opening
            running = balance
    if mapping.closing_type is not None and closing is None:
        raise UnusableStatement("The file has no closing line: it is cut off. Fetch it again.")
    begins_on, ends_on = first_and_last(days)
    return BankStatement(
        format="csv", number=None, currency=None, begins_on=begins_on, ends_on=ends_on, opening_cents=opening,
        closing_cents=closing, lines=tuple(lines),
    )  # fmt: skip


def _rows(content: bytes, mapping: Mapping) -> list[tuple[int, Cells]]:
    try:
        text = content.decode(mapping.encoding)
    except (UnicodeDecodeError, LookupError) as wrong:
        raise UnusableStatement(
            f"The file is not written in {mapping.encoding}: correct `encoding` of the mapping."
        ) from wrong
    kept = io.StringIO("".join(text.splitlines(keepends=True)[mapping.skip_lines :]))
    reader = csv.DictReader(kept, delimiter=mapping.delimiter, strict=True)
    try:
        titles = [title.strip() for title in reader.fieldnames or ()]
        reader.fieldnames = titles
        wanted = {title for title in mapping.columns.model_dump().values() if title is not None}
        if missing := sorted(wanted - set(titles)):
            raise UnusableStatement(
                f"The file has no column {', '.join(missing)}: choose another --mapping, or correct this one."
            )
        rows = [(reader.line_num + mapping.skip_lines, row) for row in reader if any(row.values())]
    except csv.Error as wrong:
        raise UnusableStatement("The file is no complete CSV: it is damaged or cut off. Fetch it again.") from wrong
    for number, row in rows:
        if None in row or None in row.values():
            raise UnusableStatement(
                f"Line {number} has not as many cells as the header: the file is cut off. Fetch it again."
            )
    return rows


def _line(number: int, row: Cells, on: date, kind: str, mapping: Mapping) -> StatementLine:
    columns = mapping.columns
    if columns.amount is not None:
        amount = _amount(number, row, columns.amount, mapping)
    else:
        paid_in, paid_out = (_amount(number, row, one, mapping) for one in (columns.credit, columns.debit))
        amount = None if paid_in is None and paid_out is None else abs(paid_in or 0) - abs(paid_out or 0)
    if amount is None:
        raise UnusableStatement(f"Line {number} has no amount.")
    amount = -amount if mapping.sign == "reversed" else amount
    text = " ".join((_cell(row, columns.text) or "").split())
    return StatementLine(
        name=(_cell(row, columns.id) or "").strip(), on=on, amount_cents=amount, text=text,
        kind=kind_of(text, amount, mapping.types.get(kind)), reference=(_cell(row, columns.reference) or "").strip(),
    )  # fmt: skip


def _cell(row: Cells, title: str | None) -> str | None:
    found: str | None = row.get(title) if title is not None else None
    return found


def _day(number: int, row: Cells, account: FirmAccount, mapping: Mapping) -> date:
    """The bank's own day; a moment of the zone that the mapping names is brought to the account's (T49)."""
    text = (_cell(row, mapping.columns.date) or "").strip()
    try:
        told = datetime.strptime(text, mapping.date_format)  # noqa: DTZ007  most often a day, which has no zone
    except ValueError as wrong:
        raise UnusableStatement(
            f"Line {number}: {text[:40]!r} is no day as `date_format` of the mapping says."
        ) from wrong
    if mapping.zone is None:
        return told.date()
    return told.replace(tzinfo=ZoneInfo(mapping.zone)).astimezone(account.zone).date()


def _amount(number: int, row: Cells, title: str | None, mapping: Mapping) -> int | None:
    text = (_cell(row, title) or "").strip()
    if not text:
        return None
    negative = text.startswith("(") and text.endswith(")")
    bare = text.strip("()").replace("$", "").replace(" ", "").replace("." if mapping.decimal == "," else ",", "")
    try:
        amount = cents(Decimal(bare.replace(",", ".")))
    except (InvalidOperation, Rejected) as wrong:
        raise UnusableStatement(f"Line {number}: {text[:40]!r} is no amount.") from wrong
    return -amount if negative else amount
