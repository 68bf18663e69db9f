"""One read just before sending serves every sending that is due (DESIGN §4: reads are batched)."""

from datetime import timedelta

from orchestrator.domain.kinds import Kind
from orchestrator.domain.topics import Urgency
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.usecases.sync_bills import Bills

STALE_AFTER = timedelta(seconds=120)
"""How old a reading may be for making a link, which can be expired again."""

JUST_NOW = timedelta(seconds=30)
"""How old it may be for a message, which cannot; it must also be younger than the moment the message fell due (F61, F62)."""

BATCH = 200


def refresh(rt: Runtime, job: Job, *, since_due: bool) -> None:
    """Make sure this job's bill, and with it the bills of its topic's other due jobs, have been read just now.

    With `since_due` a reading made before the job fell due does not count.
    """
    now = rt.clock()
    oldest = max(job.not_before, now - JUST_NOW) if since_due else now - STALE_AFTER
    with rt.read() as work:
        mine = {job.payload["bill_id"], *job.payload.get("bill_ids", ())}
        due = [int(payload["bill_id"]) for payload in work.jobs.due_payloads(job.topic, limit=BATCH)]
        others = [bill_id for bill_id in due if bill_id not in mine][: max(0, BATCH - len(mine))]
        rows = work.mirror.bill_rows([*mine, *others])
    if mine <= rows.keys() and all(rows[bill_id]["read_at"] >= oldest for bill_id in mine):
        return
    wanted = sorted(bill_id for bill_id, row in rows.items() if row["read_at"] < oldest) or [job.payload["bill_id"]]
    practice, bills = rt.practice(Urgency(job.urgency)), Bills()
    reading = bills.complete(rt, practice, practice.bills.by_ids(wanted))
    with rt.uow() as work:
        bills.apply(rt, work, reading)
        # A bill that the list does not show is looked at again on its own path, which confirms before it concludes (F40).
        work.dirty.mark(Kind.BILL, set(wanted) - {bill.id for bill in reading.bills})
