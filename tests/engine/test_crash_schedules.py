"""F10: schedules of sudden death, generated from the list of points and a seed; the oracle counts what came of them.

A failing one has its seed in its name; `ORCH_TEST_SEED=17 pytest tests/engine/test_crash_schedules.py -k seeded` plays that one
again, and any other number a schedule nobody has seen.
"""

import os
import random
from contextlib import ExitStack

import pytest

from orchestrator.engine.points import Point
from tests.engine.life import Deaths, Life, bad_weather, told

NEVER_PASSED: dict[Point, str] = {}
"""Points a life in one process cannot pass, and why; empty, and meant to stay so."""

ALWAYS = ((Point.EFFECT_MARKED_SENT, 3),)
"""One death that every life has: without it nothing would ever be found half done, and settling never passed."""


def lived(sandbox, database_url, deaths, *, script=()):
    with ExitStack() as stack:
        life = Life(sandbox, database_url, deaths, stack)
        sandbox.fault("POST /clio_payments/links", "lose_answer", skip=1)
        life.play()
        try:
            life.check()
        except AssertionError as breach:
            dead = f"died at {dict(deaths.died)}; {told(script)}"
            raise AssertionError(f"{breach}\n{dead}") from breach
        return life


def test_F10_a_life_without_deaths_passes_every_point(sandbox, either_url):
    deaths = Deaths(always=ALWAYS)
    lived(sandbox, either_url, deaths)
    assert set(Point) - deaths.passed.keys() == NEVER_PASSED.keys()


def plans(together):
    """Every point, `together` at a time, each dying one to three times in a row."""
    dice = random.Random("F10")
    points = [point for point in Point if point not in NEVER_PASSED]
    dice.shuffle(points)
    for start in range(0, len(points), together):
        yield {point: (1, dice.randint(1, 3)) for point in points[start : start + together]}


@pytest.mark.parametrize("plan", list(plans(together=3)), ids=" ".join)
def test_F10_dying_at_any_point_loses_nothing_repeats_nothing(sandbox, database_url, plan):
    deaths = Deaths(plan, always=ALWAYS)
    lived(sandbox, database_url, deaths)
    assert plan.keys() <= deaths.died.keys()


SEEDS = [int(os.environ["ORCH_TEST_SEED"])] if "ORCH_TEST_SEED" in os.environ else list(range(300))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_F10_a_seeded_schedule_with_bad_weather_loses_nothing_repeats_nothing(sandbox, request, seed):
    database_url = request.getfixturevalue("postgres_url" if seed % 3 == 0 else "database_url")
    dice = random.Random(seed)
    points = sorted(point for point in Point if point not in NEVER_PASSED)
    chosen = dice.sample(points, dice.randint(1, 3))
    deaths = Deaths({point: (dice.randint(1, 12), dice.randint(0, 3)) for point in chosen}, always=ALWAYS)
    lived(sandbox, database_url, deaths, script=bad_weather(sandbox, dice, most=6))
