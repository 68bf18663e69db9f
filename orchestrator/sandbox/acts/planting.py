"""Faults by name, of the kind that a reconciliation is there to find. Each leaves in the record what must be found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from orchestrator.sandbox.acts import gateway, trust
from orchestrator.sandbox.acts.facts import Parties
from orchestrator.sandbox.firm import bills, ledger
from orchestrator.sandbox.firm.money import Bill
from orchestrator.sandbox.firm.things import ZERO, BankAccount, Facts, Matter, User
from orchestrator.sandbox.lawpay import paying
from orchestrator.sandbox.lawpay.things import Transaction
from orchestrator.sandbox.refusal import unprocessable

OFFICE_OPENS = timedelta(hours=10)
"""After the capture at midnight, when somebody in the office gets round to it."""


@dataclass
class Plot:
    """One fault under way: whose money, how much of it, and what it has come to so far."""

    parties: Parties
    name: str
    matter: Matter
    amount: int
    facts: Facts
    found: Facts = field(default_factory=dict)

    @property
    def dollars(self) -> Decimal:
        return Decimal(self.amount) / 100

    @property
    def page(self) -> str:
        """The page before the trust account that holds the matter's money."""
        return self.page_before(trust.trust_of(self.parties.books, self.facts))

    def page_before(self, account: BankAccount) -> str:
        key = self.parties.bank.key_of(account)
        slug = next(
            (page.slug for page in self.parties.gateway.pages.values() if page.accounts["card"].bank_key == key), None
        )
        if slug is None:
            raise unprocessable(f"{account.name} has no payment page.")
        return slug

    def another(self) -> Matter:
        """Somebody else's open matter: `to_matter_id`, or the first there is."""
        books = self.parties.books
        if "to_matter_id" in self.facts:
            return books.get(Matter, self.facts["to_matter_id"])
        others = (one for one in books.table(Matter).values() if one.client is not self.matter.client)
        return next(one for one in others if one.status == "Open")

    def pay(self, method: str = "card", *, reference: str = "", page: str = "") -> Transaction:
        """The client pays the trust page, with the matter's number as reference."""
        words = reference or self.matter.display_number
        wish = paying.Wish(amount=self.amount, reference=words, name=self.matter.client.name)
        page_paid = paying.page_of(self.parties.gateway, page or self.page)
        one = paying.pay(self.parties.gateway, page_paid, wish, method=method)
        self.found["lawpay_id"] = one.id
        return one

    def link(self, one: Transaction, **facts: object) -> None:
        """Somebody tells Clio."""
        line = trust.link_lawpay_payment(self.parties, {"id": one.id, "matter_id": self.matter.id, **facts})
        self.found.setdefault("clio_lines", []).append(line.id)

    def when_settled(self, one: Transaction, follow: Callable[[], None], *, days: int = 0) -> None:
        """Go on when the payment has completed, in the morning, some days later if so wished."""
        settled = self.parties.gateway.settles_at(one) + OFFICE_OPENS + timedelta(days=days)
        self._later(settled, follow)

    def _later(self, moment: datetime, follow: Callable[[], None]) -> None:
        def go_on() -> None:
            with self.parties.books.journal.planting(self.name):
                follow()

        self.parties.books.clock.at(moment, go_on)


def missing_in_clio(plot: Plot) -> None:
    """A client's payment that nobody tells Clio of."""
    plot.pay()


def missing_at_bank(plot: Plot) -> None:
    """A cheque that is in Clio's ledger and never reached the bank."""
    facts = {"matter_id": plot.matter.id, "amount": plot.dollars, "banked": False, "why": "Cheque"}
    plot.found["clio_lines"] = [trust.deposit_trust(plot.parties.books, facts).id]


def amount_differs(plot: Plot) -> None:
    """Typed into Clio with another amount than LawPay has."""
    one, off = plot.pay(), Decimal(int(plot.facts.get("by_cents", -100))) / 100
    plot.when_settled(one, lambda: plot.link(one, amount=plot.dollars + off))


def wrong_matter(plot: Plot) -> None:
    """Linked to somebody else's matter; every total still agrees."""
    other = plot.another()
    plot.found["wrong_matter_id"] = other.id
    one = plot.pay()
    plot.when_settled(one, lambda: plot.link(one, matter_id=other.id))


def duplicate(plot: Plot) -> None:
    """One payment, told to Clio twice."""
    one = plot.pay()

    def twice() -> None:
        plot.link(one)
        plot.link(one)

    plot.when_settled(one, twice)


