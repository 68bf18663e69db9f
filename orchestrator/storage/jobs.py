"""Jobs are rows: an intended effect or step, committed with the fact that caused it, unique by (topic, key).

    ready ─► claimed ─► sent ─► done          parked: waits for a person      failed: refused for good
      ▲         │         │                   revoked: its cause is gone
      └─────────┴─────────┘  with not_before (firm's clock) and held_until (database's clock)

Every change after the claim names the fence it was claimed with, so a worker that lost its lease changes nothing (F11).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.topics import ADOPTING, SWEEPING, Urgency, urgency_of
from orchestrator.errors import OrchestratorError
from orchestrator.storage.lineage import Gate
from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import jobs, lineage
from orchestrator.storage.types import Instant, real_now
from orchestrator.telemetry import trace


class JobState(StrEnum):
    READY = "ready"
    CLAIMED = "claimed"
    SENT = "sent"
    DONE = "done"
    PARKED = "parked"
    FAILED = "failed"
    REVOKED = "revoked"


LIVE = (JobState.READY, JobState.CLAIMED, JobState.SENT)
STOPPED = (JobState.PARKED, JobState.FAILED)

LET_GO_SECONDS = 1.0
"""How long a job rests after trouble with the database: what it collided with is over by then."""

RING_AGAIN_SECONDS = 30.0
"""How long a rung job may stay unclaimed before it is rung again: what the broker forgot is back within 60 s (F50)."""


# Asked many times a second: built once, because building a statement costs more than running it.
_NOW = sa.bindparam("now", type_=Instant)
_GATE = sa.select(lineage.c.gate).scalar_subquery()
_ALLOWED = sa.or_(
    _GATE == Gate.OPEN,
    jobs.c.topic.in_(sorted(ADOPTING)),
    sa.and_(_GATE == Gate.SWEEPING, jobs.c.topic.in_(sorted(SWEEPING))),
)
"""While the database recovers from a regression, only reading goes on; effects wait as if they were not due (F57)."""

_CLAIMABLE = (
    _ALLOWED,
    jobs.c.state.in_(LIVE),
    jobs.c.not_before <= _NOW,
    sa.or_(jobs.c.held_until.is_(None), jobs.c.held_until <= real_now()),
)
_UNRUNG = (*_CLAIMABLE, sa.or_(jobs.c.rung_at.is_(None), jobs.c.rung_at < real_now() - RING_AGAIN_SECONDS))
_ANY_UNRUNG = sa.select(jobs.c.id).where(*_UNRUNG).limit(1)
_OUTSTANDING = (
    sa.select(sa.func.count())
    .select_from(jobs)
    .where(
        jobs.c.state.in_(LIVE),
        jobs.c.not_before <= _NOW,
        sa.or_(
            sa.and_(*_CLAIMABLE, jobs.c.rung_at >= real_now() - RING_AGAIN_SECONDS),
            sa.and_(jobs.c.holder.is_not(None), jobs.c.held_until > real_now()),
        ),
    )
)
_RING = (
    sa.update(jobs)
    .where(
        jobs.c.id.in_(
            sa.select(jobs.c.id)
            .where(*_UNRUNG, jobs.c.urgency <= sa.bindparam("least", type_=sa.Integer))
            .order_by(jobs.c.urgency, jobs.c.not_before, jobs.c.id)
            .limit(sa.bindparam("most", type_=sa.Integer))
            .with_for_update(skip_locked=True)
        )
    )
    .values(rung_at=real_now())
    .returning(jobs.c.id, jobs.c.topic, jobs.c.urgency, jobs.c.not_before)
)
_CLAIM = (
    sa.update(jobs)
    # Who hears a bell that another is just answering does not wait to be told so.
    .where(
        jobs.c.id.in_(
            sa.select(jobs.c.id).where(jobs.c.id == sa.bindparam("job"), *_CLAIMABLE).with_for_update(skip_locked=True)
        )
    )
    .values(
        state=sa.case((jobs.c.state == JobState.SENT, JobState.SENT), else_=JobState.CLAIMED),
        attempts=jobs.c.attempts + 1,
        fence=jobs.c.fence + 1,
        held_until=real_now() + sa.bindparam("lease", type_=sa.Double),
        holder=sa.bindparam("by"),
        rung_at=None,
        updated_at=_NOW,
    )
    .returning(jobs)
)
_MINE = (
    jobs.c.id == sa.bindparam("mine"),
    jobs.c.fence == sa.bindparam("held_fence"),
    jobs.c.state.in_(LIVE),
)
_MARK_SENT = (
    sa.update(jobs)
    # A regression noticed since the claim stops it here, before anything has left.
    .where(*_MINE, jobs.c.held_until > real_now(), _GATE == Gate.OPEN)
    .values(
        state=JobState.SENT,
        sent_at=_NOW,
        doubted_at=sa.case((sa.bindparam("doubted", type_=sa.Boolean), _NOW), else_=jobs.c.doubted_at),
        intent=sa.bindparam("meant", type_=jobs.c.intent.type),
        held_until=real_now() + sa.bindparam("lease", type_=sa.Double),
        updated_at=_NOW,
    )
)
_FINISH = (
    sa.update(jobs)
    .where(*_MINE)
    .values(
        state=JobState.DONE,
        held_until=None,
        evidence=sa.bindparam("shown", type_=jobs.c.evidence.type),
        reason=None,
        detail=None,
        updated_at=_NOW,
    )
)
_DUE_PAYLOADS = (
    sa.select(jobs.c.payload)
    .where(
        jobs.c.topic == sa.bindparam("of_topic"),
        jobs.c.state.in_([JobState.READY, JobState.CLAIMED]),
        jobs.c.not_before <= _NOW,
    )
    .order_by(jobs.c.not_before, jobs.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_BUSY = sa.select(jobs.c.id).where(_ALLOWED, jobs.c.state.in_(LIVE), jobs.c.not_before <= _NOW).limit(1)


class LostLease(OrchestratorError):
    """Another worker holds this job now: what we were about to write is theirs to decide (F11)."""


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed job, as it was at the claim."""

    id: int
    topic: str
    key: str
    payload: dict[str, Any]
    urgency: int
    state: JobState
    attempts: int
    fence: int
    not_before: datetime
    sent_at: datetime | None
    doubted_at: datetime | None
    intent: dict[str, Any] | None
    created_at: datetime
    trace_id: str | None


