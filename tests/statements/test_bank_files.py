"""What banks give out: read whole and proved, or refused in one sentence (F73)."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.domain.bank_statements import UnusableStatement
from orchestrator.domain.movements import MovementKind, Source
from orchestrator.statements.mapping import load_mapping, mappings
from orchestrator.usecases.import_statement import import_statement
from orchestrator.usecases.reconcile import account_named
from tests.firm import CONFIG
from tests.reconciling import office

OFX1 = """OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260401<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>{currency}
<BANKACCTFROM><BANKID>021000013<ACCTID>{number}<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20260301<DTEND>20260331
{lines}</BANKTRANLIST>
<LEDGERBAL><BALAMT>{closing}<DTASOF>20260331</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
"""
LINE = "<STMTTRN><TRNTYPE>{kind}<DTPOSTED>{day}<TRNAMT>{amount}<FITID>{name}<NAME>{text}</STMTTRN>\n"
MARCH = (
    ("DEP", "20260303", "1500.00", "f1", "LAWPAY DEPOSIT"),
    ("CHECK", "20260310", "-700.00", "f2", "CHECK 1042"),
    ("FEE", "20260331", "-0.35", "f3", "SERVICE CHARGE"),
)


def ofx(lines=MARCH, closing="799.65", number="111", currency="USD"):
    names = ("kind", "day", "amount", "name", "text")
    written = "".join(LINE.format(**dict(zip(names, line, strict=True))) for line in lines)
    return OFX1.format(lines=written, closing=closing, number=number, currency=currency).encode()


CSV = """Date,Type,Description,Reference,Amount,Balance
2026-03-01,OPENING,Opening balance,,,100.00
2026-03-03,DEPOSIT,LAWPAY DEPOSIT,f1,"1,500.00",1600.00
2026-03-10,DEBIT,CHECK 1042,f2,-700.00,900.00
2026-03-31,CLOSING,Closing balance,,,900.00
"""
DEBITS = """Posting Date,Description,Debit,Credit,Check Number
03/03/2026,LAWPAY DEPOSIT,,1500.00,
03/10/2026,Rent,700.00,,1042
"""


@pytest.fixture
def firm(either_url):
    with office(either_url) as firm:
        yield firm


@pytest.fixture
def here(database_url):
    with office(database_url) as firm:
        yield firm


def take(firm, content, **given):
    content = content.encode() if isinstance(content, str) else content
    account = account_named(firm.rt, "iolta")
    return import_statement(firm.rt, account, content, name="march", by="test", **given)


def lines(firm):
    with firm.rt.read() as work:
        return work.movements.current(account="iolta", source=Source.BANK)


def test_an_ofx_file_of_the_old_kind_is_read(firm):
    assert take(firm, ofx(), opening_cents=0).added == 3
    found = [(one.on.day, one.amount_cents, one.kind, one.reference) for one in lines(firm)]
    assert found == [
        (3, 150_000, MovementKind.DEPOSIT, "LAWPAY DEPOSIT"),
        (10, -70_000, MovementKind.DISBURSEMENT, "CHECK 1042"),
        (31, -35, MovementKind.FEE, "SERVICE CHARGE"),
    ]


def test_a_csv_with_balances_is_read(firm):
    done = take(firm, CSV)
    assert (done.added, done.statement.opening_cents, done.statement.closing_cents) == (2, 10_000, 90_000)
    assert [(one.on, one.amount_cents) for one in lines(firm)] == [
        (date(2026, 3, 3), 150_000),
        (date(2026, 3, 10), -70_000),
    ]


def test_a_csv_with_debits_and_credits_takes_its_balances_from_the_command(here):
    take(here, DEBITS, mapping="debit-credit", opening_cents=0, closing_cents=80_000)
    assert [(one.amount_cents, one.reference) for one in lines(here)] == [
        (150_000, "LAWPAY DEPOSIT"),
        (-70_000, "1042"),
    ]


def test_F73_the_same_file_again_is_recognised(firm):
    take(firm, ofx(), opening_cents=0)
    again = take(firm, ofx())
    assert (again.statement, again.added, again.known["lines"]) == (None, 0, 3)
    assert len(lines(firm)) == 3


def test_F73_an_overlapping_period_adds_nothing_twice(firm):
    take(firm, ofx(), opening_cents=0)
    longer = ofx((*MARCH, ("DEP", "20260331", "5.00", "f4", "CASH")), closing="804.65")
    assert take(firm, longer).added == 1
    assert sum(one.amount_cents for one in lines(firm)) == 80_465


def test_F73_two_equal_lines_of_one_day_stay_two_however_often_they_are_imported(here):
    twice = "Posting Date,Description,Debit,Credit,Check Number\n" + 2 * "03/03/2026,CASH,,5.00,\n"
    take(here, twice, mapping="debit-credit", opening_cents=0, closing_cents=1000)
    take(here, twice + "03/04/2026,CASH,,5.00,\n", mapping="debit-credit", closing_cents=1500)
    assert [one.amount_cents for one in lines(here)] == [500, 500, 500]


BAD = {
    "a missing line": (ofx(MARCH[:2]), "0.35 is missing" ),
    "a cut end": (ofx()[:-60], "cut off|end is missing"),
    "a cut line": (ofx().replace(b"<TRNAMT>-700.00", b""), "no complete OFX"),
    "another account": (ofx(number="999"), "0 statements of iolta"),
    "another currency": (ofx(currency="CAD"), "is in CAD"),
    "a missing last line": (CSV.rsplit("2026-03-31", 1)[0], "no closing line"),
    "a missing line between": (CSV.replace("2026-03-03,DEPOSIT", "2026-03-02,DEPOSIT").replace("900.00\n2026-03-31", "950.00\n2026-03-31"), "does not follow|is missing"),
    "a half line": (CSV[:-20], "cut off|no closing"),
    "a wrong total": (CSV.replace(",,900.00\n", ",,901.00\n"), "1.00 is missing"),
    "no such column": ("Day,Sum\n1,2\n", "no column"),
    "no day": (CSV.replace("2026-03-03", "3rd of March"), "is no day"),
    "no amount": (CSV.replace("-700.00", "much"), "is no amount"),
    "half a cent": (CSV.replace("-700.00", "-700.005"), "is no amount"),
    "other letters": ("Dät".encode("latin-1"), "not written in"),
    "nothing": ("Date,Type,Description,Reference,Amount,Balance\n", "closing line|no line"),
    "rubbish": (b"OFXHEADER:100\x00\xff<OFX>", "no complete OFX"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_F73_a_file_that_is_not_whole_is_refused_in_one_sentence_and_leaves_nothing(here, what):
    content, said = BAD[what]
    with pytest.raises(UnusableStatement, match=said) as refused:
        take(here, content, opening_cents=0 if isinstance(content, bytes) else None)
    assert "\n" not in str(refused.value)
    assert lines(here) == []
    with here.rt.read() as work:
        assert work.bank_files.listed("iolta") == []


def test_F73_a_gap_between_two_statements_is_refused(here):
    take(here, ofx(), opening_cents=0)
    april = CSV.replace("2026-03-", "2026-04-").replace("04-31", "04-30")
    with pytest.raises(UnusableStatement, match="a statement between them is missing"):
        take(here, april)


def test_F73_the_same_lines_in_another_format_are_not_doubled(here):
    take(here, ofx(MARCH[:2], closing="800.00"), opening_cents=0)
    other = (
        CSV.replace("100.00\n2026-03-03", "0.00\n2026-03-03").replace("1600.00", "1500.00").replace("900.00", "800.00")
    )
    with pytest.raises(UnusableStatement, match="imported before"):
        take(here, other.replace("f1", "g1"))
    assert len(lines(here)) == 2


def test_the_first_statement_says_where_it_begins(here):
    with pytest.raises(UnusableStatement, match="--opening"):
        take(here, ofx())


def test_T49_a_moment_with_a_zone_of_its_own_is_a_day_of_the_account_s(here):
    late = (("DEP", "20260304020000.000[0:GMT]", "5.00", "f1", "CASH"),)
    take(here, ofx(late, closing="5.00"), opening_cents=0)
    assert [one.on for one in lines(here)] == [date(2026, 3, 3)]


def test_a_trial_keeps_nothing(here):
    assert take(here, CSV, dry_run=True).added == 2
    assert lines(here) == []


@pytest.mark.parametrize("name", mappings(CONFIG))
def test_every_mapping_loads(name):
    assert load_mapping(CONFIG, name).columns.date


def test_a_mapping_that_says_an_amount_twice_is_refused(tmp_path: Path):
    folder = tmp_path / "statements"
    folder.mkdir()
    (folder / "bad.toml").write_text('[columns]\ndate="d"\ntext="t"\n')
    with pytest.raises(UnusableStatement, match="either amount, or debit and credit"):
        load_mapping(tmp_path, "bad")
