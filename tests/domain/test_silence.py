from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.bills import Bill, BillKind, BillState
from orchestrator.domain.contacts import Client, EmailProblem
from orchestrator.domain.matters import BillingMethod, Matter, MatterStatus
from orchestrator.domain.reasons import REASONS, advice
from orchestrator.domain.silence import (
    LOUD,
    PASSES,
    REASON_OF,
    Hold,
    HoldKind,
    Quiet,
    Rules,
    Standing,
    hold_said,
    quiet,
)

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
TODAY = date(2026, 3, 24)
BILL = Bill(
    id=1, etag="e", number="1001", state=BillState.AWAITING_PAYMENT, kind=BillKind.REVENUE, issued_on=date(2026, 2, 1),
    due_on=date(2026, 3, 3), total_cents=60_000, paid_cents=0, balance_cents=60_000, pending_cents=0, currency="USD",
    client=Client(2, "Bo", "bo@clients.test"), matter_ids=(3,), next_states=frozenset(), created_at=NOW, updated_at=NOW,
)  # fmt: skip
MATTER = Matter(
    id=3, etag="e", display_number="00003-Bo", status=MatterStatus.OPEN, billable=True, billing_method=BillingMethod.HOURLY,
    client=BILL.client, responsible_attorney_id=9, practice_area=None, stage=None, closed_on=None, updated_at=NOW,
)  # fmt: skip
OVERDUE = Standing(bill=BILL, matters=(MATTER,), clio_reminds=False, delivered=True)
RULES = Rules(fields={HoldKind.PLAN: "Payment Plan", HoldKind.DO_NOT_CONTACT: "Do not contact"})


def of_bill(**facts):
    return lambda standing: replace(standing, bill=replace(standing.bill, **facts))


def of(**facts):
    return lambda standing: replace(standing, **facts)


def of_matter(**facts):
    return lambda standing: replace(standing, matters=(*standing.matters, replace(MATTER, id=4, **facts)))


def held(kind, until=None):
    return lambda standing: replace(standing, holds=(*standing.holds, Hold(kind, until)))


def of_email(problem):
    return of_bill(client=Client(2, "Bo", None, problem))


