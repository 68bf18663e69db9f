"""The one way to change something outside, whatever it is and whoever does it.

    look ──► intent ──► SENT, committed ──► send, within a deadline ──► classify ──► record
                              │ no answer stored
                              └─► settle ──► search ──► adopt what is there, or send once more

A crash at any arrow loses nothing and repeats nothing: before SENT nothing has left; after it, only a complete search
that finds nothing allows another attempt. What cannot be searched is parked, never resent.

After the database lost a part of its past (F57), what that part may have done takes the same path: marked SENT, searched,
and sent only if a complete search finds nothing.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from orchestrator.domain.topics import PASSING
from orchestrator.engine import verdicts
from orchestrator.engine.endings import ended
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import NeedsReview, OutcomeUnknown, Rejected, Transient
from orchestrator.leaving import leaving_by
from orchestrator.storage.jobs import Job, JobState
from orchestrator.storage.lineage import Life
from orchestrator.storage.unit_of_work import Work

Intent = dict[str, Any]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Unneeded:
    """Looking showed that the effect is not wanted any more, or is there already; `reason` is a code of `domain.reasons`."""

    reason: str


class Effect(ABC, Generic[Made]):
    """One kind of change outside; a subclass says how to look, send, find again, and record it."""

    sees_itself: ClassVar[bool] = False
    """Whether looking reads the very thing that would be changed: a search before sending would only read it again."""

    lost: Life | None = None
    """The recovery after which this may have been done in a past that the database lost (F57)."""

    adopted = False
    """Whether what is being recorded was found, not made."""

    def __init__(self, rt: Runtime, job: Job) -> None:
        self.rt = rt
        self.job = job

    @abstractmethod
    def look(self) -> Intent | Unneeded:
        """Read what decides now, and say what to send (JSON values), or why not. May read Clio; writes nothing."""

    def leaving(self, work: Work, intent: Intent) -> None:
        """What is true from the moment it may have left, in the transaction that marks it SENT."""

    def doubtful(self, life: Life) -> bool:
        """Whether it may have been done in the part of the past that this recovery could not know."""
        return life.doubtful(self.job.created_at)

    @property
    def sent_since(self) -> datetime:
        """The earliest moment at which it may have been sent."""
        sent = self.job.sent_at or self.rt.clock()
        return sent if self.lost is None else min(sent, self.lost.lost_from)

    @abstractmethod
    def send(self, intent: Intent) -> Made:
        """The one outside call. Its errors say whether it happened (`ports`)."""

    @abstractmethod
    def search(self, intent: Intent) -> Sequence[Made]:
        """Everything outside that this intent may have made; complete, or it raises (F13)."""

    @abstractmethod
    def record(self, work: Work, intent: Intent, made: Made) -> None:
        """What follows from it, in the transaction that ends the job."""

    def unneeded(self, work: Work, reason: str) -> None:
        """What follows from not doing it, in the transaction that revokes the job."""

    def refused(self, work: Work, refusal: Rejected) -> str | None:  # noqa: ARG002
        """What follows from a final refusal, in the same transaction; a reason to revoke the job, or None to fail it."""
        return None


def perform(effect: Effect[Made]) -> None:
    """Bring one effect about exactly once, however often this is called, interrupted or raced."""
    effect.lost = _lost(effect)
    try:
        if effect.job.state is JobState.SENT:
            _adopt_or_resend(effect)
        elif effect.lost is not None and not effect.sees_itself and not _doubted(effect.job, effect.lost):
            _search_first(effect)
        else:
            _send(effect, effect.look())
    except Rejected as refusal:
        verdicts.record(effect.rt, effect.job, refusal, revoke=partial(effect.refused, refusal=refusal))


def _lost(effect: Effect[Made]) -> Life | None:
    with effect.rt.read() as work:
        life = work.lineage.life()
    return life if life.recovered_at is not None and effect.doubtful(life) else None


def _doubted(job: Job, life: Life) -> bool:
    """Searched for since the recovery already; what is to be sent after that is meant (a person's word, for one)."""
    return job.doubted_at is not None and life.recovered_at is not None and job.doubted_at >= life.recovered_at


def _search_first(effect: Effect[Made]) -> None:
    """Take it for sent, as it may have been in the past that was lost; settled it has, in the time recovering took (F57)."""
    rt, looked = effect.rt, effect.look()
    if isinstance(looked, Unneeded):
        _send(effect, looked)
        return
    rt.passing(Point.EFFECT_PREPARED)
    with rt.uow() as work:
        lease = rt.settings.engine.lease_seconds
        work.jobs.mark_sent(effect.job, looked, lease_seconds=lease, doubted=True)
        effect.leaving(work, looked)
    rt.passing(Point.EFFECT_MARKED_SENT)
    if not _adopted(effect, looked):
        _send(effect, looked)


def _send(effect: Effect[Made], looked: Intent | Unneeded) -> None:
    rt, job = effect.rt, effect.job
    if isinstance(looked, Unneeded):
        with finishing(effect, revoked=looked.reason) as work:
            effect.unneeded(work, looked.reason)
        return
    rt.passing(Point.EFFECT_PREPARED)
    lease = rt.settings.engine.lease_seconds
    # Taken first: the lease runs from inside the transaction, and a process may be frozen in its commit as well.
    marked = time.monotonic()
    with rt.uow() as work:
        work.jobs.mark_sent(job, looked, lease_seconds=lease)
        effect.leaving(work, looked)
    rt.passing(Point.EFFECT_MARKED_SENT)
    # A process frozen from here on wakes after its lease: another may be settling or resending by now, so nothing leaves (F11).
    with leaving_by(marked + lease / 2):
        made = effect.send(looked)
    rt.passing(Point.EFFECT_ANSWERED)
    _record(effect, looked, made)


def _record(effect: Effect[Made], intent: Intent, made: Made, evidence: dict[str, Any] | None = None) -> None:
    """It happened: whatever keeps us from recording it now, the next claim searches and adopts, and never sends again."""
    try:
        with finishing(effect, evidence=evidence) as work:
            effect.record(work, intent, made)
    except (Transient, Rejected) as trouble:
        raise OutcomeUnknown(f"It happened, and could not be recorded: {trouble}") from trouble


def _adopt_or_resend(effect: Effect[Made]) -> None:
    rt, job = effect.rt, effect.job
    assert job.sent_at is not None
    assert job.intent is not None
    settled = job.sent_at + timedelta(seconds=rt.settings.engine.settle_seconds)
    if rt.clock() < settled:
        # The remote may still be at it (F03): a search now could miss what appears a moment later.
        rt.passing(Point.EFFECT_SETTLING)
        with rt.uow() as work:
            work.jobs.hand_back(job, state=JobState.SENT, not_before=settled, counted=False, detail="settling")
        ended(job, "settling")
        return
    if not _adopted(effect, job.intent):
        _send(effect, effect.look())


def _adopted(effect: Effect[Made], intent: Intent) -> bool:
    """Search for it, and record what is there; False when a complete search found nothing."""
    try:
        # Asked twice before it counts as absent: one empty answer may be a lagging replica's (F40), and the price is a double.
        found = effect.search(intent) or effect.search(intent)
    except Rejected as refusal:
        # A refused search says nothing about the effect: neither that it failed nor that it may be sent again.
        raise NeedsReview(f"The search for it was refused: {refusal}", reason=refusal.reason) from refusal
    effect.rt.passing(Point.EFFECT_SEARCHED)
    if len(found) > 1:
        raise NeedsReview(f"{len(found)} things outside could be ours.", reason="search_ambiguous")
    if not found:
        return False
    effect.adopted = True
    _record(effect, intent, found[0], {"adopted": True})
    effect.rt.passing(Point.EFFECT_ADOPTED)
    return True


@contextmanager
def finishing(
    effect: Effect[Made], *, revoked: str | None = None, evidence: dict[str, Any] | None = None
) -> Iterator[Work]:
    """The transaction that ends a job together with what follows from it, or neither."""
    rt, job = effect.rt, effect.job
    with rt.uow() as work:
        yield work
        if revoked is not None:
            work.jobs.stop(job, JobState.REVOKED, reason=revoked, detail="")
        else:
            work.jobs.finish(job, evidence)
        rt.passing(Point.EFFECT_RECORDING)
    rt.passing(Point.EFFECT_RECORDED)
    ended(job, "revoked" if revoked is not None else "adopted" if evidence else "done", reason=revoked)


@contextmanager
def step(rt: Runtime, job: Job, evidence: dict[str, Any] | None = None) -> Iterator[Work]:
    """The one transaction of a job that changes nothing outside: its facts and its end, or neither."""
    rt.passing(Point.STEP_READ)
    with rt.uow() as work:
        yield work
        work.jobs.finish(job, evidence)
        if job.topic in PASSING:
            work.exceptions.close_tick(job.topic)
        rt.passing(Point.STEP_RECORDING)
    rt.passing(Point.STEP_RECORDED)
    ended(job, "done")
