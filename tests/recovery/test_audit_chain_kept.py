"""F57, F82: what the database itself cannot show about its audit lines, the heads that were noted outside do."""

import json
import shutil
from datetime import timedelta

import pytest
import sqlalchemy as sa

from orchestrator.storage.lineage import Cause
from orchestrator.storage.tables import audit
from orchestrator.usecases.verify_audit import verify_audit
from tests.recovery.past import Past


@pytest.fixture
def past(sandbox, database_url, tmp_path):
    return Past(sandbox, database_url, tmp_path)


@pytest.fixture
def either_past(sandbox, either_url, tmp_path):
    return Past(sandbox, either_url, tmp_path)


def cause(firm):
    with firm.rt.read() as work:
        life = work.lineage.life()
    return life.cause if life.recovering else None


def lived(past):
    """Some days of a firm with its lines, and its processes stopped; the last of them marked how far it was."""
    with past.firm() as firm:
        firm.work()
        firm.mailed_bill()
        firm.later(days=1)
        firm.issued_bill()
        firm.later(minutes=16)
        firm.later(minutes=2)
    with past.firm() as firm:
        firm.tick()  # a mark is made every 15 s of real time, and at a start


def change(firm, statement):
    with firm.rt.uow(quietly=True) as work:
        work.connection.execute(statement)


def newest(firm):
    with firm.rt.read() as work:
        return work.audit.head()[0]


def test_every_day_s_head_is_noted_outside_and_says_the_same_as_the_chain(past, tmp_path):
    lived(past)
    with past.firm() as firm:
        heads = [json.loads(line) for line in (tmp_path / "mark" / "main.heads").read_text().splitlines()]
        assert [head["at"][:10] for head in heads] == ["2026-03-03"], "on the first day there was no line yet"
        assert heads[0]["seq"] < newest(firm)
        found = verify_audit(firm.rt)
        assert (found["intact"], found["heads"]) == (True, 2)
        assert firm.exceptions() == {}


def test_F82_a_cut_tail_is_noticed_at_the_start_and_the_firm_recovers(either_past):
    lived(either_past)
    with either_past.firm() as firm:
        cut = newest(firm) - 2
        change(firm, sa.delete(audit).where(audit.c.seq > cut))
        found = verify_audit(firm.rt)
        assert (found["intact"], found["first_bad_seq"], found["fault"]) == (False, cut + 1, "cut")
    with either_past.firm() as firm:
        links, mails = firm.links(), firm.mails()
        firm.tick()
        assert cause(firm) is Cause.AUDIT_CUT
        assert firm.exceptions() == {"audit_chain_broken": 1}
        for _ in range(3):
            firm.later(minutes=16)
        assert cause(firm) is None
        assert (firm.links(), firm.mails()) == (links, mails)
        firm.check()


def test_F82_an_edited_last_line_is_noticed_at_the_start_and_nothing_stops_for_it(either_past):
    lived(either_past)
    with either_past.firm() as firm:
        change(firm, sa.update(audit).where(audit.c.seq == newest(firm)).values(actor="nora", hash="f" * 64))
    with either_past.firm() as firm:
        firm.tick()
        assert cause(firm) is None
        assert firm.exceptions() == {"audit_chain_broken": 1}
        found = verify_audit(firm.rt)
        assert found["intact"] is False


def test_F82_an_edited_line_of_today_is_noticed_within_the_day(past):
    lived(past)
    with past.firm() as firm:
        bad = newest(firm) - 1
        change(firm, sa.update(audit).where(audit.c.seq == bad).values(facts={"cents": 1}))
        firm.work()
        assert firm.exceptions() == {}
        firm.later(days=1)
        assert firm.exceptions() == {"audit_chain_broken": 1}
        with firm.rt.read() as work:
            [row] = work.exceptions.listed(kind="audit_chain_broken")
        assert row["summary"].startswith(f"Line {bad} is not as it was written.")
        firm.later(days=1)
        assert firm.exceptions() == {"audit_chain_broken": 1}, "told once"


def test_F57_after_a_restored_copy_recovered_its_chain_is_whole_again(past, sandbox, database_url, tmp_path):
    with past.firm() as firm:
        firm.work()
        firm.mailed_bill()
        firm.later(days=1)
    place = database_url.removeprefix("sqlite:///")
    shutil.copy(place, tmp_path / "old")
    lived(past)
    shutil.copy(tmp_path / "old", place)
    with past.firm() as firm:
        assert verify_audit(firm.rt)["fault"] == "cut"
        firm.work()
        assert cause(firm) is Cause.BEHIND
        for _ in range(3):
            firm.later(minutes=16)
        firm.later(days=1)
        assert cause(firm) is None
        found = verify_audit(firm.rt)
        assert (found["intact"], found["first_bad_seq"]) == (True, None)
        assert "audit_chain_broken" not in firm.exceptions()


def test_F82_a_line_that_pretends_to_be_a_recovery_excuses_nothing(past):
    lived(past)
    with past.firm() as firm:
        with firm.rt.uow() as work:
            work.audit.line("recovery.began", "database", "f" * 12)
        found = verify_audit(firm.rt)
        assert (found["first_bad_seq"], found["fault"]) == (newest(firm), "edited")


def test_F82_a_clock_that_was_put_back_is_told_as_long_as_it_is_behind(past, sandbox):
    lived(past)
    now = sandbox.now()
    sandbox.reset("tiny", seed=1, now=(now - timedelta(hours=1)).isoformat(), frozen=True, rate_limit=100_000)
    with past.firm() as firm:
        firm.tick()
        assert firm.exceptions() == {"clock_put_back": 1}
    sandbox.clock_advance(3600 + 60)
    with past.firm() as firm:
        firm.tick()
        assert firm.exceptions() == {}
