"""Ring the workers for what is due. A message is only a bell: losing or repeating one costs nothing (F50, F53)."""

from collections.abc import Callable

from orchestrator.domain.topics import Urgency
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime

IN_FLIGHT = 200
"""Messages a firm may have waiting in the broker: enough to keep workers busy, few enough that urgent work overtakes."""

Ring = Callable[[str, int, str, Urgency], None]
"""Send one message: (firm, job id, topic, urgency)."""


def ring_due(rt: Runtime, ring: Ring) -> int:
    """Ring for due jobs, most urgent first, up to the firm's share of the broker; returns how many."""
    with rt.read() as work:
        # Most often there is nothing: looking takes no lock that a worker might be waiting for.
        if not work.jobs.any_unrung():
            return 0
    with rt.uow(quietly=True, beside=True) as work:
        room = IN_FLIGHT - work.jobs.rung_unclaimed()
        due = work.jobs.ring(limit=room) if room > 0 else []
    if due:
        rt.passing(Point.RING_MARKED)
    for job_id, topic, urgency in due:
        ring(rt.firm, job_id, topic, Urgency(urgency))
    if due:
        rt.passing(Point.RING_DONE)
    return len(due)
