"""What a transaction at LawPay means: pure tables, and laws that hold for any of them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.accounts import AccountClass, FirmAccount
from orchestrator.domain.books import received_cents
from orchestrator.domain.gateway import (
    CAME_TO_NOTHING,
    GatewayAccount,
    Method,
    Transaction,
    TransactionStatus,
    TransactionType,
)
from orchestrator.domain.ids import effect_key
from orchestrator.domain.lawpay_pages import reference_of
from orchestrator.domain.lawpay_payments import (
    BILL_GONE,
    QUESTIONS,
    Asked,
    deviations,
    doubt_about,
    entry,
    movements_of,
    recorded,
    standing_cents,
)
from orchestrator.domain.movements import MovementKind, MovementStatus
from orchestrator.domain.reasons import REASONS

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OURS = reference_of(effect_key("link", 1), matter_number="00012-Smith", bill_number="1001")
CHARGE = Transaction(
    id="t1", type=TransactionType.CHARGE, status=TransactionStatus.COMPLETED, account_id="a1", amount_cents=60_000,
    currency="USD", reference=OURS, method=Method.CARD, created_at=NOON, modified_at=NOON,
)  # fmt: skip
ASKED = Asked(
    reference=OURS, amount_cents=60_000, currency="USD", account="operating", live=True, ended_at=NOON, used_by=None
)  # fmt: skip
HOUR = timedelta(hours=1)


def strange(charge=CHARGE, asked=ASKED, **facts):
    return deviations(charge, asked, **({"account": "operating", "doubt": None, "settled_at": None} | facts))


def of(**facts):
    return strange(replace(CHARGE, **facts))


def asked(**facts):
    return strange(asked=replace(ASKED, **facts))


def test_what_is_as_it_was_asked_has_no_deviation():
    assert strange() == ()
    assert of(reference=f" {OURS.lower()} ") == ()
    assert asked(used_by="t1", live=False) == ()


DEVIATIONS = {
    "lawpay_amount_differs": [of(amount_cents=59_999), of(amount_cents=60_001)],
    "lawpay_currency_differs": [of(currency="CAD")],
    "lawpay_wrong_account": [strange(account="trust"), strange(account=None)],
    "lawpay_reference_edited": [of(reference=OURS + "x"), strange(replace(CHARGE, reference=OURS[:-1]), None)],
    "lawpay_reference_unknown": [strange(asked=None), strange(replace(CHARGE, reference="lunch"), None)],
    "lawpay_paid_twice": [asked(used_by="t0", live=False), asked(used_by="t0")],
    "lawpay_link_over": [asked(live=False, ended_at=NOON - HOUR)],
    "lawpay_bill_settled": [strange(settled_at=NOON - HOUR)],
    "lawpay_trust_unknown": [strange(doubt="lawpay_trust_unknown")],
}


@pytest.mark.parametrize(("code", "found"), [(code, one) for code, many in DEVIATIONS.items() for one in many])
def test_F65_F68_F69_each_deviation_has_a_reason_of_its_own(code, found):
    assert found == (code,)
    assert REASONS[code].advice


def test_every_question_is_one_that_a_deviation_asks():
    assert set(QUESTIONS) < {*DEVIATIONS, BILL_GONE}


def test_several_deviations_are_all_named():
    assert set(strange(replace(CHARGE, currency="CAD", amount_cents=1), account="trust")) == {
        "lawpay_amount_differs", "lawpay_currency_differs", "lawpay_wrong_account",
    }  # fmt: skip


@pytest.mark.parametrize("facts", [{"live": False, "ended_at": NOON + HOUR}, {"live": False, "ended_at": NOON}])
def test_F12_what_was_paid_before_a_page_was_over_is_honoured(facts):
    assert asked(**facts) == ()
    assert strange(settled_at=NOON + HOUR) == ()


# ── accounts ──

OPERATING = FirmAccount(
    key="operating", account_class=AccountClass.OPERATING, clio_id=1, lawpay_ids=("a1",), bank_id=None, currency="USD",
    time_zone="America/New_York",
)  # fmt: skip


@pytest.mark.parametrize(
    ("account", "trust", "doubt"),
    [(OPERATING, False, None), (OPERATING, True, "account_class_disagrees"), (OPERATING, None, "lawpay_trust_unknown"),
     (replace(OPERATING, account_class=AccountClass.TRUST), True, None),
     (replace(OPERATING, account_class=AccountClass.TRUST), False, "account_class_disagrees"),
     (None, True, "lawpay_account_unknown"), (None, None, "lawpay_account_unknown")],
)  # fmt: skip
def test_T1_both_must_say_so(account, trust, doubt):
    assert doubt_about(account, GatewayAccount("a1", "IOLTA Trust", Method.CARD, trust, "USD", active=True)) == doubt


# ── movements ──


def moved(completed_at=None, **facts):
    return movements_of(replace(CHARGE, **facts), account="operating", zone=NEW_YORK, completed_at=completed_at)


@pytest.mark.parametrize(
    ("kind", "cents", "movement"),
    [(TransactionType.CHARGE, 60_000, MovementKind.DEPOSIT), (TransactionType.REFUND, -60_000, MovementKind.REFUND),
     (TransactionType.CREDIT, -60_000, MovementKind.DISBURSEMENT), (TransactionType.OTHER, 60_000, MovementKind.OTHER)],
)  # fmt: skip
def test_a_charge_goes_in_and_the_rest_goes_out(kind, cents, movement):
    [one] = moved(type=kind)
    assert (one.amount_cents, one.kind) == (cents, movement)


@pytest.mark.parametrize(
    ("status", "said"),
    [("PENDING", "pending"), ("AUTHORIZED", "pending"), ("COMPLETED", "settled"), ("VOIDED", "voided"), ("FAILED", "failed"),
     ("OTHER", "pending")],
)  # fmt: skip
def test_a_promise_is_no_money(status, said):
    [one] = moved(status=TransactionStatus(status))
    assert one.status == MovementStatus(said)


def test_a_day_is_one_of_the_account_s_own_zone():
    [one] = moved(created_at=datetime(2026, 3, 3, 4, 59, tzinfo=UTC))
    assert one.on == date(2026, 3, 2)


def test_F66_what_was_completed_and_fails_is_a_deposit_and_a_return():
    came, went = moved(status=TransactionStatus.FAILED, completed_at=NOON, modified_at=NOON + 20 * 24 * HOUR)
    assert (came.amount_cents, came.status, came.kind) == (60_000, MovementStatus.SETTLED, MovementKind.DEPOSIT)
    assert (went.amount_cents, went.kind, went.parent) == (-60_000, MovementKind.RETURN, "t1")
    assert went.on == date(2026, 3, 22)
    assert went.external_id != came.external_id


statuses = st.sampled_from(TransactionStatus)
cents = st.integers(1, 10**7)
refunds = st.lists(
    st.builds(lambda amount, status: replace(CHARGE, type=TransactionType.REFUND, amount_cents=amount, status=status), cents, statuses),
    max_size=4,
)  # fmt: skip


@given(st.sampled_from(sorted(CAME_TO_NOTHING)), st.sampled_from(TransactionType), st.booleans())
def test_what_came_to_nothing_leaves_nothing_in_the_account(status, kind, completed):
    moves = moved(completed_at=NOON if completed else None, status=status, type=kind)
    assert sum(one.amount_cents for one in moves if one.status is MovementStatus.SETTLED) == 0
    assert len({one.external_id for one in moves}) == len(moves) == 1 + completed


# ── the books ──


@given(statuses, cents, cents, refunds)
def test_what_stands_is_never_below_zero_nor_above_the_charge(status, amount, refunded, back):
    charge = replace(CHARGE, status=status, amount_cents=amount, refunded_cents=refunded)
    standing = standing_cents(charge, back)
    assert 0 <= standing <= amount
    assert standing == 0 or status is TransactionStatus.COMPLETED


@given(st.lists(cents, min_size=1, max_size=8))
def test_an_entry_takes_the_books_to_what_stands_and_sums_to_nothing(path):
    booked: dict[tuple[str, int | None], int] = {}
    for standing in path:
        lines = entry(standing, account="operating", against="receivable", bill_id=5, matter_id=7, booked=booked)
        assert sum(line.amount_cents for line in lines) == 0
        assert received_cents(lines) == standing - booked.get(("bank:operating", None), 0)
        for line in lines:
            place = line.account, line.bill_id
            booked[place] = booked.get(place, 0) + line.amount_cents
        assert entry(standing, account="operating", against="receivable", bill_id=5, matter_id=7, booked=booked) == []


@given(cents, st.integers(0, 10**6), st.integers(0, 10**8))
def test_a_payment_is_recorded_when_the_bill_s_paid_amount_rose_by_it(amount, before, since):
    known = {"paid_cents": before + since, "before_cents": before, "booked_cents": amount}
    assert recorded(**known, exactly=False) is (since >= amount)
    assert recorded(**known, exactly=True) is (since == amount)
