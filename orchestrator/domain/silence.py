"""Why a bill's reminder is not sent: every reason that applies, from plain facts (W8). Pure.

A reason is a fact of its own: none hides another, so that a person who settles one sees what is left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from orchestrator.domain.bills import GONE, UNISSUED, Bill, BillKind, BillState
from orchestrator.domain.bounces import HELD
from orchestrator.domain.contacts import EmailProblem
from orchestrator.domain.matters import Matter, MatterStatus


class HoldKind(StrEnum):
    """What a person says of a bill, a matter or a client, because Clio has no place for it."""

    HOLD = "hold"
    PAUSE = "pause"
    PLAN = "payment_plan"
    PROMISE = "promise"
    DISPUTE = "dispute"
    ARBITRATION = "arbitration"
    BANKRUPTCY = "bankruptcy"
    DO_NOT_CONTACT = "do_not_contact"


class Subject(StrEnum):
    """What a hold is on; one on a matter or a client holds each of its bills, later ones too."""

    BILL = "bill"
    MATTER = "matter"
    CLIENT = "client"


REASON_OF: dict[HoldKind, str] = {
    HoldKind.DISPUTE: "fee_disputed",
    HoldKind.ARBITRATION: "fee_arbitration",
    HoldKind.BANKRUPTCY: "client_bankrupt",
    HoldKind.DO_NOT_CONTACT: "do_not_contact",
    HoldKind.PLAN: "payment_plan",
    HoldKind.PROMISE: "payment_promised",
    HoldKind.HOLD: "reminders_held",
    HoldKind.PAUSE: "client_paused",
}


UNDER_WAY = "payment_under_way"


PASSES: dict[str, str] = {
    "trust_request": "Nothing: a request for a deposit is never called overdue.",
    "bill_of_other_kind": "Nothing: only invoices are followed up.",
    "bill_not_issued": "Issue the bill in Clio.",
    "bill_gone": "Nothing: issue another bill, if it is still owed.",
    "bill_written_off": "Nothing, unless the credit is taken back in Clio.",
    "bill_paid": "Nothing, unless a payment comes back.",
    "payment_under_way": "It completes, or falls through.",
    "echeck_settling": "It completes within days, or is returned.",
    "payment_to_record": "Record the payment in Clio, as the task for it asks.",
    "payment_in_question": "Answer the question: `orchestrator exceptions list`.",
    "reversal_grace": "The days of grace pass.",
    "payment_promised": "Release the promise, or wait for its day.",
    "trust_available": "Draw the money, or decline the draw: `orchestrator trust draws`.",
    "matter_closed": "Reopen the matter in Clio, or change [reminders] hold_closed.",
    "client_not_read": "The next planning asks Clio.",
    "message_on_its_way": "It leaves.",
    "client_written_today": "The next business day.",
    "below_minimum": "Change [reminders] minimum_cents.",
}
"""What would change a reason for which nobody is asked to act; the others say it in `domain.reasons`."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Silence until the end of an office day, or until it is ended where there is none."""

    kind: HoldKind
    until: date | None = None

    def stands(self, today: date) -> bool:
        return self.until is None or today <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a firm decided about silence; amounts in cents, `fields` the Clio custom field that says each kind of hold."""

    minimum_cents: int = 500
    oldest_days: int = 365
    grace_days: int = 10
    stuck_days: int = 10
    hold_closed: bool = True
    hold_pending: bool = True
    fields: Mapping[HoldKind, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything known of one bill that can silence it; dates are the office's.

    `holds` are people's, on the bill, its matters and its client; `elsewhere` why a payment that Clio does not know of
    silences it; `reversed_` that one came back and nobody has decided yet (T28), `reversed_on` when the last one did;
    `trust_cents` what its matter's own trust money is promised for it or free to pay; `credit_cents` what of the client's
    credit and money no bill has taken; `clio_reminds` is None as long as Clio was not asked; `retainer` that it is our own
    request to fill a retainer up, and `deposit_quiet` why that is not asked for now.
    """

    bill: Bill
    matters: tuple[Matter, ...] = ()
    client_fields: Mapping[str, str] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    under_way_since: date | None = None
    echeck_since: date | None = None
    elsewhere: str | None = None
    reversed_: bool = False
    reversed_on: date | None = None
    disputed_cents: int = 0
    trust_cents: int = 0
    credit_cents: int = 0
    held_address: str | None = None
    """Why nothing goes to the client's present address (`bounces.HELD`)."""
    clio_reminds: bool | None = None
    delivered: bool = False
    delivered_on: date | None = None
    """The first day on which a message brought it that did not come back; None where nobody knows, as with Clio's own."""
    written_on: date | None = None
    """The last day on which a message brought this bill or its link; `message_waits` when one is about to."""
    message_waits: bool = False
    retainer: bool = False
    deposit_quiet: str | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """One reason, a code of `domain.reasons`; its last day where that is known; `loud` when a person must be told."""

    reason: str
    until: date | None = None
    loud: bool = False


