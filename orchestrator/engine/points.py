"""Named crash points: every boundary of the engine passes exactly one, so crash schedules are generated, not typed (F10)."""

import os
import signal
from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """Where a process may die; the order is the order of a job's life."""

    RING_MARKED = "ring.marked"
    RING_DONE = "ring.done"
    CLAIM_BEGIN = "claim.begin"
    CLAIMED = "claimed"
    EFFECT_PREPARED = "effect.prepared"
    EFFECT_MARKED_SENT = "effect.marked_sent"
    EFFECT_ANSWERED = "effect.answered"
    EFFECT_RECORDING = "effect.recording"
    EFFECT_RECORDED = "effect.recorded"
    EFFECT_SETTLING = "effect.settling"
    EFFECT_SEARCHED = "effect.searched"
    EFFECT_ADOPTED = "effect.adopted"
    STEP_READ = "step.read"
    STEP_RECORDING = "step.recording"
    STEP_RECORDED = "step.recorded"
    VERDICT_REACHED = "verdict.reached"
    VERDICT_RECORDED = "verdict.recorded"
    TICK_RECORDED = "tick.recorded"
    RECEIPT_STORING = "receipt.storing"
    RECEIPT_STORED = "receipt.stored"


Passing = Callable[[Point], None]


def unharmed(_point: Point) -> None:
    """What production does at every point."""


def kill_at(order: str) -> Passing:
    """SIGKILL this process at the n-th passing of a point, as `POINT:n` says: for tests with real processes."""
    name, _, count = order.partition(":")
    point, left = Point(name), int(count or 1)

    def passing(passed: Point) -> None:
        nonlocal left
        if passed is point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return passing
