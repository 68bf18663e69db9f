"""The gateway's API as the reference describes it: accounts, the life of money, lists, the change feed, refusals."""

from datetime import datetime

import httpx
import pytest

DAY = 86_400


@pytest.fixture
def clio(enter):
    """Monday 2 March 2026, ten in the morning in New York."""
    return enter()


@pytest.fixture
def gateway(clio):
    key = clio.names["lawpay_secret_key"]
    with httpx.Client(base_url=f"{clio.names['lawpay_base_url']}/v1", auth=(key, ""), trust_env=False) as http:
        yield http


def get(gateway, path, **params):
    answer = gateway.get(path, params=params or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def token(gateway, **facts):
    return gateway.post("/tokens", json={"number": "4242424242424242", "name": "Maya", **facts}).json()["id"]


def bank_token(gateway, account="1234567890"):
    facts = {"routing_number": "000000013", "account_number": account, "account_type": "CHECKING"}
    return gateway.post("/tokens", json=facts).json()["id"]


@pytest.fixture
def charge(gateway, clio):
    """Charge the trust card account, or what is said."""

    def make(amount=125_000, method=None, kind="card", account="trust", **facts):
        one = {"amount": amount, "method": method or token(gateway), "reference": "ORC-1", **facts}
        one.setdefault("account_id", clio.names["lawpay_accounts"][account][kind])
        return gateway.post("/charges", json=one)

    return make


@pytest.fixture
def echeck(charge, gateway):
    return lambda **facts: charge(method=bank_token(gateway), kind="echeck", **facts).json()


def status(gateway, one):
    return get(gateway, f"/transactions/{one['id']}")["status"]


def codes(answer):
    return answer.status_code, [message["code"] for message in answer.json()["messages"]]


# -- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", [None, ("wrong", ""), ("{key}", "password")])
def test_only_the_secret_key_with_an_empty_password_opens(clio, auth):
    url, key = f"{clio.names['lawpay_base_url']}/v1/merchant", clio.names["lawpay_secret_key"]
    answer = httpx.get(url, auth=auth and (auth[0].format(key=key), auth[1]), trust_env=False)
    assert codes(answer) == (401, ["not_authorized"])


def test_the_status_needs_no_key(clio):
    assert httpx.get(f"{clio.names['lawpay_base_url']}/status", trust_env=False).json() == {"status": "NORMAL"}


# -- accounts ----------------------------------------------------------------------------------------------------------


def test_a_card_and_an_echeck_account_stand_before_each_bank_account(clio, gateway):
    merchant = get(gateway, "/merchant")
    named = clio.names["lawpay_accounts"]
    assert {one["id"]: one["trust_account"] for one in merchant["merchant_accounts"]} == {
        named["operating"]["card"]: False,
        named["trust"]["card"]: True,
    }
    assert {one["id"] for one in merchant["ach_accounts"]} == {named[key]["echeck"] for key in ("operating", "trust")}


def test_an_account_the_gateway_does_not_know_as_trust_says_nothing(enter, tiny):
    door = {"bank_account": "operating", "page": "main"}
    names = enter({**tiny, "lawpay": {"firm": "solo", "accounts": [door]}}).names
    key = names["lawpay_secret_key"]
    answer = httpx.get(f"{names['lawpay_base_url']}/v1/merchant", auth=(key, ""), trust_env=False)
    assert all("trust_account" not in one for one in answer.json()["merchant_accounts"])
    assert names["lawpay_pages"] == {"main": f"{names['url']}/pages/solo/main"}


# -- the life of money -------------------------------------------------------------------------------------------------


def test_a_card_is_captured_at_midnight_eastern(clio, gateway, charge):
    one = charge().json()
    assert one["status"] == "AUTHORIZED"
    clio.sandbox.clock_set(datetime.fromisoformat("2026-03-03T04:59:59Z"))
    assert status(gateway, one) == "AUTHORIZED"
    clio.sandbox.clock_advance(1)
    assert status(gateway, one) == "COMPLETED"


def test_a_held_charge_is_captured_for_less_or_voided_after_seven_days(clio, gateway, charge):
    held, left = charge(auto_capture=False).json(), charge(auto_capture=False).json()
    assert get(gateway, "/charges/holds")["total_entries"] == 2
    taken = gateway.post(f"/charges/{held['id']}/capture", json={"amount": "100000"}).json()
    assert (taken["status"], taken["amount"]) == ("COMPLETED", 100_000)
    clio.sandbox.clock_advance(7 * DAY)
    assert status(gateway, left) == "VOIDED"


def test_an_echeck_completes_and_can_fail_long_after(clio, gateway, echeck):
    one = echeck()
    clio.sandbox.clock_advance(3 * DAY)
    assert status(gateway, one) == "COMPLETED"
    clio.sandbox.clock_advance(40 * DAY)
    clio.sandbox.act("lawpay_return_echeck", id=one["id"])
    read = get(gateway, f"/transactions/{one['id']}")
    assert (read["status"], read["failure_code"]) == ("FAILED", "ach_insufficient_funds")
    kinds = [event["type"] for event in get(gateway, "/events")["results"]]
    assert kinds == ["transaction.failed", "transaction.completed", "transaction.authorized", "transaction.created"]


def test_only_what_is_authorised_can_be_voided(clio, gateway, charge):
    first, second = charge().json(), charge().json()
    assert gateway.post(f"/transactions/{first['id']}/void", json={}).json()["status"] == "VOIDED"
    clio.sandbox.clock_advance(DAY)
    answer = gateway.post(f"/transactions/{second['id']}/void", json={})
    assert codes(answer) == (422, ["not_valid_for_transaction_status"])
    assert status(gateway, first) == "VOIDED"


def test_a_refund_is_a_transaction_of_its_own_and_leaves_the_charge_completed(clio, gateway, charge):
    one = charge().json()
    clio.sandbox.clock_advance(DAY)
    back = gateway.post(f"/charges/{one['id']}/refund", json={"amount": 25_000, "reference": "half"}).json()
    assert (back["type"], back["status"], back["charge_id"]) == ("REFUND", "COMPLETED", one["id"])
    assert back["account_id"] == one["account_id"]
    read = get(gateway, f"/transactions/{one['id']}")
    assert (read["status"], read["amount_refunded"]) == ("COMPLETED", 25_000)
    assert [refund["id"] for refund in read["refunds"]] == [back["id"]]
    answer = gateway.post(f"/charges/{one['id']}/refund", json={"amount": 100_001})
    assert codes(answer) == (422, ["refund_exceeds_transaction"])


def test_a_refund_of_an_unsettled_echeck_waits_and_falls_with_it(clio, gateway, echeck):
    one = echeck()
    back = gateway.post(f"/charges/{one['id']}/refund", json={}).json()
    assert back["status"] == "PENDING"
    clio.sandbox.act("lawpay_return_echeck", id=one["id"])
    read = get(gateway, f"/transactions/{back['id']}")
    assert read["failure_code"] == "ach_deferred_refund_rejected_charge_failed"
    assert get(gateway, f"/transactions/{one['id']}")["amount_refunded"] == 0


def test_a_charge_is_too_old_to_refund_after_180_days(clio, gateway, charge):
    one = charge().json()
    clio.sandbox.clock_advance(181 * DAY)
    assert codes(gateway.post(f"/charges/{one['id']}/refund", json={}))[1] == ["not_valid_for_transaction_status"]


def test_a_declined_card_leaves_a_failed_transaction_and_no_event(gateway, charge):
    answer = charge(method=token(gateway, number="4000000000000002"))
    assert codes(answer) == (422, ["card_declined"])
    failed = answer.json()["messages"][0]["entity_id"]
    assert get(gateway, f"/transactions/{failed}")["status"] == "FAILED"
    assert get(gateway, "/events")["total_entries"] == 0


def test_a_token_works_once(gateway, charge):
    method = token(gateway)
    assert charge(method=method).status_code == 200
    assert codes(charge(method=method)) == (404, ["resource_not_found"])


def test_without_an_account_the_primary_one_takes_the_money(clio, gateway, charge):
    assert charge(account_id=None).json()["account_id"] == clio.names["lawpay_accounts"]["operating"]["card"]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"amount": 0}, "invalid_data"),
        ({"amount": "12.50"}, "invalid_data"),
        ({"reference": "x" * 129}, "invalid_data"),
        ({"currency": "CAD"}, "currency_mismatch"),
        ({"kind": "echeck"}, "incorrect_payment_type"),
        ({"account_id": "nobody"}, "resource_not_found"),
    ],
)
def test_a_wrong_charge_is_refused_by_its_code(charge, facts, told):
    assert codes(charge(**facts))[1] == [told]