def _key(facts: Iterable[object]) -> str:
    return ":".join(str(fact) for fact in facts)


def _job(row: sa.RowMapping) -> Job:
    return Job(**{name: row[name] for name in Job.__slots__ if name != "state"}, state=JobState(row["state"]))


class Jobs(Repository):
    def add(self, topic: str, *facts: object, at: datetime | None = None, **payload: Any) -> bool:
        """Intend one job for these facts, due at `at` (firm's clock; now by default); False when it is there already."""
        key = _key(facts)
        return self.add_once(
            jobs,
            topic=topic,
            key=key,
            payload=payload,
            trace_id=trace.current() or trace.begun_by(topic, key),
            urgency=urgency_of(topic),
            state=JobState.READY,
            attempts=0,
            fence=0,
            not_before=at or self.now,
            created_at=self.now,
            updated_at=self.now,
        )

    def trace_of(self, topic: str, *facts: object) -> str | None:
        """The trace of the job for these facts."""
        same = sa.and_(jobs.c.topic == topic, jobs.c.key == ":".join(str(fact) for fact in facts))
        row = self.one(sa.select(jobs.c.trace_id).where(same))
        return row["trace_id"] if row else None

    def claim(self, job_id: int, *, holder: str, lease_seconds: float) -> Job | None:
        """Take a due job for `lease_seconds`, counting the attempt now: a killed worker must not retry for ever (F14).

        A job found `sent` stays `sent`: somebody's request left and its answer was never stored.
        """
        taken = {"now": self.now, "job": job_id, "lease": lease_seconds, "by": holder}
        row = self.connection.execute(_CLAIM, taken).mappings().one_or_none()
        return _job(row) if row else None

    def mark_sent(
        self, job: Job, intent: dict[str, Any], *, lease_seconds: float, doubted: bool = False
    ) -> None:  # fmt: skip
        """Record, before anything leaves, what is about to be sent; renews the lease, or raises `LostLease`.

        `doubted` says that it may have been sent already, in a life of the database that we do not know (F57).
        """
        self._require_mine(job, _MARK_SENT, meant=intent, doubted=doubted, lease=lease_seconds)

    def renew(self, job: Job, *, lease_seconds: float) -> None:
        """Hold the job for another `lease_seconds` from now, in a transaction of its long work, or raise `LostLease`."""
        self._fenced(job, held_until=real_now() + lease_seconds)

    def another_under_way(self, job: Job) -> bool:
        """Whether another job of the same topic is in a worker's hands now."""
        other = sa.and_(jobs.c.topic == job.topic, jobs.c.id != job.id, jobs.c.state == JobState.CLAIMED)
        return self.one(sa.select(jobs.c.id).where(other, jobs.c.held_until > real_now()).limit(1)) is not None

    def finish(self, job: Job, evidence: dict[str, Any] | None = None) -> None:
        """The job is done, in the transaction that records what it did."""
        self._require_mine(job, _FINISH, shown=evidence)

    def hand_back(
        self,
        job: Job,
        *,
        pause_seconds: float = 0.0,
        not_before: datetime | None = None,
        state: JobState = JobState.READY,
        counted: bool = True,
        detail: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Back to the queue: after `pause_seconds` of real time, not before the firm's `not_before`, for `reason`."""
        self._fenced(
            job,
            state=state,
            # Handed back unsent, it may begin anew: only a job that may have happened keeps its moment of sending.
            sent_at=jobs.c.sent_at if state is JobState.SENT else None,
            doubted_at=jobs.c.doubted_at if state is JobState.SENT else None,
            held_until=real_now() + pause_seconds if pause_seconds > 0 else None,
            holder=None,
            rung_at=None,
            attempts=jobs.c.attempts if counted else jobs.c.attempts - 1,
            not_before=not_before or jobs.c.not_before,
            detail=detail,
            reason=reason,
        )

    def let_go(self, job: Job, *, pause_seconds: float = LET_GO_SECONDS, counted: bool = True) -> None:
        """End the lease of a job that its worker is no longer at; whatever it had reached, the next claim finds."""
        attempts = jobs.c.attempts if counted else jobs.c.attempts - 1
        self._fenced(job, held_until=real_now() + pause_seconds, holder=None, rung_at=None, attempts=attempts)

    def stop(self, job: Job, state: JobState, *, reason: str, detail: str) -> None:
        """Parked, failed or revoked, and why."""
        self._fenced(job, state=state, held_until=None, reason=reason, detail=detail)

    def revoke(self, topic: str, *facts: object, reason: str) -> bool:
        """Withdraw a job that nobody has begun, because its cause is gone; one under way decides for itself."""
        return self._withdraw(jobs.c.key == _key(facts), topic, reason)

    def abandon(self, topic: str, *facts: object, reason: str) -> int | None:
        """Withdraw a parked or failed job that something else has made needless; its id, if there was one."""
        stopped = sa.and_(jobs.c.topic == topic, jobs.c.key == _key(facts), jobs.c.state.in_(STOPPED))
        values = {"state": JobState.REVOKED, "reason": reason, "updated_at": self.now}
        found = self.connection.execute(sa.update(jobs).where(stopped).values(**values).returning(jobs.c.id)).first()
        return int(found.id) if found else None

    def find(self, topic: str, *facts: object) -> sa.RowMapping | None:
        """The job for these facts, whatever has become of it."""
        return self.one(sa.select(jobs).where(jobs.c.topic == topic, jobs.c.key == _key(facts)))

    def retry(self, job_id: int, *, resend: bool = False) -> bool:
        """Give a parked or failed job to the workers again, its attempts counted from nothing.

        One whose answer was lost goes back to searching; `resend` is a person's word that it did not happen.
        """
        fresh = sa.or_(jobs.c.sent_at.is_(None), sa.literal(resend), jobs.c.state == JobState.FAILED)
        values = {
            "state": sa.case((fresh, JobState.READY), else_=JobState.SENT),
            "sent_at": sa.case((fresh, None), else_=jobs.c.sent_at),
            "attempts": 0,
            # It falls due anew, unless its time has not come: what was decided long ago is judged as of today (F61).
            "not_before": sa.case((jobs.c.not_before > self.now, jobs.c.not_before), else_=self.now),
            "rung_at": None,
            "held_until": None,
            "updated_at": self.now,
        }
        stopped = jobs.c.state.in_(STOPPED)
        return self.change(sa.update(jobs).where(jobs.c.id == job_id, stopped).values(**values)) == 1

    def park(self, job_id: int, *, reason: str, detail: str) -> bool:
        """Take a job that nobody is at out for a person; False while it is in a worker's hands, or over.

        The fence rises, so a worker whose lease ran out unnoticed changes nothing when it wakes (F11).
        """
        free = sa.or_(jobs.c.state == JobState.READY, jobs.c.held_until.is_(None), jobs.c.held_until <= real_now())
        mine = sa.update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(LIVE), free)
        values = {"state": JobState.PARKED, "reason": reason, "detail": detail, "fence": jobs.c.fence + 1}
        return self.change(mine.values(**values, held_until=None, rung_at=None, updated_at=self.now)) == 1

    def settle(self, job_id: int, *, evidence: dict[str, Any]) -> bool:
        """A person says that what a parked job sent has arrived: it is done; False when it is not parked."""
        mine = sa.update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.PARKED)
        values = {"state": JobState.DONE, "evidence": evidence, "reason": None, "detail": None}
        return self.change(mine.values(**values, held_until=None, updated_at=self.now)) == 1

    def any_waiting(self, reason: str) -> bool:
        """Whether any job still waits for this reason to go away."""
        waiting = sa.select(jobs.c.id).where(jobs.c.state.in_(LIVE), jobs.c.reason == reason).limit(1)
        return self.connection.execute(waiting).first() is not None

    def resume(self, reasons: Collection[str]) -> int:
        """End the pauses of all that waits for one of these reasons; returns how many jobs go on now."""
        waiting = sa.and_(jobs.c.state.in_([JobState.READY, JobState.SENT]), jobs.c.reason.in_(reasons))
        return self.change(sa.update(jobs).where(waiting).values(held_until=None, rung_at=None))

    def any_unrung(self) -> bool:
        """Whether there is anything to ring for."""
        return self.connection.execute(_ANY_UNRUNG, {"now": self.now}).first() is not None

    def ring(self, *, limit: int, least: Urgency = Urgency.SWEEPS) -> list[tuple[int, str, int]]:
        """Mark up to `limit` due jobs, at `least` so urgent, as rung; (id, topic, urgency), the most urgent first."""
        rung = self.connection.execute(_RING, {"now": self.now, "most": limit, "least": least}).all()
        return [(row.id, row.topic, row.urgency) for row in sorted(rung, key=lambda r: (r.urgency, r.not_before, r.id))]

    def outstanding(self) -> int:
        """How many jobs are rung for and not yet claimed, or in somebody's hands: what this firm takes of the fleet now."""
        return int(self.connection.execute(_OUTSTANDING, {"now": self.now}).scalar_one())

    def due_payloads(self, topic: str, *, limit: int) -> list[dict[str, Any]]:
        """The payloads of this topic's jobs that are due now or in somebody's hands: what one batched read can serve."""
        due = {"of_topic": topic, "now": self.now, "most": limit}
        return [row.payload for row in self.connection.execute(_DUE_PAYLOADS, due)]

    def idle(self) -> bool:
        """Whether nothing is due and nothing is in anyone's hands, at the firm's now."""
        return self.connection.execute(_BUSY, {"now": self.now}).first() is None

    def reading(self) -> bool:
        """Whether anything that reads the truth is still to be done."""
        due = sa.and_(
            jobs.c.topic.in_(sorted(SWEEPING - ADOPTING - {"recovery.finish"})), jobs.c.not_before <= self.now
        )
        return self.one(sa.select(jobs.c.id).where(due, jobs.c.state.in_(LIVE)).limit(1)) is not None

    def held(self) -> bool:
        """Whether any job is in a worker's hands now."""
        taken = sa.and_(jobs.c.state.in_([JobState.CLAIMED, JobState.SENT]), jobs.c.held_until > real_now())
        return self.one(sa.select(jobs.c.id).where(taken).limit(1)) is not None

    def held_back(self) -> int:
        """How many live jobs wait for the end of a recovery."""
        waiting = sa.select(sa.func.count()).where(jobs.c.state.in_(LIVE), sa.not_(_ALLOWED))
        return int(self.connection.execute(waiting).scalar_one())

    def oldest_due(self) -> datetime | None:
        """Since when the longest waiting due job has been due."""
        due = sa.select(sa.func.min(jobs.c.not_before)).where(jobs.c.state.in_(LIVE), jobs.c.not_before <= self.now)
        found: datetime | None = self.connection.execute(due).scalar_one()
        return found

    def next_due(self) -> datetime | None:
        """The firm's moment at which the next waiting job falls due."""
        soonest = sa.select(sa.func.min(jobs.c.not_before)).where(jobs.c.state.in_(LIVE), jobs.c.not_before > self.now)
        found: datetime | None = self.connection.execute(soonest).scalar_one()
        return found

    def get(self, job_id: int) -> sa.RowMapping | None:
        return self.one(sa.select(jobs).where(jobs.c.id == job_id))

    def keyed(self, topic: str, *facts: object) -> sa.RowMapping:
        """The one job of these facts; it must have been added."""
        mine = sa.and_(jobs.c.topic == topic, jobs.c.key == ":".join(str(fact) for fact in facts))
        return self.connection.execute(sa.select(jobs).where(mine)).mappings().one()

    def listed(self, *, states: Collection[str] = (), topic: str | None = None, limit: int = 50) -> list[sa.RowMapping]:
        """The newest jobs first, of these states and topic."""
        chosen = sa.select(jobs).order_by(jobs.c.id.desc()).limit(limit)
        if states:
            chosen = chosen.where(jobs.c.state.in_(states))
        if topic:
            chosen = chosen.where(jobs.c.topic == topic)
        return self.rows(chosen)

    def backlog(self) -> list[sa.RowMapping]:
        """By topic and state, of jobs that are not over or wait for a person: how many, how many due, since when at most."""
        due = sa.and_(jobs.c.state.in_(LIVE), jobs.c.not_before <= self.now)
        figures = (
            sa.func.count().label("jobs"),
            sa.func.count(sa.case((due, 1))).label("due"),
            sa.func.min(sa.case((due, jobs.c.not_before))).label("oldest"),
        )
        open_ = jobs.c.state.in_([*LIVE, JobState.PARKED, JobState.FAILED])
        return self.rows(
            sa.select(jobs.c.topic, jobs.c.state, *figures).where(open_).group_by(jobs.c.topic, jobs.c.state)
        )

    def counts(self) -> dict[str, int]:
        """Jobs by state."""
        return self.tally(jobs.c.state)

    def tidy(self, *, before: datetime, topics: Collection[str]) -> int:
        """Forget finished ticks older than `before`: their key, a moment gone by, cannot come again."""
        old = sa.and_(jobs.c.state == JobState.DONE, jobs.c.updated_at < before, jobs.c.topic.in_(topics))
        return self.change(sa.delete(jobs).where(old))

    def _fenced(self, job: Job, **values: Any) -> None:
        self._require_mine(job, sa.update(jobs).where(*_MINE).values(**values, updated_at=_NOW))

    def _require_mine(self, job: Job, change: sa.Update, **values: Any) -> None:
        mine = {"mine": job.id, "held_fence": job.fence, "now": self.now, **values}
        if self.connection.execute(change, mine).rowcount != 1:
            raise LostLease(f"Job {job.id} ({job.topic}) is held by another worker.")

    def _withdraw(self, chosen: sa.ColumnElement[bool], topic: str, reason: str) -> bool:
        waiting = sa.and_(jobs.c.topic == topic, jobs.c.state == JobState.READY, jobs.c.sent_at.is_(None), chosen)
        values = {"state": JobState.REVOKED, "reason": reason, "updated_at": self.now}
        return self.change(sa.update(jobs).where(waiting).values(**values)) > 0
