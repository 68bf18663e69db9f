"""F10: schedules of death, freezing and disconnection, drawn by number; the sandbox's own record counts what came of them.

A sample here; `make crash` plays thousands, and `python -m tests.crash --seed N` any one of them again.
"""

import pytest

from orchestrator.engine.points import Point
from tests.crash.many import a_stage, kept, totals
from tests.crash.schedules import BLOWS, draw, play
from tests.crash.trouble import Kind


@pytest.fixture(scope="module")
def stage():
    with a_stage(None) as stage:
        yield stage


@pytest.fixture(scope="module")
def postgres_stage(postgres_server):
    with a_stage(postgres_server) as stage:
        yield stage


def played(stage, seeds):
    outcomes = [play(stage, seed) for seed in seeds]
    told = [f"seed {one.seed}: {one.schedule}: {one.breaches}" for one in outcomes if one.breaches]
    assert told == []
    return totals(outcomes)


def struck_first(kind):
    """The seeds of the first round, in which every way to be struck comes first once."""
    return [seed for seed, (how, _) in enumerate(BLOWS) if how is kind]


def test_a_seed_is_one_schedule_for_ever():
    assert [draw(seed) for seed in range(200)] == [draw(seed) for seed in range(200)]
    assert str(draw(3)) != str(draw(3 + len(BLOWS)))


def test_F10_dying_at_every_point_there_is_loses_nothing_and_repeats_nothing(stage):
    found = played(stage, struck_first(Kind.DEATH))
    assert found["points_never_killed"] == []
    assert found["points_killed"] == found["points_existing"] == len(Point)
    assert kept(found)


def test_F11_a_worker_frozen_past_its_lease_at_any_point_changes_nothing_when_it_wakes(stage):
    found = played(stage, struck_first(Kind.FREEZE))
    assert found["effects_per_intent"] == 1.0
    assert len(found["freezes"]) > len(Point) / 2


def test_F55_a_connection_lost_around_any_commit_decides_nothing(stage):
    found = played(stage, struck_first(Kind.DISCONNECT))
    assert found["effects_per_intent"] == 1.0
    assert found["disconnects"]


LONG = [range(first, first + 25) for first in range(len(BLOWS), len(BLOWS) + 400, 25)]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", LONG, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_F10_seeded_schedules_with_bad_weather_lose_nothing_and_repeat_nothing(stage, seeds):
    assert played(stage, seeds)["effects_per_intent"] == 1.0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", [5000, 5025])
def test_F10_the_same_on_postgres(postgres_stage, first):
    assert played(postgres_stage, range(first, first + 25))["effects_per_intent"] == 1.0
