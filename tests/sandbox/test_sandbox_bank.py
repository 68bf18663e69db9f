"""The bank's own view: money some days later, gross for trust, and statements whose balances add up."""

import csv
import io
from datetime import datetime
from xml.etree import ElementTree as ET

import httpx
import pytest

DAY = 86_400


@pytest.fixture
def clio(enter):
    """Monday 2 March 2026, ten in the morning in New York."""
    return enter()


@pytest.fixture
def pay(clio):
    return lambda amount_cents=50_000, page="trust", **facts: clio.sandbox.act(
        "lawpay_pay", page=page, amount_cents=amount_cents, **facts
    )


def booked(clio, account):
    """Date, name and cents of the lines a statement of March and April shows, without the opening ones."""
    answer = statement(clio, account, "csv", **{"from": "2026-03-03", "to": "2026-04-30"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    return [(row["Date"][5:], row["Description"], round(float(row["Amount"]) * 100)) for row in rows[1:-1]]


def statement(clio, account, kind, **period):
    answer = httpx.get(f"{clio.names['bank'][account]['statement']}.{kind}", params=period, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer


def at(clio, day):
    """Noon in New York of a day in 2026."""
    clio.sandbox.clock_set(datetime.fromisoformat(f"2026-{day}T17:00:00Z"))


def test_a_day_s_cards_arrive_as_one_gross_deposit_two_business_days_later(clio, pay):
    pay(50_000)
    pay(30_000)
    at(clio, "03-03")
    pay(20_000)
    assert booked(clio, "trust") == []
    at(clio, "03-04")
    assert booked(clio, "trust") == [("03-04", "LAWPAY DEPOSIT", 80_000)]
    at(clio, "03-06")
    assert booked(clio, "trust") == [("03-04", "LAWPAY DEPOSIT", 80_000), ("03-05", "LAWPAY DEPOSIT", 20_000)]


def test_T15_every_fee_is_taken_from_operating(clio, pay):
    pay(50_000)
    at(clio, "03-06")
    assert booked(clio, "operating") == [("03-04", "LAWPAY FEE", -1495)]


def test_a_weekend_is_no_banking_day(clio, pay):
    at(clio, "03-06")
    pay(50_000)
    at(clio, "03-09")
    assert booked(clio, "trust") == []
    at(clio, "03-10")
    assert booked(clio, "trust") == [("03-10", "LAWPAY DEPOSIT", 50_000)]


def test_a_voided_charge_never_reaches_the_bank(clio, pay):
    clio.sandbox.act("lawpay_void", id=pay()["id"])
    at(clio, "03-20")
    assert booked(clio, "trust") == []


def test_a_returned_echeck_is_taken_out_of_the_account_it_went_to(clio, pay):
    one = pay(40_000, method="echeck")
    at(clio, "03-12")
    clio.sandbox.act("lawpay_return_echeck", id=one["id"])
    at(clio, "03-20")
    assert booked(clio, "trust") == [("03-09", "LAWPAY ECHECK", 40_000), ("03-13", "LAWPAY RETURN", -40_000)]


def test_an_echeck_that_fails_on_its_way_never_arrives(clio, pay):
    one = pay(40_000, method="echeck")
    at(clio, "03-06")
    clio.sandbox.act("lawpay_return_echeck", id=one["id"])
    at(clio, "03-20")
    assert booked(clio, "trust") == []


def test_a_refund_that_the_payer_s_bank_sends_back_is_in_the_account_again(clio, pay):
    one = pay(40_000, method="echeck")
    at(clio, "03-12")
    refund = clio.sandbox.act("lawpay_refund", id=one["id"])
    at(clio, "03-18")
    clio.sandbox.act("lawpay_return_echeck", id=refund["id"])
    at(clio, "03-25")
    assert [amount for _, _, amount in booked(clio, "trust")] == [40_000, -40_000, 40_000]


def test_a_chargeback_shows_at_the_bank_and_nowhere_at_lawpay(clio, pay):
    one = pay()
    at(clio, "03-10")
    key, base = clio.names["lawpay_secret_key"], clio.names["lawpay_base_url"]
    with httpx.Client(base_url=f"{base}/v1", auth=(key, ""), trust_env=False) as http:
        before = [http.get(path).json() for path in (f"/transactions/{one['id']}", "/events")]
        clio.sandbox.act("lawpay_chargeback", id=one["id"])
        at(clio, "03-12")
        assert [http.get(path).json() for path in (f"/transactions/{one['id']}", "/events")] == before
    assert booked(clio, "operating")[1:] == [
        ("03-11", "LAWPAY CHARGEBACK FEE", -1500),
        ("03-11", "LAWPAY CHARGEBACK", -50_000),
    ]
    assert booked(clio, "trust") == [("03-04", "LAWPAY DEPOSIT", 50_000)]


def test_a_draw_by_way_of_lawpay_leaves_trust_and_arrives_in_operating(clio):
    bill = clio.issued_bill("northwind-lease")
    drawn = clio.sandbox.act("lawpay_draw", bill_id=bill["id"])
    assert (drawn["type"], drawn["amount"], drawn["reference"]) == ("CREDIT", 114_000, f"00007-Inc. / {bill['number']}")
    at(clio, "03-06")
    assert booked(clio, "trust") == [("03-04", "LAWPAY CREDIT", -114_000)]
    assert booked(clio, "operating") == [("03-04", "LAWPAY CREDIT", 114_000)]


def test_what_a_person_records_in_clio_moves_at_the_bank_a_day_later(clio):
    bill = clio.issued_bill("northwind-lease")
    clio.sandbox.act("apply_trust", bill_id=bill["id"], amount="1000")
    clio.sandbox.act("record_payment", bill_id=bill["id"], amount="140")
    at(clio, "03-04")
    assert booked(clio, "trust") == [("03-03", "TRANSFER", -100_000)]
    assert booked(clio, "operating") == [("03-03", "TRANSFER", 100_000), ("03-03", "DEPOSIT", 14_000)]


def test_clio_payments_pays_out_a_day_s_payments_at_once(clio):
    for bill in clio.sandbox.act("bulk", bills=3)["bill_ids"]:
        clio.link({"id": bill, "balance": 250.0})
    clio.sandbox.act("bulk", pay_links=3)
    at(clio, "03-04")
    assert booked(clio, "operating") == [("03-03", "CLIO PAYMENTS DEPOSIT", 75_000)]


def test_the_bank_agrees_with_clio_when_everything_was_told(clio, pay):
    """Adjusted for nothing: enough days have passed for all of it to arrive."""
    one, other = pay(), pay(method="echeck")
    at(clio, "03-09")
    for paid, matter in ((one, "okafor-purchase"), (other, "northwind-lease")):
        clio.sandbox.act("link_lawpay_payment", id=paid["id"], matter_id=clio.matter(matter))
    bill = clio.issued_bill("northwind-lease")
    drawn = clio.sandbox.act("lawpay_draw", bill_id=bill["id"])
    clio.sandbox.act("apply_trust", bill_id=bill["id"], banked=False, confirmation=drawn["id"])
    clio.sandbox.act("disburse_trust", client_id=clio.names["contacts"]["grace"], amount="99.99")
    at(clio, "03-31")
    clio.sandbox.act("record_bank_fees")
    for account in ("trust", "operating"):
        balance = clio.get(f"/bank_accounts/{clio.account(account)}", "balance")["balance"]
        said = ET.fromstring(statement(clio, account, "ofx").content)
        assert float(said.findtext(".//LEDGERBAL/BALAMT")) == balance
    assert clio.sandbox.oracle()["trust_violations"] == []


def test_a_statement_opens_where_the_one_before_closed(clio, pay):
    pay()
    at(clio, "04-02")
    first, second = (
        list(csv.DictReader(io.StringIO(statement(clio, "trust", "csv", **{"from": start, "to": end}).text)))
        for start, end in (("2026-03-01", "2026-03-31"), ("2026-04-01", "2026-04-02"))
    )
    assert first[0]["Balance"] == "0.00"
    assert first[-1]["Balance"] == second[0]["Balance"] == "12250.00"
    assert [row["Type"] for row in second] == ["OPENING", "CLOSING"]


def test_an_ofx_statement_says_whose_it_is_and_names_every_line_once(clio, pay):
    pay()
    at(clio, "03-10")
    answer = statement(clio, "trust", "ofx", **{"from": "2026-03-01", "to": "2026-03-31"})
    said = ET.fromstring(answer.content)
    assert said.findtext(".//ACCTID") == clio.names["bank"]["trust"]["bank_id"]
    assert said.findtext(".//CURDEF") == "USD"
    ids = [one.text for one in said.iter("FITID")]
    assert len(set(ids)) == len(ids) == 6
    assert said.findtext(".//BALLIST/BAL/VALUE") == "0.00"
    posted = [one.findtext("DTPOSTED") for one in said.iter("STMTTRN")][-1]
    assert posted == "20260304120000.000[-5:EST]"
    assert answer.headers["content-type"] == "application/x-ofx"


def test_an_account_goes_by_its_number_too_and_a_strange_one_is_not_found(clio):
    url = f"{clio.names['url']}/bank"
    number = clio.names["bank"]["trust"]["bank_id"]
    assert httpx.get(f"{url}/{number}/statement.csv", trust_env=False).status_code == 200
    assert httpx.get(f"{url}/nobody/statement.csv", trust_env=False).status_code == 404
    assert httpx.get(f"{url}/trust/statement.csv?from=March", trust_env=False).status_code == 422


@pytest.mark.parametrize(
    ("fault", "trust", "operating"),
    [
        ("net_deposit", [48_505], []),
        ("fee_from_trust", [50_000, -1495], []),
        ("missing_at_bank", [], [-1495]),
        ("amount_differs", [49_900], [-1495]),
        ("duplicate", [100_000], [-1495]),
    ],
)
def test_the_bank_can_be_made_to_do_wrong(clio, pay, fault, trust, operating):
    clio.sandbox.fault("bank", fault, account="trust")
    pay()
    at(clio, "03-10")
    assert [amount for _, _, amount in booked(clio, "trust")] == trust
    assert [amount for _, _, amount in booked(clio, "operating")] == operating
    (planted,) = clio.sandbox.oracle()["planted"]
    assert (planted["name"], planted["account"]) == (fault, "trust")