# Facts of one group exclude each other: a bill is not paid and void at once.
CAUSES = {
    "a deposit is asked for": ("kind", "trust_request", of_bill(kind=BillKind.TRUST)),
    "the bill is a summary": ("kind", "bill_of_other_kind", of_bill(kind=BillKind.OTHER)),
    "the bill is a draft": ("state", "bill_not_issued", of_bill(state=BillState.DRAFT)),
    "the bill waits for approval": ("state", "bill_not_issued", of_bill(state=BillState.AWAITING_APPROVAL)),
    "the bill is void": ("state", "bill_gone", of_bill(state=BillState.VOID, balance_cents=0)),
    "the bill is deleted": ("state", "bill_gone", of_bill(state=BillState.DELETED, balance_cents=0)),
    "the bill is paid": ("state", "bill_paid", of_bill(state=BillState.PAID, paid_cents=60_000, balance_cents=0)),
    "the bill is paid in all but name": ("state", "bill_paid", of_bill(paid_cents=60_000, balance_cents=0)),
    "the bill is paid too much": ("state", "bill_paid", of_bill(paid_cents=60_001, balance_cents=-1)),
    "the rest is written off": (
        "state", "bill_written_off", of_bill(state=BillState.PAID, paid_cents=1_000, credited_cents=59_000, balance_cents=0),
    ),
    "little is open": ("state", "below_minimum", of_bill(paid_cents=59_501, balance_cents=499)),
    "a payment is pending": ("pending", "payment_under_way", of_bill(pending_cents=60_000)),
    "a part is pending": ("pending", "payment_under_way", of_bill(pending_cents=1)),
    "a payment is authorised": ("payment", "payment_under_way", of(under_way_since=TODAY)),
    "an eCheck settles": ("echeck", "echeck_settling", of(echeck_since=TODAY)),
    "a payment is under way at LawPay": ("elsewhere", "payment_under_way", of(elsewhere="payment_under_way")),
    "LawPay was paid": ("elsewhere", "payment_to_record", of(elsewhere="payment_to_record")),
    "a payment is in question": ("elsewhere", "payment_in_question", of(elsewhere="payment_in_question")),
    "a payment came back (T28)": ("reversed", "payment_reversed", of(reversed_=True)),
    "it came back lately (F66)": ("grace", "reversal_grace", of(reversed_on=TODAY - timedelta(days=10))),
    "the client disputes it": ("a", "fee_disputed", held(HoldKind.DISPUTE)),
    "trust money is in dispute": ("disputed", "fee_disputed", of(disputed_cents=1)),
    "an arbitrator decides": ("b", "fee_arbitration", held(HoldKind.ARBITRATION)),
    "the client is bankrupt": ("c", "client_bankrupt", held(HoldKind.BANKRUPTCY)),
    "the client wants no contact": ("d", "do_not_contact", held(HoldKind.DO_NOT_CONTACT)),
    "the contact says so in Clio": ("fields", "do_not_contact", of(client_fields={"Do not contact": "true"})),
    "the client pays by a plan": ("e", "payment_plan", held(HoldKind.PLAN)),
    "the matter says so in Clio": ("plan", "payment_plan", of_matter(custom_fields={"Payment Plan": "2026-03-24"})),
    "the client promised to pay": ("f", "payment_promised", held(HoldKind.PROMISE, TODAY)),
    "trust money can pay it": ("trust", "trust_available", of(trust_cents=60_000)),
    "a credit is unapplied": ("credit", "credit_unapplied", of(credit_cents=1)),
    "the matter is closed": ("closed", "matter_closed", of_matter(status=MatterStatus.CLOSED)),
    "the matter is pending": ("open", "matter_pending", of_matter(status=MatterStatus.PENDING)),
    "its matter is hidden": ("hidden", "matter_unknown", of_bill(matter_ids=tuple(range(3, 10)))),
    "a person holds it": ("g", "reminders_held", held(HoldKind.HOLD)),
    "the client is paused": ("h", "client_paused", held(HoldKind.PAUSE, TODAY)),
    "there is no client": ("client", "client_missing", of_bill(client=None)),
    "the address is blank": ("client", "client_email_blank", of_email(EmailProblem.BLANK)),
    "the address is no address": ("client", "client_email_invalid", of_email(EmailProblem.INVALID)),
    "the client is redacted": ("client", "client_redacted", of_email(EmailProblem.REDACTED)),
    "the address bounced": ("bounce", "address_bounced", of(held_address="address_bounced")),
    "Clio was not asked": ("clio", "client_not_read", of(clio_reminds=None)),
    "Clio reminds by itself": ("clio", "clio_reminders_on", of(clio_reminds=True)),
    "the bill never reached them": ("delivered", "never_delivered", of(delivered=False)),
    "a message with its link waits": ("waits", "message_on_its_way", of(message_waits=True)),
    "the bill reached them today": ("delivered", "client_written_today", of(written_on=TODAY)),
    "it is too old": ("age", "too_old", of_bill(due_on=TODAY - timedelta(days=366))),
    "it is too old without a due date": ("age", "too_old", of_bill(due_on=None, issued_on=TODAY - timedelta(days=366))),
}  # fmt: skip

some_causes = st.lists(st.sampled_from(sorted(CAUSES)), unique_by=lambda name: CAUSES[name][0])


def after(names):
    standing = OVERDUE
    for name in names:
        standing = CAUSES[name][2](standing)
    return standing


def judged(standing, rules=RULES):
    return quiet(standing, today=TODAY, rules=rules)


def reasons(names):
    return [silence.reason for silence in judged(after(names))]


def test_an_overdue_bill_that_nothing_holds_is_spoken_of():
    assert judged(OVERDUE) == ()


@pytest.mark.parametrize("cause", CAUSES)
def test_nothing_is_sent_when(cause):
    assert reasons([cause]) == [CAUSES[cause][1]]


@given(some_causes, st.dates(date(2020, 1, 1), TODAY))
def test_whoever_is_told_of_a_reason_is_told_by_a_name_that_the_bill_s_end_closes(names, since):
    standing = after(names)
    old = replace(
        standing, under_way_since=standing.under_way_since and since, echeck_since=standing.echeck_since and since
    )
    assert {one.reason for one in judged(old) if one.loud} <= LOUD


@given(some_causes)
def test_a_standing_with_any_reason_set_is_never_spoken_of(names):
    assert {CAUSES[name][1] for name in names} == set(reasons(names))


