"""F57 by seed: the backup is taken between any two jobs, the firm dies at any point of its later life, and the copy takes over.

`ORCH_TEST_SEED=17 pytest tests/recovery/test_any_moment_restored.py` plays that one again, or one that nobody has seen.
"""

import contextlib
import os
import random

import pytest

from orchestrator.engine.points import Point
from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Gate
from tests.firm import Died
from tests.recovery.past import (
    CopyAt,
    Past,
    first_hours,
    look_in_the_relay_s_log,
    lost_hours,
    nothing_twice,
    to_its_end,
)

SEEDS = [int(os.environ["ORCH_TEST_SEED"])] if "ORCH_TEST_SEED" in os.environ else list(range(48))
JOBS_UNTIL_LOST = (6, 60)
"""Among which claims of the life the backup is taken: it begins with the first bill, and something is lost after it."""


class DieAt:
    """Passes on to `then`, and dies for good at the n-th passing of anything once the backup exists."""

    def __init__(self, past, then, nth):
        self._past, self._then, self._left = past, then, nth

    def __call__(self, point):
        self._then(point)
        if self._past.file.exists():
            self._left -= 1
            if self._left == 0:
                raise Died(point)


class Shaken:
    """Dies once at each of some points while recovering: whoever starts next goes on."""

    def __init__(self, dice, times):
        self._at = {dice.randint(1, 120) for _ in range(times)}
        self._passed = 0

    def __call__(self, point):
        self._passed += 1
        if self._passed in self._at and point is not Point.TICK_RECORDED:
            raise Died(point)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_F57_a_copy_from_any_moment_repeats_nothing_and_loses_nothing(sandbox, request, tmp_path, seed):
    url = request.getfixturevalue("postgres_url" if seed % 3 == 0 else "database_url")
    dice = random.Random(f"F57:{seed}")
    past = Past(sandbox, url, tmp_path)
    copy = CopyAt(past, dice.randint(*JOBS_UNTIL_LOST))
    with contextlib.suppress(Died), past.firm(DieAt(past, copy, dice.randint(20, 450))) as firm:
        lost_hours(firm, first_hours(firm))
        to_its_end(firm, look_in_the_relay_s_log)
    assert past.file.exists(), "the life was over before the backup"
    past.restore()
    shaken = Shaken(dice, dice.randint(0, 3))
    for _ in range(6):
        with contextlib.suppress(Died), past.firm(shaken) as firm:
            to_its_end(firm, look_in_the_relay_s_log)
            break
    with past.firm() as firm:
        to_its_end(firm, look_in_the_relay_s_log)
        with firm.rt.read() as work:
            assert work.lineage.life().gate is Gate.OPEN
        nothing_twice(firm)
        firm.check()
        stopped = firm.jobs(None, JobState.PARKED, JobState.FAILED)
        assert {row["reason"] for row in stopped} <= {"mail_before_restore", "mail_outcome_unknown"}
        ended = {row["subject_id"] for row in exceptions(firm, "link_ended_unseen")}
        assert [lack for lack in sandbox.oracle()["missing"] if lack.get("bill_id") not in ended] == []


def exceptions(firm, kind):
    with firm.rt.read() as work:
        return work.exceptions.listed(kind=kind)
