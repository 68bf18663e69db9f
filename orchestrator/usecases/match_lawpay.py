"""W7, rail `lawpay_page`: a charge → compared with what its page asked; link, books, note and tasks follow, or a question.

Nothing that a payer could have edited is believed, and nothing is booked on a likeness (F65, F68, F69).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.bills import GONE, UNISSUED, Bill, BillKind
from orchestrator.domain.books import DEPOSIT, RECEIVABLE, UNALLOCATED, applied_cents, received_cents
from orchestrator.domain.gateway import CAME_TO_NOTHING, Transaction, TransactionStatus, TransactionType
from orchestrator.domain.kinds import Kind
from orchestrator.domain.lawpay_pages import keys_in, looks_like_ours, parse_reference
from orchestrator.domain.lawpay_payments import (
    AT_FIRST_SIGHT,
    BILL_GONE,
    QUESTIONS,
    TOO_MUCH,
    Asked,
    deviations,
    doubt_about,
    entry,
    is_too_much,
    recorded,
    standing_cents,
)
from orchestrator.domain.links import LinkState, Rail
from orchestrator.domain.money import Money
from orchestrator.domain.reasons import meaning
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.gateway import to_transaction
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_to_record import ask_to_record, ask_to_take_back
from orchestrator.usecases.choose_rail import open_beside, question_key
from orchestrator.usecases.write_note import write_note

RAIL = Rail.LAWPAY_PAGE


@dataclass(frozen=True, slots=True)
class Case:
    """A charge, its refunds, what of it is with the firm now, and the page and bill that its reference leads to."""

    row: Row
    charge: Transaction
    refunds: Sequence[Transaction]
    standing: int
    link: Row | None
    bill: Bill | None

    @property
    def live(self) -> bool:
        return self.charge.status not in CAME_TO_NOTHING

    @property
    def went_back(self) -> bool:
        """Whether all of it was refunded."""
        return self.charge.status is TransactionStatus.COMPLETED and self.standing == 0

    @property
    def came_again(self) -> bool:
        """Whether what was on its way back stayed after all: its refund came to nothing."""
        return bool(self.refunds) and self.row["standing_cents"] == 0 < self.standing


def judge(rt: Runtime, work: Work, charge_id: str, fresh: Mapping[int, Bill]) -> int | None:
    """Bring link, books and questions in line with a charge as it is now; `fresh` are bills that were read after it.

    Returns the bill it is about, None when it is about none of ours.
    """
    row = work.gateway.get(charge_id)
    if row is None or row["type"] != TransactionType.CHARGE:
        return None
    link = link_of(work, row["reference"])
    bill_id = link["bill_id"] if link is not None else None
    bill = fresh.get(bill_id) or work.mirror.bills([bill_id]).get(bill_id) if bill_id is not None else None
    charge, refunds = to_transaction(row), work.gateway.refunds_of(charge_id)
    case = Case(row, charge, refunds, standing_cents(charge, refunds), link, bill)
    strange = _strange(rt, work, case) if link is not None or _ours(work, row) else ()
    work.gateway.note(
        charge_id, link_id=link["id"] if link else None, matched=link is not None and not strange,
        deviations=list(strange), standing_cents=case.standing,
    )  # fmt: skip
    if link is not None and case.live and link["used_by"] is None and "lawpay_link_over" not in strange:
        work.links.claim(link, charge_id)
        work.audit.line("link.used", "link", link["id"], transaction=charge_id, why=list(strange))
    _question(work, case, strange if case.live and not case.went_back else ())
    if link is not None and bill is not None:
        _book(rt, work, case, strange)
    return bill_id


def link_of(work: Work, reference: str) -> Row | None:
    """The page that a reference names, or that it can only have named before somebody edited it; never one of several."""
    parsed = parse_reference(reference)
    keys = {parsed.key} if parsed is not None else set(keys_in(reference))
    found = [link for key in keys if (link := work.links.referred_to(key)) is not None]
    return found[0] if len(found) == 1 else None


def _ours(work: Work, row: Row) -> bool:
    """Whether a charge without a link of ours is this rail's business: where we sent somebody to pay, or an edited reference.

    Everything else that moves at LawPay is a movement, and reconciliation's: a firm may take its deposits on a page of its
    own. What was there before we first looked is history.
    """
    feed = work.gateway.feed()
    new = feed is not None and row["created_at"] >= feed["began_at"]
    return new and (looks_like_ours(row["reference"]) or work.links.any_page(row["account"]))


def _strange(rt: Runtime, work: Work, case: Case) -> tuple[str, ...]:
    """Every deviation of this charge, those of its first sight included."""
    said = work.gateway.accounts().get(case.charge.account_id)
    account = rt.settings.trust.account_of(lawpay_id=case.charge.account_id)
    bill = case.bill
    gone = bill is not None and bill.state in GONE
    settled = bill is not None and (gone or bill.balance_cents <= 0 or bill.state in UNISSUED)
    found = deviations(
        case.charge,
        _asked(work, case.link) if case.link is not None else None,
        account=case.row["account"],
        doubt="lawpay_trust_unknown" if said is None else doubt_about(account, said),
        settled_at=bill.updated_at if bill is not None and settled else None,
    )
    kept = [code for code in case.row["deviations"] if code in AT_FIRST_SIGHT]
    strange = tuple(dict.fromkeys((*kept, *found)))
    return (*strange, BILL_GONE) if gone and not TOO_MUCH & set(strange) else strange


def _asked(work: Work, link: Row) -> Asked:
    """What a page asked for; the payment it was used for does not count any more once that came to nothing."""
    user = work.gateway.get(link["used_by"]) if link["used_by"] is not None else None
    over = user is not None and user["status"] in CAME_TO_NOTHING
    return Asked(
        reference=link["reference"],
        amount_cents=link["amount_cents"],
        currency=link["currency"],
        account=link["account"],
        live=link["state"] == LinkState.LIVE,
        ended_at=user["modified_at"] if user is not None and over else link["updated_at"],
        used_by=None if over else link["used_by"],
    )


def _question(work: Work, case: Case, strange: tuple[str, ...]) -> None:
    """Ask about each deviation when it is new: a person who settled one is not asked again for the same.

    What went back whole settles itself; what went back and came again is new.
    """
    row, link, bill = case.row, case.link, case.bill
    about = f" for invoice {bill.number}" if bill is not None else ""
    asked = f", which asked for {Money(link['amount_cents'], link['currency'])}" if link is not None else ""
    for code in strange:
        if code in QUESTIONS and (code not in row["deviations"] or case.came_again):
            work.exceptions.open(
                code, question_key(row["id"]),
                f"LawPay payment {row['id']} of {Money(row['amount_cents'], row['currency'])}{about}{asked}: {meaning(code)}.",
                subject=("bill", bill.id) if bill is not None else ("lawpay", row["number"]), money_cents=row["amount_cents"],
            )  # fmt: skip
    work.exceptions.close_all(set(QUESTIONS) - set(strange), question_key(row["id"]))
    if bill is not None and bill.state in GONE:
        work.dirty.mark(Kind.BILL, open_beside(work, bill))  # what took its place waits for the answer


def _book(rt: Runtime, work: Work, case: Case, strange: Sequence[str]) -> None:
    """Take the books to what stands now; every consequence is keyed by how often this charge has changed them.

    What is too much stands against no bill, and nobody is asked to record it or to take it back.
    """
    assert case.link is not None
    assert case.bill is not None
    row, bill, number = case.row, case.bill, case.row["number"]
    too_much = is_too_much(strange)
    lines = entry(
        case.standing if too_much or not strange else 0,
        account=case.link["account"],
        against=UNALLOCATED if too_much else DEPOSIT if bill.kind is BillKind.TRUST else RECEIVABLE,
        bill_id=bill.id,
        matter_id=bill.matter_ids[0] if len(bill.matter_ids) == 1 else None,
        booked=work.journal.booked(number, rail=RAIL),
    )
    if not lines:
        return
    delta, applied, sequence = received_cents(lines), applied_cents(lines), work.journal.events_of(number, rail=RAIL)
    event = "payment_received" if delta > 0 else "payment_reversed" if delta < 0 else "payment_allocated"
    work.journal.post(event, number, sequence, lines, currency=row["currency"], rail=RAIL)
    work.gateway.note(row["id"], booked_cents=0 if strange else case.standing)
    work.audit.line(event, "lawpay", number, transaction=row["id"], cents=delta, applied=applied, bills=[bill.id])
    if applied > 0:
        write_note(rt, work, "payment_received", bill, cents=applied, fact=f"{row['id']}:{sequence}")
        before = case.link["paid_before_cents"] or 0
        if not recorded(paid_cents=bill.paid_cents, before_cents=before, booked_cents=case.standing, exactly=False):
            ask_to_record(work, row, bill, cents=applied)
    elif applied < 0 and delta < 0:
        write_note(rt, work, "payment_reversed", bill, cents=-applied, fact=f"{row['id']}:{sequence}")
        # A refund may be the firm's own doing, a return is a dispute: nobody is asked again before a person has decided (T28).
        work.exceptions.open(
            "payment_reversed", f"bill:{bill.id}",
            f"{Money(-applied, row['currency'])} of LawPay payment {row['id']} for bill {bill.number} went back.",
            subject=("bill", bill.id), money_cents=-applied,
        )  # fmt: skip
        ask_to_take_back(work, row, bill, cents=-applied, sequence=sequence)
