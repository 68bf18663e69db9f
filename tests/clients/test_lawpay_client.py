"""LawPay's client on real bytes: one key as Basic user name, nothing but GETs, money and flags exactly as they are said."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from inspect import getmembers

import pytest

from orchestrator.clients.http import ApiClient, ReadsOnly
from orchestrator.clients.lawpay.client import PAGE, LawPay, SecretKey, stamp
from orchestrator.domain.gateway import Method, TransactionStatus, TransactionType
from orchestrator.errors import NeedsConnection, Rejected, Shut, Transient
from orchestrator.ports import Gateway
from tests.clients.raw_server import raw_server, reply

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CHARGE = {
    "id": "-Qx7_exampleexample01", "type": "CHARGE", "status": "AUTHORIZED", "account_id": "acct-card", "amount": 125000,
    "currency": "USD", "reference": "INV-2041 / M-0007", "created": "2026-03-02T07:00:00.003-05:00",
    "modified": "2026-03-02T12:00:00.900Z", "method": {"type": "card", "number": "************1111", "name": "Pat Example"},
}  # fmt: skip


@pytest.fixture
def lawpay():
    """A LawPay whose every request `answer` answers, and the server that saw them."""
    with ExitStack() as open_now:

        def make(answer, *, key="secret-key"):
            server = open_now.enter_context(raw_server(answer))
            api = ApiClient(server.url, provider="LawPay", credentials=SecretKey(key), reads_only=True)
            open_now.callback(api.close)
            return LawPay(api), server

        yield make


def page(rows, *, number=1, size=PAGE, total=None):
    return reply(
        body={
            "page": number,
            "page_size": size,
            "total_entries": len(rows) if total is None else total,
            "results": rows,
        }
    )


def test_the_key_is_the_user_name_of_basic_and_the_password_is_empty(lawpay):
    made, server = lawpay(lambda _: reply(body=CHARGE), key="key")
    made.transaction("t1")
    assert server.requests[0].headers["authorization"] == "Basic a2V5Og=="


def test_a_transaction_is_read_in_cents_and_in_utc(lawpay):
    made, server = lawpay(lambda _: reply(body=CHARGE))
    found = made.transaction(CHARGE["id"])
    assert server.targets == ["/v1/transactions/-Qx7_exampleexample01"]
    assert (found.type, found.status, found.method) == (
        TransactionType.CHARGE,
        TransactionStatus.AUTHORIZED,
        Method.CARD,
    )
    assert found.amount_cents == 125_000
    assert found.created_at == NOON + timedelta(milliseconds=3)
    assert "Pat Example" not in repr(found)


def test_an_id_is_one_segment_of_the_path_whatever_is_in_it(lawpay):
    made, server = lawpay(lambda _: reply(body=CHARGE))
    made.transaction("../merchant?x=1")
    assert server.targets == ["/v1/transactions/..%2Fmerchant%3Fx%3D1"]


def test_words_that_the_gateway_has_added_since_are_kept_apart(lawpay):
    made, _ = lawpay(lambda _: reply(body=CHARGE | {"type": "DISPUTE", "status": "HELD", "method": {"type": "wallet"}}))
    found = made.transaction("t1")
    assert (found.type, found.status, found.method) == (TransactionType.OTHER, TransactionStatus.OTHER, Method.OTHER)


@pytest.mark.parametrize("amount", [12.5, 12.0, True, None, "12.50", "-1", "٣"])
def test_F65_what_is_no_whole_number_of_cents_is_no_amount(lawpay, amount):
    made, _ = lawpay(lambda _: reply(body=CHARGE | {"amount": amount}))
    with pytest.raises(Rejected, match="amount") as refusal:
        made.transaction("t1")
    assert refusal.value.reason == "lawpay_unreadable"


def test_an_amount_may_be_written_as_its_digits(lawpay):
    made, _ = lawpay(lambda _: reply(body=CHARGE | {"amount": "125000"}))
    assert made.transaction("t1").amount_cents == 125_000


@pytest.mark.parametrize(
    ("said", "heard"),
    [({}, None), ({"trust_account": True}, True), ({"trust_account": False}, False), ({"trust_account": "true"}, True),
     ({"trust_account": "false"}, False), ({"trust_account": "maybe"}, None), ({"trust_account": None}, None), ({"trust_account": 1}, None)],
)  # fmt: skip
def test_T1_the_trust_flag_has_three_values_and_the_word_false_is_not_true(lawpay, said, heard):
    merchant = {"merchant_accounts": [{"id": "a1", "name": "Trust", "status": "ACTIVE", "currency": "USD", **said}]}
    made, server = lawpay(lambda _: reply(body=merchant))
    [account] = made.accounts()
    assert server.targets == ["/v1/merchant"]
    assert account.trust is heard
    assert account.takes is Method.CARD


def test_card_and_echeck_accounts_are_both_listed(lawpay):
    rows = {"merchant_accounts": [{"id": "a1"}], "ach_accounts": [{"id": "b1", "status": "INACTIVE"}]}
    made, _ = lawpay(lambda _: reply(body=rows))
    assert [(one.id, one.takes, one.active) for one in made.accounts()] == [("a1", "card", True), ("b1", "bank", False)]


def test_events_are_asked_for_from_a_moment_on_and_name_their_transaction(lawpay):
    rows = [
        {"id": "e1", "type": "transaction.completed", "created": "2026-03-02T12:00:00Z", "data": {"id": "t1", "amount": "x"}},
        {"id": "e2", "type": "recurring_charge.created", "created": "2026-03-02T12:00:01Z", "data": {"id": "r1"}},
    ]  # fmt: skip
    made, server = lawpay(lambda _: page(rows))
    found = made.events_since(NOON)
    assert [(event.id, event.transaction_id) for event in found.rows] == [("e1", "t1"), ("e2", None)]
    assert found.onward is None
    assert server.targets == ["/v1/events?start_date=2026-03-02T12:00:00.000Z&page=1&page_size=20"]


def test_a_moment_is_sent_in_utc_to_the_millisecond():
    assert (
        stamp(datetime(2026, 3, 2, 7, 0, 0, 3999, tzinfo=timezone(timedelta(hours=-5)))) == "2026-03-02T12:00:00.003Z"
    )


def test_pages_go_on_until_the_announced_number_is_reached(lawpay):
    pages = {"1": page([CHARGE], size=1, total=2), "2": page([CHARGE | {"id": "t2"}], number=2, size=1, total=2)}
    made, server = lawpay(lambda request: pages[request.target.partition("page=")[2][0]])
    assert [one.id for one in made.transactions(since=NOON)] == [CHARGE["id"], "t2"]
    assert len(server.requests) == 2
    assert "order_by=created" in server.targets[0]


def test_a_page_past_the_end_ends_the_list(lawpay):
    made, _ = lawpay(lambda _: page([], number=3, size=1, total=9))
    assert made.events_since(NOON, 3).onward is None


def test_a_row_that_cannot_be_read_is_told_and_the_others_go_on(lawpay, lines):
    made, _ = lawpay(
        lambda _: page(
            [{"id": "e0", "type": "transaction.created"}, {"id": "e1", "type": "x", "created": "2026-03-02T12:00:00Z"}]
        )
    )
    assert [event.id for event in made.events_since(NOON).rows] == ["e1"]
    [line] = [line for line in lines if line["event"] == "lawpay.row_skipped"]
    assert line["id"] == "e0"


@pytest.mark.parametrize(
    "body", [[], {"results": []}, {"results": {}, "page": 1, "page_size": 1, "total_entries": 0}, "no"]
)
def test_F07_an_answer_that_is_no_page_is_a_lost_answer(lawpay, body):
    made, _ = lawpay(lambda _: reply(body=body))
    with pytest.raises(Transient):
        made.events_since(NOON)


def test_F47_a_refused_key_lets_work_wait_under_one_notice(lawpay):
    made, _ = lawpay(lambda _: reply(401, {"messages": [{"code": "not_authorized", "level": "error"}]}))
    with pytest.raises(NeedsConnection) as refusal:
        made.accounts()
    assert refusal.value.notice == "lawpay_key_refused"


def test_a_refusal_carries_the_gateway_s_code(lawpay):
    made, _ = lawpay(
        lambda _: reply(404, {"messages": [{"code": "resource_not_found", "level": "error", "facility": "gateway"}]})
    )
    with pytest.raises(Rejected, match="resource_not_found") as refusal:
        made.transaction("t1")
    assert refusal.value.reason == "lawpay_not_found"


def test_F42_doors_are_told_apart_without_the_ids_in_them(lawpay):
    made, server = lawpay(lambda _: reply(403, {"messages": [{"code": "not_authorized"}]}))
    for n in range(5):
        with pytest.raises(Shut) as refusal:
            made.transaction(f"Qx{n}_exampleexample")
    assert refusal.value.notice == "lawpay_forbidden"
    assert len(server.requests) == 3


def test_nothing_but_a_read_ever_leaves():
    api = ApiClient("http://127.0.0.1:9", provider="LawPay", credentials=SecretKey("k"), reads_only=True)
    with pytest.raises(ReadsOnly):
        api.request("POST", "/v1/charges", lambda _: None, body={"amount": 1})
    api.close()


def test_the_port_has_no_verb_that_takes_or_returns_money():
    verbs = {name for name, _ in getmembers(Gateway) if not name.startswith("_")}
    assert verbs == {"accounts", "transaction", "transactions", "events_since"}


def test_the_key_is_in_no_text():
    assert "hush" not in repr(SecretKey("hush"))
