"""Every kind of break: what it means, how bad it is, and what a person does about it. A row is all that a new kind needs."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """The lower the worse: commingling comes before everything (F67)."""

    COMMINGLING = 0
    SHORTAGE = 1
    WRONG = 2
    OPEN = 3


@dataclass(frozen=True, slots=True)
class BreakKind:
    """`meaning` completes "because …"; `fix` is the suggested cure; it is due `cure_days` after it was found (T43)."""

    severity: Severity
    cure_days: int
    meaning: str
    fix: str
    asks: bool = True
    """Whether it calls for a person; not where they were called when the money came."""


BREAKS: dict[str, BreakKind] = {
    "fee_from_trust": BreakKind(
        Severity.COMMINGLING, 0, "a processing fee was debited from the trust account",
        "Restore it from firm money today, and have the processor debit operating.",
    ),
    "chargeback_from_trust": BreakKind(
        Severity.COMMINGLING, 0, "a chargeback or its fee was debited from the trust account",
        "Restore it from firm money today; draws on that ledger stay frozen until a person clears it.",
    ),
    "late_return_after_use": BreakKind(
        Severity.COMMINGLING, 3, "a deposit was returned after its money had been used",
        "Make the client's ledger whole from firm money; never from another client's.",
    ),
    "negative_ledger": BreakKind(
        Severity.SHORTAGE, 0, "a client's ledger is below zero: another client's money stands in for it",
        "Restore the shortage from firm money today and find the posting that caused it.",
    ),
    "unauthorised_draw": BreakKind(
        Severity.SHORTAGE, 0, "money left the trust account without an authorised draw",
        "Find who moved it and why; have it authorised by a signatory, or put it back.",
    ),
    "wrong_account_class": BreakKind(
        Severity.SHORTAGE, 1, "the money stands in an account of the other class than Clio's ledger says",
        "Move it at the bank to the account it belongs to, and correct Clio. Nothing is moved automatically.",
    ),
    "wrong_matter": BreakKind(
        Severity.WRONG, 3, "Clio's ledger says another matter than the reference",
        "Correct the matter of the line in Clio, or map the reference to the matter that is right.",
    ),
    "late_return": BreakKind(
        Severity.SHORTAGE, 3, "a payment failed or was returned, and Clio's ledger still counts it",
        "Reverse the deposit in Clio's ledger.",
    ),
    "net_deposit": BreakKind(
        Severity.SHORTAGE, 1, "the bank received less than the day's gross payments",
        "Find the fee that was withheld; have the processor deposit gross and debit fees from operating.",
    ),
    "amount_differs": BreakKind(
        Severity.WRONG, 3, "the same money has two amounts", "Correct the line that is wrong at its source.",
    ),
    "duplicate": BreakKind(
        Severity.WRONG, 3, "one side has it more often than the other",
        "Void or refund the one that is too many, where it stands.",
    ),
    "ambiguous_match": BreakKind(
        Severity.WRONG, 5, "several movements could be the other half, and nothing says which",
        "Compare the candidates; put a reference on one of them at its source.",
    ),
    "unmapped_reference": BreakKind(
        Severity.WRONG, 3, "its reference names no matter we know, so it could not be tied to Clio's ledger",
        "`orchestrator matters map REFERENCE MATTER`: the window is run again by itself.",
    ),
    "ambiguous_reference": BreakKind(
        Severity.WRONG, 3, "its reference names several matters",
        "`orchestrator matters map REFERENCE MATTER` says which; the window is run again by itself.",
    ),
    "missing_in_clio": BreakKind(
        Severity.WRONG, 3, "it has no line in Clio's ledger", "Record it in Clio, with its reference.",
    ),
    "unapplied_payment": BreakKind(
        Severity.WRONG, 10, "it is more than was owed, stands in our books for no bill, and Clio does not know it",
        "Refund it at LawPay, or enter it in Clio as the client's credit, with its LawPay id as reference.", asks=False,
    ),
    "draw_not_posted": BreakKind(
        Severity.WRONG, 3, "the draw was authorised and no ledger line shows it",
        "Apply the trust money to the bill in Clio, or withdraw the draw.",
    ),
    "missing_at_lawpay": BreakKind(
        Severity.WRONG, 3, "Clio's ledger names a payment that the processor does not have",
        "Compare with LawPay; correct or remove the line in Clio.",
    ),
    "missing_at_bank": BreakKind(
        Severity.WRONG, 5, "the bank has not shown it for longer than it takes to settle",
        "Ask the bank or the processor where it is.",
    ),
    "stale_item": BreakKind(
        Severity.OPEN, 10, "it has been outstanding for more than 30 days",
        "Stop and reissue the cheque, or trace the deposit; an item this old is rarely still on its way.",
    ),
    "changed_after_lock": BreakKind(
        Severity.WRONG, 5, "something in a signed period was changed since",
        "Find who changed it and why. The correction stands in the open period; the signed one stays as it was.",
    ),
    "missing_in_ledgers": BreakKind(
        Severity.SHORTAGE, 1, "Clio's book has a line that none of our client ledgers has",
        "`orchestrator trust accounts` says whether the account is refused; if not, change the line in Clio: it is read again.",
    ),
    "missing_in_book": BreakKind(
        Severity.SHORTAGE, 1, "our client ledgers have a line that Clio's book does not have",
        "Find out who took it out of Clio's ledger of this account, and enter it there again if it was real.",
    ),
    "ledger_differs": BreakKind(
        Severity.WRONG, 1, "Clio's book and our client ledgers have one line with two amounts or two owners",
        "Compare the line in Clio with `orchestrator trust ledger`; correct it in Clio, and it is read again.",
    ),
    "currency_mismatch": BreakKind(
        Severity.WRONG, 3, "it is in another currency than its account", "Correct it at its source.",
    ),
}  # fmt: skip
"""By code; an exception about one is called `break_CODE`."""

STALE_DAYS = 30
"""An outstanding item older than this is flagged (T40)."""

TRANSIT_DAYS = 7
"""How long money may be on its way before somebody should ask where it is."""
