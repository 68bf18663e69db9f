"""Notice that the database is older than what was done with it, and let nothing leave before that is found out (F57)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from orchestrator.domain.audit_chain import STEP_BACK
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Transient
from orchestrator.storage.lineage import Cause, Life, Mark, Reached
from orchestrator.storage.unit_of_work import Work

log = structlog.get_logger()


def watch(rt: Runtime, *, starting: bool = False) -> None:
    """Compare the database with its marks outside, begin to recover if it is behind them, and mark how far it is now.

    Only a process that is `starting` minds that there is no mark: a running one has made it, and makes it again. Where Redis
    alone remembers, nobody minds: it may be flushed at any time, and that must cost nobody a look (F50).
    """
    if not rt.marks:
        return
    with rt.read() as work:
        known = work.lineage.life()
    # Before the life that they are compared with: the database only grows meanwhile, so a mark ahead of it is ahead for good.
    seen = [_read(mark, starting=starting) for mark in rt.marks]
    if known.count == 0 and not any(seen):
        # Marked before it first counts: processes that start together must not take each other's first count for a lost mark.
        for mark in rt.marks:
            mark.write(Reached(known.era, 0))
    with rt.uow(quietly=True) as work:
        mind = starting and known.count > 0 and any(mark.lasting for mark in rt.marks)
        life = work.lineage.life()
        cause = regression(life, seen, starting=mind) or _compared(work, life, seen)
        if cause is not None:
            begin(work, cause, settle_seconds=rt.settings.engine.settle_seconds)
        _look_at_the_clock(work)
        reached = work.lineage.advance()
        seq, head = work.audit.head() or (0, "")
        reached = replace(reached, seq=seq, head=head)
    for mark in rt.marks:
        mark.write(reached)


def _read(mark: Mark, *, starting: bool) -> Reached | None:
    try:
        return mark.read()
    except Transient:
        if starting:
            raise
        return None


def regression(life: Life, seen: Sequence[Reached | None], *, starting: bool) -> Cause | None:
    """Why this database must be taken for an older copy of itself, or None: what is not known counts as regressed."""
    marks = [mark for mark in seen if mark is not None and mark.era != life.past_era]
    if any(mark.era != life.era for mark in marks):
        return Cause.OTHER
    if any(mark.count > life.count for mark in marks):
        return Cause.BEHIND
    return Cause.UNMARKED if starting and life.count > 0 and not any(seen) else None


def _compared(work: Work, life: Life, seen: Sequence[Reached | None]) -> Cause | None:
    """Compare the audit chain with what the marks say of it: cut, the database has lost a part of its past (F57, F82)."""
    marks = [mark for mark in seen if mark is not None and mark.era == life.era and mark.seq]
    found = {mark.seq: work.audit.hash_at(mark.seq) for mark in marks}
    if any(found[mark.seq] is not None and found[mark.seq] != mark.head for mark in marks):
        alarm(work, "The newest lines are others than those that were noted outside the database.")
    if all(found[mark.seq] is not None for mark in marks):
        return None
    alarm(work, "The newest lines are gone, and nothing else is.")
    return Cause.AUDIT_CUT


def _look_at_the_clock(work: Work) -> None:
    """Tell a person when the firm's clock is behind what was already written, for as long as it is (F60, F82)."""
    last = work.audit.last_at()
    if last is not None and work.now < last - STEP_BACK:
        if not work.exceptions.is_open("clock_put_back", "clock"):
            said = f"The clock says {work.now:%Y-%m-%d %H:%M} UTC; the newest audit line is of {last:%Y-%m-%d %H:%M}."
            work.exceptions.open("clock_put_back", "clock", said)
    elif work.exceptions.is_open("clock_put_back", "clock"):
        work.exceptions.close("clock_put_back", "clock")


def alarm(work: Work, sentence: str) -> None:
    """Tell a person that the audit lines are not what was written; once, until it is resolved."""
    if not work.exceptions.is_open("audit_chain_broken", "audit"):
        work.exceptions.open("audit_chain_broken", "audit", f"{sentence} `orchestrator audit verify` names the first.")
        log.warning("audit.broken")


def begin(work: Work, cause: Cause, *, settle_seconds: float) -> None:
    """Shut the gate, and intend the adoption of what the lost part of the past has made."""
    # Another database's mark, or a link out of nowhere, says nothing about how much is missing.
    since = None if cause in (Cause.OTHER, Cause.UNKNOWN_LINK, Cause.AUDIT_CUT) else work.lineage.last_known()
    life = work.lineage.begin(cause, since=since)
    # What left a moment before may not be visible yet (F03).
    settled = work.now + timedelta(seconds=settle_seconds)
    work.jobs.add("recovery.adopt", life.era, at=settled, era=life.era)
    work.audit.line("recovery.began", "database", life.era[:12], why=cause, since=since.isoformat() if since else None)
    log.warning("recovery.began", why=cause)
