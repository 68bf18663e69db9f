"""Trust money on Clio's side: it moves when a person records it, matter by matter, and every mistake is another line."""

import pytest

DAY = 86_400
BALANCE = "name,type,balance"


@pytest.fixture
def clio(enter):
    return enter()


@pytest.fixture
def pay(clio):
    """A payment on the trust page that has completed."""

    def once(amount_cents=50_000, page="trust", **facts):
        one = clio.sandbox.act("lawpay_pay", page=page, amount_cents=amount_cents, **facts)
        clio.sandbox.clock_advance(DAY if facts.get("method") != "echeck" else 3 * DAY)
        return one

    return once


def held(clio, matter):
    balances = clio.get(f"/matters/{clio.matter(matter)}", f"account_balances{{{BALANCE}}}")["account_balances"]
    return {balance["name"]: balance["balance"] for balance in balances}.get("IOLTA Trust", 0.0)


def at_large(clio, contact="grace"):
    ident = clio.names["contacts"][contact]
    balances = clio.get(f"/contacts/{ident}", f"account_balances{{{BALANCE}}}")["account_balances"]
    return sum(balance["balance"] for balance in balances)


def lines(clio, **facts):
    fields = "id,amount,matter{id},client{id},bill{id},bank_account{id},confirmation,description"
    return clio.get("/bank_transactions", fields, bank_account_id=clio.account("trust"), **facts)


def consistent(clio):
    """The account's balance is the sum of its lines, and the sum of what every matter and client holds in it."""
    account = clio.get(f"/bank_accounts/{clio.account('trust')}", "balance")["balance"]
    asked = f"account_balances{{{BALANCE}}}"
    owners = [owner for owner in clio.get("/matters", asked) + clio.get("/contacts", asked) if "redacted" not in owner]
    trust = [one["balance"] for owner in owners for one in owner["account_balances"] if one["type"] == "Trust"]
    assert round(account, 2) == round(sum(line["amount"] for line in lines(clio)), 2) == round(sum(trust), 2)


def test_client_level_money_is_no_matter_s(clio):
    clio.sandbox.act("deposit_trust", client_id=clio.names["contacts"]["grace"], amount="100.50")
    assert at_large(clio) == 1000.5
    assert held(clio, "lindqvist-claim") == 750.0
    consistent(clio)


def test_client_level_money_that_pays_a_bill_leaves_three_rows(clio):
    clio.sandbox.act("log_time", matter_id=clio.matter("lindqvist-claim"), price="950", quantity_seconds=3600)
    bill = clio.issued_bill("lindqvist-claim")
    before = len(lines(clio))
    clio.sandbox.act("apply_trust", bill_id=bill["id"], client_level=True)
    matter = clio.matter("lindqvist-claim")
    rows = [
        (line["amount"], (line["matter"] or {}).get("id"), line["bill"] is not None) for line in lines(clio)[before:]
    ]
    assert rows == [(-200.0, None, False), (200.0, matter, False), (-950.0, matter, True)]
    assert (held(clio, "lindqvist-claim"), at_large(clio)) == (0.0, 700.0)
    assert clio.get(f"/bills/{bill['id']}", "state")["state"] == "paid"
    consistent(clio)


def test_without_that_a_draw_never_touches_client_level_money(clio):
    clio.sandbox.act("log_time", matter_id=clio.matter("lindqvist-claim"), price="950", quantity_seconds=3600)
    bill = clio.issued_bill("lindqvist-claim")
    with pytest.raises(Exception, match="does not hold 950"):
        clio.sandbox.act("apply_trust", bill_id=bill["id"])
    assert at_large(clio) == 900.0


def test_a_draw_is_a_bank_transfer_with_its_authoriser(clio):
    bill = clio.issued_bill("northwind-lease")
    clio.sandbox.act("apply_trust", bill_id=bill["id"], authorised_by=clio.names["users"]["harbor"])
    moved = clio.sandbox.act(
        "transfer_accounts",
        source_id=clio.account(),
        destination_id=clio.account("trust"),
        amount=5,
        authorised_by=None,
    )
    read = clio.get(f"/bank_transfers/{moved['id'] - 1}", "amount,primary_authorizer,matter{id},source_account{id}")
    assert read == {
        "amount": 1140.0,
        "primary_authorizer": "Nora Harbor",
        "matter": {"id": clio.matter("northwind-lease")},
        "source_account": {"id": clio.account("trust")},
    }


def test_trust_money_moves_between_matters_of_one_client_only(clio):
    facts = {"from_matter_id": clio.matter("okafor-purchase"), "amount": "400"}
    clio.sandbox.act("transfer_trust", to_matter_id=clio.matter("okafor-lease"), **facts)
    assert (held(clio, "okafor-purchase"), held(clio, "okafor-lease")) == (6000.0, 400.0)
    with pytest.raises(Exception, match="one client only"):
        clio.sandbox.act("transfer_trust", to_matter_id=clio.matter("northwind-lease"), **facts)
    consistent(clio)


