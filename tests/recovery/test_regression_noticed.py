"""F57: how an older copy of a database is told from the present one, and what only a person can say afterwards."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrator.engine.lineage import regression
from orchestrator.engine.schedule import Beat
from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Cause, Gate, Life, Reached
from tests.firm import Firm
from tests.recovery.past import Past, look_in_the_relay_s_log

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
LIFE = Life("b", 40, Gate.OPEN, "a", None, None, None, None, None)


@pytest.mark.parametrize(
    ("seen", "starting", "cause"),
    [
        ([Reached("b", 40)], True, None),
        ([Reached("b", 39)], True, None),
        ([Reached("b", 41)], False, Cause.BEHIND),
        ([Reached("b", 39), Reached("b", 41)], True, Cause.BEHIND),
        ([Reached("c", 1)], False, Cause.OTHER),
        # A mark from before the last recovery, which that recovery has not overwritten yet.
        ([Reached("a", 90)], True, None),
        ([None], True, Cause.UNMARKED),
        ([None, None], False, None),
        ([None, Reached("b", 40)], True, None),
    ],
)
def test_F57_a_database_is_believed_only_if_its_marks_agree(seen, starting, cause):
    assert regression(LIFE, seen, starting=starting) is cause


def test_F57_a_new_database_needs_no_mark_and_a_mark_of_another_one_is_minded():
    new = replace(LIFE, count=0, past_era=None)
    assert regression(new, [None], starting=True) is None
    assert regression(new, [Reached("z", 7)], starting=True) is Cause.OTHER


def cause(firm):
    with firm.rt.read() as work:
        life = work.lineage.life()
    return life.cause if life.recovering else None


def test_F57_a_file_that_somebody_copied_back_is_noticed_by_its_mark(sandbox, database_url, tmp_path):
    past = Past(sandbox, database_url, tmp_path)
    with past.firm() as firm:
        firm.work()
    place = database_url.removeprefix("sqlite:///")
    shutil.copy(place, tmp_path / "old")
    with past.firm() as firm:
        firm.work()
        bill = firm.mailed_bill()
        links, mails = firm.links(), firm.mails()
    shutil.copy(tmp_path / "old", place)
    with past.firm() as firm:
        firm.work()
        assert cause(firm) is Cause.BEHIND
        firm.later(minutes=2)
        firm.later(minutes=16)
        assert cause(firm) is None
        assert (firm.links(), firm.mails()) == (links, mails)
        with firm.rt.read() as work:
            assert [(row["step"], row["state"]) for row in work.messages.of_bill(bill["id"])] == [("invoice", "sent")]
        firm.check()


def test_F57_without_any_mark_a_link_nobody_here_made_gives_it_away(sandbox, database_url, tmp_path):
    past = Past(sandbox, database_url, tmp_path)
    with past.firm() as firm:
        unmarked = Firm(replace(firm.rt, marks=()), sandbox, Beat(replace(firm.rt, marks=())))
        unmarked.work()
        past.take()
        unmarked.mailed_bill()
    shutil.copy(past.file, database_url.removeprefix("sqlite:///"))
    with past.firm() as firm:
        unmarked = Firm(replace(firm.rt, marks=()), sandbox, Beat(replace(firm.rt, marks=())))
        for kind in ("GET /bills", "GET /activities"):
            sandbox.fault(kind, "status", code=503, times=3)
        unmarked.later(minutes=16)
        assert cause(firm) is Cause.UNKNOWN_LINK
        unmarked.later(minutes=2)
        unmarked.later(minutes=16)
        assert cause(firm) is None
        assert (len(firm.links()), len(firm.mails())) == (1, 1)
        firm.check()


def test_F57_a_mail_whose_communication_was_never_logged_is_a_person_s_question(sandbox, database_url, tmp_path):
    past = Past(sandbox, database_url, tmp_path)
    with past.firm() as firm:
        firm.work()
        firm.issued_bill()
        firm.later(minutes=16, seconds=10)  # the link is made, and its message waits for the end of the minute
        assert (len(firm.links()), firm.mails()) == (1, [])
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
        assert job["intent"]["message_id"] == firm.mails()[0]["message_id"]
        assert firm.exceptions() == {"mail_before_restore": 1}
        assert look_in_the_relay_s_log(firm) is False
        with firm.rt.uow() as work:
            assert work.jobs.retry(job["id"])
            work.exceptions.close_job(job["id"])
        firm.later(minutes=3)
        assert firm.jobs("message.send")[0]["reason"] == "mail_before_restore"
        firm.later(days=1)
        assert len(firm.mails()) == 1
        firm.check()
