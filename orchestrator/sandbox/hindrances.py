"""What stood against asking for a bill on one day, told from the journal alone: what a worker says of it is held against this."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

from orchestrator.sandbox.clock import moment_of
from orchestrator.sandbox.journal import SETTLED, UNHURRIED, Facts, about

UNDER_WAY = frozenset({"payment.pending", "payment.authorized", "payment.requires_confirmation"})
EVER = datetime.min.replace(tzinfo=UTC)
BRINGING = UNHURRIED | {""}
FELL = frozenset({"payment.voided", "payment.failed", "payment.canceled"})


@dataclass
class Life:
    """One thing through time."""

    moments: list[datetime] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)

    def hear(self, entry: Facts) -> None:
        self.moments.append(moment_of(entry["at"]))
        self.facts.append(entry)

    def as_of(self, moment: datetime) -> Facts | None:
        place = bisect_right(self.moments, moment)
        return self.facts[place - 1] if place else None

    def during(self, first: datetime, last: datetime) -> list[Facts]:
        """What it was at `first`, and each thing it became until `last`."""
        return self.facts[max(0, bisect_right(self.moments, first) - 1) : bisect_right(self.moments, last)]

    def within(self, first: datetime, last: datetime) -> list[Facts]:
        """What happened between the two."""
        return self.facts[bisect_left(self.moments, first) : bisect_right(self.moments, last)]


Lives = dict[int, Life]


def _lives() -> Lives:
    return defaultdict(Life)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the firm decided: the least that is worth a reminder, for how many days one is sent or is not, and how far apart."""

    minimum: float = 5.0
    oldest_days: int = 365
    grace_days: int = 10
    gap_days: int = 5


@dataclass(frozen=True, slots=True)
class Day:
    """One bill between two hours: everything it was, the last of it first asked for."""

    bills: list[Facts]
    first: datetime
    last: datetime

    @property
    def bill(self) -> Facts:
        return self.bills[-1]

    def of(self, life: Life) -> list[Facts]:
        return life.during(self.first, self.last)


