"""T47, F82: whether the audit lines are as they were written, and the day's head of their chain noted outside the database."""

from collections.abc import Callable
from typing import Any

from orchestrator.domain.audit_chain import Check, Fault, Finding, Head
from orchestrator.engine.lineage import alarm
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Transient
from orchestrator.storage.lineage import Life
from orchestrator.storage.unit_of_work import Work


def verify_audit(rt: Runtime, *, told: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Read the whole chain in order and compare it with every head that was noted of it; `told` how many lines so far."""
    heads = noted(rt)
    with rt.read() as work:
        found = checked(work, heads, told=told)
        return told_of(found, heads, work.audit.head())


def told_of(found: Check, heads: list[Head], total: tuple[int, str] | None) -> dict[str, Any]:
    """What a check of the whole chain says, as facts."""
    first, clock = found.first, found.clock
    return {
        "intact": first is None,
        "lines": found.lines,
        "first_bad_seq": first.seq if first else None,
        "fault": first.fault if first else None,
        "words": first.words if first else None,
        "clock_back_seq": clock.seq if clock else None,
        "findings": [{"seq": one.seq, "fault": one.fault} for one in found.findings],
        "heads": len(heads),
        "head": {"seq": total[0], "hash": total[1]} if total else None,
    }


def checked(work: Work, heads: list[Head], *, told: Callable[[int], None] = lambda _: None) -> Check:
    """The whole chain of this database, against these heads."""
    check = Check(tuple(heads))
    for line in work.audit.lines():
        check.read((line,))
        if check.lines % 1000 == 0:
            told(check.lines)
    told(check.lines)
    return _lives(check, work.lineage.life()).end()


def noted(rt: Runtime) -> list[Head]:
    """Every head that was noted outside the database, those of the marks too."""
    heads = rt.heads.read() if rt.heads is not None else []
    for mark in rt.marks:
        try:
            reached = mark.read()
        except Transient:
            continue
        if reached is not None and reached.seq:
            heads.append(Head(reached.seq, reached.head, reached.era))
    return heads


def verify_newest(rt: Runtime) -> None:
    """Check what was written since the head noted last, raise the alarm if it is not whole, and note the new head."""
    if rt.heads is None:
        return
    with rt.read() as work:
        life, now = work.lineage.life(), work.now
    last, check = newest(rt)
    if check.first is not None:
        with rt.uow() as work:
            alarm(work, check.first.words)
    elif check.last_seq and (last is None or last.seq != check.last_seq):
        rt.heads.add(Head(check.last_seq, check.last_hash, era=life.era, at=now))


def newest(rt: Runtime) -> tuple[Head | None, Check]:
    """The head noted last whose line is still there, and the check of what was written since."""
    with rt.read() as work:
        last = _last(work, rt.heads.read()) if rt.heads is not None else None
        check = Check(last_seq=last.seq, last_hash=last.hash) if last is not None else Check()
        head = work.audit.head()
        lines = work.audit.lines(after=check.last_seq, until=head[0]) if head is not None else ()
        return last, check.read(lines).end()


def _last(work: Work, heads: list[Head]) -> Head | None:
    """The head noted last whose line is still here: what comes before it was checked then, and its hash speaks for all of it."""
    return next((head for head in reversed(heads) if work.audit.hash_at(head.seq) == head.hash), None)


def _lives(check: Check, life: Life) -> Check:
    """A line that pretends to begin another life would excuse what is missing: the last one must be of this life."""
    if check.lives and not life.era.startswith(check.lives[-1].subject_id):
        check.findings.append(Finding(check.lives[-1].seq, Fault.EDITED))
    return check
