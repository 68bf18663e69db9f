"""Clio's ledgers, LawPay and the bank tell of the same money under any order of what people and clients do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.sandbox.acts import act
from orchestrator.sandbox.acts.facts import Parties
from orchestrator.sandbox.bank.book import fee_of
from orchestrator.sandbox.firm.money import BankTransaction
from orchestrator.sandbox.firm.things import ZERO, BankAccount, Contact, Matter
from orchestrator.sandbox.oracle import verdict
from orchestrator.sandbox.refusal import Refusal
from orchestrator.sandbox.sandbox import Sandbox, Start

PENCE = st.integers(min_value=1, max_value=90_000)
PAGES = st.sampled_from(["trust", "operating"])
METHODS = st.sampled_from(["card", "echeck"])


class Money(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.sandbox = Sandbox()
        self.sandbox.begin(Start(now=datetime(2026, 3, 2, 15, tzinfo=UTC), frozen=True))
        books, self.gateway, self.bank = self.sandbox.books, self.sandbox.gateway, self.sandbox.bank
        self.books = books
        self.parties = Parties(books, self.gateway, self.bank, self.sandbox.faults)
        self.matters = [one for one in books.table(Matter).values() if one.status == "Open"]
        self.trust = next(one for one in books.table(BankAccount).values() if one.type == "Trust")
        self.completed = set()
        self.gateway.listeners.append(
            lambda event, one: self.completed.add(one.id) if event.type.endswith(".completed") else None
        )

    def do(self, verb, **facts):
        """What the firm, LawPay or a bank refuses has not happened."""
        try:
            return act(self.parties, verb, facts)
        except Refusal:
            return None

    @rule(amount=PENCE, page=PAGES, method=METHODS)
    def a_client_pays(self, amount, page, method):
        self.do("lawpay_pay", page=page, amount_cents=amount, method=method, reference="words")

    @rule(data=st.data(), verb=st.sampled_from(["lawpay_refund", "lawpay_void", "lawpay_return_echeck"]))
    def lawpay_takes_it_back(self, data, verb):
        if self.gateway.transactions:
            self.do(verb, id=data.draw(st.sampled_from(sorted(self.gateway.transactions))))

    @rule(data=st.data())
    def somebody_tells_clio(self, data):
        told = {line.confirmation for line in self.books.table(BankTransaction).values()}
        untold = sorted(self.gateway.transactions.keys() - told)
        if untold:
            matter = data.draw(st.sampled_from(self.matters))
            self.do("link_lawpay_payment", id=data.draw(st.sampled_from(untold)), matter_id=matter.id)

    @rule(data=st.data(), amount=PENCE)
    def a_bill_is_paid_from_trust(self, data, amount):
        matter = data.draw(st.sampled_from(self.matters))
        bill = self.do("generate_bill", matter_id=matter.id)
        if bill is not None and self.do("approve_bill", id=bill["id"]) is not None:
            self.do("apply_trust", bill_id=bill["id"], amount=Decimal(amount) / 100, client_level=True)

    @rule(
        data=st.data(), amount=PENCE, verb=st.sampled_from(["deposit_trust", "disburse_trust", "assign_client_funds"])
    )
    def a_person_writes_in_the_ledger(self, data, amount, verb):
        self.do(verb, matter_id=data.draw(st.sampled_from(self.matters)).id, amount=Decimal(amount) / 100)

    @rule(data=st.data(), amount=PENCE)
    def money_moves_between_matters(self, data, amount):
        source, target = (data.draw(st.sampled_from(self.matters)).id for _ in range(2))
        self.do("transfer_trust", from_matter_id=source, to_matter_id=target, amount=Decimal(amount) / 100)

    @rule(data=st.data(), amount=PENCE)
    def a_draw_by_way_of_lawpay_is_told_to_clio(self, data, amount):
        matter = data.draw(st.sampled_from(self.matters))
        if matter.held.get(self.trust, ZERO) * 100 >= amount:
            drawn = self.do("lawpay_draw", matter_id=matter.id, amount_cents=amount)
            facts = {"banked": False, "confirmation": drawn["id"], "amount": Decimal(amount) / 100}
            self.do("disburse_trust", matter_id=matter.id, payee="the firm", **facts)

    @rule(hours=st.integers(min_value=1, max_value=200))
    def time_passes(self, hours):
        self.sandbox.clock.advance(hours * 3600)

    @invariant()
    def a_ledger_is_the_sum_of_its_lines_and_of_its_owners(self):
        lines = self.books.table(BankTransaction).values()
        for account in self.books.table(BankAccount).values():
            assert account.balance == sum((line.amount for line in lines if line.bank_account is account), ZERO)
        owners = [*self.books.table(Matter).values(), *self.books.table(Contact).values()]
        held = [owner.held.get(self.trust, ZERO) for owner in owners]
        assert min(held) >= 0
        assert sum(held, ZERO) == self.trust.balance

    @invariant()
    def the_bank_has_what_clio_moved_and_lawpay_settled(self):
        for key, held in self.bank.accounts.items():
            lines = self.books.table(BankTransaction).values()
            recorded = sum(int(line.amount * 100) for line in lines if line.bank_account is held.behind and line.real)
            settled = sum(self._settled(one, key) for one in self.gateway.transactions.values())
            fees = sum(
                fee_of(self.gateway.find(one)) for one in self.completed if self.gateway.find(one).type == "CHARGE"
            )
            expected = recorded + settled - (fees if key == "operating" else 0)
            assert sum(line.amount for line in self.bank.lines if line.account == key) == expected

    @staticmethod
    def _settled(one, key):
        if one.status != "COMPLETED":
            return 0
        own = one.amount if one.account.bank_key == key else 0
        arrives = one.amount if one.pays == key else 0
        return own if one.type == "CHARGE" else arrives - own

    @invariant()
    def statements_follow_one_another(self):
        today = self.bank.today()
        middle = today - timedelta(days=7)
        before = self.bank.statement("trust", today - timedelta(days=400), middle - timedelta(days=1))
        after = self.bank.statement("trust", middle, today)
        assert before.opening == 0
        assert before.closing == after.opening
        for said in (before, after):
            assert said.opening + sum(line.amount for line in said.lines) == said.closing

    @invariant()
    def nobody_did_wrong(self):
        said = verdict(self.sandbox.journal)
        assert said["trust_violations"] == []
        assert said["planted"] == []


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
