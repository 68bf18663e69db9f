"""W5: which rail a bill takes, which account's page may collect it, and what payments made at LawPay say against asking."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.domain.asking import OnPage, Silence
from orchestrator.domain.bills import Bill, BillKind
from orchestrator.domain.gateway import ON_ITS_WAY, GatewayAccount
from orchestrator.domain.ids import effect_key
from orchestrator.domain.lawpay_pages import RailRule, account_for_page, rail_for
from orchestrator.domain.lawpay_payments import BILL_GONE, QUESTIONS, doubt_about, recorded
from orchestrator.domain.links import Rail
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work

RECORD = "record_payment"
"""The purpose of a task that asks a person to enter a payment in Clio."""

HELD_BY_LAWPAY = ("no_page_account", "lawpay_not_read")
"""Reasons for silence that lie with LawPay's accounts or with the firm's settings, not with the bill."""


def page_for(rt: Runtime, work: Work, bill: Bill) -> OnPage | Silence | None:
    """The rail of payment pages, with the one account that may collect this bill; None on Clio's rail.

    Raises `Rejected` when the firm named an account of the wrong class (T1, T2).
    """
    rule = _rule(rt, work, bill)
    if rule.rail is Rail.CLIO_PAYMENTS:
        return None
    feed = work.gateway.feed()
    if feed is None or feed["accounts_read_at"] is None:
        return Silence("lawpay_not_read")
    account = account_for_page(
        bill.kind,
        rt.settings.trust.firm_accounts,
        pages=rt.settings.lawpay.pages,
        refused=refused(rt, work.gateway.accounts()),
        currency=rt.currency,
        # The firm names accounts for its bills; a deposit goes into the one trust account that fits, or nowhere (T2).
        chosen=None if bill.kind is BillKind.TRUST else rule.account or rt.settings.links.page_account,
    )
    return OnPage(account)


def rail_of(rt: Runtime, work: Work, bill: Bill) -> Rail:
    """The rail that collects this bill."""
    return _rule(rt, work, bill).rail


def refused(rt: Runtime, known: Mapping[str, GatewayAccount]) -> set[str]:
    """Configured accounts for which LawPay does not vouch under every one of their ids: nothing is collected there (T1)."""
    return {
        account.key
        for account in rt.settings.trust.firm_accounts
        for lawpay_id in account.lawpay_ids
        if (said := known.get(lawpay_id)) is None or not said.active or doubt_about(account, said) is not None
    }


def paid_elsewhere(work: Work, bills: Iterable[Bill]) -> dict[int, Silence]:
    """Which of these bills are not asked for although Clio calls them open, and why, by bill.

    They were paid at LawPay, or a person must say whether they were.
    """
    known = {bill.id: bill for bill in bills}
    void = _paid_and_void(work)
    found = {
        bill.id: Silence("payment_in_question") for bill in known.values() if void.keys() & set(bill.matter_ids)
    }  # fmt: skip
    charges = work.gateway.of_bills(known)
    if not charges:
        return found
    told = [charge for of_bill in charges.values() for charge in of_bill]
    tasks = work.tasks.keyed([record_key(charge["id"]) for charge in told if charge["booked_cents"]])
    asked = work.exceptions.keys_standing(
        QUESTIONS, [question_key(charge["id"]) for charge in told if charge["deviations"]]
    )
    for bill_id, of_bill in charges.items():
        if any(charge["matched"] and charge["status"] in ON_ITS_WAY for charge in of_bill):
            found[bill_id] = Silence("payment_under_way")
        elif any(
            charge["booked_cents"] and not _recorded(charge, known[bill_id], tasks.get(record_key(charge["id"])))
            for charge in of_bill
        ):
            found[bill_id] = Silence("payment_to_record")
        elif any(charge["deviations"] and question_key(charge["id"]) in asked for charge in of_bill):
            found[bill_id] = Silence("payment_in_question")
    return found


def less_paid_elsewhere(work: Work, bill: Bill) -> Bill:
    """The bill as Clio would show it if it knew what came in at LawPay: trust money is not drawn for what was paid (T8).

    What waits for a person counts as paid as well: a draw that comes later costs nothing, one too many costs trust.
    """
    unknown = sum(_unknown_cents(work, charge, bill) for charge in work.gateway.of_bill(bill.id))
    void = _paid_and_void(work)
    unknown += sum(void.get(matter_id, 0) for matter_id in bill.matter_ids)
    return replace(bill, pending_cents=bill.pending_cents + unknown) if unknown else bill


def _paid_and_void(work: Work) -> dict[int, int]:
    """What was paid for bills that are void since, by matter, until a person says what it is for: often the next bill."""
    asked = work.exceptions.listed(kind=BILL_GONE, limit=None)
    bills = work.mirror.bills([row["subject_id"] for row in asked]) if asked else {}
    found: dict[int, int] = {}
    for row in asked:
        for matter_id in bills[row["subject_id"]].matter_ids if row["subject_id"] in bills else ():
            found[matter_id] = found.get(matter_id, 0) + (row["money_cents"] or 0)
    return found


def open_beside(work: Work, bill: Bill) -> set[int]:
    """The open bills on the matters of this one."""
    return {one for matter_id in bill.matter_ids for one in work.mirror.open_bill_ids_of_matter(matter_id)} - {bill.id}


def _unknown_cents(work: Work, charge: Row, bill: Bill) -> int:
    """What of a charge Clio does not know."""
    if charge["booked_cents"]:
        return 0 if in_clio(work, charge, bill) else int(charge["booked_cents"])
    asked_about = work.exceptions.standing(QUESTIONS, question_key(charge["id"]))
    under_way = charge["matched"] and charge["status"] in ON_ITS_WAY
    return int(charge["amount_cents"]) if under_way or asked_about else 0


def in_clio(work: Work, charge: Row, bill: Bill) -> bool:
    """Whether a person has recorded this charge on its bill in Clio: the bill's paid amount says so, or their task does.

    When more was paid since, a cheque for one, the amount alone says nothing, and the client would be asked twice.
    """
    return _recorded(charge, bill, work.tasks.get(record_key(charge["id"])))


def _recorded(charge: Row, bill: Bill, task: Row | None) -> bool:
    if task is not None and task["complete"]:
        return True
    return recorded(
        paid_cents=bill.paid_cents, before_cents=charge["paid_before_cents"] or 0, booked_cents=charge["booked_cents"],
        exactly=task is not None,
    )  # fmt: skip


def note_recorded(work: Work, bills: Mapping[int, Bill]) -> None:
    """What a bill's paid amount says today may be hidden by another payment tomorrow: the task that asked is over for good."""
    for bill_id, charges in work.gateway.of_bills(bills).items():
        for charge in charges:
            known = charge["booked_cents"] and in_clio(work, charge, bills[bill_id])
            if known and work.tasks.completed(record_key(charge["id"])):
                work.audit.line(
                    "payment.recorded", "lawpay", charge["number"], transaction=charge["id"], bills=[bill_id]
                )


