"""A statement as OFX 2.2 and as CSV: opening and closing balance, and every line between them."""

import csv
import io
from datetime import UTC, date, datetime, time
from xml.etree import ElementTree as ET

from orchestrator.sandbox.bank.book import Line, Statement
from orchestrator.sandbox.lawpay.shapes import EASTERN

BANK_ID = "021000013"
TYPES = {"fee": "FEE", "interest": "INT", "transfer": "XFER", "deposit": "DEP"}
COLUMNS = ("Date", "Type", "Description", "Reference", "Amount", "Balance")
_HEADER = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
_OFX = '<?OFX OFXHEADER="200" VERSION="220" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>\n'


def ofx(said: Statement, now: datetime) -> bytes:
    """One account's statement; times are noon in the account's own zone."""
    root = ET.Element("OFX")
    signon = _in(root, "SIGNONMSGSRSV1", "SONRS")
    _status(signon)
    _texts(signon, DTSERVER=now.astimezone(UTC).strftime("%Y%m%d%H%M%S"), LANGUAGE="ENG")
    answer = _in(root, "BANKMSGSRSV1", "STMTTRNRS")
    _texts(answer, TRNUID="0")
    _status(answer)
    statement = _in(answer, "STMTRS")
    _texts(statement, CURDEF=said.account.behind.currency)
    account = _in(statement, "BANKACCTFROM")
    _texts(account, BANKID=BANK_ID, ACCTID=said.account.number, ACCTTYPE="CHECKING")
    lines = _in(statement, "BANKTRANLIST")
    _texts(lines, DTSTART=_noon(said.start), DTEND=_noon(said.end))
    for line in said.lines:
        _line(lines, line)
    _balance(_in(statement, "LEDGERBAL"), said.closing, said.end)
    _balance(_in(statement, "AVAILBAL"), said.closing, said.end)
    opening = _in(statement, "BALLIST", "BAL")
    _texts(opening, NAME="Opening", DESC="Opening balance", BALTYPE="DOLLAR")
    _texts(opening, VALUE=_money(said.opening), DTASOF=_noon(said.start))
    return (_HEADER + _OFX + ET.tostring(root, encoding="unicode")).encode()


def as_csv(said: Statement) -> bytes:
    """The same with a running balance; the first row is the opening balance and the last the closing one."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    balance = said.opening
    rows.writerow((said.start.isoformat(), "OPENING", "Opening balance", "", "", _money(balance)))
    for line in said.lines:
        balance += line.amount
        kind = line.kind.upper()
        rows.writerow((line.on.isoformat(), kind, _words(line), line.id, _money(line.amount), _money(balance)))
    rows.writerow((said.end.isoformat(), "CLOSING", "Closing balance", "", "", _money(said.closing)))
    return text.getvalue().encode()


def _line(lines: ET.Element, line: Line) -> None:
    one = _in(lines, "STMTTRN")
    kind = TYPES.get(line.kind, "CREDIT" if line.amount > 0 else "DEBIT")
    _texts(one, TRNTYPE=kind, DTPOSTED=_noon(line.on), TRNAMT=_money(line.amount), FITID=line.id, NAME=line.name[:32])
    if line.memo:
        _texts(one, MEMO=line.memo[:255])


def _words(line: Line) -> str:
    return f"{line.name} {line.memo}".strip()


def _balance(parent: ET.Element, amount: int, on: date) -> None:
    _texts(parent, BALAMT=_money(amount), DTASOF=_noon(on))


def _status(parent: ET.Element) -> None:
    _texts(_in(parent, "STATUS"), CODE="0", SEVERITY="INFO")


def _in(parent: ET.Element, *names: str) -> ET.Element:
    for name in names:
        parent = ET.SubElement(parent, name)
    return parent


def _texts(parent: ET.Element, **texts: str) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = text


def _noon(day: date) -> str:
    noon = datetime.combine(day, time(12), EASTERN)
    hours = noon.strftime("%z")
    return f"{noon:%Y%m%d%H%M%S}.000[{int(hours[:3])}:{noon.tzname()}]"


def _money(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
