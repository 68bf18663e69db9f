"""The verdict: what the sandbox recorded, less what the worker can explain, is what went wrong. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestrator.demo.books import Books
from orchestrator.domain.money import Money
from orchestrator.domain.reasons import meaning

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what it is called in the figures."""

    kind: str
    words: str


BORNE_OUT = frozenset(
    [
        "client_email_blank",
        "client_email_invalid",
        "client_redacted",
        "payment_reversed",
        "issued_before_start",
        "trust_available",
        "address_bounced",
        "link_over",
    ]
)
"""Stored reasons that can explain an open bill without a link in the client's hands, if the record shows them too."""

TAKEN_AT_ITS_WORD = frozenset(
    [
        "currency_mismatch",
        "no_link_account",
        "link_quota",
        "link_refused",
        "mail_outcome_unknown",
        "mail_refused",
        "mail_address_refused",
        "mail_address_invalid",
    ]
)
"""Others that only the worker can know: how a call or a message of its own ended. Any that is in neither is no excuse."""


def judge(oracle: Facts, books: Books, *, standing_cents: int, currency: str) -> list[Finding]:
    """Everything wrong; an empty list is the clean verdict."""
    return [
        *_doubled(oracle),
        *_lost(oracle, books),
        *_unexplained(oracle, books),
        *_unfinished(books),
        *_unbalanced(books, standing_cents, currency),
        *_untrusted(oracle, books),
    ]


def lost_effects(oracle: Facts, books: Books) -> int:
    """How many effects are missing without a stored reason."""
    return sum(1 for _ in _lost(oracle, books))


def unexplained_silences(oracle: Facts, books: Books) -> int:
    """How many steps an unpaid bill came to that nothing answered, and no stored reason explains."""
    return sum(1 for _ in _unexplained(oracle, books))


def explained(oracle: Facts, books: Books) -> dict[str, int]:
    """What the oracle misses and the worker explains, by reason."""
    found: dict[str, int] = {}
    for missing in oracle["missing"]:
        if (reason := reason_for(missing, books)) is not None:
            found[reason] = found.get(reason, 0) + 1
    return found


def reason_for(missing: Facts, books: Books) -> str | None:
    """The worker's stored reason for an omission that the oracle noticed, if it is a good one."""
    good = TAKEN_AT_ITS_WORD | BORNE_OUT.intersection(missing["stood"])
    return next((reason for reason in EXPLANATIONS[missing["kind"]](missing, books) if reason in good), None)


def _for_link(missing: Facts, books: Books) -> Iterator[str]:
    bill = missing["bill_id"]
    yield from _known(bill, books.silences, books.worries, books.withheld)
    if bill in books.waiting_links:
        yield "link_quota"


def _for_note(missing: Facts, books: Books) -> Iterator[str]:
    for bill in books.payment_bills.get(missing["payment_id"], ()):
        yield from _known(bill, books.worries)


def _for_expiry(missing: Facts, books: Books) -> Iterator[str]:
    yield from _known(missing["bill_id"], books.worries)


def _known(bill: int, *reasons: Mapping[int, str]) -> Iterator[str]:
    return (known[bill] for known in reasons if bill in known)


EXPLANATIONS = {"link": _for_link, "note": _for_note, "expiry": _for_expiry}


def _doubled(oracle: Facts) -> Iterator[Finding]:
    for bill in oracle["duplicate_links"]:
        yield Finding("duplicate_links", f"Bill {bill} had two live links at once.")
    for mail in oracle["duplicate_mails"]:
        yield Finding(
            "duplicate_mails", f"Message {mail.get('message_id', mail.get('key'))} arrived {mail['times']} times."
        )
    for mail in oracle["mails_after_payment"]:
        yield Finding(
            "mails_after_payment", f"Bill {mail['bill_id']} was asked for at {mail['at']}, when nothing was owed."
        )
    for mail in oracle["mails_to_closed_matters"]:
        yield Finding(
            "mails_to_closed_matters", f"Bill {mail['bill_id']} was chased at {mail['at']}, its matter being closed."
        )
    for one in oracle["repeated_steps"]:
        yield Finding("repeated_steps", f"Bill {one['bill_id']} had step {one['step']} {one['times']} times.")
    if oracle["quota_breaches"]:
        yield Finding("quota_breaches", f"Clio had to refuse {oracle['quota_breaches']} links over the quota.")


def _lost(oracle: Facts, books: Books) -> Iterator[Finding]:
    for missing in oracle["missing"]:
        if reason_for(missing, books) is None:
            subject = f"bill {missing['bill_id']}" if "bill_id" in missing else f"payment {missing['payment_id']}"
            said = "; ".join(meaning(reason) for reason in EXPLANATIONS[missing["kind"]](missing, books))
            yield Finding("lost_effects", f"{subject.capitalize()}: {missing['why']} ({said or 'no reason stored'}).")


def _unexplained(oracle: Facts, books: Books) -> Iterator[Finding]:
    for step in oracle["unanswered"]:
        came = f"Bill {step['number']} came to {step['step']} on {step['on']}: nothing was sent"
        bill, on = step["bill_id"], date.fromisoformat(step["on"])
        reason = books.told.get((bill, on), books.steps.get((bill, step["step"])))
        if reason is None:
            yield Finding("unexplained_silence", f"{came}, and nothing says why.")
        elif reason not in step["stood"]:
            why = f"because {meaning(reason)}, which the record does not bear out"
            yield Finding("unexplained_silence", f"{came} {why}.")


def _untrusted(oracle: Facts, books: Books) -> Iterator[Finding]:
    for wrong in oracle["trust_violations"]:
        yield Finding("trust_violations", f"Trust money was drawn wrongly: {wrong['kind'].replace('_', ' ')}.")
    for one in books.signed:
        if not one["statement"].equal:
            yield Finding("three_way", f"{one['account']} was signed although bank, book and client ledgers differ.")


def _unfinished(books: Books) -> Iterator[Finding]:
    yield from _each("jobs_due", books.due_jobs, "is still due")
    yield from _each("jobs_silent", books.silent_jobs, "stopped and nobody was told")


def _each(kind: str, jobs: Iterable[str], words: str) -> Iterator[Finding]:
    return (Finding(kind, f"{job.capitalize()} {words}.") for job in jobs)


def _unbalanced(books: Books, standing_cents: int, currency: str) -> Iterator[Finding]:
    if books.journal_sum:
        yield Finding("journal_sum", f"The books are off by {Money(books.journal_sum, currency)}.")
    if books.held_cents != standing_cents:
        ours, theirs = Money(books.held_cents, currency), Money(standing_cents, currency)
        yield Finding("journal_held", f"The books hold {ours}, but {theirs} came in and stayed.")
