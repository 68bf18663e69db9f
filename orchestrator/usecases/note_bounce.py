"""F76: a letter of ours came back → the address is left alone, and the firm is told, as its other way to the client."""

from collections.abc import Sequence
from typing import Any

from orchestrator.domain.bills import Bill
from orchestrator.domain.bounces import HELD, AddressState, Bounced, Patience, Report
from orchestrator.domain.contacts import Client
from orchestrator.domain.ids import address_key
from orchestrator.domain.kinds import Kind
from orchestrator.domain.reasons import advice
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import Job, JobState
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.trial import trial

USUAL = Patience()
ADDRESS = "address:"
"""How the key of an exception about an address begins; the bounce's number follows."""


def note_posted(job: Job, rt: Runtime) -> None:
    """Believe what the relay's webhook said of our letters; who knows our secret path may say it."""
    with step(rt, job) as work:
        for key, bounced, code in job.payload["reports"]:
            note_bounce(work, Report(key, Bounced(bounced), code), source="webhook", patience=patience_of(rt))


def patience_of(rt: Runtime) -> Patience:
    """How much the firm lets come back softly."""
    return Patience(letters=rt.settings.mail.soft_bounces, days=rt.settings.mail.soft_days)


def note_bounce(work: Work, report: Report, *, source: str, patience: Patience = USUAL) -> bool:
    """Note it, once; False when it is no letter of ours, or no news.

    A soft bounce is counted, and no more: the letter may still arrive. After a hard one, or soft ones beyond the firm's
    patience, nothing more goes to the address. What its reader calls spam has arrived: only the address is held.
    """
    letter = work.bounces.letter(report.key)
    if letter is None or work.bounces.add(report, source=source) is None:
        return False
    for bill_id in letter["bill_ids"]:
        said = {"message": letter["message_id"], "bounced": str(report.bounced), "code": report.code, "source": source}
        work.audit.line("message.bounced", "bill", bill_id, **said)
    worn: Sequence[Row] = ()
    if report.bounced is Bounced.SOFT:
        worn = work.bounces.wear_out(letter["address"], patience, until=letter["posted_at"])
    back = [letter] if report.bounced is Bounced.HARD else worn
    for one in back:
        _did_not_arrive(work, one)
    if back or report.bounced is Bounced.SPAM:
        _hold(work, letter, report)
    return True


def _did_not_arrive(work: Work, letter: Row) -> None:
    if letter["kind"] == "message":
        _in_doubt_no_more(work, letter)
    elif letter["kind"] == "notice":
        _no_notice(work, letter)


def _hold(work: Work, letter: Row, report: Report) -> None:
    """Ask for a person, as nothing more goes to the address; where the client has another already, nobody is wanted."""
    bills = work.mirror.bills(letter["bill_ids"])
    if bills and not any(_still_there(bill, letter["address"]) for bill in bills.values()):
        work.dirty.mark(Kind.BILL, bills)  # the client has another address already: the message follows them there
        return
    numbers = ", ".join(bill.number for bill in bills.values()) or "(unknown)"
    held = work.bounces.held(letter["address"])
    reason = HELD[AddressState(held["state"])]
    work.exceptions.open(
        reason, exception_key(held["id"]),
        f"A message about invoice {numbers} came back ({report.code}); nothing more is sent to that address. {advice(reason)}",
        subject=("bill", letter["bill_ids"][0]) if letter["bill_ids"] else None,
        money_cents=sum(bill.balance_cents for bill in bills.values()) or None,
    )  # fmt: skip


def _still_there(bill: Bill, address: str) -> bool:
    return bill.client is not None and bill.client.email is not None and address_key(bill.client.email) == address


def _in_doubt_no_more(work: Work, letter: Row) -> None:
    """What came back had left: nobody needs to find out whether it did, and nobody can send it again by mistake (F75)."""
    for job in work.jobs.listed(topic="message.send", states=[JobState.PARKED], limit=1000):
        if job["sent_at"] is not None and job["intent"]["message_id"] == letter["message_id"]:
            work.jobs.settle(job["id"], evidence={"came_back": True})
            work.exceptions.close_job(job["id"])


def _no_notice(work: Work, letter: Row) -> None:
    """A notice that did not arrive is none: the draw waits until a person has told the client (T18)."""
    draw = work.draws.told_by(letter["message_id"])
    if draw is None:
        return
    work.draws.noticed(draw["id"], notice=letter["message_id"], channel="email", at=None, draw_from=None)
    work.audit.line("draw.noticed", "draw", draw["id"], channel="email", notice=letter["message_id"], delivered=None)
    work.exceptions.open(
        "trust_notice_missing", f"draw:{draw['id']}", f"The notice of draw {draw['id']} came back.",
        subject=("bill", draw["bill_id"]), money_cents=draw["amount_cents"],
    )  # fmt: skip


def asked_about(work: Work, client: Client | None) -> bool:
    """Whether a person is wanted for a client's address: that is one question, however many bills wait for it (F76)."""
    held = work.bounces.of(client.email) if client is not None and client.email else None
    return held is not None and work.exceptions.is_open(HELD[AddressState(held["state"])], exception_key(held["id"]))


def exception_key(bounce_id: int) -> str:
    """Under which a bounced address is asked about."""
    return f"{ADDRESS}{bounce_id}"


def release_address(rt: Runtime, bounce_id: int, *, by: str, dry_run: bool) -> dict[str, Any]:
    """A person says that the address can be written to again: its reminders go on, and the exception closes."""
    with trial(rt, dry_run=dry_run) as work:
        row = work.bounces.get(bounce_id)
        if row is None or not work.bounces.release(bounce_id, by=by):
            raise Rejected(f"No address is held under {bounce_id}: see `orchestrator reminders bounces list`.")
        work.exceptions.close_all(HELD.values(), exception_key(bounce_id))
        work.audit.line("address.released", "bounce", bounce_id, actor=by, bills=row["bill_ids"])
        # What was kept back because of it may go now.
        work.dirty.mark(Kind.BILL, [message["bill_id"] for message in work.messages.stranded()])
        return shown(row) | {"state": "released", "dry_run": dry_run}


def show_bounces(rt: Runtime, *, state: str | None = None) -> list[dict[str, Any]]:
    """Addresses that a letter came back from, the newest first; an address is known by its number here alone."""
    with rt.read() as work:
        return [shown(row) for row in work.bounces.listed(state=state)]


def shown(row: Row) -> dict[str, Any]:
    names: Sequence[str] = (
        "id",
        "state",
        "code",
        "source",
        "soft",
        "bill_ids",
        "first_at",
        "last_at",
        "released_by",
        "released_at",
    )
    return {name: row[name] for name in names}
