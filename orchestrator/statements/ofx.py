"""OFX 1 (SGML) and 2 (XML) by ofxtools, which checks the document's shape; a document that is cut off is refused."""

import io
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from re import compile as pattern
from typing import Any

from ofxtools.header import OFXHeaderError
from ofxtools.Parser import OFXTree, ParseError
from ofxtools.Types import OFXSpecError

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.bank_statements import BankStatement, StatementLine, UnusableStatement, kind_of
from orchestrator.domain.money import cents
from orchestrator.domain.movements import MovementKind

KINDS = {
    "FEE": MovementKind.FEE, "SRVCHG": MovementKind.FEE, "INT": MovementKind.INTEREST, "DIV": MovementKind.INTEREST,
    "XFER": MovementKind.TRANSFER, "CHECK": MovementKind.DISBURSEMENT, "PAYMENT": MovementKind.DISBURSEMENT,
}  # fmt: skip
"""The bank's type of a line; what is not here is told by its words and its sign."""

_MOMENT = pattern(r"(\d{8})(\d{6})?(?:\.\d+)?(?:\[([+-]?\d+(?:\.\d+)?)(?::\w+)?\])?")


def read_ofx(content: bytes, account: FirmAccount) -> BankStatement:
    """The one bank statement of the document that is this account's."""
    tree = OFXTree()
    try:
        tree.parse(io.BytesIO(content))
        # Checks every element against the specification, so that nothing is missing inside a line.
        tree.convert()
    except (ParseError, OFXHeaderError, OFXSpecError, ValueError, AssertionError, IndexError, KeyError) as wrong:
        raise UnusableStatement(
            "The file is no complete OFX document: it is damaged or cut off. Fetch it again."
        ) from wrong
    root = tree.getroot()
    if not content.rstrip().upper().endswith(b"</OFX>") or root is None:
        raise UnusableStatement("The file is no complete OFX document: its end is missing. Fetch it again.")
    found = [one for one in root.iter("STMTRS") if account.bank_id in (None, _text(one, "BANKACCTFROM/ACCTID"))]
    if len(found) != 1:
        raise UnusableStatement(
            f"The file has {len(found)} statements of {account.key}: its bank_id must name exactly one."
        )
    return _statement(found[0], account)


def _statement(one: Any, account: FirmAccount) -> BankStatement:
    lines = tuple(_line(line, account) for line in one.iter("STMTTRN"))
    openings = [
        cents(Decimal(_text(balance, "VALUE") or "0"))
        for balance in one.iter("BAL")
        if (_text(balance, "NAME") or "").casefold().startswith("opening")
    ]
    return BankStatement(
        format="ofx",
        number=_text(one, "BANKACCTFROM/ACCTID"),
        currency=_text(one, "CURDEF"),
        begins_on=_day(_text(one, "BANKTRANLIST/DTSTART"), account),
        ends_on=_day(_text(one, "LEDGERBAL/DTASOF") or _text(one, "BANKTRANLIST/DTEND"), account),
        opening_cents=openings[0] if len(openings) == 1 else None,
        closing_cents=cents(Decimal(_text(one, "LEDGERBAL/BALAMT") or "")),
        lines=lines,
    )


def _line(line: Any, account: FirmAccount) -> StatementLine:
    amount = cents(Decimal((_text(line, "TRNAMT") or "").replace(",", ".")))
    text = " ".join(part for part in (_text(line, "NAME"), _text(line, "MEMO")) if part)
    said = KINDS.get(_text(line, "TRNTYPE") or "")
    return StatementLine(
        name=_text(line, "FITID") or "",
        on=_day(_text(line, "DTPOSTED"), account),
        amount_cents=amount,
        kind=kind_of(text, amount, said),
        text=text,
        reference=_text(line, "CHECKNUM") or _text(line, "REFNUM") or "",
    )


def _text(element: Any, path: str) -> str | None:
    found = element.find(path)
    return found.text.strip() if found is not None and found.text else None


def _day(text: str | None, account: FirmAccount) -> date:
    """The bank's own day; only a moment with a zone of its own is brought to the account's (T49).

    By the letter a moment without a zone is UTC; banks write their business day there, at midnight.
    """
    told = _MOMENT.fullmatch(text or "")
    if told is None:
        raise UnusableStatement("The file is no complete OFX document: a day is missing. Fetch it again.")
    day, time, hours = told.groups()
    if time is None or hours is None:
        return datetime.strptime(day, "%Y%m%d").date()  # noqa: DTZ007  a day, not a moment
    there = timezone(timedelta(hours=float(hours)))
    return datetime.strptime(day + time, "%Y%m%d%H%M%S").replace(tzinfo=there).astimezone(account.zone).date()
