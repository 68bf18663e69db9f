"""F76, F71: a client has another address → the message that reached nobody goes there, once, if its bill is still asked for.

message bounced, refused or kept back ─► another address at Clio, to which it never left
    ─► the same link again, under a key of its own       link run out meanwhile ─► another link, and its message
"""

from collections.abc import Collection, Mapping

from orchestrator.domain.asking import Ask
from orchestrator.domain.bills import Bill
from orchestrator.domain.bounces import HELD
from orchestrator.domain.links import Bringer, LinkState
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import STOPPED
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import allot, still_asked, want_link, what_to_ask
from orchestrator.usecases.note_bounce import exception_key
from orchestrator.usecases.want_message import want_at


def readdress(rt: Runtime, work: Work, bills: Mapping[int, Bill], before: Mapping[int, Row]) -> None:
    """For each of these bills, mirrored just now: what reached nobody follows its client, and what is settled is closed."""
    _forget_addresses(work, bills.values(), before)
    for message in work.messages.stranded(bills):
        bill = bills[message["bill_id"]]
        link = work.links.alive([bill.id]).get(bill.id) or work.links.last_of(bill.id)
        email = bill.client.email if bill.client is not None else None
        if email is None or link is None or work.bounces.of(email) is not None:
            continue
        if link["state"] == LinkState.LIVE:
            sent = isinstance(still_asked(rt, work, link), Ask) and want_at(rt, work, link, email)
        else:
            sent = _another_link(rt, work, bill, link, email)
        if sent:
            _give_up(work, message)
            work.audit.line(
                "message.readdressed", "bill", bill.id, why=message["reason"], message=message["message_id"]
            )


def _another_link(rt: Runtime, work: Work, bill: Bill, link: Row, email: str) -> bool:
    """Time ran out on a link that was in nobody's hands: a client who can be reached now gets another."""
    ran_out = link["state"] == LinkState.EXPIRED and link["reason"] in (None, "time")
    decision = what_to_ask(rt, work, bill)
    if not ran_out or not isinstance(decision, Ask) or work.messages.left_for(email, link["id"]):
        return False
    want_link(work, bill, decision, brought_by=Bringer.MESSAGE)
    allot(work)
    return True


def _give_up(work: Work, message: Row) -> None:
    """The job that was refused for the old address is nobody's to try again: this message has another way now."""
    for job in work.jobs.listed(topic="message.send", states=STOPPED, limit=1000):
        if job["payload"]["message_id"] == message["id"]:
            work.jobs.abandon(job["topic"], job["key"], reason="address_changed")
            work.exceptions.close_job(job["id"])


def _forget_addresses(work: Work, bills: Collection[Bill], before: Mapping[int, Row]) -> None:
    """Nobody needs to mend an address that no client with an open bill has any more."""
    left = {
        was["client_email"]
        for bill in bills
        if (was := before.get(bill.id)) is not None and was["client_email"] and bill.client is not None
        and was["client_email"] != bill.client.email
    }  # fmt: skip
    for email in left:
        held = work.bounces.of(email)
        if held is not None and not work.mirror.anybody_at(email):
            work.exceptions.close_all(HELD.values(), exception_key(held["id"]))
