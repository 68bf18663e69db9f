from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.domain.books import entry, received_cents, standing_cents
from orchestrator.domain.payments import RECEIVED, Allocation, Payment, PaymentState

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
PAYMENT = Payment(
    id=7, state=PaymentState.COMPLETED, amount_cents=60_000, currency="USD", link_id=1, bill_ids=(1,), matter_ids=(3,),
    account_id=10, created_at=NOW, updated_at=NOW,
)  # fmt: skip


def part(ident, amount, bill=1, *, voided=False):
    return Allocation(ident, bill, amount, NOW if voided else None)


def stands(*parts, **facts):
    return standing_cents(replace(PAYMENT, allocations=parts, **facts))


def test_a_full_refund_leaves_nothing():
    assert stands(part(1, 60_000, voided=True)) == 0


def test_a_partial_refund_leaves_what_was_kept():
    assert stands(part(1, 60_000, voided=True), part(2, 45_000)) == 45_000


def test_one_refund_after_another_leaves_what_the_last_kept():
    assert stands(part(1, 60_000, voided=True), part(2, 45_000, voided=True), part(3, 5_000)) == 5_000
    assert stands(part(1, 60_000, voided=True), part(2, 45_000, voided=True)) == 0


def test_money_moved_to_another_bill_has_not_gone_back():
    assert stands(part(1, 60_000, voided=True), part(2, 60_000, bill=2)) == 60_000


def test_a_refund_of_one_bill_s_share_leaves_the_other_s():
    assert stands(part(1, 40_000, voided=True), part(2, 20_000, bill=2), bill_ids=(1, 2)) == 20_000


def test_a_part_that_no_bill_took_stands_beside_a_refund():
    assert stands(part(1, 40_000, voided=True), part(2, 30_000)) == 50_000


def test_money_that_has_not_arrived_does_not_stand():
    for state in set(PaymentState) - RECEIVED:
        assert stands(part(1, 60_000), state=state) == 0


def test_a_payment_of_no_bill_is_shown_as_unallocated_until_it_is_tied():
    loose = replace(PAYMENT, state=PaymentState.COMPLETED_REQUIRING_ALLOCATION)
    first = entry(loose, booked={})
    assert {(line.account, line.amount_cents) for line in first} == {("bank:10", 60_000), ("unallocated", -60_000)}
    tied = replace(PAYMENT, allocations=(part(1, 60_000),))
    second = entry(tied, booked={(line.account, line.bill_id): line.amount_cents for line in first})
    assert received_cents(second) == 0
    assert {(line.account, line.amount_cents) for line in second} == {("unallocated", 60_000), ("receivable", -60_000)}


class BooksOfOnePayment(RuleBasedStateMachine):
    """Allocate, void, refund, move states in any order: the books follow, and every entry sums to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.payment = replace(PAYMENT, bill_ids=(1, 2, 3))
        self.booked: Counter[tuple[str, int | None]] = Counter()
        self.refunded = 0

    @property
    def valid(self):
        return [share for share in self.payment.allocations if share.voided_at is None]

    @property
    def free(self):
        """What of the money with the firm is tied to no bill."""
        return self.payment.amount_cents - self.refunded - sum(share.amount_cents for share in self.valid)

    def change(self, *shares):
        self.payment = replace(self.payment, allocations=shares)

    @rule(state=st.sampled_from(PaymentState))
    def move(self, state):
        self.payment = replace(self.payment, state=state)

    @precondition(lambda self: not self.payment.allocations)
    @rule(shares=st.lists(st.integers(1, 20_000), min_size=1, max_size=3))
    def allocate(self, shares):
        self.change(*(part(number, amount, bill=number) for number, amount in enumerate(shares, 1)))

    @precondition(lambda self: self.valid)
    @rule(data=st.data())
    def refund(self, data):
        """As Clio does it: the share is voided, and a new one keeps what did not go back."""
        share = data.draw(st.sampled_from(self.valid))
        back = data.draw(st.integers(1, share.amount_cents))
        voided = [replace(one, voided_at=NOW) if one is share else one for one in self.payment.allocations]
        kept = share.amount_cents - back
        new = [part(len(voided) + 1, kept, bill=share.bill_id)] if kept else []
        self.change(*voided, *new)
        self.refunded += back

    @rule()
    def book(self):
        lines = entry(self.payment, booked=self.booked)
        assert sum(line.amount_cents for line in lines) == 0
        for line in lines:
            assert line.amount_cents != 0
            self.booked[line.account, line.bill_id] += line.amount_cents
        assert entry(self.payment, booked=self.booked) == []
        standing = self.payment.amount_cents - self.refunded if self.payment.state in RECEIVED else 0
        assert standing_cents(self.payment) == standing
        assert self.booked["bank:10", None] == standing
        for share in self.valid if standing else ():
            assert self.booked["receivable", share.bill_id] == -share.amount_cents

    @invariant()
    def books_sum_to_zero(self):
        assert sum(self.booked.values()) == 0

    @invariant()
    def never_below_zero(self):
        assert 0 <= standing_cents(self.payment) <= self.payment.amount_cents


BooksOfOnePayment.TestCase.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
TestBooksOfOnePayment = BooksOfOnePayment.TestCase
