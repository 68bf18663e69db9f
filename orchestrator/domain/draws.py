"""W9: how much of a bill its matter's trust money may pay, and why none; the life of a draw. Pure.

The worker proposes, records and verifies. It authorises nothing and moves no money (T19).
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from orchestrator.domain.bills import GONE, UNISSUED, Bill, BillKind
from orchestrator.domain.jurisdictions import Jurisdiction


class DrawState(StrEnum):
    PROPOSED = "proposed"
    AUTHORISED = "authorised"
    POSTED = "posted"
    RECONCILED = "reconciled"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


DRAW_TRANSITIONS: dict[DrawState, set[DrawState]] = {
    DrawState.PROPOSED: {DrawState.AUTHORISED, DrawState.DECLINED, DrawState.WITHDRAWN},
    DrawState.AUTHORISED: {DrawState.POSTED, DrawState.DECLINED, DrawState.WITHDRAWN},
    DrawState.POSTED: {DrawState.RECONCILED, DrawState.WITHDRAWN},
    DrawState.RECONCILED: {DrawState.WITHDRAWN},
    DrawState.DECLINED: set(),
    DrawState.WITHDRAWN: set(),
}
"""A draw that was posted is withdrawn only when its ledger line was taken back, however long after."""

PROMISED = {DrawState.PROPOSED, DrawState.AUTHORISED}
"""States in which a draw holds a reservation."""


class Purpose(StrEnum):
    """The closed list of what electronic money may leave trust for (T21); a draw is the third."""

    PAYMENT = "client_or_third_party_payment"
    EXPENSE = "client_expense"
    EARNED_FEE = "earned_undisputed_fee"
    TRUST_TO_TRUST = "trust_to_trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What must be true of the account before anything is drawn from it (T25)."""

    profile: Jurisdiction | None
    confirmed: bool
    refused: bool
    has_signatory: bool
    short: bool
    reconciled: bool
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides about one bill: `available_cents` of its own matter's ledger, and what is in dispute of the bill."""

    available_cents: int
    frozen: bool
    disputed_cents: int
    reversed_: bool
    matter_known: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A draw of so much."""

    amount_cents: int


@dataclass(frozen=True, slots=True)
class Denied:
    """No draw; a code of `domain.reasons`."""

    reason: str


def denial(account: Account) -> str | None:
    """Why nothing may be drawn from this account at all; None when everything that must be there is (T25)."""
    for applies, reason in (
        (account.profile is None, "trust_profile_unknown"),
        (not account.confirmed, "trust_profile_unconfirmed"),
        (account.refused, "account_class_disagrees"),
        (not account.has_signatory, "trust_no_signatory"),
        (account.short, "trust_shortage"),
        (not account.reconciled, "trust_unreconciled"),
    ):
        if applies:
            return reason
    return None


def plan(bill: Bill, account: Account, facts: Facts) -> Plan | Denied:
    """min(open balance, what the bill's own ledger has free, the undisputed part), or the first reason for nothing (T17)."""
    undisputed = bill.open_cents - facts.disputed_cents
    for applies, reason in (
        (bill.kind is not BillKind.REVENUE, "trust_request"),
        (bill.state in UNISSUED, "bill_not_issued"),
        (bill.state in GONE, "bill_gone"),
        (bill.open_cents <= 0, "nothing_open"),
        (len(bill.matter_ids) != 1, "trust_many_matters"),
        (not facts.matter_known, "trust_matter_unknown"),
        ((bill.currency or account.currency) != account.currency, "currency_mismatch"),
        (facts.reversed_, "payment_reversed"),
        (undisputed <= 0, "trust_disputed"),
        (facts.frozen, "trust_frozen"),
        (facts.available_cents <= 0, "trust_nothing_available"),
    ):
        if applies:
            return Denied(reason)
    reason_ = denial(account)
    if reason_ is not None:
        return Denied(reason_)
    return Plan(min(undisputed, facts.available_cents))


def may_authorise(
    *,
    state: DrawState,
    noticed_on: date | None,
    draw_from: date | None,
    today: date,
    amount_cents: int,
    still: Plan | Denied,
) -> str | None:
    """Why a proposed draw may not be authorised today; None when it may.

    `still` is the plan made anew with this draw's own reservation given back: what was right then must be right now.
    """
    if state is not DrawState.PROPOSED:
        return "trust_draw_over"
    if isinstance(still, Denied):
        return still.reason
    if still.amount_cents < amount_cents:
        return "trust_draw_too_much"
    if noticed_on is None or draw_from is None:
        return "trust_notice_missing"
    if today < draw_from:
        return "trust_notice_waiting"
    return None
