"""A run on paper: every figure traceable to its lines, no cell that a spreadsheet would run (T46, F79)."""

import csv
import json

import pytest

from orchestrator.reports import write_csv, write_html, write_json
from orchestrator.storage.tables import matters
from orchestrator.usecases.report_run import report_run
from orchestrator.usecases.sign_period import sign_period
from tests.reconciling import REVIEWER, bank, clio, lawpay, office

NASTY = '=HYPERLINK("http://evil.test","x"), <b>'


@pytest.fixture
def firm(either_url):
    with office(either_url) as firm:
        firm.knows(M1=5)
        with firm.rt.uow() as work:
            work.connection.execute(matters.update().values(client_id=2, client_name="Bo & Co <Ferris>"))
        firm.sees(
            lawpay("ch_1", 100_000, 2, "M1"), clio(1, 100_000, 2, parent="ch_1"), bank("b1", 100_000, 4),
            clio(2, -40_000, 9), bank("b2", -40_000, 10), clio(3, 20_000, 30), clio(4, 500, -4),
            lawpay("ch_2", 700, 5, NASTY),
        )  # fmt: skip
        firm.statement(60_000)
        yield firm


def told(firm, run_id=None):
    run_id = run_id or firm.run()["run"]["id"]
    with firm.rt.read() as work:
        found = report_run(firm.rt, work, run_id)
        return found | {"cards": list(found["cards"]), "bank": list(found["bank"])}


def test_T46_the_ledger_cards_add_up_to_the_statement(firm):
    found = told(firm)
    (card,) = found["cards"]
    assert (card["opening_cents"], card["closing_cents"]) == (500, 80_500)
    assert [line["balance_cents"] for line in card["lines"]] == [100_500, 60_500, 80_500]
    assert found["statement"]["ledgers_cents"] == sum(card["closing_cents"] for card in found["cards"])
    assert [line["rule"] for line in found["bank"]] == ["batch_deposit", "amount_days"]


def test_T46_money_of_no_matter_stands_on_its_client_s_own_card(firm, tmp_path):
    firm.sees(clio(9, 900, 12, None))
    found = told(firm)
    [card] = [card for card in found["cards"] if card["matter_id"] is None]
    assert (card["client_id"], card["client"], card["closing_cents"]) == (2, "Bo & Co <Ferris>", 900)
    write_html(told(firm), tmp_path / "run.html")
    assert "Money of no matter · Bo &amp; Co" in (tmp_path / "run.html").read_text()


def test_the_page_stands_alone_and_runs_nothing(firm, tmp_path):
    write_html(told(firm), tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert "<script" not in text
    assert "http" not in text.replace("http://evil.test", "")
    assert "&lt;Ferris&gt;" in text
    assert "<b>" not in text
    for words in (
        "Three-way statement",
        "Deposits in transit".lower(),
        "800.00",
        "Client ledger cards",
        "unmapped reference",
    ):
        assert words in text


def test_F79_a_cell_that_a_spreadsheet_would_run_is_neutralised(firm, tmp_path):
    paths = write_csv(told(firm), tmp_path / "csv")
    assert sorted(path.name for path in paths) == [
        "bank.csv", "breaks.csv", "ledgers.csv", "lines.csv", "outstanding.csv", "statement.csv",
    ]  # fmt: skip
    with (tmp_path / "csv" / "breaks.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["reference"] == "'" + NASTY
    assert row["money_cents"] == "700"
    with (tmp_path / "csv" / "lines.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [line["amount_cents"] for line in csv.DictReader(file)] == ["100000", "-40000", "20000"]


def test_the_json_has_the_same_figures(firm, tmp_path):
    found = told(firm)
    write_json(found, tmp_path / "run.json")
    said = json.loads((tmp_path / "run.json").read_text())
    assert said["schema"] == 1
    assert said["statement"]["adjusted_cents"] == found["statement"]["adjusted_cents"]
    assert said["cards"][0]["matter"] == "M1"


def test_a_signed_run_says_who_signed_it(database_url, tmp_path):
    with office(database_url) as firm:
        firm.sees(clio(1, 1000, 2), bank("b1", 1000, 3))
        firm.statement(1000)
        run_id = firm.run()["run"]["id"]
        sign_period(firm.rt, run_id, reviewer=REVIEWER)
        write_html(told(firm, run_id), tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert REVIEWER in text
    assert "equal to the cent" in text


def test_a_run_that_is_not_there_has_no_report(database_url):
    with office(database_url) as firm, firm.rt.read() as work:
        assert report_run(firm.rt, work, 99) is None
