"""Money through a link: on its way, arrived, too much, too late, and taken back."""

import httpx
import pytest

OPENING = 2500.0 + 1200.0 + 6400.0 + 750.0 + 900.0  # what the trust ledgers began with


@pytest.fixture
def paid(clio):
    """A bill of 1,404.00 with a link, and a way to pay it."""
    bill = clio.issued_bill()
    link = clio.link(bill).json()["data"]

    def pay(**facts):
        return bill, clio.sandbox.act("pay_link", link_id=link["id"], **facts)

    return pay


def bill_shown(clio, bill):
    shown = clio.get(f"/bills/{bill['id']}", "state,balance,pending,paid")
    return tuple(shown.values())


def test_a_payment_under_way_is_pending_on_the_bill(clio, paid):
    bill, payment = paid()
    assert payment["state"] == "authorized"
    assert bill_shown(clio, bill) == ("awaiting_payment", 1404.0, 1404.0, 0.0)


@pytest.mark.parametrize(("method", "days"), [("card", 1), ("echeck", 5)])
def test_a_payment_settles_after(clio, paid, method, days):
    bill, payment = paid(method=method)
    clio.sandbox.clock_advance(days * 86_400 - 1)
    assert bill_shown(clio, bill)[0] == "awaiting_payment"
    clio.sandbox.clock_advance(1)
    assert bill_shown(clio, bill) == ("paid", 0.0, 0.0, 1404.0)
    fields = "state,bank_transaction{amount,clio_payments_transaction},allocations{amount,has_online_payment}"
    shown = clio.get(f"/clio_payments/payments/{payment['id']}", fields)
    assert shown["bank_transaction"] == {"amount": 1404.0, "clio_payments_transaction": True}
    assert shown["allocations"] == [{"amount": 1404.0, "has_online_payment": True}]


@pytest.mark.parametrize("state", ["voided", "failed", "canceled"])
def test_money_that_never_came_leaves_the_bill_open(clio, paid, state):
    bill, payment = paid(final_state=state)
    clio.sandbox.clock_advance(86_400)
    assert bill_shown(clio, bill) == ("awaiting_payment", 1404.0, 0.0, 0.0)
    assert clio.get(f"/clio_payments/payments/{payment['id']}", "state") == {"state": state}


def test_what_does_not_fit_waits_for_a_person(clio, paid):
    bill, payment = paid()
    clio.sandbox.act("record_payment", bill_id=bill["id"], amount="1000.00")
    clio.sandbox.clock_advance(86_400)
    assert bill_shown(clio, bill) == ("paid", 0.0, 0.0, 1404.0)
    shown = clio.get(f"/clio_payments/payments/{payment['id']}", "state,allocations{amount}")
    assert shown == {"state": "completed_requiring_allocation", "allocations": [{"amount": 404.0}]}


@pytest.mark.parametrize("verb", ["refund_payment", "chargeback_payment", "return_payment"])
def test_money_taken_back_shows_on_the_bill_not_on_the_payment(clio, paid, verb):
    bill, payment = paid(settle_after_seconds=0)
    clio.sandbox.act(verb, id=payment["id"])
    assert bill_shown(clio, bill) == ("awaiting_payment", 1404.0, 0.0, 0.0)
    assert clio.get(f"/clio_payments/payments/{payment['id']}", "state") == {"state": "completed"}
    (share,) = clio.get("/allocations", "voided_at", status="invalid", bill_id=bill["id"])
    assert share["voided_at"] is not None
    assert sum(line["amount"] for line in clio.get("/bank_transactions", "amount")) == OPENING


def test_a_partial_refund_opens_that_part(clio, paid):
    bill, payment = paid(settle_after_seconds=0)
    clio.sandbox.act("refund_payment", id=payment["id"], amount="4.01")
    assert bill_shown(clio, bill) == ("awaiting_payment", 4.01, 0.0, 1399.99)


def test_one_payment_for_a_client_settles_the_oldest_bill_first(clio):
    entries = clio.get("/activities", "id", matter_id=clio.matter("northwind-contracts"))
    bills = [clio.sandbox.act("generate_bill", entry_ids=[entry["id"]]) for entry in entries[:3]]
    for bill in bills:
        clio.sandbox.act("approve_bill", id=bill["id"])
    subject = {"id": clio.names["contacts"]["northwind"], "type": "Contact"}
    link = clio.link({"id": 0, "balance": 1000.0}, subject=subject).json()["data"]
    clio.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    assert [bill_shown(clio, bill)[1] for bill in bills] == [0.0, 680.0, 840.0]


def test_a_direct_payment_is_tied_to_no_bill(clio):
    subject = {"id": clio.account(), "type": "BankAccount"}
    link = clio.link({"id": 0, "balance": 50.0}, subject=subject, description="Retainer").json()["data"]
    payment = clio.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    shown = clio.get(f"/clio_payments/payments/{payment['id']}", "state,bank_transaction")
    assert shown == {"state": "completed_requiring_allocation", "bank_transaction": None}


def test_the_page_takes_a_payment_from_a_form(clio):
    bill = clio.issued_bill()
    url = clio.link(bill, redirect_url="https://firm.example/paid").json()["data"]["url"]
    page = httpx.get(url)
    assert "$1,404.00" in page.text
    assert "Invoice 1001" in page.text
    answer = httpx.post(url, data={"method": "echeck"})
    assert (answer.status_code, answer.headers["location"]) == (303, "https://firm.example/paid")
    assert bill_shown(clio, bill)[2] == 1404.0
    assert "already been used" in httpx.get(url).text


def test_opening_the_page_changes_nothing(clio):
    url = clio.link(clio.issued_bill()).json()["data"]["url"]
    before = clio.sandbox.effects()
    for _ in range(3):
        httpx.get(url)
    assert clio.sandbox.effects() == before


def test_without_an_amount_the_payer_chooses_up_to_what_is_open(clio):
    bill = clio.issued_bill()
    url = clio.link(bill, amount=None).json()["data"]["url"]
    assert httpx.post(url, data={"method": "card", "amount": "1404.01"}).status_code == 422
    thanked = httpx.post(url, data={"method": "card", "amount": "4.00"}, follow_redirects=True)
    assert "Thank you" in thanked.text
    assert bill_shown(clio, bill)[2] == 4.0


def test_an_expired_link_s_page_says_so(clio):
    url = clio.link(clio.issued_bill(), duration=60).json()["data"]["url"]
    clio.sandbox.clock_advance(61)
    assert "expired" in httpx.get(url).text
    assert httpx.post(url, data={"method": "card"}).status_code == 410


def test_the_page_escapes_what_the_firm_typed(clio):
    subject = {"id": clio.account(), "type": "BankAccount"}
    url = clio.link({"id": 0, "balance": 5.0}, subject=subject, description="<script>x</script>").json()["data"]["url"]
    assert "<script>" not in httpx.get(url).text
