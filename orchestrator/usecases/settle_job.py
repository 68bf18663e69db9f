"""A person looked, and the message in doubt did arrive: it counts as sent (F75)."""

from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import JobState
from orchestrator.usecases.send_message import message_sent
from orchestrator.usecases.send_notice import notice_sent
from orchestrator.usecases.send_reminder import reminder_sent
from orchestrator.usecases.trial import trial

MESSAGES = ("message.send", "notice.send", "reminder.send")


def settle_job(rt: Runtime, job_id: int, *, by: str, dry_run: bool) -> str:
    """End one parked message as sent, on the word of `by`; returns its Message-ID, `Rejected` says why not.

    Everything else that can be in doubt can be searched for, and adopts what it finds when it is retried.
    """
    with trial(rt, dry_run=dry_run) as work:
        row = work.jobs.get(job_id)
        if row is None:
            raise Rejected(f"There is no job {job_id}.")
        if row["topic"] not in MESSAGES:
            raise Rejected(
                f"Job {job_id} ({row['topic']}) can find out by itself: `orchestrator jobs retry {job_id}` searches first."
            )
        if row["state"] != JobState.PARKED or row["sent_at"] is None:
            raise Rejected(f"Job {job_id} is {row['state']} and nothing about it is in doubt.")
        work.jobs.settle(job_id, evidence={"arrived": True, "said_by": by})
        message_id = str(row["intent"]["message_id"])
        if row["topic"] == "notice.send":
            notice_sent(rt, work, row["payload"]["draw_id"], message_id, at=row["sent_at"], actor=by)
        elif row["topic"] == "reminder.send":
            reminder_sent(work, row["payload"], row["intent"], at=row["sent_at"], actor=by)
        else:
            message_sent(work, row["payload"], message_id, at=row["sent_at"], actor=by)
        work.exceptions.close_job(job_id)
        work.audit.line("job.settled", "job", job_id, actor=by, topic=row["topic"], message=message_id)
    return message_id