def at_the_bank(plot: Plot) -> None:
    """A payment told to Clio as it should be, and a bank that does what the fault's name says with it."""
    account = plot.parties.gateway.pages[plot.page].accounts["card"].bank_key
    plot.parties.faults.add("bank", plot.name, account=account, planted=True)
    one = plot.pay()
    plot.when_settled(one, lambda: plot.link(one))


def chargeback_from_trust(plot: Plot) -> None:
    one = plot.pay()
    plot.when_settled(one, lambda: plot.link(one))
    plot.when_settled(one, lambda: _charge_back(plot, one), days=3)


def _charge_back(plot: Plot, one: Transaction) -> None:
    facts = {"id": one.id, "account": one.account.bank_key}
    plot.found["bank_line"] = gateway.lawpay_chargeback(plot.parties, facts)["id"]


def late_return_after_use(plot: Plot) -> None:
    """An eCheck completes, its money is used, and days later the payer's bank sends it back."""
    one = plot.pay("echeck")

    def use() -> None:
        plot.link(one)
        spent = {
            "matter_id": plot.matter.id,
            "amount": plot.matter.held[trust.trust_of(plot.parties.books, plot.facts)],
            "payee": "Court clerk",
        }
        plot.found["used_line"] = trust.disburse_trust(plot.parties.books, spent).id

    plot.when_settled(one, use)
    plot.when_settled(one, lambda: _send_back(plot, one), days=int(plot.facts.get("days", 5)))


def _send_back(plot: Plot, one: Transaction) -> None:
    gateway.lawpay_return_echeck(plot.parties, {"id": one.id})


def late_return(plot: Plot) -> None:
    """The same, while the money is still there; nobody takes it off Clio's ledger."""
    one = plot.pay("echeck")
    plot.when_settled(one, lambda: plot.link(one))
    plot.when_settled(one, lambda: _send_back(plot, one), days=int(plot.facts.get("days", 5)))


def bad_reference(plot: Plot) -> None:
    """Money drawn from trust at LawPay under a reference that leads nowhere.

    With `recorded` somebody did enter it in Clio, for the right matter and bill: only nothing says that it is the same.
    """
    words = str(plot.facts.get("reference", f"{plot.matter.display_number[::-1]}?"))
    plot.found |= _draw(plot, reference=words)
    if not plot.facts.get("recorded"):
        return
    facts = {"matter_id": plot.matter.id, "amount": plot.dollars, "banked": False}
    if "bill_id" in plot.facts:
        line = trust.apply_trust(plot.parties.books, {**facts, "bill_id": plot.facts["bill_id"]})
    else:
        line = trust.disburse_trust(plot.parties.books, {**facts, "payee": "the firm"})
    plot.found["clio_lines"] = [line.id]


def ambiguous_reference(plot: Plot) -> None:
    """Two matters go by one client reference, and a payment names just that."""
    words = str(plot.facts.get("reference", "PO 9000"))
    other = plot.another()
    for matter in (plot.matter, other):
        matter.client_reference = words
        plot.parties.books.touch(matter)
    plot.found["wrong_matter_id"] = other.id
    plot.pay(reference=words)


def wrong_account_class(plot: Plot) -> None:
    """Trust money paid on the operating page, and entered in Clio's trust ledger all the same."""
    one = plot.pay(page=plot.page_before(plot.parties.books.operating_account()))
    facts = {"matter_id": plot.matter.id, "amount": plot.dollars, "banked": False, "confirmation": one.id}

    def enter() -> None:
        plot.found["clio_lines"] = [trust.deposit_trust(plot.parties.books, facts).id]

    plot.when_settled(one, enter)


def missing_at_lawpay(plot: Plot) -> None:
    """Clio's ledger names a payment that LawPay never had."""
    plot.found["confirmation"] = plot.parties.gateway.opaque()
    facts = {"matter_id": plot.matter.id, "amount": plot.dollars, "banked": False, "why": "LawPay payment"}
    line = trust.deposit_trust(plot.parties.books, {**facts, "confirmation": plot.found["confirmation"]})
    plot.found["clio_lines"] = [line.id]


def negative_ledger(plot: Plot) -> None:
    """A cheque written on a matter that does not hold as much; Clio may let it pass, and so does the bank."""
    account = trust.trust_of(plot.parties.books, plot.facts)
    short = plot.matter.held.get(account, ZERO) + plot.dollars
    words = ledger.How(imposed=True, description="Cheque", authorised_by=plot.matter.responsible_attorney)
    plot.found["clio_lines"] = [ledger.enter(plot.parties.books, account, -short, words, matter=plot.matter).id]