def test_credits_are_off_unless_the_firm_was_allowed_to(gateway, clio):
    account = clio.names["lawpay_accounts"]["trust"]["card"]
    answer = gateway.post("/credits", json={"amount": 5, "method": token(gateway), "account_id": account})
    assert codes(answer) == (422, ["unavailable_for_merchant_policy"])


# -- lists -------------------------------------------------------------------------------------------------------------


def test_the_search_index_lags_behind_reading_by_id(clio, gateway, charge):
    one = charge().json()
    assert get(gateway, "/transactions")["total_entries"] == 0
    assert get(gateway, f"/transactions/{one['id']}")["id"] == one["id"]
    clio.sandbox.clock_advance(1)
    (found,) = get(gateway, "/transactions")["results"]
    assert "refunds" not in found
    assert datetime.fromisoformat(found["created"]) == datetime.fromisoformat(one["created"])


def test_pages_are_counted_from_one_and_end_empty(clio, gateway, charge):
    for amount in (1, 2, 3):
        charge(amount=amount)
        clio.sandbox.clock_advance(2)
    first = get(gateway, "/transactions", page_size=2, order_by="created")
    assert [row["amount"] for row in first.pop("results")] == [1, 2]
    assert first == {"page": 1, "page_size": 2, "total_entries": 3}
    assert [
        row["amount"] for row in get(gateway, "/transactions", page_size=2, page=2, order_by="-amount")["results"]
    ] == [1]
    assert get(gateway, "/transactions", page=9)["results"] == []
    assert get(gateway, "/transactions", page_size=5000)["page_size"] == 100


