from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.accounts import AccountClass, BankAccount
from orchestrator.domain.asking import Ask, Silence, account_for, decide
from orchestrator.domain.bills import Bill, BillKind, BillState
from orchestrator.domain.contacts import Client, EmailProblem
from orchestrator.domain.reasons import REASONS
from orchestrator.errors import Rejected

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
BILL = Bill(
    id=1, etag="e", number="1001", state=BillState.AWAITING_PAYMENT, kind=BillKind.REVENUE, issued_on=date(2026, 3, 1),
    due_on=None, total_cents=60_000, paid_cents=0, balance_cents=60_000, pending_cents=0, currency="USD",
    client=Client(2, "Bo", "bo@clients.test"), matter_ids=(3,), next_states=frozenset(), created_at=NOW, updated_at=NOW,
)  # fmt: skip
OPERATING = BankAccount(10, "Operating", AccountClass.OPERATING, "USD", takes_clio_payments=True, is_default=True)
TRUST = BankAccount(11, "Trust", AccountClass.TRUST, "USD", takes_clio_payments=True, is_default=False)
UNKNOWN = BankAccount(12, "IOLTA Operating", None, "USD", takes_clio_payments=True, is_default=True)


def decided(bill=BILL, accounts=(OPERATING, TRUST), **facts):
    return decide(bill, **({"accounts": accounts, "currency": "USD", "account_id": None, "reversed_": False} | facts))


def of(**facts):
    return decided(replace(BILL, **facts))


TABLE = {
    "trust_request": of(kind=BillKind.TRUST),
    "trust_request of an unknown kind": of(kind=BillKind.OTHER),
    "bill_not_issued": of(state=BillState.DRAFT),
    "bill_not_issued while approved": of(state=BillState.AWAITING_APPROVAL),
    "bill_gone": of(state=BillState.VOID),
    "bill_gone for good": of(state=BillState.DELETED),
    "nothing_open": of(balance_cents=0),
    "nothing_open on a credit": of(balance_cents=-1),
    "payment_under_way": of(pending_cents=60_000),
    "currency_mismatch": of(currency="CAD"),
    "payment_reversed": decided(reversed_=True),
    "client_missing": of(client=None),
    "client_email_blank": of(client=Client(2, "Bo", None, EmailProblem.BLANK)),
    "client_redacted": of(client=Client(2, "Bo", None, EmailProblem.REDACTED)),
    "no_link_account": decided(accounts=()),
    "no_link_account but a trust account": decided(accounts=(TRUST,)),
    "no_link_account of a known class": decided(accounts=(UNKNOWN,)),
    "no_link_account in the currency": decided(accounts=(replace(OPERATING, currency="CAD"),)),
    "no_link_account that is connected": decided(accounts=(replace(OPERATING, takes_clio_payments=False),)),
    "no_link_account without ambiguity": decided(accounts=(OPERATING, replace(OPERATING, id=13))),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_case_is_silent_for_its_reason(case):
    assert isinstance(TABLE[case], Silence)
    assert TABLE[case].reason == case.split()[0]
    assert TABLE[case].reason in REASONS


def test_what_is_asked_for_is_the_balance_less_what_is_pending():
    assert of(balance_cents=60_000, pending_cents=12_345) == Ask(47_655, "USD", OPERATING.id)


def test_T1_a_trust_account_is_never_asked_to_take_the_payment_of_a_bill():
    with pytest.raises(Rejected) as refusal:
        decided(account_id=TRUST.id)
    assert refusal.value.reason == "no_link_account"


def test_T1_an_account_s_class_is_never_guessed_from_its_name():
    with pytest.raises(Rejected):
        account_for([UNKNOWN], currency="USD", chosen=UNKNOWN.id)
    assert account_for([UNKNOWN], currency="USD", chosen=None) is None


def test_the_firm_s_choice_wins_over_the_default():
    second = replace(OPERATING, id=13, is_default=False)
    assert decided(accounts=(OPERATING, second), account_id=13) == Ask(60_000, "USD", 13)
    assert isinstance(decided(accounts=(OPERATING,), account_id=99), Silence)


accounts = st.lists(
    st.builds(
        BankAccount, st.integers(1, 9), st.just("x"), st.sampled_from([None, *AccountClass]),
        st.sampled_from([None, "USD", "CAD"]), st.booleans(), st.booleans(),
    ),
    max_size=5, unique_by=lambda account: account.id,
)  # fmt: skip


@given(
    st.sampled_from(BillState), st.sampled_from(BillKind), st.integers(-100, 100_000), st.integers(0, 100_000), accounts,
    st.none() | st.integers(1, 9), st.booleans(),
)  # fmt: skip
def test_whatever_the_facts_only_an_open_issued_revenue_bill_is_asked_for_into_operating(  # noqa: PLR0917
    state, kind, balance, pending, given_accounts, chosen, reversed_
):
    bill = replace(BILL, state=state, kind=kind, balance_cents=balance, pending_cents=pending)
    try:
        decision = decided(bill, given_accounts, account_id=chosen, reversed_=reversed_)
    except Rejected:
        # Only a choice of account that is not an operating one is refused outright.
        assert chosen in {account.id for account in given_accounts}
        return
    if isinstance(decision, Silence):
        assert decision.reason in REASONS
        return
    [into] = [account for account in given_accounts if account.id == decision.account_id]
    assert into.account_class is AccountClass.OPERATING
    assert into.takes_clio_payments
    assert (state, kind, reversed_) == (BillState.AWAITING_PAYMENT, BillKind.REVENUE, False) or state is BillState.PAID
    assert 0 < decision.amount_cents == balance - pending