def stale_item(plot: Plot) -> None:
    """A cheque to the client that the client never cashes."""
    facts = {"matter_id": plot.matter.id, "amount": plot.dollars, "banked": False}
    plot.found["clio_lines"] = [trust.disburse_trust(plot.parties.books, facts).id]


def unauthorised_draw(plot: Plot) -> None:
    """A bill paid from trust by somebody who may not, at LawPay and in Clio as if all were well."""
    books = plot.parties.books
    bill = books.get(Bill, plot.facts["bill_id"]) if "bill_id" in plot.facts else None
    if bill is None:
        bill = bills.request_money(books, plot.matter, plot.dollars)
        bills.approve(books, bill)
    who = next((user for user in books.table(User).values() if user.enabled and not user.signatory), None)
    by = who.id if who else 0
    plot.facts["bill_id"] = plot.found["bill_id"] = bill.id
    plot.found |= _draw(plot, authorised_by=by)
    paid = {"bill_id": bill.id, "amount": plot.dollars, "banked": False, "authorised_by": by}
    share = trust.apply_trust(books, {**paid, "confirmation": plot.found["lawpay_id"]})
    plot.found["allocation_id"] = share.id


def _draw(plot: Plot, **facts: object) -> Facts:
    facts = {"matter_id": plot.matter.id, "amount_cents": plot.amount, **facts}
    if "bill_id" in plot.facts:
        facts["bill_id"] = plot.facts["bill_id"]
    drawn = gateway.lawpay_draw(plot.parties, facts)
    return {"lawpay_id": drawn["id"], "reference": drawn.get("reference", "")}


@dataclass(frozen=True)
class Fault:
    """How it is done, and by which name it must be found."""

    do: Callable[[Plot], None]
    expects: str


FAULTS: dict[str, Fault] = {
    "bad_reference": Fault(bad_reference, "unmapped_reference"),
    "missing_in_clio": Fault(missing_in_clio, "missing_in_clio"),
    "missing_at_bank": Fault(missing_at_bank, "missing_at_bank"),
    "amount_differs": Fault(amount_differs, "amount_differs"),
    "wrong_matter": Fault(wrong_matter, "wrong_matter"),
    "fee_from_trust": Fault(at_the_bank, "fee_from_trust"),
    "net_deposit": Fault(at_the_bank, "net_deposit"),
    "duplicate": Fault(duplicate, "duplicate"),
    "late_return_after_use": Fault(late_return_after_use, "late_return_after_use"),
    "chargeback_from_trust": Fault(chargeback_from_trust, "chargeback_from_trust"),
    "unauthorised_draw": Fault(unauthorised_draw, "unauthorised_draw"),
    "late_return": Fault(late_return, "late_return"),
    "ambiguous_reference": Fault(ambiguous_reference, "ambiguous_reference"),
    "wrong_account_class": Fault(wrong_account_class, "wrong_account_class"),
    "missing_at_lawpay": Fault(missing_at_lawpay, "missing_at_lawpay"),
    "negative_ledger": Fault(negative_ledger, "negative_ledger"),
    "stale_item": Fault(stale_item, "stale_item"),
}


def plant_fault(parties: Parties, facts: Facts) -> Facts:
    """Do the named fault to a matter's trust money (`matter_id`, or the first that holds any), of `amount_cents`."""
    name = str(facts["name"])
    fault = FAULTS.get(name)
    if fault is None:
        raise unprocessable(f"There is no fault {name}; choose from {', '.join(FAULTS)}.")
    plot = Plot(parties, name, _matter(parties, facts), int(facts.get("amount_cents", 12_345)), facts)
    journal = parties.books.journal
    with journal.planting(name):
        fault.do(plot)
        journal.add(
            "fault.planted",
            name,
            expects=fault.expects,
            matter_id=plot.matter.id,
            client_id=plot.matter.client.id,
            amount_cents=plot.amount,
            # Lines that come later are added to it as they are made.
            found=plot.found,
        )
    return {"name": name, "expects": fault.expects, "matter_id": plot.matter.id, **plot.found}


def _matter(parties: Parties, facts: Facts) -> Matter:
    if "matter_id" in facts:
        return parties.books.get(Matter, facts["matter_id"])
    holding = (one for one in parties.books.table(Matter).values() if sum(one.held.values(), ZERO) > 0)
    matter = next((one for one in holding if one.status == "Open"), None)
    if matter is None:
        raise unprocessable("No open matter holds trust money; name one.")
    return matter
