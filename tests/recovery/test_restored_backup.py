"""F57: a database restored from a backup that is two hours old finds out what it forgot, before anything new leaves."""

from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Gate
from tests.recovery.past import Past, books, effects, first_hours, lost_hours, nothing_twice, to_its_end


def life(firm):
    with firm.rt.read() as work:
        return work.lineage.life()


def test_F57_two_lost_hours_are_found_again_and_nothing_is_done_twice(sandbox, either_url, tmp_path):
    past = Past(sandbox, either_url, tmp_path)
    with past.firm() as firm:
        bills = first_hours(firm)
        past.take()
        lost_hours(firm, bills)
        to_its_end(firm)
        known, left = books(firm), effects(firm)
        firm.check()
    assert len(left["links"]) == 7, "the lost hours were not lived as meant"
    past.restore()
    with past.firm() as firm:
        assert life(firm).gate is Gate.ADOPTING
        firm.work()
        assert effects(firm) == left
        to_its_end(firm)
        assert life(firm).gate is Gate.OPEN
        assert effects(firm) == left
        assert books(firm) == known
        assert firm.jobs(None, JobState.PARKED, JobState.FAILED) == []
        nothing_twice(firm)
        firm.check()
        assert sandbox.oracle()["missing"] == []
        after = firm.mailed_bill(dollars=250)
        assert [link["bill_id"] for link in firm.links()][-1] == after["id"]
