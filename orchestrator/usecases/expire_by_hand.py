"""A person has one payment link expired; the bill gets no other by itself until its amount changes."""

from typing import Any

from orchestrator.domain.links import LinkState, Rail
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import LIVE
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment, bills_of, close_page
from orchestrator.usecases.sync_links import MISSING
from orchestrator.usecases.trial import trial

REASON = "link_expired_by_hand"

WHY_NOT = {
    LinkState.WAITING: "it waits for room under the quota and was never made, so there is nothing to expire",
    LinkState.RESERVED: "it is being made at this moment; ask again when it is live",
    LinkState.USED: "a payment was made with it, and a used link is over",
    LinkState.EXPIRED: "it is expired already",
    LinkState.REFUSED: "Clio refused to make it",
    LinkState.WITHDRAWN: "it was withdrawn before it was made",
}


def expire_by_hand(rt: Runtime, link_id: int, *, by: str, dry_run: bool) -> dict[str, Any]:
    """Intend the expiry of one live link for `by`; returns its job, bill and amount, `Rejected` says why not.

    The job looks again before it acts: a link that was paid a moment before is honoured (F12). A payment page cannot be
    expired by anyone: it is over in our books at once, and what is paid on it afterwards becomes an exception. One that Clio
    no longer shows is over by this word, and another takes its place.
    """
    with trial(rt, dry_run=dry_run) as work:
        link = work.links.get(link_id)
        if link is None:
            raise Rejected(f"There is no link {link_id}.")
        if link["state"] != LinkState.LIVE:
            raise Rejected(f"Link {link_id} cannot be expired: {WHY_NOT[LinkState(link['state'])]}.")
        if link["rail"] == Rail.LAWPAY_PAGE:
            close_page(work, link, reason=REASON)
            work.audit.line("link.expiry_asked", "link", link_id, actor=by, bill_id=link["bill_id"])
            return _told(work, link, dry_run=dry_run, job=None)
        if work.exceptions.is_open(MISSING, link["clio_id"]):
            # Clio shows nothing that could be expired; a person has looked, and the client holds a dead address.
            work.links.move(link, LinkState.EXPIRED, reason=MISSING)
            work.exceptions.close(MISSING, link["clio_id"])
            if stopped := work.jobs.abandon("link.expire", link_id, reason=MISSING):
                work.exceptions.close_job(stopped)
            work.audit.line("link.expired", "link", link_id, actor=by, why=MISSING)
            ask_for_payment(rt, work, bills_of(work, link))
            return _told(work, link, dry_run=dry_run, job=None)
        work.links.note(link_id, reason=REASON)
        work.jobs.add("link.expire", link_id, link_id=link_id, bill_id=link["bill_id"], reason=REASON)
        job = work.jobs.keyed("link.expire", link_id)
        if job["state"] not in LIVE:
            raise Rejected(
                f"Job {job['id']} was to expire link {link_id} and is {job['state']}: "
                f"`orchestrator jobs show {job['id']}` says why, `orchestrator jobs retry {job['id']}` tries again."
            )
        work.audit.line("link.expiry_asked", "link", link_id, actor=by, bill_id=link["bill_id"])
        return _told(work, link, dry_run=dry_run, job=None if dry_run else job["id"])


def _told(work: Work, link: Row, *, dry_run: bool, job: int | None) -> dict[str, Any]:
    bill = work.mirror.bills([link["bill_id"]]).get(link["bill_id"])
    return {
        "dry_run": dry_run, "link_id": link["id"], "job": job, "bill_id": link["bill_id"], "rail": link["rail"],
        "bill_number": bill.number if bill else None, "amount_cents": link["amount_cents"], "currency": link["currency"],
    }  # fmt: skip
