"""W8: one client's letter of the day → one message about every bill that is still due, unless the facts have moved on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from orchestrator.domain.bills import BillKind
from orchestrator.domain.ids import address_key, effect_key
from orchestrator.domain.letters import DueBill, Reminder, Wider
from orchestrator.domain.money import Money
from orchestrator.domain.reminders import Action, LetterState, Step
from orchestrator.domain.silence import Quiet, quiet
from orchestrator.engine.effects import Intent, Unneeded
from orchestrator.errors import Rejected, Stale
from orchestrator.storage.audit import WORKER
from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Life
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.hand_over import MessageEffect, in_doubt
from orchestrator.usecases.how_to_write import manner
from orchestrator.usecases.judge_reminders import Judged, decide, facts_of
from orchestrator.usecases.plan_reminders import DAY_PASSED, WRITTEN_TODAY, want_letter
from orchestrator.usecases.read_standings import read_standings, rules_of, standings
from orchestrator.usecases.renew_link import Fresh, link_until
from orchestrator.usecases.send_message import PUT_OFF, had_today
from orchestrator.usecases.stop_reminders import stop_address

TOPIC = "reminder.send"
SILENT = "reminders_all_silent"
LINK_PENDING = "link_on_its_way"
NO_ROOM = "link_quota"

AT_ONCE = 200
"""Bills of the due letters that one reading serves."""

SOON, LATER = timedelta(minutes=5), timedelta(hours=1)
"""How soon a letter that waits for a link looks again: one on its way is there in a moment, room for one may take long."""

LAST_MINUTES = timedelta(minutes=30)
"""So long before the window closes a letter waits no more, and says how to pay without a link."""

AFTER_THE_LAST = timedelta(days=14)
"""How long the link of a last step should live."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One bill that goes into the letter."""

    row: Row
    judged: Judged
    step: Step


def reminder_sent(work: Work, payload: dict[str, Any], intent: Intent, *, at: datetime, actor: str) -> None:
    """What follows from a letter that reached the relay: its steps count as done, and Clio is told."""
    letter = work.reminders.letter(payload["letter_id"])
    assert letter is not None
    work.reminders.move_letter(
        letter, LetterState.SENT, key=intent["key"], message_id=intent["message_id"], subject=intent["subject"],
        thread=intent["thread"], sent_at=at, reason=None,
    )  # fmt: skip
    work.reminders.sent([one["row"] for one in intent["bills"]], at=at)
    for one in intent["bills"]:
        work.audit.line(
            "reminder.sent", "bill", one["bill_id"], actor=actor, step=one["step"], message=intent["message_id"]
        )  # fmt: skip
    bill_ids = [one["bill_id"] for one in intent["bills"]]
    work.jobs.add(
        "communication.log", "letter", letter["id"], letter_id=letter["id"], bill_id=bill_ids[0], bill_ids=bill_ids
    )


