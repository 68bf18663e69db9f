"""Ring the workers for what is due. A message is only a bell: losing or repeating one costs nothing (F50, F53)."""

from collections.abc import Callable

from orchestrator.domain.topics import Urgency
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime
from orchestrator.telemetry.counters import BELLS

IN_FLIGHT = 200
"""Jobs that a firm alone on its fleet may have out: enough to keep workers busy, few enough that urgent work overtakes."""

BEYOND = ((Urgency.SWEEPS, 0), (Urgency.MONEY, 1), (Urgency.INTERACTIVE, 2))
"""How far beyond the firm's share work at least so urgent may go: it never waits behind the firm's own background."""

Ring = Callable[[str, int, str, Urgency], None]
"""Send one message: (firm, job id, topic, urgency)."""


def fair_share(hands: int, waiting: int) -> int:
    """Jobs that one of many firms may have out: one while anybody waits for a hand, else all hands but two.

    Of the two left, one is for the firm's own urgent work and one for whoever comes next: a firm whose Clio answers slowly
    must not hold every hand. No firm needs more: 50 requests a minute keep one hand busy if each takes a second.
    """
    return 1 if waiting else max(1, hands - 2)


Share = Callable[[], int]
"""How many jobs a firm may have out just now; asked before any transaction is opened."""


def whole() -> int:
    """The share of a firm alone on its fleet."""
    return IN_FLIGHT


def ring_due(rt: Runtime, ring: Ring, share: Share = whole) -> int:
    """Ring for due jobs, most urgent first, while the firm has fewer than its share of jobs out; returns how many."""
    with rt.read() as work:
        # Most often there is nothing: looking takes no lock that a worker might be waiting for.
        if not work.jobs.any_unrung():
            return 0
    most = share()
    due: list[tuple[int, str, int]] = []
    with rt.uow(quietly=True, beside=True) as work:
        out = work.jobs.outstanding()
        for least, beyond in BEYOND:
            room = most + beyond - out - len(due)
            rung = work.jobs.ring(limit=room, least=least) if room > 0 else []
            due += rung
            if len(rung) < room:
                break
    if due:
        rt.passing(Point.RING_MARKED)
    for job_id, topic, urgency in due:
        ring(rt.firm, job_id, topic, Urgency(urgency))
    if due:
        BELLS.labels(rt.firm).inc(len(due))
        rt.passing(Point.RING_DONE)
    return len(due)
