"""The port `Gateway`, verb by verb, on the sandbox's gateway over HTTP: what the work relies on is what LawPay does."""

from datetime import timedelta
from inspect import getmembers

import pytest

from orchestrator.clients.http import ApiClient
from orchestrator.clients.lawpay.client import LawPay, SecretKey
from orchestrator.domain.gateway import COMPLETED_EVENT, Method, TransactionStatus, TransactionType
from orchestrator.errors import NeedsConnection, Rejected
from orchestrator.ports import Gateway
from tests.firm import START


@pytest.fixture
def firm(sandbox):
    sandbox.reset("small-firm", seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    return sandbox


@pytest.fixture
def gateway(firm):
    state = firm.state()
    api = ApiClient(
        state["lawpay_base_url"], provider="LawPay", credentials=SecretKey(state["lawpay_secret_key"]), reads_only=True
    )
    yield LawPay(api)
    api.close()


def paid(firm, **facts):
    return firm.act("lawpay_pay", **({"page": "operating", "amount_cents": 5_000, "reference": "INV 7 / Ü"} | facts))


def events(gateway, since=START - timedelta(seconds=1)):
    found, page = [], 1
    while page is not None:
        read = gateway.events_since(since, page)
        found += read.rows
        page = int(read.onward) if read.onward is not None else None
    return found


def test_the_client_is_the_port(gateway):
    port: Gateway = gateway
    assert {name for name, _ in getmembers(Gateway) if not name.startswith("_")} <= set(dir(port))


def test_accounts_are_told_with_their_class_and_what_they_take(firm, gateway):
    doors = firm.state()["lawpay_accounts"]
    told = {one.id: (one.takes, one.trust, one.active) for one in gateway.accounts()}
    for key, trust in (("operating", False), ("trust", True)):
        assert told[doors[key]["card"]] == (Method.CARD, trust, True)
        assert told[doors[key]["echeck"]] == (Method.BANK, trust, True)


def test_a_transaction_carries_amount_reference_account_and_status(firm, gateway):
    made = paid(firm)
    found = gateway.transaction(made["id"])
    assert (found.type, found.status, found.method) == (
        TransactionType.CHARGE,
        TransactionStatus.AUTHORIZED,
        Method.CARD,
    )
    assert (found.amount_cents, found.currency, found.reference) == (5_000, "USD", "INV 7 / Ü")
    assert found.account_id == firm.state()["lawpay_accounts"]["operating"]["card"]
    assert found.created_at == START


def test_a_refund_names_its_charge_and_the_charge_what_went_back(firm, gateway):
    made = paid(firm)
    firm.clock_advance(86_400)
    back = firm.act("lawpay_refund", id=made["id"], amount_cents=1_000)
    refund, charge = gateway.transaction(back["id"]), gateway.transaction(made["id"])
    assert (refund.type, refund.charge_id, refund.amount_cents) == (TransactionType.REFUND, made["id"], 1_000)
    assert (charge.status, charge.refunded_cents) == (TransactionStatus.COMPLETED, 1_000)


def test_F66_a_late_return_turns_a_completed_echeck_into_a_failed_one(firm, gateway):
    made = paid(firm, method="echeck")
    firm.clock_advance(4 * 86_400)
    assert gateway.transaction(made["id"]).status is TransactionStatus.COMPLETED
    firm.act("lawpay_return_echeck", id=made["id"])
    found = gateway.transaction(made["id"])
    assert (found.status, found.failure_code) == (TransactionStatus.FAILED, "ach_insufficient_funds")
    assert COMPLETED_EVENT in {event.type for event in events(gateway)}


def test_events_come_oldest_first_and_only_those_since(firm, gateway):
    first = paid(firm)
    firm.clock_advance(60)
    second = paid(firm)
    told = [event.transaction_id for event in events(gateway)]
    assert list(dict.fromkeys(told)) == [first["id"], second["id"]]
    assert {event.transaction_id for event in events(gateway, START + timedelta(seconds=30))} == {second["id"]}
    assert len({event.id for event in events(gateway)}) == len(told)


def test_a_list_longer_than_a_page_goes_on(firm, gateway):
    made = [paid(firm, amount_cents=n)["id"] for n in range(1, 31)]
    firm.clock_advance(2)
    assert [one.id for one in gateway.transactions(since=START - timedelta(days=1))] == made
    assert {event.transaction_id for event in events(gateway)} == set(made)


def test_a_search_is_by_account_words_and_time(firm, gateway):
    trust = firm.state()["lawpay_accounts"]["trust"]["card"]
    there, _ = paid(firm, page="trust", reference="needle"), paid(firm, reference="hay")
    firm.clock_advance(2)
    day = timedelta(days=1)
    assert [one.id for one in gateway.transactions(since=START - day, account_id=trust)] == [there["id"]]
    assert [one.id for one in gateway.transactions(since=START - day, words="needle")] == [there["id"]]
    assert list(gateway.transactions(since=START - 2 * day, until=START - day)) == []


def test_a_transaction_that_is_not_there_is_refused_for_good(gateway):
    with pytest.raises(Rejected) as refusal:
        gateway.transaction("-nothing_here")
    assert refusal.value.reason == "lawpay_not_found"


def test_F47_a_wrong_key_waits_for_a_person(firm):
    api = ApiClient(firm.state()["lawpay_base_url"], provider="LawPay", credentials=SecretKey("wrong"), reads_only=True)
    with pytest.raises(NeedsConnection):
        LawPay(api).accounts()
    api.close()
