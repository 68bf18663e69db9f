"""W12: our links beside Clio's whole list of active ones, which shows what no list of changes does."""

from collections.abc import Collection, Mapping

from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import LinkState, RemoteLink, key_of
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.recover import held, notice_forgotten
from orchestrator.usecases.sync_links import MISSING, Links

EVERY_SWEEP = 600
"""Links whose whole list, three pages at most, is read with every sweep; a longer one is read once an hour."""


def want_comparison(work: Work) -> None:
    """Intend the comparison that belongs to this sweep; what is made from now on needs none yet."""
    live = len(work.links.live())
    if live:
        work.jobs.add(
            "links.compare", f"{work.now:%Y-%m-%dT%H:%M}" if live <= EVERY_SWEEP else f"{work.now:%Y-%m-%dT%H}"
        )


def compare_links(job: Job, rt: Runtime) -> None:
    """Read every active link there is, and compare."""
    with rt.read() as work:
        live = work.links.live()
    practice = rt.practice(Urgency(job.urgency))
    active = {link.id: link for link in held(rt, job, practice.active_links())}
    with step(rt, job, {"active": len(active)}) as work:
        compare(rt, work, live, active)


def compare(rt: Runtime, work: Work, live: Collection[int], active: Mapping[int, RemoteLink]) -> None:
    """What is missing there is read again, what is missing here adopted, what is over here ended there; others' are counted.

    `live` are ours from before the list was read. A list that lacks one of them may lack others' as well, and then says
    nothing about those.
    """
    told = {
        kind: {int(row["key"]) for row in work.exceptions.listed(kind=kind, limit=None)}
        for kind in (MISSING, "foreign_link")
    }
    missing = set(live) - active.keys()
    for link_id in told[MISSING] - missing:
        work.exceptions.close(MISSING, link_id)
    work.dirty.mark(Kind.LINK, missing)
    ours = work.links.by_clio_ids(active)
    for link_id, row in ours.items():
        if row["state"] == LinkState.EXPIRED and row["reason"] != "time" and link_id not in live:
            work.jobs.add("link.revoke", link_id, clio_id=link_id, bill_id=row["bill_id"])
    if missing <= told[MISSING]:
        for link_id in told["foreign_link"] - active.keys():
            work.exceptions.close("foreign_link", link_id)
        others = [link for link in active.values() if link.id not in ours and key_of(link) is None]
        if work.links.recount(foreign_active=len(others)):
            # There are more than anybody told us of.
            Links().apply(rt, work, others)
    notice_forgotten(rt, work, active.values())
