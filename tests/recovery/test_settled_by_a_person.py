"""F57, F75: after a restore, a person who found the message in the relay's log says so, and it counts as sent."""

from orchestrator.storage.jobs import JobState
from orchestrator.usecases.settle_job import settle_job
from tests.recovery.past import Past


def test_F57_a_message_in_doubt_after_a_restore_is_settled_by_a_person_s_word(sandbox, database_url, tmp_path):
    past = Past(sandbox, database_url, tmp_path)
    with past.firm() as firm:
        firm.work()
        bill = firm.issued_bill()
        firm.later(minutes=16, seconds=10)
        past.take()
        sandbox.fault("POST /communications", "status", code=503, times=None)
        firm.later(minutes=2)
        assert len(firm.mails()) == 1
    sandbox.clear_faults()
    past.restore()
    with past.firm() as firm:
        firm.work()
        firm.later(minutes=2)
        firm.later(minutes=16)
        [job] = firm.jobs("message.send")
        assert (job["state"], job["reason"]) == (JobState.PARKED, "mail_before_restore")
        assert settle_job(firm.rt, job["id"], by="nora", dry_run=False) == firm.mails()[0]["message_id"]
        assert firm.exceptions() == {}
        firm.later(minutes=3)
        firm.later(days=1)
        with firm.rt.read() as work:
            [message] = work.messages.of_bill(bill["id"])
        assert message["state"] == "sent"
        assert message["communication_id"] is not None
        assert len(firm.mails()) == len(firm.effects("communication.created")) == 1
        firm.check()