def test_a_disbursement_cannot_take_more_than_the_matter_holds(clio):
    facts = {"matter_id": clio.matter("lindqvist-claim"), "payee": "Court clerk"}
    clio.sandbox.act("disburse_trust", amount="750", **facts)
    with pytest.raises(Exception, match=r"holds 0\.00"):
        clio.sandbox.act("disburse_trust", amount="0.01", **facts)
    consistent(clio)


def test_a_posting_to_the_wrong_matter_is_reversed_and_posted_again(clio):
    wrong = clio.sandbox.act("deposit_trust", matter_id=clio.matter("northwind-lease"), amount="300")
    clio.sandbox.act("correct_posting", id=wrong["id"], matter_id=clio.matter("okafor-purchase"))
    assert (held(clio, "northwind-lease"), held(clio, "okafor-purchase")) == (2500.0, 6700.0)
    assert [line["amount"] for line in lines(clio)[-3:]] == [300.0, -300.0, 300.0]
    assert lines(clio)[-3]["id"] == wrong["id"]
    consistent(clio)


def test_clio_does_not_know_of_a_lawpay_payment_until_a_person_links_it(clio, pay):
    before = len(lines(clio))
    one = clio.sandbox.act("lawpay_pay", page="trust", amount_cents=50_000)
    with pytest.raises(Exception, match="only a completed payment"):
        clio.sandbox.act("link_lawpay_payment", id=one["id"], matter_id=clio.matter("okafor-purchase"))
    clio.sandbox.clock_advance(DAY)
    assert len(lines(clio)) == before
    clio.sandbox.act("link_lawpay_payment", id=one["id"], matter_id=clio.matter("okafor-purchase"))
    assert held(clio, "okafor-purchase") == 6900.0
    assert lines(clio)[-1]["confirmation"] == one["id"]
    consistent(clio)


def test_a_lawpay_payment_is_linked_to_an_open_matter_only(clio, pay):
    with pytest.raises(Exception, match="open matter only"):
        clio.sandbox.act("link_lawpay_payment", id=pay()["id"], matter_id=clio.matter("castell-closed"))


def test_a_linked_operating_payment_pays_the_matter_s_oldest_bill(clio, pay):
    bill = clio.issued_bill("okafor-lease")
    one = pay(page="operating", amount_cents=140_400)
    clio.sandbox.act("link_lawpay_payment", id=one["id"], matter_id=clio.matter("okafor-lease"))
    assert clio.get(f"/bills/{bill['id']}", "state,balance") == {"state": "paid", "balance": 0.0}


def test_F66_a_return_after_use_is_the_one_line_that_goes_below_zero(clio, pay):
    one = pay(method="echeck")
    matter = clio.matter("lindqvist-claim")
    line = clio.sandbox.act("link_lawpay_payment", id=one["id"], matter_id=matter)
    clio.sandbox.act("disburse_trust", matter_id=matter, amount="1250", payee="Court clerk")
    clio.sandbox.act("lawpay_return_echeck", id=one["id"])
    clio.sandbox.act("record_return", id=line["id"])
    assert held(clio, "lindqvist-claim") == -500.0
    assert clio.sandbox.oracle()["trust_violations"] == []
    consistent(clio)


def test_a_trust_request_paid_online_and_charged_back_leaves_the_matter_s_ledger(clio):
    matter = clio.matter("okafor-lease")
    request = clio.sandbox.act("request_trust", matter_id=matter, amount="800")
    link = clio.link(request, destination_account={"id": clio.account("trust")}).json()["data"]
    payment = clio.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    assert held(clio, "okafor-lease") == 800.0
    clio.sandbox.act("chargeback_payment", id=payment["id"])
    assert held(clio, "okafor-lease") == 0.0
    consistent(clio)


def test_an_application_may_write_a_ledger_line_that_pays_nothing(clio):
    data = {
        "amount": -100,
        "bank_account": {"id": clio.account("trust")},
        "date": "2026-03-01",
        "matter": {"id": clio.matter("okafor-purchase")},
        "confirmation": "k-1",
    }
    answer = clio.ask("POST", "/bank_transactions", data, fields="amount,date,matter{id},confirmation")
    assert answer.status_code == 201
    assert answer.json()["data"]["date"] == "2026-03-01"
    assert held(clio, "okafor-purchase") == 6300.0
    assert [found["kind"] for found in clio.sandbox.oracle()["trust_violations"]] == ["moved_by_the_worker"]
    consistent(clio)
