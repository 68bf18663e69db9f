"""Two hours of a firm's life, a copy of its database from before them, and what must be true when only the copy is left."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.engine.points import Passing, Point, unharmed
from orchestrator.sandbox import SandboxHandle
from orchestrator.storage.backup import take
from orchestrator.storage.jobs import JobState
from orchestrator.storage.tables import pulses
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from orchestrator.usecases.restore_database import Restored, restore_database
from tests.firm import Firm, open_firm
from tests.servers import postgres_programs

SETTLE = 90.0


class Past:
    """One database with a backup of it; every process of the firm is opened here, so that all share a mark outside."""

    def __init__(self, sandbox: SandboxHandle, url: str, folder: Path, **environment: Any) -> None:
        self.environment = environment
        self.sandbox = sandbox
        self.url = url
        self.file = folder / "taken.backup"
        self._mark = folder / "mark"

    @contextmanager
    def firm(self, passing: Passing = unharmed):
        with open_firm(
            self.sandbox,
            self.url,
            passing=passing,
            environment={**self.environment, "engine": {"mark_dir": str(self._mark)}},
        ) as firm:
            yield firm

    def take(self) -> None:
        with postgres_programs():
            take(self.url, self.file)

    def restore(self) -> Restored:
        """As `orchestrator restore --replace` does, some time after every process has stopped."""
        self.fall_silent()
        with postgres_programs():
            return restore_database(
                self.url,
                self.file,
                replace=True,
                clock=self.sandbox.now,
                stamp="20260302T170000",
                settle_seconds=SETTLE,
            )

    def fall_silent(self) -> None:
        engine = connect(self.url)
        with UnitOfWork(engine, self.sandbox.now)() as work:
            work.connection.execute(sa.update(pulses).values(at_real=pulses.c.at_real - 60))
            work.connection.exec_driver_sql("UPDATE jobs SET held_until = NULL")
        engine.dispose()


def first_hours(firm: Firm) -> dict[str, Any]:
    """What the backup knows: a bill paid, one with its link in the mailbox, one that is issued and not yet looked at."""
    firm.work()
    paid, waiting = firm.mailed_bill(dollars=100), firm.mailed_bill(dollars=200)
    pay(firm, paid)
    firm.later(minutes=16)
    return {"paid": paid, "waiting": waiting, "new": firm.issued_bill(dollars=300)}


def lost_hours(firm: Firm, bills: dict[str, Any]) -> None:
    """What it does not: links made, paid and expired, messages, notes, a request with its task, money that comes and goes back."""
    firm.later(minutes=16)
    firm.later(minutes=2)
    pay(firm, bills["waiting"])
    bills["credited"], bills["voided"] = firm.issued_bill(dollars=400), firm.issued_bill(dollars=500)
    bills["unlucky"] = firm.issued_bill(dollars=150)
    firm.later(minutes=16)
    firm.later(minutes=2)
    firm.sandbox.act("credit_bill", id=bills["credited"]["id"], amount=50)
    firm.sandbox.act("void_bill", id=bills["voided"]["id"])
    pay(firm, bills["unlucky"], method="echeck", settle_after_seconds=60, final_state="failed")
    firm.log_time(dollars=700)
    firm.later(minutes=16)
    firm.later(minutes=31)
    firm.later(minutes=31)


def pay(firm: Firm, bill: dict[str, Any], **how: Any) -> None:
    link = [link for link in firm.links() if link["bill_id"] == bill["id"]][-1]
    firm.sandbox.act("pay_link", link_id=link["id"], **({"method": "card", "settle_after_seconds": 0} | how))


def to_its_end(firm: Firm, person: Callable[[Firm], bool] = lambda _firm: False) -> None:
    """Until nothing is left to do but what a person must: settling, sweeping, a full hour's planning, and the mail's minute."""
    for _ in range(14):
        firm.later(minutes=3)
        firm.later(minutes=16)
        if not person(firm) and not _unfinished(firm):
            break
    firm.later(minutes=61)
    firm.later(minutes=3)
    person(firm)
    firm.later(minutes=3)


def _unfinished(firm: Firm) -> bool:
    topics = (
        "note.create",
        "task.create",
        "link.create",
        "link.expire",
        "link.revoke",
        "message.send",
        "communication.log",
        "matter.mark",
    )
    return any(firm.jobs(topic, JobState.READY, JobState.CLAIMED, JobState.SENT) for topic in topics)


def look_in_the_relay_s_log(firm: Firm) -> bool:
    """What the runbook says of a message in doubt: if it is not there, send it; if it is, leave it."""
    arrived = {mail["message_id"] for mail in firm.mails()}
    resent = False
    for row in firm.jobs("message.send", JobState.PARKED):
        assert row["reason"] in ("mail_before_restore", "mail_outcome_unknown")
        if row["intent"]["message_id"] not in arrived:
            with firm.rt.uow() as work:
                assert work.jobs.retry(row["id"], resend=True)
                work.exceptions.close_job(row["id"])
            resent = True
    if resent:
        firm.work()
    return resent


def effects(firm: Firm) -> dict[str, Counter[Any]]:
    """Everything that left the house, each with what makes it the same as another."""
    return {
        "links": Counter((link["bill_id"], link["amount"]) for link in firm.links()),
        "mails": Counter(
            (mail["to"][0], url) for mail in firm.effects("mail.accepted") for url in mail["urls"] if "/pay/" in url
        ),
        "notes": Counter(note["subject"] for note in firm.effects("note.created")),
        "tasks": Counter((task["name"], task["matter_id"]) for task in firm.effects("task.created")),
        "communications": Counter(str(one["external_properties"]) for one in firm.effects("communication.created")),
        "expired": Counter(link["id"] for link in firm.effects("link.expired") if link["why"] == "request"),
    }


def nothing_twice(firm: Firm) -> None:
    for kind, made in effects(firm).items():
        # A bill may have had a link of the same amount before, if a payment made with it fell through.
        once = 2 if kind == "links" else 1
        twice = {what: times for what, times in made.items() if times > once}
        assert not twice, f"{kind} made again: {twice}"


def books(firm: Firm) -> dict[str, Any]:
    """What the firm's database says of everything that matters, without the numbers of rows."""
    with firm.rt.read() as work:

        def rows(statement: str) -> Iterator[tuple[Any, ...]]:
            return (tuple(row) for row in work.connection.exec_driver_sql(statement))

        return {
            "links": set(rows("SELECT bill_id, cycle, state, amount_cents, clio_id, account_id FROM links")),
            # What a link brought that is over is history: nobody asks Clio whether its message went.
            "messages": set(
                rows(
                    "SELECT m.bill_id, step, m.state, m.key, communication_id FROM messages m "
                    "JOIN links l ON l.id = link_id WHERE l.state = 'live'"
                )
            ),
            "payments": set(rows("SELECT id, state, booked_cents FROM payments")),
            "journal": Counter(rows("SELECT key, account, amount_cents FROM journal")),
            "bills": set(rows("SELECT id, state, paid_cents, balance_cents FROM bills")),
            "tasks": set(rows("SELECT key, clio_id, complete FROM tasks")),
            "requests": set(rows("SELECT matter_id, state, task_id, bill_id FROM billing_requests")),
            "held": work.journal.held(),
        }


class CopyAt:
    """Takes the backup between two jobs: when the n-th is about to be claimed."""

    def __init__(self, past: Past, nth: int) -> None:
        self._past, self._left = past, nth

    def __call__(self, point: Point) -> None:
        if point is Point.CLAIM_BEGIN:
            self._left -= 1
            if self._left == 0:
                self._past.take()
