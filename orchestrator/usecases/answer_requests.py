"""W4: a bill answers the request whose entries it carries."""

from collections import Counter
from collections.abc import Collection

from orchestrator.storage.unit_of_work import Work


def answer_requests(work: Work, matter_ids: Collection[int]) -> list[int]:
    """Match open requests of these matters to the bill that most of their entries are on; returns the bills' ids."""
    answered = []
    for request in work.billing.asked_of(matter_ids):
        on = Counter(row["bill_id"] for row in work.mirror.entries(request["entry_ids"]) if row["bill_id"] is not None)
        if not on:
            continue
        bill_id, _ = on.most_common(1)[0]
        work.billing.move(request["id"], "billed", bill_id=bill_id)
        work.mirror.bill_answers(bill_id, request["id"])
        work.audit.line("request.billed", "request", request["id"], bill_id=bill_id, matter_id=request["matter_id"])
        answered.append(bill_id)
    return answered
