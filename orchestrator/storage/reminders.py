"""What became of each step of each bill's sequence (W8), and each day's message to each client."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from orchestrator.domain.bills import GONE, BillState
from orchestrator.domain.reminders import LETTER_TRANSITIONS, OVER, Anchor, LetterState, ReminderState
from orchestrator.domain.silence import Quiet
from orchestrator.errors import Stale
from orchestrator.storage.repository import CHUNK, Repository, excluded
from orchestrator.storage.tables import bills, link_parts, messages, reminder_letters, reminders

IN_DOUBT = sa.select(reminder_letters.c.id).where(reminder_letters.c.state == LetterState.UNKNOWN)
"""Letters that may have reached their client: nothing about their bills is decided before that is known (F75)."""

_STANDING = sorted(set(ReminderState) - OVER)
_MOVABLE = sa.and_(
    reminders.c.state.in_(_STANDING), sa.or_(reminders.c.letter_id.is_(None), reminders.c.letter_id.not_in(IN_DOUBT))
)


class Reach(NamedTuple):
    """How far back one step reaches today: it is due for every bill whose date is on or before `until`."""

    step: str
    anchor: Anchor
    until: date
    undated_until: date
    """The same for the issue date of a bill that has no due date."""


def told_of(quiets: Sequence[Quiet], *, since: date | None, today: date) -> dict[str, Any]:
    """What a row says of its silence: the first reason, all of them, and since when there has been any."""
    return {
        "reason": quiets[0].reason if quiets else None,
        "reasons": [
            {"reason": one.reason, "until": one.until.isoformat() if one.until else None, "loud": one.loud}
            for one in quiets
        ],
        "silent_since": (since or today) if quiets else None,
    }


def _plain(reason: str) -> dict[str, Any]:
    return {"reason": reason, "until": None, "loud": False}


class Reminders(Repository):
    # ── planning ──

    def candidates(
        self, reaches: Sequence[Reach], *, judged_on: date | None, after: int, limit: int
    ) -> list[sa.RowMapping]:
        """The next issued bills, by id, of which some step is due and not over; without those `judged_on` this day."""
        chosen = self._due(sa.select(bills), reaches, judged_on).where(bills.c.id > after)
        return self.rows(chosen.order_by(bills.c.id).limit(limit))

    def candidate_count(self, reaches: Sequence[Reach]) -> int:
        """How many issued bills have some step that is due and not over."""
        counted = self._due(sa.select(sa.func.count()).select_from(bills), reaches, None)
        return int(self.connection.execute(counted).scalar_one())

    def _due(self, chosen: sa.Select[Any], reaches: Sequence[Reach], judged_on: date | None) -> sa.Select[Any]:
        due = (sa.and_(self._reached(reach), ~self._settled(reach.step, judged_on)) for reach in reaches)
        return chosen.where(bills.c.state == BillState.AWAITING_PAYMENT, sa.or_(sa.false(), *due))

    @staticmethod
    def _reached(reach: Reach) -> sa.ColumnElement[bool]:
        if reach.anchor is Anchor.ISSUED:
            return bills.c.issued_on <= reach.until
        undated = sa.and_(bills.c.due_on.is_(None), bills.c.issued_on <= reach.undated_until)
        return sa.or_(bills.c.due_on <= reach.until, undated)

    @staticmethod
    def _settled(step: str, judged_on: date | None) -> sa.ColumnElement[bool]:
        over = reminders.c.state.in_(OVER)
        settled = over if judged_on is None else sa.or_(over, reminders.c.looked_on >= judged_on)
        return sa.exists().where(reminders.c.bill_id == bills.c.id, reminders.c.step == step, settled)

    def of_bills(self, bill_ids: Collection[int]) -> dict[int, dict[str, sa.RowMapping]]:
        """Every step of each of these bills that was ever judged, with `letter_state` and `letter_on` of its letter."""
        found: dict[int, dict[str, sa.RowMapping]] = {}
        for row in self._with_letters(bill_ids):
            found.setdefault(row["bill_id"], {})[row["step"]] = row
        return found

    def _with_letters(self, bill_ids: Collection[int]) -> Iterable[sa.RowMapping]:
        wanted = sorted(set(bill_ids))
        told = sa.select(
            reminders, reminder_letters.c.state.label("letter_state"), reminder_letters.c.on.label("letter_on")
        ).outerjoin(reminder_letters, reminder_letters.c.id == reminders.c.letter_id)
        for start in range(0, len(wanted), CHUNK):
            some = reminders.c.bill_id.in_(wanted[start : start + CHUNK])
            yield from self.rows(told.where(some).order_by(reminders.c.id))

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """What was decided about each (bill, step); what is over, or in doubt, stays as it is.

        A row says state, reason, reasons, due_on, looked_on, silent_since and letter_id.
        """
        stamp = {"created_at": self.now, "updated_at": self.now}
        for start in range(0, len(rows), CHUNK):
            some = [{**row, **stamp} for row in rows[start : start + CHUNK]]
            statement = self.insert(reminders).values(some)
            kept = {
                name: excluded(reminders)[name] for name in some[0] if name not in ("bill_id", "step", "created_at")
            }
            self.connection.execute(
                statement.on_conflict_do_update(index_elements=["bill_id", "step"], set_=kept, where=_MOVABLE)
            )

    def open_letters(self, client_ids: Collection[int], on: date, state: LetterState) -> dict[int, sa.RowMapping]:
        """The one letter of each of these clients on this day; it begins in `state` where there was none."""
        wanted = sorted(set(client_ids))
        stamp = {"on": on, "state": state, "thread": [], "created_at": self.now, "updated_at": self.now}
        found: dict[int, sa.RowMapping] = {}
        for start in range(0, len(wanted), CHUNK):
            some = wanted[start : start + CHUNK]
            missing = [{"client_id": client, **stamp} for client in some]
            self.connection.execute(self.insert(reminder_letters).values(missing).on_conflict_do_nothing())
            theirs = sa.and_(reminder_letters.c.client_id.in_(some), reminder_letters.c.on == on)
            found |= {row["client_id"]: row for row in self.rows(sa.select(reminder_letters).where(theirs))}
        return found

    def end_days_before(self, today: date, *, reason: str) -> list[int]:
        """Give up every letter of another day that has not left; its bills are judged anew (F61). Returns the letters."""
        waiting = [LetterState.PLANNED, LetterState.HELD]
        late = sa.and_(reminder_letters.c.state.in_(waiting), reminder_letters.c.on != today)
        over = sa.update(reminder_letters).where(late).values(
            state=LetterState.SUPERSEDED, reason=reason, updated_at=self.now
        )  # fmt: skip
        ids = list(self.connection.execute(over.returning(reminder_letters.c.id)).scalars())
        for start in range(0, len(ids), CHUNK):
            self.let_go(ids[start : start + CHUNK], reason=reason)
        return ids

    def let_go(self, letter_ids: Collection[int], *, reason: str) -> None:
        """The bills of these letters are silent for this reason, until they are judged again."""
        mine = sa.and_(reminders.c.letter_id.in_(letter_ids), reminders.c.state.in_(_STANDING))
        self.change(
            sa.update(reminders).where(mine).values(
                state=ReminderState.SILENT, reason=reason, reasons=[_plain(reason)], letter_id=None,
                silent_since=sa.func.coalesce(reminders.c.silent_since, reminders.c.looked_on), updated_at=self.now,
            )
        )  # fmt: skip

    def end_settled_bills(self) -> None:
        """Nothing more follows a bill that was paid or is gone: its steps that were not done never will be (W7).

        One that was silent keeps its reasons: they, and not the end, are why nothing was sent on its day.
        """
        for states, reason in (([BillState.PAID], "bill_paid"), (sorted(GONE), "bill_gone")):
            settled = sa.exists().where(bills.c.id == reminders.c.bill_id, bills.c.state.in_(states))
            over = {"state": ReminderState.SKIPPED, "letter_id": None, "updated_at": self.now}
            silent = reminders.c.reason.is_not(None)
            self.change(
                sa.update(reminders)
                .where(_MOVABLE, settled, sa.not_(silent))
                .values(**over, reason=reason, reasons=[_plain(reason)])
            )
            self.change(sa.update(reminders).where(_MOVABLE, settled, silent).values(**over))

    # ── letters ──

    def letter(self, letter_id: int) -> sa.RowMapping | None:
        return self.one(sa.select(reminder_letters).where(reminder_letters.c.id == letter_id))

    def letters_on(self, on: date, *states: LetterState) -> Iterator[sa.RowMapping]:
        """Every letter of a day in one of these states, by id, some at a time: their number grows with the firm."""
        after: int | None = 0
        while after is not None:
            mine = sa.and_(
                reminder_letters.c.on == on, reminder_letters.c.state.in_(states), reminder_letters.c.id > after
            )
            some = self.rows(sa.select(reminder_letters).where(mine).order_by(reminder_letters.c.id).limit(CHUNK))
            yield from some
            after = some[-1]["id"] if len(some) == CHUNK else None

    def move_letter(self, letter: sa.RowMapping, state: LetterState, **values: Any) -> None:
        """Along `LETTER_TRANSITIONS` only; a letter that has moved meanwhile raises `Stale`."""
        if state not in LETTER_TRANSITIONS[LetterState(letter["state"])]:
            raise Stale(f"Letter {letter['id']} is {letter['state']}: it cannot become {state}.")
        mine = sa.and_(reminder_letters.c.id == letter["id"], reminder_letters.c.state == letter["state"])
        moved = sa.update(reminder_letters).where(mine).values(state=state, updated_at=self.now, **values)
        if self.change(moved) != 1:
            raise Stale(f"Letter {letter['id']} moved while we looked.")

    def leaving(self, letter: sa.RowMapping, **said: Any) -> None:
        """It may be with the client from now on; sent again after a refusal or on a person's word, it may be another (F75)."""
        if letter["state"] == LetterState.UNKNOWN:
            mine = sa.update(reminder_letters).where(reminder_letters.c.id == letter["id"])
            self.change(mine.values(**said, updated_at=self.now))
        else:
            self.move_letter(letter, LetterState.UNKNOWN, **said)

    def give_up(self, letter_id: int, *, reason: str) -> None:
        """The steps that this letter was to bring are over without having been done."""
        mine = sa.and_(reminders.c.letter_id == letter_id, reminders.c.state.in_(_STANDING))
        over = {"state": ReminderState.SKIPPED, "reason": reason, "reasons": [_plain(reason)], "updated_at": self.now}
        self.change(sa.update(reminders).where(mine).values(**over))

    def logged(self, letter_id: int, communication_id: int) -> None:
        """Clio has been told of this letter."""
        mine = sa.update(reminder_letters).where(reminder_letters.c.id == letter_id)
        self.change(mine.values(communication_id=communication_id, updated_at=self.now))

    def in_letters(self, letter_ids: Collection[int]) -> list[sa.RowMapping]:
        """The bills' steps that these letters bring, in the order of their bills."""
        wanted = sorted(set(letter_ids))
        chosen = sa.select(reminders).order_by(reminders.c.bill_id)
        return self.rows(chosen.where(reminders.c.letter_id.in_(wanted), reminders.c.state.in_(_STANDING)))

    def sent(self, row_ids: Collection[int], *, at: datetime) -> None:
        """These steps were done: counted when it is known, never before."""
        done: dict[str, Any] = {
            "state": ReminderState.SENT,
            "reason": None,
            "reasons": [],
            "sent_at": at,
            "updated_at": self.now,
        }
        self.change(
            sa.update(reminders).where(reminders.c.id.in_(row_ids), reminders.c.state.in_(_STANDING)).values(**done)
        )

    def done(self, bill_id: int, step: str, *, at: datetime) -> None:
        """`sent` for one step of one bill."""
        row = self._of(bill_id, step)
        self.sent([row["id"]] if row is not None else [], at=at)

    def fall_silent(self, bill_id: int, step: str, quiets: Sequence[Quiet], *, today: date) -> None:
        """It was planned, and just before it was done these reasons stood against it."""
        row = self._of(bill_id, step)
        if row is not None:
            said = told_of(quiets, since=row["silent_since"], today=today)
            mine = sa.and_(reminders.c.id == row["id"], reminders.c.state.in_(_STANDING))
            values = {
                "state": ReminderState.SILENT,
                "letter_id": None,
                "looked_on": today,
                "updated_at": self.now,
                **said,
            }
            self.change(sa.update(reminders).where(mine).values(**values))

    def _of(self, bill_id: int, step: str) -> sa.RowMapping | None:
        return self.one(sa.select(reminders).where(reminders.c.bill_id == bill_id, reminders.c.step == step))

    def thread_of(self, bill_ids: Collection[int]) -> list[str]:
        """The Message-IDs that these bills' clients have of them, oldest first: the invoices, then earlier reminders."""
        shared = sa.select(link_parts.c.link_id).where(link_parts.c.bill_id.in_(bill_ids))
        invoices = sa.select(messages.c.sent_at, messages.c.message_id).where(
            sa.or_(messages.c.bill_id.in_(bill_ids), messages.c.link_id.in_(shared)), messages.c.state == "sent"
        )
        letters = (
            sa.select(reminder_letters.c.sent_at, reminder_letters.c.message_id)
            .join(reminders, reminders.c.letter_id == reminder_letters.c.id)
            .where(reminders.c.bill_id.in_(bill_ids), reminder_letters.c.state == LetterState.SENT)
        )
        both = sa.union(invoices, letters).subquery()
        told = sa.select(both.c.message_id).where(both.c.message_id.is_not(None)).order_by(both.c.sent_at)
        return list(dict.fromkeys(self.connection.execute(told).scalars()))

    def sent_to_client(self, client_id: int, *, since: datetime, but_for: int | None = None) -> int:
        """How many letters but this one the client was sent since then, those in doubt included."""
        left = sa.or_(
            reminder_letters.c.sent_at >= since,
            sa.and_(reminder_letters.c.state == LetterState.UNKNOWN, reminder_letters.c.updated_at >= since),
        )
        theirs = sa.select(sa.func.count()).where(
            reminder_letters.c.client_id == client_id, left, reminder_letters.c.id.is_distinct_from(but_for)
        )
        return int(self.connection.execute(theirs.select_from(reminder_letters)).scalar_one())

    # ── looking, and a person's word ──

    def listed(self, *, states: Collection[str] = (), limit: int = 200) -> list[sa.RowMapping]:
        """The newest first, each with its bill's number, client and open money, and its letter's day."""
        shown = (
            sa.select(
                reminders, bills.c.number, bills.c.client_id, bills.c.client_name, bills.c.balance_cents,
                bills.c.currency, reminder_letters.c.on.label("letter_on"),
                reminder_letters.c.message_id, reminder_letters.c.state.label("letter_state"),
            )
            .outerjoin(bills, bills.c.id == reminders.c.bill_id)
            .outerjoin(reminder_letters, reminder_letters.c.id == reminders.c.letter_id)
        )  # fmt: skip
        chosen = shown.order_by(reminders.c.id.desc()).limit(limit)
        return self.rows(chosen.where(reminders.c.state.in_(states)) if states else chosen)

    def counts(self) -> dict[str, int]:
        """Steps by state."""
        return self.tally(reminders.c.state)

    def letters(self, letter_ids: Collection[int]) -> dict[int, sa.RowMapping]:
        """These letters by id."""
        mine = sa.select(reminder_letters).where(reminder_letters.c.id.in_(letter_ids))
        return {row["id"]: row for row in self.rows(mine)}

    def approve(self, letter: sa.RowMapping, *, by: str) -> int:
        """A held letter may leave; returns of how many bills it speaks."""
        self.move_letter(letter, LetterState.PLANNED, approved_by=by)
        held = sa.and_(reminders.c.letter_id == letter["id"], reminders.c.state == ReminderState.HELD)
        return self.change(sa.update(reminders).where(held).values(state=ReminderState.PLANNED, updated_at=self.now))
