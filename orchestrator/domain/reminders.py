"""What an unpaid bill is followed by: a sequence of steps as data, and which of them is due (W8). Pure.

planned ─► sent           silent is judged again each day until it may go, or the next step is due
silent ──► planned        held waits for a person's word on the day's batch
held ────► planned        skipped was never done: a later step came first, or a person said so
"""

from collections.abc import Collection
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

from orchestrator.domain.bounces import HELD
from orchestrator.domain.matters import Matter
from orchestrator.domain.silence import Quiet


class Anchor(StrEnum):
    """The date of a bill from which a step's days are counted: always its own, never the client's oldest bill's."""

    DUE = "due"
    ISSUED = "issued"


class Action(StrEnum):
    MESSAGE = "message"
    MESSAGE_WITH_LINK = "message_with_link"
    TASK = "task"


class Channel(StrEnum):
    EMAIL = "email"
    CLIO = "clio"


class Audience(StrEnum):
    CLIENT = "client"
    ATTORNEY = "attorney"


WAYS: dict[Action, tuple[Channel, Audience]] = {
    Action.MESSAGE: (Channel.EMAIL, Audience.CLIENT),
    Action.MESSAGE_WITH_LINK: (Channel.EMAIL, Audience.CLIENT),
    Action.TASK: (Channel.CLIO, Audience.ATTORNEY),
}
"""How each action travels, and to whom: a firm's own people are never written to as if they owed money."""


class ReminderState(StrEnum):
    """What has become of one step of one bill."""

    PLANNED = "planned"
    SILENT = "silent"
    HELD = "held"
    SENT = "sent"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"


REMINDER_TRANSITIONS: dict[ReminderState, set[ReminderState]] = {
    ReminderState.PLANNED: {
        ReminderState.SENT,
        ReminderState.SILENT,
        ReminderState.HELD,
        ReminderState.SKIPPED,
        ReminderState.SUPERSEDED,
    },
    ReminderState.SILENT: {
        ReminderState.PLANNED,
        ReminderState.HELD,
        ReminderState.SKIPPED,
        ReminderState.SUPERSEDED,
    },
    ReminderState.HELD: {
        ReminderState.PLANNED,
        ReminderState.SILENT,
        ReminderState.SKIPPED,
        ReminderState.SUPERSEDED,
    },
    ReminderState.SENT: set(),
    ReminderState.SKIPPED: set(),
    ReminderState.SUPERSEDED: set(),
}
"""A step counts as sent once it was, never before; what is over is never done again."""

OVER = frozenset(state for state, following in REMINDER_TRANSITIONS.items() if not following)


class LetterState(StrEnum):
    """What has become of one day's message to one client; `unknown` is sent, and no answer of the relay is known (F75)."""

    PLANNED = "planned"
    HELD = "held"
    UNKNOWN = "unknown"
    SENT = "sent"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