@dataclass
class Hindrances:
    """The journal by bill, matter, client and payment; `stood` names what it shows in the words of the runbook."""

    limits: Limits = field(default_factory=Limits)
    began: str | None = None
    bills: Lives = field(default_factory=_lives)
    bills_of: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    matters: Lives = field(default_factory=_lives)
    contacts: Lives = field(default_factory=_lives)
    payments: dict[int, Lives] = field(default_factory=lambda: defaultdict(_lives))
    """By bill, then by payment."""
    returns: Lives = field(default_factory=_lives)
    links: Lives = field(default_factory=_lives)
    """Ours, by each bill that one collects."""
    mails: Lives = field(default_factory=_lives)
    bounces: Lives = field(default_factory=_lives)
    """By client."""
    returned: set[str] = field(default_factory=set)
    credits: dict[int, Lives] = field(default_factory=lambda: defaultdict(_lives))
    """By client, then by memo."""
    trust: Lives = field(default_factory=_lives)

    def hear(self, entry: Facts) -> None:
        self.began = self.began or entry["at"]
        if (heard := HEARD.get(entry["kind"])) is not None:
            heard(self, entry)

    def bill_moved(self, entry: Facts) -> None:
        self.bills[entry["id"]].hear(entry)
        self.bills_of[entry["client_id"]].add(entry["id"])

    def matter_moved(self, entry: Facts) -> None:
        self.matters[entry["id"]].hear(entry)

    def contact_moved(self, entry: Facts) -> None:
        self.contacts[entry["id"]].hear(entry)

    def payment_moved(self, entry: Facts) -> None:
        for bill in entry["bill_ids"]:
            life = self.payments[bill][entry["id"]]
            if entry["kind"] in FELL and life.facts and life.facts[-1]["kind"] in SETTLED:
                self.returns[bill].hear(entry)
            life.hear(entry)

    def payment_returned(self, entry: Facts) -> None:
        for bill in entry["bills"]:
            self.returns[int(bill)].hear(entry)

    def link_moved(self, entry: Facts) -> None:
        shared = entry["bill_id"] is None
        for bill in self.bills_of[entry["contact_id"]] if shared else (entry["bill_id"],):
            if entry["by"] == "app":
                self.links[bill].hear(entry)

    def mail(self, entry: Facts) -> None:
        for bill, _ in about(entry):
            self.mails[bill].hear(entry)

    def mail_returned(self, entry: Facts) -> None:
        self.returned.add(entry["id"])
        for bill, _ in about(entry):
            for facts in self.bills[bill].facts[-1:]:
                self.bounces[facts["client_id"]].hear(entry)

    def credit_moved(self, entry: Facts) -> None:
        self.credits[entry["client_id"]][entry["id"]].hear(entry)

    def posted(self, entry: Facts) -> None:
        if entry["account_class"] == "Trust" and entry["matter_id"] is not None:
            self.trust[entry["matter_id"]].hear(entry)

    # ── what stood ──

    def stood(self, bill: int, first: datetime, last: datetime) -> list[str]:
        """Everything that stood against asking for it at some moment between the two; empty for a bill not there yet."""
        lived = self.bills[bill].during(first, last)
        return [] if not lived else [code for code, stands in STOOD if stands(self, Day(lived, first, last))]

    def status(self, day: Day, status: str) -> bool:
        lives = (self.matters[matter] for matter in day.bill["matter_ids"])
        return any(facts["status"] == status for life in lives for facts in day.of(life))

    def client(self, day: Day, says: Callable[[Facts], object]) -> bool:
        return any(map(says, day.of(self.contacts[day.bill["client_id"]])))

    def on_its_way(self, day: Day, *methods: str) -> bool:
        """A payment that has neither come nor fallen through."""
        lived = (facts for life in self.payments[day.bill["id"]].values() for facts in day.of(life))
        return any(facts["kind"] in UNDER_WAY and (not methods or facts["method"] in methods) for facts in lived)

    def came_back(self, day: Day, since: datetime = EVER) -> bool:
        return bool(self.returns[day.bill["id"]].within(since, day.last))

    def trust_money(self, day: Day) -> bool:
        """As much as is open, in the one matter's own ledger."""
        matters = day.bill["matter_ids"]
        posted = self.trust[matters[0]].within(EVER, day.last) if len(matters) == 1 else []
        held = [*accumulate((facts["amount_cents"] for facts in posted), initial=0)]
        before = sum(moment_of(facts["at"]) < day.first for facts in posted)
        open_cents = round((day.bill["balance"] - day.bill["pending"]) * 100)
        return bool(max(held[before:]) >= max(1, open_cents))

    def credit(self, day: Day) -> bool:
        """A credit memo of the client with something left, or money of the client's that no bill has taken."""
        client = day.bill["client_id"]
        memos = (facts for life in self.credits[client].values() for facts in day.of(life))
        lives = (life for bill in self.bills_of[client] for life in self.payments[bill].values())
        money = (facts for life in lives for facts in day.of(life) if facts["kind"] in SETTLED)
        return any(facts["unapplied"] > 0 for facts in memos) or any(
            facts["allocated"] < facts["amount"] for facts in money
        )

    def arrived(self, bill: int, until: datetime) -> list[Facts]:
        """The messages that brought it to somebody by then, the first one first."""
        brought = (mail for mail in self.mails[bill].within(EVER, until) if mail["id"] not in self.returned)
        return [mail for mail in brought if any(one == bill and step in BRINGING for one, step in about(mail))]

    def bounced(self, day: Day) -> bool:
        """A message to the address that the client still has came back."""
        client = day.bill["client_id"]
        back = self.bounces[client].within(EVER, day.last)
        kept = self.contacts[client].as_of(day.first)
        return any(kept is None or kept["email"] in mail["to"] for mail in back)

    def written_to(self, day: Day) -> bool:
        return any(self.mails[bill].within(day.first, day.last) for bill in self.bills_of[day.bill["client_id"]])