def record_key(transaction_id: str) -> str:
    """The key of the task that asks for a charge to be recorded: the same on any database."""
    return effect_key(RECORD, transaction_id)


def to_record(work: Work, payload: Mapping[str, Any]) -> bool:
    """Whether the charge that a task asks to record still stands, and is not in Clio yet."""
    bill = work.mirror.bills([payload["bill_id"]]).get(payload["bill_id"])
    charges = work.gateway.of_bill(payload["bill_id"])
    charge = next((charge for charge in charges if charge["id"] == payload["transaction_id"]), None)
    return bill is not None and charge is not None and charge["booked_cents"] > 0 and not in_clio(work, charge, bill)


def question_key(transaction_id: str) -> str:
    """Under which what is strange about one transaction is asked."""
    return f"lawpay:{transaction_id}"


def _rule(rt: Runtime, work: Work, bill: Bill) -> RailRule:
    links = rt.settings.links
    default = RailRule(Rail(links.rail))
    if not links.rules:
        return default
    rules = [
        RailRule(Rail(rule.rail), practice_area=rule.practice_area, office=rule.office, account=rule.account)
        for rule in links.rules
    ]
    known = work.mirror.matters(bill.matter_ids).values()
    told = [(matter.practice_area, matter.custom_fields.get(links.office_field)) for matter in known]
    return rail_for(rules, default, matters=told)
