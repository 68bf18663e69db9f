"""W8: for issued bills, which step is due today and what keeps it silent. Planning and preview ask the same questions here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.domain.bills import Bill, BillKind
from orchestrator.domain.matters import Matter
from orchestrator.domain.reminders import (
    OVER,
    Anchor,
    Audience,
    Dated,
    LetterState,
    SequenceRule,
    Step,
    against,
    due_steps,
    sequence_for,
    too_soon,
)
from orchestrator.domain.reminders import Sequence as Steps
from orchestrator.domain.silence import Quiet, Standing, quiet
from orchestrator.engine.runtime import Runtime
from orchestrator.sequences import load
from orchestrator.storage.mirror import to_bill
from orchestrator.storage.reminders import Reach
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.read_standings import rules_of, standings

NOTHING_ELSE: Mapping[str, date | None] = {}
NOT_THERE = Quiet("never_delivered")

PAGE = 200
"""Bills judged at a time: what is open grows with the years, what is held in memory does not."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one open bill: the steps that follow it, what became of them, and everything that can silence it."""

    bill: Bill
    sequence: Steps
    known: Mapping[str, Row]
    standing: Standing
    letter_id: int | None = None
    """The letter that is being written, if one is: that it may have left already is no reason to say nothing in it."""

    @property
    def counted(self) -> Dated:
        """The dates that its steps are counted from."""
        return self.sequence.counted_from(self.bill, self.standing.delivered_on)


@dataclass(frozen=True, slots=True)
class Judged:
    """One bill on one day: the step that is due, if any, and every reason that keeps it from being done."""

    facts: Facts
    step: Step | None
    skipped: tuple[Step, ...]
    quiets: tuple[Quiet, ...]
    early: tuple[tuple[Step, Quiet], ...] = ()
    """Steps whose day has come while the client did not have the bill, or had it lately: they follow, none is skipped."""

    @property
    def bill(self) -> Bill:
        return self.facts.bill

    def on(self, step: Step) -> date:
        """The day on which a step that is due fell due."""
        on = self.facts.sequence.on(step, self.facts.counted)
        assert on is not None
        return on


def candidates(
    rt: Runtime, work: Work, *, today: date, after: int, again: bool = False
) -> tuple[list[Facts], int | None]:
    """The next page of bills of which a step is due on `today`, and where the following one begins; None at the end.

    Those that were judged today are left out, unless they are to be looked at `again`.
    """
    judged = None if again else today
    rows = work.reminders.candidates(_reaches(rt, today), judged_on=judged, after=after, limit=PAGE)
    return facts_of(rt, work, [to_bill(row) for row in rows]), rows[-1]["id"] if len(rows) == PAGE else None


def count_candidates(rt: Runtime, work: Work, *, today: date) -> int:
    """How many bills have a step due on `today`, judged or not."""
    return work.reminders.candidate_count(_reaches(rt, today))


def facts_of(rt: Runtime, work: Work, bills: Sequence[Bill], *, letter_id: int | None = None) -> list[Facts]:
    """Everything that our database knows of these bills, for the letter that is being written about them."""
    ids = [bill.id for bill in bills]
    known, stands, sequences = work.reminders.of_bills(ids), standings(rt, work, ids), sequences_of(rt, work, bills)
    return [Facts(bill, sequences[bill.id], known.get(bill.id, {}), stands[bill.id], letter_id) for bill in bills]


def decide(
    rt: Runtime, facts: Facts, *, today: date, planning: bool, also_done: Mapping[str, date | None] = NOTHING_ELSE
) -> Judged:  # fmt: skip
    """Which step of a bill is due on `today`, and every reason against it; reads nothing.

    `also_done` are steps that count as done although no row says so, with the day of those that were sent: what happens
    on the days before a preview's.
    """
    done = {*(step for step, row in facts.known.items() if _is_done(row, facts.letter_id)), *also_done}
    due = due_steps(facts.sequence, facts.bill, today=today, done=done, delivered_on=facts.standing.delivered_on)
    quiets: tuple[Quiet, ...] = ()
    if due.step is not None:
        last_on = max([*_done_on(rt, facts), *filter(None, also_done.values())], default=None)
        quiets = _before_start(rt, facts.bill) or (
            *_against(rt, facts, due.step, today=today, planning=planning),
            *too_soon(facts.sequence, today=today, last_on=last_on),
        )
    if not facts.standing.delivered:
        return Judged(facts, due.step, (), quiets, tuple((step, NOT_THERE) for step in due.skipped))
    return Judged(facts, due.step, due.skipped, quiets, due.early)


def _is_done(row: Row, letter_id: int | None) -> bool:
    """Over, or perhaps sent: a letter in doubt counts as done until a person has said that it did not arrive (F75)."""
    return row["state"] in OVER or (row["letter_state"] == LetterState.UNKNOWN and row["letter_id"] != letter_id)


def _done_on(rt: Runtime, facts: Facts) -> Iterator[date]:
    """The days on which steps of a bill were done, or may have been."""
    for row in facts.known.values():
        if row["sent_at"] is not None:
            yield rt.local_date(row["sent_at"])
        elif row["letter_state"] == LetterState.UNKNOWN and row["letter_id"] != facts.letter_id:
            yield row["letter_on"]


def _before_start(rt: Runtime, bill: Bill) -> tuple[Quiet, ...]:
    """What the firm never meant to follow up has no other reason: nobody is to be told of its address."""
    start = rt.settings.reminders.issued_from
    early = start is not None and (bill.issued_on is None or bill.issued_on < start)
    return (Quiet("issued_before_start"),) if early else ()


def _against(rt: Runtime, facts: Facts, step: Step, *, today: date, planning: bool) -> Iterator[Quiet]:
    yield from against(step, quiet(facts.standing, today=today, rules=rules_of(rt)), planning=planning)
    if step.audience is Audience.ATTORNEY and not facts.standing.matters:
        yield Quiet("no_assignee", loud=True)


def sequences_of(rt: Runtime, work: Work, bills: Sequence[Bill]) -> dict[int, Steps]:
    """Each bill's sequence, by the firm's rules about its matters; a retainer's request has the firm's one for those."""
    told = rt.settings.reminders
    folder, default = rt.settings.config_dir, told.sequence
    asked = work.retainers.of_bills([bill.id for bill in bills if bill.kind is BillKind.TRUST])
    deposits = {ident: load(folder, rt.settings.trust.evergreen.sequence) for ident in asked}
    if not told.rules:
        return {bill.id: load(folder, default) for bill in bills} | deposits
    rules = [SequenceRule(**dict(rule)) for rule in told.rules]
    matters = work.mirror.matters({ident for bill in bills for ident in bill.matter_ids})

    def of(bill: Bill) -> Steps:
        mine: list[Matter] = [matters[ident] for ident in bill.matter_ids if ident in matters]
        name = sequence_for(rules, default, matters=mine, office_field=rt.settings.links.office_field)
        return load(folder, name)

    return {bill.id: of(bill) for bill in bills} | deposits


def _reaches(rt: Runtime, today: date) -> list[Reach]:
    """How far back each step of each sequence reaches today: what the database needs to leave the other bills alone."""
    return [
        Reach(
            step.key, Anchor(step.anchor), today - timedelta(days=step.days),
            today - timedelta(days=step.days + sequence.days_to_pay),
        )
        for sequence in (load(rt.settings.config_dir, name) for name in rt.settings.sequences)
        for step in sequence.steps
    ]  # fmt: skip