HEARD: dict[str, Callable[[Hindrances, Facts], None]] = {
    "bill.moved": Hindrances.bill_moved,
    "matter.moved": Hindrances.matter_moved,
    "contact.moved": Hindrances.contact_moved,
    "payment.reversed": Hindrances.payment_returned,
    **dict.fromkeys(("link.created", "link.used", "link.expired"), Hindrances.link_moved),
    "mail.accepted": Hindrances.mail,
    "mail.returned": Hindrances.mail_returned,
    "credit.moved": Hindrances.credit_moved,
    "ledger.posted": Hindrances.posted,
    **dict.fromkeys(UNDER_WAY | SETTLED | FELL, Hindrances.payment_moved),
}

Stands = Callable[[Hindrances, Day], bool]


def _nothing_open(_record: Hindrances, day: Day) -> bool:
    return any(facts["state"] == "paid" or facts["balance"] <= 0 for facts in day.bills)


def _under_way(record: Hindrances, day: Day) -> bool:
    return record.on_its_way(day) or any(facts["pending"] > 0 for facts in day.bills)


def _grace(record: Hindrances, day: Day) -> bool:
    return record.came_back(day, day.first - timedelta(days=record.limits.grace_days + 1))


def _message_near(record: Hindrances, day: Day) -> bool:
    return bool(record.mails[day.bill["id"]].within(day.first, day.last + timedelta(days=1)))


def _ran_out(record: Hindrances, day: Day) -> bool:
    """Its last link lived as long as a link lives: once nothing more follows, none is made again."""
    last = record.links[day.bill["id"]].as_of(day.last)
    return last is not None and last["kind"] == "link.expired" and last["why"] == "time"


def _never_arrived(record: Hindrances, day: Day) -> bool:
    return not record.arrived(day.bill["id"], day.first)


def _step_near(record: Hindrances, day: Day) -> bool:
    before = record.mails[day.bill["id"]].within(day.first - timedelta(days=record.limits.gap_days), day.last)
    return any(
        step for mail in before for bill, step in about(mail) if bill == day.bill["id"] and step not in UNHURRIED
    )


def _little(record: Hindrances, day: Day) -> bool:
    return any(0 < facts["balance"] < record.limits.minimum for facts in day.bills)


def _old(record: Hindrances, day: Day) -> bool:
    began = day.bill["due_at"] or day.bill["issued_at"]
    return bool(began) and (day.last.date() - date.fromisoformat(began)).days > record.limits.oldest_days


def _issued_before(record: Hindrances, day: Day) -> bool:
    return record.began is not None and "" < day.bill["issued_at"] < record.began[:10]


def _status(status: str) -> Stands:
    return lambda record, day: record.status(day, status)


def _client(says: Callable[[Facts], bool]) -> Stands:
    return lambda record, day: record.client(day, says)


STOOD: tuple[tuple[str, Stands], ...] = (
    ("issued_before_start", _issued_before),
    ("bill_paid", _nothing_open),
    ("bill_written_off", _nothing_open),
    ("payment_under_way", _under_way),
    ("echeck_settling", lambda record, day: record.on_its_way(day, "echeck")),
    ("payment_reversed", Hindrances.came_back),
    ("reversal_grace", _grace),
    ("trust_available", Hindrances.trust_money),
    ("credit_unapplied", Hindrances.credit),
    ("matter_closed", _status("Closed")),
    ("matter_pending", _status("Pending")),
    ("client_email_blank", _client(lambda facts: not facts["email"])),
    ("client_email_invalid", _client(lambda facts: "@" not in (facts["email"] or "@"))),
    ("client_redacted", _client(lambda facts: bool(facts["redacted"]))),
    ("clio_reminders_on", _client(lambda facts: bool(facts["reminders_enabled"]))),
    ("link_over", _ran_out),
    ("never_delivered", _never_arrived),
    ("address_bounced", Hindrances.bounced),
    ("step_too_soon", _step_near),
    ("message_on_its_way", _message_near),
    ("client_written_today", Hindrances.written_to),
    ("below_minimum", _little),
    ("too_old", _old),
)
"""Each hindrance that the record alone can show, by its code. What is not here no day of an owed bill can bear out."""
