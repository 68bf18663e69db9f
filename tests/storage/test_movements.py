from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.storage.references import Entry
from orchestrator.usecases.rerun_breaks import reopen
from tests.storage.rows import a_break


def seen(number=1, **facts):
    values = {
        "source": Source.LAWPAY,
        "external_id": f"ch_{number}",
        "account": "iolta",
        "amount_cents": 125_000,
        "currency": "USD",
        "on": date(2026, 3, 2),
        "at": datetime(2026, 3, 2, 15, tzinfo=UTC),
        "kind": MovementKind.DEPOSIT,
        "status": MovementStatus.SETTLED,
        "reference": "00012-Smith",
    }
    return Movement(**(values | facts))


def test_what_was_seen_is_known(uow):
    with uow() as work:
        assert work.movements.see([seen(1), seen(2, account=None, matter_id=7)]) == 2
    with uow.read() as work:
        assert work.movements.current() == [seen(1), seen(2, account=None, matter_id=7)]


def test_seeing_the_same_again_adds_nothing(uow):
    for expected in (1, 0, 0):
        with uow() as work:
            assert work.movements.see([seen(), seen()]) == expected


def test_T44_a_change_is_a_new_version_and_the_old_one_stays(uow):
    with uow() as work:
        work.movements.see([seen()])
        then = work.movements.newest()
    with uow() as work:
        assert work.movements.see([replace(seen(), status=MovementStatus.FAILED)]) == 1
    with uow.read() as work:
        assert [movement.status for movement in work.movements.current()] == [MovementStatus.FAILED]
        old, new = work.movements.versions(Source.LAWPAY, "ch_1")
    assert (old["version"], old["status"], old["ended_by"]) == (1, "settled", new["id"])
    assert old["id"] <= then < new["id"]


def test_a_moment_said_in_another_zone_is_the_same_moment():
    there = datetime.fromisoformat("2026-03-02T10:00:00-05:00")
    assert replace(seen(), at=there).digest == seen().digest


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"account": "iolta"}, [1, 3]),
        ({"source": Source.BANK}, [3]),
        ({"since": date(2026, 3, 3)}, [2]),
        ({"until": date(2026, 3, 2), "limit": 1}, [1]),
    ],
)
def test_movements_are_found_by_account_source_or_day(uow, asked, found):
    third = seen(3, source=Source.BANK)
    with uow() as work:
        work.movements.see([seen(1), seen(2, account="operating", on=date(2026, 3, 3)), third])
    with uow.read() as work:
        assert [movement.external_id for movement in work.movements.current(**asked)] == [f"ch_{one}" for one in found]


def test_W11_a_mapped_reference_reopens_the_breaks_it_explains_and_no_other(uow):
    with uow() as work:
        mine = a_break(work, reference="12 smith", run_id=4)
        other = a_break(work, reference="00013-Jones", run_id=4)
        settled = a_break(work, reference="00012-Smith", run_id=3, state="settled")
        differs = a_break(work, reference="00012-Smith", run_id=4, kind="amount_differs")
        wrong = a_break(work, reference="00012-SMITH", run_id=4, kind="wrong_matter")
        work.references.add(Entry("any", "mapped", "00012-Smith", 7), source="operator")
        assert reopen(work, "00012-Smith") == 2
    with uow.read() as work:
        states = [work.breaks.get(ident)["state"] for ident in (mine, other, settled, differs, wrong)]
        jobs = work.jobs.listed(topic="reconcile.window")
    assert states == ["reopened", "open", "settled", "open", "reopened"]
    assert [(job["payload"]["account"], job["payload"]["run_id"]) for job in jobs] == [("iolta", 4)]


def test_an_empty_reference_explains_nothing(uow):
    with uow() as work:
        a_break(work, reference="")
        assert reopen(work, " - ") == 0