class SendReminder(MessageEffect):
    """One client's letter of the day, at most once (F75)."""

    silenced: Sequence[tuple[Row, tuple[Quiet, ...]]] = ()
    again: timedelta = SOON

    def doubtful(self, life: Life) -> bool:
        """One planned after a recovery brings only steps that fell due after it: no lost past can have sent them."""
        return life.recovered_at is not None and self.job.created_at <= life.recovered_at

    def look(self) -> Intent | Unneeded:
        """As it stands now; what may be with the client already goes again as the very same, or not without a person (F75)."""
        looked = self._look()
        if self.job.state is JobState.SENT and self.job.intent is not None:
            before = self.job.intent
            if isinstance(looked, Unneeded) or looked["key"] != before["key"]:
                raise in_doubt(before)
        return looked

    def _look(self) -> Intent | Unneeded:
        rt = self.rt
        self.require_relay()
        if (over := self._over()) is not None:
            return over
        read_standings(rt, self.job, self._bills_of_due_letters())
        with rt.uow() as work:
            letter, spoken = self._judge(work)
            if not spoken:
                return Unneeded(SILENT)
            if had_today(rt, work, letter["client_id"], but_for=letter["id"]):
                return Unneeded(PUT_OFF)
            links = [self._link(work, one) for one in spoken]
            closes = rt.settings.office.window(letter["on"])[1]
            if any(map(_worth_waiting, spoken, links)) and work.now < closes - LAST_MINUTES:
                self.again = LATER if any(fresh.why == NO_ROOM for fresh in links) else SOON
                return Unneeded(LINK_PENDING)
            reminder = self._reminder(work, letter, spoken, links)
        self.finished = rt.letters.remind(reminder, now=rt.clock())
        return {
            "key": reminder.key,
            "message_id": self.finished.message_id,
            "recipient": address_key(self.finished.recipient),
            "subject": self.finished.subject,
            "thread": list(reminder.thread),
            "bills": [{"row": one.row["id"], "bill_id": one.row["bill_id"], "step": one.step.key} for one in spoken],
        }

    def leaving(self, work: Work, intent: Intent) -> None:
        """Until the relay's answer is stored the client may have it, so nothing else is decided about its bills (F75)."""
        said = {name: intent[name] for name in ("key", "message_id", "subject", "thread")}
        work.reminders.leaving(self._letter(work), **said, reason="mail_outcome_unknown")
        bills = [one["bill_id"] for one in intent["bills"]]
        work.bounces.post(intent["message_id"], address=intent["recipient"], kind="reminder", bill_ids=bills)
        self._silence(work)

    def logged_under(self, intent: Intent) -> Sequence[str]:
        return (intent["key"],)

    def record(self, work: Work, intent: Intent, made: str) -> None:
        self.relay_is_there(work)
        reminder_sent(work, self.job.payload, intent, at=work.now, actor=WORKER)
        if self.adopted:
            work.reminders.logged(self.job.payload["letter_id"], int(made))

    def unneeded(self, work: Work, reason: str) -> None:
        letter = self._letter(work)
        if reason == LINK_PENDING:
            want_letter(self.rt, work, letter, at=work.now + self.again)
            return
        self._silence(work)
        if letter["state"] in (LetterState.PLANNED, LetterState.UNKNOWN):
            ended = LetterState.WITHDRAWN if reason == SILENT else LetterState.SUPERSEDED
            work.reminders.move_letter(letter, ended, reason=reason)
            work.reminders.let_go([letter["id"]], reason=reason)
        work.audit.line("reminder.withheld", "letter", letter["id"], why=reason)

    def refused(self, work: Work, refusal: Rejected) -> str | None:
        """Its failed job asks for a person. What no relay takes for this address is over; another fault may be mended."""
        if self.sent_back:
            letter = self._letter(work)
            work.reminders.give_up(letter["id"], reason=refusal.reason)
            work.reminders.move_letter(letter, LetterState.WITHDRAWN, reason=refusal.reason)
        return None

    # ── deciding ──

    def _over(self) -> Unneeded | None:
        """Words and dates were right for the day of the letter; on another it would be one too many (F61)."""
        if not self.rt.settings.reminders.enabled:
            return Unneeded("reminders_off")
        with self.rt.read() as work:
            letter = self._letter(work)
            today, now = self.rt.local_date(work.now), work.now
        if letter["state"] not in (LetterState.PLANNED, LetterState.UNKNOWN):
            return Unneeded(letter["reason"] or DAY_PASSED)
        if letter["on"] != today or now >= self.rt.settings.office.window(letter["on"])[1]:
            return Unneeded(DAY_PASSED)
        return None

    def _bills_of_due_letters(self) -> list[int]:
        """This letter's bills and what shares a link with them, and those of other due letters: one reading serves them all."""
        with self.rt.read() as work:
            mine = self.job.payload["letter_id"]
            others = {int(one["letter_id"]) for one in work.jobs.due_payloads(TOPIC, limit=AT_ONCE)} - {mine}
            own = [row["bill_id"] for row in work.reminders.in_letters([mine])]
            shared = {link["id"]: link for link in work.links.alive(own).values()}
            own += {one for link in shared.values() for one in work.links.parts(link)} - set(own)
            rest = [row["bill_id"] for row in work.reminders.in_letters(others)]
        return own + rest[: max(0, AT_ONCE - len(own))]

    def _judge(self, work: Work) -> tuple[Row, list[_Spoken]]:
        """The bills that may be spoken of now; those that may not are remembered with their reasons."""
        letter = self._letter(work)
        rows = {row["bill_id"]: row for row in work.reminders.in_letters([letter["id"]])}
        bills = work.mirror.bills(rows)
        spoken: list[_Spoken] = []
        silenced: list[tuple[Row, tuple[Quiet, ...]]] = []
        # This letter is in doubt itself while it is sent again: that does not make its steps done.
        ordered = sorted(bills.values(), key=lambda bill: (bill.kind is BillKind.TRUST, bill.id))
        for facts in facts_of(self.rt, work, ordered, letter_id=letter["id"]):
            row = rows[facts.bill.id]
            judged = decide(self.rt, facts, today=letter["on"], planning=False)
            quiets = judged.quiets or self._moved(judged, row, letter, spoken)
            if quiets or judged.step is None:
                silenced.append((row, quiets))
            else:
                spoken.append(_Spoken(row, judged, judged.step))
        self.silenced = silenced
        return letter, spoken

    @staticmethod
    def _moved(judged: Judged, row: Row, letter: Row, spoken: Sequence[_Spoken]) -> tuple[Quiet, ...]:
        """Why a bill that may be reminded of does not belong into this letter."""
        client = judged.bill.client
        if judged.step is None or judged.step.key != row["step"]:
            return (Quiet("bill_changed"),)
        if client is None or client.id != letter["client_id"]:
            return (Quiet("bill_changed"),)
        if spoken and spoken[0].judged.bill.currency != judged.bill.currency:
            return (Quiet(WRITTEN_TODAY),)
        # A request for a deposit is no debt: it never stands in one letter with what is overdue, and has its own another day.
        if spoken and spoken[0].judged.bill.kind is not judged.bill.kind:
            return (Quiet(WRITTEN_TODAY),)
        return ()

    def _silence(self, work: Work) -> None:
        today = self.rt.local_date(work.now)
        for row, quiets in self.silenced:
            work.reminders.fall_silent(row["bill_id"], row["step"], quiets, today=today)
            work.audit.line("reminder.withheld", "bill", row["bill_id"], why=quiets[0].reason)

    # ── writing ──

    def _link(self, work: Work, one: _Spoken) -> Fresh:
        """The link that this bill's part of the letter brings: one that lives until the next step."""
        following = one.judged.facts.sequence.next_on(one.step, one.judged.facts.counted)
        until = work.now + AFTER_THE_LAST
        if following is not None:
            until = max(until, datetime.combine(following + timedelta(days=1), time(), UTC))
        return link_until(self.rt, work, one.judged.bill, until=until)

    def _due_bill(self, work: Work, one: _Spoken, fresh: Fresh) -> DueBill:
        bill, link, matters = one.judged.bill, fresh.link, one.judged.facts.standing.matters
        due_on = one.judged.facts.sequence.due_on(bill)
        cents = work.links.parts(link)[bill.id] if link is not None else bill.open_cents
        return DueBill(
            bill_id=bill.id,
            number=bill.number,
            matter_number=matters[0].display_number if len(matters) == 1 else None,
            amount=Money(cents, bill.currency or self.rt.currency),
            issued_on=bill.issued_on,
            due_on=bill.due_on,
            days_overdue=max(0, (self.rt.local_date(work.now) - due_on).days) if due_on is not None else 0,
            # One for several bills is the letter's own, or none: it collects more than this bill.
            pay_url=link["url"] if link is not None and link["client_id"] is None else None,
            step=one.step.key,
        )

    def _reminder(self, work: Work, letter: Row, spoken: Sequence[_Spoken], links: Sequence[Fresh]) -> Reminder:
        bills = tuple(self._due_bill(work, one, fresh) for one, fresh in zip(spoken, links, strict=True))
        # Of several steps in one letter the sternest has the word.
        sternest = max(zip(spoken, bills, strict=True), key=lambda pair: (pair[1].days_overdue, pair[0].step.days))[0]
        client = spoken[0].judged.bill.client
        assert client is not None
        pay_url, wider = self._one_for_all(work, links, bills, today=letter["on"])
        facts = [fact for one in spoken for fact in (one.row["bill_id"], one.step.key)]
        return Reminder(
            template=sternest.step.template,
            to=str(client.email),
            client_name=client.name,
            bills=bills,
            pay_url=pay_url,
            wider=wider,
            key=effect_key("reminder", letter["client_id"], letter["on"], *facts),
            thread=tuple(work.reminders.thread_of([one.row["bill_id"] for one in spoken])),
            stop_url=stop_address(self.rt, letter["client_id"]),
            **manner(self.rt, [matter for one in spoken for matter in one.judged.facts.standing.matters]),
        )

    def _one_for_all(
        self, work: Work, links: Sequence[Fresh], bills: Sequence[DueBill], *, today: date
    ) -> tuple[str | None, Wider | None]:
        """The address at which the bills of this letter are paid together, and what else is paid there."""
        shared = {fresh.link["id"]: fresh.link for fresh in links if fresh.link is not None and fresh.link["client_id"]}
        covered = {bill.bill_id for bill in bills}
        for link in shared.values():
            parts = work.links.parts(link)
            others = parts.keys() - covered
            if covered - parts.keys():
                continue
            if not others:
                return link["url"], None
            # A bill of which nothing may be said today is not asked for in passing either.
            stands = standings(self.rt, work, others).values()
            if not any(quiet(one, today=today, rules=rules_of(self.rt)) for one in stands):
                numbers = tuple(bill.number for bill in work.mirror.bills(parts).values())
                return link["url"], Wider(numbers, Money(link["amount_cents"], link["currency"]))
        return None, None

    def _letter(self, work: Work) -> Row:
        letter = work.reminders.letter(self.job.payload["letter_id"])
        if letter is None:
            raise Stale(f"Letter {self.job.payload['letter_id']} is not there.")
        return letter


def _worth_waiting(one: _Spoken, fresh: Fresh) -> bool:
    """A link that is being made is there in a moment; for room under the quota only the step waits whose point the link is."""
    return fresh.pending and (fresh.why != NO_ROOM or one.step.action is Action.MESSAGE_WITH_LINK)