LETTER_TRANSITIONS: dict[LetterState, set[LetterState]] = {
    LetterState.PLANNED: {
        LetterState.UNKNOWN, LetterState.SENT, LetterState.WITHDRAWN, LetterState.SUPERSEDED,
    },
    LetterState.HELD: {LetterState.PLANNED, LetterState.WITHDRAWN, LetterState.SUPERSEDED},
    LetterState.UNKNOWN: {LetterState.PLANNED, LetterState.SENT, LetterState.WITHDRAWN, LetterState.SUPERSEDED},
    LetterState.SENT: set(),
    LetterState.WITHDRAWN: set(),
    LetterState.SUPERSEDED: set(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do about a bill, `days` after its `anchor`; `template` is empty where no message is written."""

    key: str
    days: int
    anchor: Anchor
    action: Action
    channel: Channel
    template: str
    audience: Audience

    @property
    def is_letter(self) -> bool:
        return self.channel is Channel.EMAIL


class Dated(Protocol):
    """What a sequence is counted from."""

    @property
    def issued_on(self) -> date | None: ...
    @property
    def due_on(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Dates:
    issued_on: date | None
    due_on: date | None


GAP_DAYS = 5


@dataclass(frozen=True, slots=True)
class Sequence:
    """Steps in the order in which they follow one another; a bill without a due date is due `days_to_pay` after its issue."""

    name: str
    steps: tuple[Step, ...]
    days_to_pay: int = 30
    gap_days: int = GAP_DAYS
    """So many days lie at least between two steps of one bill, whatever held the first of them up."""

    def due_on(self, bill: Dated) -> date | None:
        """The day by which the bill should have been paid; None when it has no date at all."""
        if bill.due_on is not None or bill.issued_on is None:
            return bill.due_on
        return bill.issued_on + timedelta(days=self.days_to_pay)

    def counted_from(self, bill: Dated, delivered_on: date | None) -> Dated:
        """The bill's dates, or the day on which it reached its client where that was later: nobody is late with what
        they have not seen.
        """
        if delivered_on is None:
            return bill
        issued, due = (None if one is None else max(one, delivered_on) for one in (bill.issued_on, self.due_on(bill)))
        return Dates(issued, due)

    def on(self, step: Step, bill: Dated) -> date | None:
        """The day on which a step falls due for a bill; None when nothing says."""
        began = bill.issued_on if step.anchor is Anchor.ISSUED else self.due_on(bill)
        return None if began is None else began + timedelta(days=step.days)

    def next_on(self, step: Step, bill: Dated) -> date | None:
        """The day on which the first step after this one falls due; None after the last."""
        on = self.on(step, bill)
        days = [day for one in self.steps if (day := self.on(one, bill)) is not None and on is not None and day > on]
        return min(days, default=None)


@dataclass(frozen=True, slots=True)
class Due:
    """The one step to do now, and those that are too late for: a bill that was long forgotten is asked once, not three times."""

    step: Step | None
    skipped: tuple[Step, ...] = ()
    early: tuple[tuple[Step, Quiet], ...] = ()
    """Steps whose day has come, but not yet so long after the client got the bill; why each still waits."""


def due_steps(
    sequence: Sequence, bill: Dated, *, today: date, done: Collection[str], delivered_on: date | None = None
) -> Due:  # fmt: skip
    """Of everything due by `today` (the office's date) only the latest step, unless it is done; the earlier ones are skipped.

    A bill that reached its client after its own date (`delivered_on`) is followed up from there, by the whole sequence.
    """
    counted = sequence.counted_from(bill, delivered_on)
    due: list[tuple[date, int, Step]] = []
    early: list[tuple[Step, Quiet]] = []
    for place, step in enumerate(sequence.steps):
        first, on = sequence.on(step, bill), sequence.on(step, counted)
        if on is not None and on <= today:
            due.append((on, place, step))
        elif on is not None and first is not None and first <= today and step.key not in done:
            early.append((step, Quiet("delivered_late", until=on - timedelta(days=1))))
    if not due:
        return Due(None, early=tuple(early))
    *earlier, (_, _, latest) = sorted(due)
    left = tuple(step for _, _, step in earlier if step.key not in done)
    return Due(None if latest.key in done else latest, left, tuple(early))


def too_soon(sequence: Sequence, *, today: date, last_on: date | None) -> tuple[Quiet, ...]:
    """Why no step of a bill follows on `today` the one that was done on `last_on`: what a hold pushed together lies apart."""
    if last_on is None or (until := last_on + timedelta(days=sequence.gap_days - 1)) < today:
        return ()
    return (Quiet("step_too_soon", until=until),)


@dataclass(frozen=True, slots=True)
class SequenceRule:
    """Which sequence the bills of some matters have; what a rule leaves out fits everything."""

    sequence: str
    practice_area: str | None = None
    office: str | None = None
    matter: int | None = None

    def fits(self, matter: Matter, *, office_field: str) -> bool:
        return (
            _same(self.practice_area, matter.practice_area)
            and _same(self.office, matter.custom_fields.get(office_field))
            and self.matter in (None, matter.id)
        )


def sequence_for(rules: Rows[SequenceRule], default: str, *, matters: Collection[Matter], office_field: str) -> str:
    """The sequence of a bill of these matters: the first rule that fits decides; matters that disagree take the default."""
    found = {
        next((rule.sequence for rule in rules if rule.fits(matter, office_field=office_field)), default)
        for matter in matters
    }
    return found.pop() if len(found) == 1 else default


def _same(wanted: str | None, said: str | None) -> bool:
    return wanted is None or (said is not None and wanted.strip().casefold() == said.strip().casefold())


OF_THE_MAILBOX = frozenset(
    {
        "client_email_blank",
        "client_email_invalid",
        "client_redacted",
        *HELD.values(),
        "clio_reminders_on",
        "do_not_contact",
        "message_on_its_way",
        "client_written_today",
    }
)
"""Reasons against writing to the client: an attorney should hear of the bill all the more."""

NOT_YET_READ = "client_not_read"
"""No reason when plans are made: what Clio must be asked is asked just before sending."""


def against(step: Step, quiets: Collection[Quiet], *, planning: bool) -> tuple[Quiet, ...]:
    """Those of a bill's reasons for silence that keep this step from being done."""
    deaf = OF_THE_MAILBOX if step.audience is Audience.ATTORNEY else frozenset()
    unread = {NOT_YET_READ} if planning or step.audience is Audience.ATTORNEY else set()
    return tuple(one for one in quiets if one.reason not in deaf | unread)
