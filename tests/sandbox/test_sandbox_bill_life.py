"""A bill from draft to paid and back, its entries locked and freed, its figures always adding up."""

import pytest

FIGURES = "state,total,due,paid,pending,credits_issued,balance"


def figures(clio, bill):
    return clio.get(f"/bills/{bill['id']}", FIGURES)


def test_a_quick_bill_takes_the_unbilled_work(clio):
    bill = clio.sandbox.act("generate_bill", matter_id=clio.matter("okafor-lease"))
    lines = clio.get("/line_items", "total,quantity,activity{id,on_bill,billed}", bill_id=bill["id"])
    assert (bill["state"], bill["balance"]) == ("draft", 1404.0)
    assert [line["quantity"] for line in lines] == [2.5, 1.2, 0.3]
    assert all(line["activity"]["on_bill"] and not line["activity"]["billed"] for line in lines)


def test_an_entry_on_a_draft_is_locked(clio):
    bill = clio.sandbox.act("generate_bill", matter_id=clio.matter("okafor-lease"))
    entry = clio.get("/line_items", "activity{id}", bill_id=bill["id"])[0]["activity"]["id"]
    assert clio.ask("PATCH", f"/activities/{entry}", {"note": "changed"}).status_code == 422


def test_the_ladder_is_climbed_by_what_is_offered(clio):
    bill = clio.sandbox.act("generate_bill", matter_id=clio.matter("okafor-lease"))
    path = f"/bills/{bill['id']}"
    assert clio.ask("PATCH", path, {"state": "void"}).status_code == 422
    assert clio.ask("PATCH", path, {"state": "awaiting_approval"}).status_code == 200
    issued = clio.ask("PATCH", path, {"state": "awaiting_payment"}, fields="state,issued_at,due_at").json()["data"]
    assert issued == {"state": "awaiting_payment", "issued_at": "2026-03-02", "due_at": "2026-04-01"}


def test_paid_is_reached_by_money_only(clio):
    bill = clio.issued_bill()
    assert clio.ask("PATCH", f"/bills/{bill['id']}", {"state": "paid"}).status_code == 422


def test_a_cheque_leaves_an_allocation_with_its_ledger_line(clio):
    bill = clio.issued_bill()
    clio.sandbox.act("record_payment", bill_id=bill["id"], amount="404.00")
    assert figures(clio, bill)["balance"] == 1000.0
    (line,) = clio.get("/bank_transactions", "amount,type,allocation{amount},bill{id}", type="asset")
    assert line == {"amount": 404.0, "type": "asset", "allocation": {"amount": 404.0}, "bill": {"id": bill["id"]}}


def test_a_credit_settles_like_money(clio):
    bill = clio.issued_bill()
    clio.sandbox.act("credit_bill", id=bill["id"], amount="1404.00")
    shown = figures(clio, bill)
    assert (shown["state"], shown["balance"], shown["credits_issued"], shown["paid"]) == ("paid", 0.0, 1404.0, 0.0)


def test_deleting_a_draft_frees_its_entries(clio):
    matter = clio.matter("okafor-lease")
    bill = clio.sandbox.act("generate_bill", matter_id=matter)
    assert clio.ask("DELETE", f"/bills/{bill['id']}").status_code == 204
    assert clio.ask("GET", f"/bills/{bill['id']}").status_code == 404
    assert len(clio.get("/activities", status="unbilled", matter_id=matter)) == 3


def test_deleting_an_issued_bill_voids_it(clio):
    bill = clio.issued_bill()
    assert clio.ask("DELETE", f"/bills/{bill['id']}").status_code == 204
    assert figures(clio, bill)["state"] == "void"


def test_a_bill_with_a_payment_cannot_be_removed(clio):
    bill = clio.issued_bill()
    clio.sandbox.act("record_payment", bill_id=bill["id"], amount="1.00")
    assert clio.ask("DELETE", f"/bills/{bill['id']}").status_code == 403


def test_a_changed_state_shows_on_the_entries(clio):
    bill = clio.sandbox.act("generate_bill", matter_id=clio.matter("okafor-lease"))
    before = clio.get("/activities", "id,etag", matter_id=clio.matter("okafor-lease"))
    clio.sandbox.clock_advance(60)
    clio.sandbox.act("approve_bill", id=bill["id"])
    moment = clio.sandbox.now().isoformat().replace("+00:00", "Z")
    after = clio.get("/activities", "id,etag,billed,bill{state}", updated_since=moment)
    assert [entry["bill"]["state"] for entry in after] == ["awaiting_payment"] * 3
    assert {entry["etag"] for entry in before}.isdisjoint(entry["etag"] for entry in after)


def test_trust_money_pays_only_its_own_matter(clio):
    bill = clio.issued_bill("tidewater-charter")
    clio.sandbox.act("apply_trust", bill_id=bill["id"], amount="1200.00")
    assert figures(clio, bill)["balance"] == 1075.25
    (held,) = clio.get(f"/matters/{clio.matter('tidewater-charter')}", "account_balances{type,balance}")[
        "account_balances"
    ]
    assert held == {"type": "Trust", "balance": 0.0}
    with pytest.raises(Exception, match="does not hold"):
        clio.sandbox.act("apply_trust", bill_id=bill["id"], amount="0.01")


def test_a_trust_request_is_a_bill_of_another_kind(clio):
    bill = clio.sandbox.act("request_trust", matter_id=clio.matter("okafor-lease"), amount="500.00")
    assert [row["id"] for row in clio.get("/bills", type="trust")] == [bill["id"]]
    assert clio.get("/bills", type="revenue") == []


def test_a_line_item_takes_a_new_price_but_no_new_quantity(clio):
    bill = clio.sandbox.act("generate_bill", matter_id=clio.matter("okafor-lease"))
    line = clio.get("/line_items", "id", bill_id=bill["id"])[0]["id"]
    shown = clio.ask("PATCH", f"/line_items/{line}", {"price": 100.0, "quantity": 9}, fields="price,quantity,total")
    assert shown.json()["data"] == {"price": 100.0, "quantity": 2.5, "total": 250.0}
    assert figures(clio, bill)["total"] == 604.0
