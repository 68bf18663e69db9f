"""Matches of runs that nobody can sign any more, let go: each run stores all of its own again, and only the last word counts."""

from collections.abc import Callable
from datetime import timedelta

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work

PAGE = 8000
"""Matches in one transaction, which is killed and taken up again like any other."""


def prune_runs(rt: Runtime, *, each: Callable[[Work], None] | None = None) -> int:
    """Let go of the matches of superseded runs that are older than `trust.keep_matches_days`; returns of how many runs.

    The run itself, its figures, differences and outstanding items stay, and everything of a signed or newest run (T42, T46).
    `each` joins every transaction.
    """
    before = rt.clock() - timedelta(days=rt.settings.trust.keep_matches_days)
    with rt.read() as work:
        over = work.runs.superseded(before)
    for run in over:
        more = True
        while more:
            with rt.uow(quietly=True) as work:
                if work.runs.prune(run["id"]):
                    work.audit.line(
                        "run_pruned", "run", run["id"], account=run["account"], cut_off=run["cut_off"].isoformat(),
                        version=run["version"], digest=run["digest"],
                    )  # fmt: skip
                more = work.matches.let_go(run["id"], PAGE) == PAGE
                if each is not None:
                    each(work)
    return len(over)
