"""A person has one payment link expired; the bill gets no other by itself until its amount changes."""

from typing import Any

from orchestrator.domain.links import LinkState
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import LIVE
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

    The job looks again before it acts: a link that was paid a moment before is honoured (F12).
    """
    with trial(rt, dry_run=dry_run) as work:
        link = work.links.get(link_id)
        if link is None:
            raise Rejected(f"There is no link {link_id}.")
        if link["state"] != LinkState.LIVE:
            raise Rejected(f"Link {link_id} cannot be expired: {WHY_NOT[LinkState(link['state'])]}.")
        work.links.note(link_id, reason=REASON)
        work.jobs.add("link.expire", link_id, link_id=link_id, bill_id=link["bill_id"], reason=REASON)
        job = work.jobs.keyed("link.expire", link_id)
        if job["state"] not in LIVE:
            raise Rejected(
                f"Job {job['id']} was to expire link {link_id} and is {job['state']}: "
                f"`orchestrator jobs show {job['id']}` says why, `orchestrator jobs retry {job['id']}` tries again."
            )
        work.audit.line("link.expiry_asked", "link", link_id, actor=by, bill_id=link["bill_id"])
        bill = work.mirror.bills([link["bill_id"]]).get(link["bill_id"])
        return {
            "dry_run": dry_run, "link_id": link_id, "job": None if dry_run else job["id"], "bill_id": link["bill_id"],
            "bill_number": bill.number if bill else None, "amount_cents": link["amount_cents"], "currency": link["currency"],
        }  # fmt: skip