def test_dates_filter_on_creation_so_a_later_change_is_not_seen(clio, gateway, charge):
    charge()
    clio.sandbox.clock_advance(DAY)
    assert get(gateway, "/transactions", start_date="2026-03-03T00:00:00.000Z")["results"] == []
    window = {"start_date": "2026-03-02T15:00:00.000Z", "end_date": "2026-03-02T16:00:00.000Z"}
    assert [row["status"] for row in get(gateway, "/transactions", **window)["results"]] == ["COMPLETED"]
    assert codes(gateway.get("/transactions", params={"start_date": "2026-03-02"}))[0] == 400


def test_qf_matches_a_beginning_and_unknown_parameters_mean_nothing(clio, gateway, charge, echeck):
    charge(reference="ORC-12")
    echeck(reference="ORC-1")
    clio.sandbox.clock_advance(1)

    def found(**params):
        return sorted(row["reference"] for row in get(gateway, "/transactions", **params)["results"])

    assert found(qf="reference:orc-1") == ["ORC-1", "ORC-12"]
    assert found(qf=["method.type:bank", "type:CHARGE"]) == ["ORC-1"]
    assert found(q="rc-12") == ["ORC-12"]
    assert found(status="NONSENSE") == ["ORC-1", "ORC-12"]
    assert found(account_id=clio.names["lawpay_accounts"]["trust"]["echeck"]) == ["ORC-1"]


def test_events_come_newest_first_without_a_start_and_oldest_first_with_one(clio, gateway, charge):
    charge()
    clio.sandbox.clock_advance(DAY)
    newest = get(gateway, "/events")["results"]
    assert newest[0]["type"] == "transaction.completed"
    later = get(gateway, "/events", start_date="2026-03-02T14:59:59.000Z")["results"]
    assert [event["type"] for event in later] == [event["type"] for event in newest][::-1]
    assert later[-1]["data"]["status"] == "COMPLETED"
    assert get(gateway, f"/events/{later[0]['id']}") == later[0]
    assert codes(gateway.get("/events/none")) == (404, ["resource_not_found"])