ORDER = (
    "trust_request", "bill_of_other_kind", "bill_not_issued", "bill_gone", "bill_written_off", "bill_paid",
    "payment_under_way", "echeck_settling", "payment_to_record", "payment_in_question", "payment_reversed", "reversal_grace",
    *REASON_OF.values(), "trust_available", "credit_unapplied", "matter_closed", "matter_pending", "matter_unknown", "client_missing",
    "client_email_blank", "client_email_invalid", "client_redacted", "address_bounced", "address_failing", "client_not_read",
    "clio_reminders_on", "never_delivered", "message_on_its_way", "client_written_today", "below_minimum", "too_old",
)  # fmt: skip


@given(some_causes, st.randoms())
def test_the_order_of_reasons_is_the_same_however_they_came_about(names, chance):
    said = reasons(chance.sample(names, len(names)))
    assert said == [reason for reason in ORDER if reason in said]


@given(some_causes)
def test_one_more_reason_never_removes_another(names):
    for number in range(1, len(names)):
        assert set(reasons(names[:number])) <= set(reasons(names[: number + 1]))


def test_every_reason_for_silence_can_be_said_in_words():
    assert {reason for _, reason, _ in CAUSES.values()} <= REASONS.keys()
    assert set(REASON_OF) == set(HoldKind)


def test_every_reason_says_what_would_change_it_once():
    assert {code for code in ORDER if not advice(code)} == PASSES.keys()


def test_a_promise_is_kept_to_the_end_of_its_day():
    standing = held(HoldKind.PROMISE, TODAY)(OVERDUE)
    assert judged(standing) == (Quiet("payment_promised", until=TODAY),)
    assert quiet(standing, today=TODAY + timedelta(days=1), rules=RULES) == ()


def test_a_hold_without_an_end_outlasts_one_that_has_a_day():
    standing = held(HoldKind.HOLD)(held(HoldKind.HOLD, TODAY)(OVERDUE))
    assert judged(standing) == (Quiet("reminders_held"),)


def test_of_two_days_the_later_one_counts():
    later = TODAY + timedelta(days=3)
    assert judged(held(HoldKind.HOLD, later)(held(HoldKind.HOLD, TODAY)(OVERDUE)))[0].until == later


def test_a_hold_whose_day_is_over_hides_none_that_stands():
    standing = held(HoldKind.HOLD, TODAY - timedelta(days=1))(held(HoldKind.HOLD, TODAY)(OVERDUE))
    assert judged(standing) == (Quiet("reminders_held", until=TODAY),)


def test_F66_reminders_resume_after_the_days_of_grace():
    standing = of(reversed_on=TODAY - timedelta(days=11))(OVERDUE)
    assert judged(standing) == ()


def test_a_bill_is_reminded_of_when_trust_money_pays_only_a_part_of_it():
    assert judged(of(trust_cents=59_999)(OVERDUE)) == ()


def test_a_payment_that_is_under_way_for_too_long_is_told_to_a_person():
    assert judged(of(under_way_since=TODAY - timedelta(days=10))(OVERDUE)) == (Quiet("payment_under_way"),)
    assert judged(of(under_way_since=TODAY - timedelta(days=11))(OVERDUE)) == (Quiet("payment_under_way", loud=True),)


@pytest.mark.parametrize("reason", ["client_email_blank", "address_bounced", "credit_unapplied", "never_delivered"])
def test_a_person_is_told_of_what_only_a_person_can_mend(reason):
    name = next(name for name, (_, said, _) in CAUSES.items() if said == reason)
    assert judged(after([name]))[0].loud


def test_F70_a_closed_or_pending_matter_is_reminded_of_where_the_firm_says_so():
    lenient = replace(RULES, hold_closed=False, hold_pending=False)
    assert judged(after(["the matter is closed", "the matter is pending"]), lenient) == ()


@pytest.mark.parametrize("said", [None, "", " ", "false", "No", "0", "none", "n/a", "-"])
def test_a_custom_field_that_says_no_holds_nothing(said):
    assert hold_said(HoldKind.PLAN, said) is None


@pytest.mark.parametrize(
    ("said", "until"), [("true", None), ("monthly, 200", None), ("2026-03-24", TODAY), (" 2026-03-24 ", TODAY)]
)
def test_a_custom_field_that_says_anything_else_holds_and_a_day_is_its_last(said, until):
    assert hold_said(HoldKind.PLAN, said) == Hold(HoldKind.PLAN, until)


def test_a_custom_field_that_nobody_named_in_the_settings_holds_nothing():
    assert judged(of_matter(custom_fields={"Payment Plan": "true"})(OVERDUE), Rules()) == ()
