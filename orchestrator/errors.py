"""What a failure means for the work that met it. Four verdicts; every error of ours is one of them.

OrchestratorError
 ├── Transient         nothing was done; the same attempt may run again, when `retry_after` seconds have passed
 │    ├── Paced        held back by our own request budget: not the job's fault, so the attempt is not counted
 │    ├── NeedsConnection   the firm must reconnect or wait for a token: not counted either
 │    ├── Shut         the provider denies what all such work needs (403, 410, a moved path): not counted either
 │    ├── Away              the other side is down or busy for everybody: not counted, the work has an age limit instead
 │    └── Stale        what we looked at has moved on (412, changed row): read and decide again
 ├── Rejected          refused for good; the same request is never sent again
 ├── OutcomeUnknown    it may have happened; settle, search, adopt — never blindly resend
 └── NeedsReview       a person decides; the work waits, parked, with a reason

Leaves stand beside the code that raises them. The table that turns a verdict into a job's next state is
`orchestrator.engine.verdicts`.
"""


class OrchestratorError(Exception):
    """Everything this project raises on purpose."""


class Transient(OrchestratorError):
    """Nothing happened outside: the same attempt may be made again after `retry_after` seconds (real time).

    `notice`, a code of `domain.reasons`, asks a person once for all the work that waits for the same thing.
    """

    counted = True

    def __init__(self, message: str, *, retry_after: float | None = None, notice: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.notice = notice


class Paced(Transient):
    """The shared request budget has no room for this urgency yet; `retry_after` says when to ask again."""

    counted = False


class NeedsConnection(Transient):
    """The provider's connection is being refreshed or must be renewed by a person; work waits and nothing is dropped."""

    counted = False


class Shut(Transient):
    """The provider denies what all such work needs, not this job: it waits, and goes on by itself (F42, F46)."""

    counted = False


class Away(Transient):
    """The other side is down or busy, for this work as for any other: waiting is no failed attempt (F77)."""

    counted = False


class Stale(Transient):
    """The thing changed under us (412, a newer row): re-read and re-decide, never resend as it was (F39)."""


class Rejected(OrchestratorError):
    """The provider or a rule of ours refused, for good; `reason` is a code of `domain.reasons`."""

    def __init__(self, message: str, *, reason: str = "rejected") -> None:
        super().__init__(message)
        self.reason = reason


class OutcomeUnknown(OrchestratorError):
    """The request left and no usable answer came back; only a search can tell whether it happened."""


class NeedsReview(OrchestratorError):
    """A person must decide; `reason` is a code of `domain.reasons`, the message says what was seen."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
