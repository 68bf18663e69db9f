"""W7: a payment changed → the bill is re-read and decides; link, books, note and field follow, or are reversed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.domain.bills import BillKind
from orchestrator.domain.books import entry, received_cents, shares, standing_cents
from orchestrator.domain.kinds import Kind
from orchestrator.domain.money import Money
from orchestrator.domain.movements import Source
from orchestrator.domain.payments import RECEIVED, Payment, PaymentState
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import PracticeManagement
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases import sync_bills
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.write_note import write_note


@dataclass(frozen=True, slots=True)
class Reading:
    """Payments, and their bills read after them: the bill decides what is paid (API notes §10)."""

    payments: Sequence[Payment]
    bills: sync_bills.Reading


class Payments:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[Payment]:
        return practice.payments(ids)

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[Payment]) -> Reading:
        """Read the payments' bills, those of their links included, in one batch, and who got what of a shared payment."""
        bill_ids = {bill_id for payment in read for bill_id in payment.bill_ids}
        with rt.read() as work:
            ours = work.links.by_clio_ids([payment.link_id for payment in read if payment.link_id is not None])
            bill_ids |= {bill_id for link in ours.values() for bill_id in work.links.parts(link)}
        bills = sync_bills.Bills()
        found = practice.bills.by_ids(sorted(bill_ids)) if bill_ids else ()
        return Reading([_divided(practice, payment) for payment in read], bills.complete(rt, practice, found))

    def apply(self, rt: Runtime, work: Work, reading: Reading) -> None:
        """Book what stands now; every consequence is keyed by how often this payment has changed the books."""
        work.mirror.put_payments(reading.payments)
        links = work.links.by_clio_ids([payment.link_id for payment in reading.payments if payment.link_id is not None])
        self._close_links(work, reading.payments, links)
        sync_bills.Bills().apply(rt, work, reading.bills)
        if rt.settings.trust.accounts:
            _name_lines(work, reading.payments)
        stored = work.mirror.payments([payment.id for payment in reading.payments])
        for payment in reading.payments:
            if payment.updated_at >= stored[payment.id]["updated_at"]:
                self._book(rt, work, payment, links.get(payment.link_id or 0))
                self._question(work, payment, links.get(payment.link_id or 0))

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:
        """Payments cannot be deleted; one that is not visible is not ours (API notes §10)."""

    def news(self, work: Work, read: Sequence[Payment]) -> int:
        known = work.mirror.payments([payment.id for payment in read])
        return sum(payment.id not in known or known[payment.id]["state"] != payment.state for payment in read)

    @staticmethod
    def _close_links(work: Work, payments: Sequence[Payment], links: dict[int, Row]) -> None:
        """A link with a payment is used, whatever became of the payment: single use (API notes §10)."""
        for payment in payments:
            link = links.get(payment.link_id or 0)
            if link is not None and link["state"] == "live":
                work.dirty.mark(Kind.LINK, [link["clio_id"]])

    @staticmethod
    def _book(rt: Runtime, work: Work, payment: Payment, link: Row | None) -> None:
        deposits = [one.id for one in work.mirror.bills(payment.bill_ids).values() if one.kind is BillKind.TRUST]
        lines = entry(payment, booked=work.journal.booked(payment.id), deposits=deposits)
        if not lines:
            return
        delta, sequence = received_cents(lines), work.journal.events_of(payment.id)
        event = "payment_received" if delta > 0 else "payment_reversed" if delta < 0 else "payment_allocated"
        work.journal.post(event, payment.id, sequence, lines, currency=payment.currency)
        work.mirror.booked(payment.id, standing_cents(payment))
        work.audit.line(event, "payment", payment.id, cents=delta, bills=list(payment.bill_ids))
        if sequence:
            # A refund leaves Clio's moment of the payment as it was: whether an older reading has overtaken a newer one, only one
            # more look can tell (F17).
            work.dirty.mark(Kind.PAYMENT, [payment.id])
        mine = shares(lines)
        # Clio may leave a bill out of what the payment is for, once its share went back.
        bills = work.mirror.bills({*payment.bill_ids, *mine} or (work.links.parts(link) if link else ()))
        for bill in bills.values() if delta else ():
            cents = mine.get(bill.id, 0) if mine else delta
            if cents:
                came = "payment_received" if cents > 0 else "payment_reversed"
                write_note(rt, work, came, bill, cents=abs(cents), fact=f"{payment.id}:{sequence}")
            if cents < 0:
                # A refund may be the firm's own doing, a chargeback is a dispute: nobody is asked again before a person
                # has decided (T28).
                work.exceptions.open(
                    "payment_reversed", f"bill:{bill.id}",
                    f"{Money(-cents, payment.currency)} of payment {payment.id} for bill {bill.number} went back.",
                    subject=("bill", bill.id), money_cents=-cents,
                )  # fmt: skip
        ask_for_payment(rt, work, [bill.id for bill in bills.values()])

    @staticmethod
    def _question(work: Work, payment: Payment, link: Row | None) -> None:
        """What does not fit becomes a person's; what fits again closes it."""
        received = payment.state in RECEIVED
        for kind, applies, summary in (
            (
                "payment_unallocated",
                payment.state is PaymentState.COMPLETED_REQUIRING_ALLOCATION,
                "was received but belongs to no bill yet",
            ),
            ("payment_unmatched", received and link is None and not payment.bill_ids, "was received and names no bill"),
            (
                "payment_amount_differs",
                received
                and link is not None
                and (payment.amount_cents, payment.currency) != (link["amount_cents"], link["currency"]),
                "is not what its link asked for",
            ),
            (
                "payment_wrong_account",
                received and link is not None and payment.account_id not in (None, link["account_id"]),
                "went into another account than its link named",
            ),
        ):
            if applies:
                amount = Money(payment.amount_cents, payment.currency)
                work.exceptions.open(
                    kind, f"payment:{payment.id}", f"Payment {payment.id} of {amount} {summary}.",
                    subject=("payment", payment.id), money_cents=payment.amount_cents,
                )  # fmt: skip
            else:
                work.exceptions.close(kind, f"payment:{payment.id}")


def _name_lines(work: Work, payments: Sequence[Payment]) -> None:
    """A ledger line that does not name its payment yet is read again: only the payment says which line it left."""
    lines = {str(payment.line_id): payment.id for payment in payments if payment.line_id is not None}
    heads = work.movements.heads(Source.CLIO_LEDGER, lines.keys())
    unnamed = [
        int(name) for name, payment_id in lines.items() if name in heads and heads[name]["payment_id"] != payment_id
    ]
    work.dirty.mark(Kind.LEDGER, unnamed)


def _divided(practice: PracticeManagement, payment: Payment) -> Payment:
    """A payment for several bills, its allocations naming theirs: nested, Clio leaves the bill out (F65)."""
    if len(payment.bill_ids) < 2:  # noqa: PLR2004  one bill needs no dividing
        return payment
    bill_of = {part.id: bill_id for bill_id in payment.bill_ids for part in practice.allocations_of_bill(bill_id)}
    return replace(
        payment, allocations=tuple(replace(part, bill_id=bill_of.get(part.id)) for part in payment.allocations)
    )
