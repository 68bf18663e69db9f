"""A bill's figures under any order of cheques, credits, payments and reversals."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.sandbox.clock import Clock
from orchestrator.sandbox.firm import bills, links, payments
from orchestrator.sandbox.firm.money import BankTransaction
from orchestrator.sandbox.firm.things import BankAccount, Matter
from orchestrator.sandbox.founding import found
from orchestrator.sandbox.journal import Journal
from orchestrator.sandbox.scenario import load

PENCE = st.integers(min_value=1, max_value=40_000).map(lambda cents: Decimal(cents) / 100)


class BillLife(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = Clock(datetime(2026, 3, 2, tzinfo=UTC), frozen=True)
        self.books = found(load("tiny"), clock=self.clock, journal=Journal(self.clock), seed=1)
        (matter,) = self.books.table(Matter).values()
        self.bill = bills.request_money(self.books, matter, Decimal("300.01"))
        bills.approve(self.books, self.bill)
        self.account = self.books.operating_account()
        self.payments = []

    @precondition(lambda self: self.bill.state == "awaiting_payment")
    @rule(amount=PENCE)
    def cheque(self, amount):
        bills.record_cheque(self.books, self.bill, min(amount, self.bill.balance))

    @precondition(lambda self: self.bill.state == "awaiting_payment")
    @rule(amount=PENCE)
    def credit(self, amount):
        bills.credit(self.books, self.bill, min(amount, self.bill.balance))

    @precondition(lambda self: self.bill.state == "awaiting_payment")
    @rule(amount=PENCE, wait=st.sampled_from([0, 3600]), end=st.sampled_from(["completed", "failed"]))
    def pay(self, amount, wait, end):
        wish = links.Wish(
            subject_type="Bill",
            subject_id=self.bill.id,
            currency="USD",
            duration=86_400,
            destination_account_id=self.account.id,
            amount=min(amount, self.bill.balance),
        )
        link = links.create(self.books, wish, user=None, by="person")
        self.payments.append(payments.pay(self.books, link, settle_after=wait, final_state=end))

    @rule(seconds=st.integers(min_value=1, max_value=7200))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @precondition(lambda self: any(payment.state in payments.SETTLED for payment in self.payments))
    @rule(data=st.data())
    def send_back(self, data):
        settled = [payment for payment in self.payments if payment.state in payments.SETTLED]
        payment = data.draw(st.sampled_from(settled))
        payments.send_back(self.books, payment, "refund")
        self.payments.remove(payment)

    @invariant()
    def the_figures_add_up(self):
        bill = self.bill
        assert bill.balance == bill.due - bill.paid - bill.credits_issued >= 0
        assert (bill.state == "paid") == (bill.balance == 0)
        assert bill.pending == sum(payment.amount for payment in self.payments if payment.state == "authorized")

    @invariant()
    def the_ledger_equals_the_account(self):
        for account in self.books.table(BankAccount).values():
            lines = self.books.table(BankTransaction).values()
            assert account.balance == sum(line.amount for line in lines if line.bank_account is account)


TestBillLife = BillLife.TestCase
TestBillLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