def test_F43_a_list_can_shift_while_it_is_read(clio, gateway, charge):
    for _ in range(3):
        charge()
        clio.sandbox.clock_advance(1)
    clio.sandbox.fault("GET /lawpay/v1/events", "shift_page", skip=1, times=None)
    start = {"start_date": "2026-03-02T14:00:00.000Z", "page_size": 4}
    pages = [get(gateway, "/events", **start, page=number)["results"] for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [4, 3, 0]
    assert pages[0][-1] == pages[1][0]


def test_a_refund_event_does_not_name_its_charge(clio, gateway, charge):
    one = charge().json()
    clio.sandbox.clock_advance(DAY)
    clio.sandbox.act("lawpay_refund", id=one["id"], amount_cents=5)
    event = get(gateway, "/events")["results"][0]
    assert event["data"]["type"] == "REFUND"
    assert "charge_id" not in event["data"]


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_body_that_is_no_json_is_malformed(gateway):
    assert codes(gateway.post("/charges", content=b"{"))[1] == ["malformed_request"]
    assert codes(gateway.post("/charges", data={"amount": "1"}))[1] == ["invalid_request"]
    assert gateway.post("/tokens", data={"number": "4242424242424242"}).status_code == 200


def test_a_charge_cannot_be_read_as_a_charge(gateway, charge):
    assert gateway.get(f"/charges/{charge().json()['id']}").status_code == 404


def test_a_lost_answer_has_moved_the_money(clio, gateway, charge):
    clio.sandbox.fault("POST /lawpay/v1/charges", "lose_answer")
    with pytest.raises(httpx.TransportError):
        charge()
    clio.sandbox.clock_advance(1)
    assert get(gateway, "/transactions")["total_entries"] == 1


def test_calls_to_lawpay_are_counted_apart_from_clio_s(clio, gateway):
    clio.sandbox.fault("GET /lawpay/v1/events", "status", code=503)
    assert gateway.get("/events").status_code == 503
    counts = clio.sandbox.counts()
    assert counts["lawpay_calls"] == {"GET /v1/events": 1, "answered 503": 1}
    assert counts["total_calls"] == 0
    assert clio.sandbox.lawpay_requests()[0]["path"] == "/v1/events"


# -- a payer on a page -------------------------------------------------------------------------------------------------


def test_a_page_s_address_proposes_and_the_payer_decides(clio, gateway):
    address = clio.names["lawpay_pages"]["trust"] + "?amount=5000&reference=ORC-7&name=Maya%20Okafor"
    asked = clio.sandbox.act("lawpay_pay", page=address)
    assert (asked["amount"], asked["reference"], asked["method"]["name"]) == (5000, "ORC-7", "Maya Okafor")
    edited = clio.sandbox.act("lawpay_pay", page=address, amount_cents=4000, reference="for the lease", method="echeck")
    assert (edited["amount"], edited["reference"]) == (4000, "for the lease")
    named = clio.names["lawpay_accounts"]["trust"]
    assert [one["account_id"] for one in (asked, edited)] == [named["card"], named["echeck"]]


def test_a_person_pays_a_page_in_a_browser(clio, gateway):
    address = clio.names["lawpay_pages"]["operating"] + "?amount=140400&reference=ORC-9&readOnlyFields=amount,reference"
    page = httpx.get(address, trust_env=False).text
    assert 'value="1404.00"' in page
    assert page.count(" readonly") == 2
    typed = {"amount": "1404.00", "reference": "ORC-9", "name": "Maya", "email": "", "method": "card"}
    thanks = httpx.post(address, data=typed, follow_redirects=True, trust_env=False)
    assert "Thank you" in thanks.text
    clio.sandbox.clock_advance(1)
    (one,) = get(gateway, "/transactions")["results"]
    assert (one["amount"], one["reference"]) == (140_400, "ORC-9")


def test_a_locked_field_is_locked_by_the_browser_alone(clio, gateway):
    """Server-side enforcement is not documented, so a payer who edits the form gets away with it."""
    address = clio.names["lawpay_pages"]["operating"] + "?amount=140400&reference=ORC-9&readOnlyFields=amount,reference"
    assert httpx.post(address, data={"amount": "1.00", "method": "card"}, trust_env=False).status_code == 303
    clio.sandbox.clock_advance(1)
    assert [(one["amount"], one.get("reference")) for one in get(gateway, "/transactions")["results"]] == [(100, None)]


@pytest.mark.parametrize("amount", ["", "words", "0", "1.005"])
def test_a_page_asks_again_for_what_is_no_amount(clio, amount):
    answer = httpx.post(clio.names["lawpay_pages"]["operating"], data={"amount": amount}, trust_env=False)
    assert answer.status_code == 422


def test_a_page_that_is_not_the_firm_s_is_not_found(clio):
    address = clio.names["lawpay_pages"]["operating"].replace("/harborpine/", "/somebody/")
    assert httpx.get(address, trust_env=False).status_code == 404
