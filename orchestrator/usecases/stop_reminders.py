"""F80: a client presses their mail program's unsubscribe button → no more reminders to them, and a person is told.

Only a POST to an address that nobody can guess does it (RFC 8058). Invoices still go: whoever owes money must be told of it.
"""

from orchestrator.domain.silence import HoldKind, Subject
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job

PATH = "/stop/"
UNSUBSCRIBED = "client_unsubscribed"
CLIENT = "client"
"""Who made the hold."""


def stop_address(rt: Runtime, client_id: int) -> str | None:
    """Where the button in a reminder to this client leads; None for a firm that wants no such button."""
    if not rt.settings.mail.one_click:
        return None
    return f"{rt.settings.public_address}{PATH}{client_id}/{rt.cipher.path(_purpose(client_id))}"


def leads_to(rt: Runtime, client_id: int, word: str) -> bool:
    """Whether an address is one that we wrote to this client, under any of our keys; a letter may lie for months."""
    return rt.cipher.leads_to(_purpose(client_id), word)


def stop_reminders(job: Job, rt: Runtime) -> None:
    """Hold this client's reminders until a person releases it; pressed again meanwhile, it says nothing new."""
    client_id = job.payload["client_id"]
    with step(rt, job) as work:
        standing = work.holds.standing(Subject.CLIENT, [client_id])
        if any(row["kind"] == HoldKind.DO_NOT_CONTACT and row["until"] is None for row in standing):
            return
        why = "used the unsubscribe button of a reminder"
        hold = work.holds.add(
            Subject.CLIENT, client_id, HoldKind.DO_NOT_CONTACT, until=None, why=why, by=CLIENT
        )  # fmt: skip
        work.audit.line("reminders.held", "client", client_id, actor=CLIENT, hold=hold, kind=HoldKind.DO_NOT_CONTACT)
        bills = work.mirror.bills(work.mirror.open_bill_ids_of_clients([client_id]))
        work.exceptions.open(
            UNSUBSCRIBED, exception_key(client_id), f"Client {client_id} wants no more reminders (hold {hold}).",
            money_cents=sum(bill.balance_cents for bill in bills.values()) or None,
        )  # fmt: skip


def exception_key(client_id: int) -> str:
    """Under which a person is told."""
    return f"client:{client_id}"


def _purpose(client_id: int) -> str:
    return f"stop reminders to {client_id}"