def quiet(standing: Standing, *, today: date, rules: Rules) -> tuple[Quiet, ...]:
    """Every reason for which nothing is sent about this bill on `today`, what ends the matter first; none means speak."""
    bill = standing.bill
    statuses = {matter.status for matter in standing.matters}
    grace = None if standing.reversed_on is None else standing.reversed_on + timedelta(days=rules.grace_days)
    since = min(filter(None, (standing.under_way_since, standing.echeck_since)), default=today)
    stuck = (today - since).days > rules.stuck_days
    settled = _settled(bill)
    under_way = bill.pending_cents > 0 or standing.under_way_since is not None or standing.elsewhere == UNDER_WAY
    told = (
        (bill.kind is BillKind.TRUST and not standing.retainer, Quiet("trust_request")),
        (standing.deposit_quiet is not None, Quiet(standing.deposit_quiet or "")),
        (bill.kind is BillKind.OTHER, Quiet("bill_of_other_kind")),
        (bill.state in UNISSUED, Quiet("bill_not_issued")),
        (bill.state in GONE, Quiet("bill_gone")),
        (settled is not None, Quiet(settled or "")),
        (under_way, Quiet(UNDER_WAY, loud=stuck)),
        (standing.echeck_since is not None, Quiet("echeck_settling", loud=stuck)),
        (standing.elsewhere not in (None, UNDER_WAY), Quiet(standing.elsewhere or "")),
        (standing.reversed_, Quiet("payment_reversed")),
        (grace is not None and today <= grace, Quiet("reversal_grace", until=grace)),
        *_held(standing, today, rules),
        # What is left of a retainer does not fill it up.
        (0 < standing.trust_cents >= bill.open_cents and not standing.retainer, Quiet("trust_available")),
        (standing.credit_cents > 0, Quiet("credit_unapplied", loud=True)),
        (rules.hold_closed and MatterStatus.CLOSED in statuses, Quiet("matter_closed")),
        (rules.hold_pending and MatterStatus.PENDING in statuses, Quiet("matter_pending")),
        (len(standing.matters) < len(bill.matter_ids), Quiet("matter_unknown", loud=True)),
        *_unreachable(standing),
        (standing.clio_reminds is None, Quiet("client_not_read")),
        (standing.clio_reminds is True, Quiet("clio_reminders_on")),
        (not standing.delivered, Quiet("never_delivered", loud=True)),
        (standing.message_waits, Quiet("message_on_its_way")),
        (standing.written_on == today, Quiet("client_written_today", until=today)),
        (0 < bill.balance_cents < rules.minimum_cents, Quiet("below_minimum")),
        (_days_old(bill, today) > rules.oldest_days, Quiet("too_old")),
    )
    return tuple(silence for applies, silence in told if applies)


LOUD = frozenset({
    "payment_under_way", "echeck_settling", "credit_unapplied", "matter_unknown", "client_missing", *map(str, EmailProblem),
    *HELD.values(), "never_delivered", "no_assignee",
})  # fmt: skip
"""Every reason for which a person may be told of a bill; nobody is wanted for them once it is paid or gone."""

Row = tuple[bool, Quiet]


def _settled(bill: Bill) -> str | None:
    """How nothing came to be open of an issued bill: by payments alone, or with the help of a credit."""
    if _off(bill) or (bill.state is not BillState.PAID and bill.balance_cents > 0):
        return None
    return "bill_written_off" if bill.credited_cents > 0 else "bill_paid"


def _off(bill: Bill) -> bool:
    return bill.state in GONE or bill.state in UNISSUED


def _held(standing: Standing, today: date, rules: Rules) -> list[Row]:
    """One row a kind of hold, with its last day; a hold without an end outlasts every other of its kind."""
    said = [*standing.holds, *_in_clio(standing, rules)]
    if standing.disputed_cents > 0:
        said.append(Hold(HoldKind.DISPUTE))
    rows = []
    for kind, reason in REASON_OF.items():
        ends = [hold.until for hold in said if hold.kind is kind and hold.stands(today)]
        until = None if None in ends else max(filter(None, ends), default=None)
        rows.append((bool(ends), Quiet(reason, until=until)))
    return rows


def _in_clio(standing: Standing, rules: Rules) -> list[Hold]:
    """Holds that people entered in a custom field of the matter or of the contact."""
    said = [*(matter.custom_fields for matter in standing.matters), standing.client_fields]
    found = ((kind, values.get(name)) for kind, name in rules.fields.items() for values in said)
    return [hold for kind, value in found if (hold := hold_said(kind, value)) is not None]


SAID_NO = frozenset({"", "0", "false", "no", "none", "n/a", "-"})
"""What a custom field holds when nothing is meant by it; a checkbox that was never ticked holds nothing at all."""


def hold_said(kind: HoldKind, value: str | None) -> Hold | None:
    """What the text of a custom field says: a day is the hold's last, any other word holds until it is taken out."""
    said = (value or "").strip()
    if said.casefold() in SAID_NO:
        return None
    try:
        return Hold(kind, date.fromisoformat(said))
    except ValueError:
        return Hold(kind)


def _unreachable(standing: Standing) -> tuple[Row, ...]:
    """Of the address as Clio says it now: what a link was once made for is never trusted (F71)."""
    client = standing.bill.client
    problem = None if client is None else client.email_problem
    return (
        (client is None, Quiet("client_missing", loud=True)),
        (problem is not None, Quiet(str(problem), loud=True)),
        (standing.held_address is not None, Quiet(standing.held_address or "", loud=True)),
    )


def _days_old(bill: Bill, today: date) -> int:
    began = bill.due_on or bill.issued_on
    return 0 if began is None else (today - began).days
