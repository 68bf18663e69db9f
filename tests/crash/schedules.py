"""One number is one schedule: what is drawn, how it is played, and what the sandbox's own record says of it."""

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import structlog

from orchestrator.engine.points import Point
from orchestrator.sandbox.client import SandboxClient, SandboxRefused
from orchestrator.storage.jobs import LIVE, JobState
from tests.crash.stage import Judged, Life, Stage
from tests.crash.stories import STORIES, Later, Story, When
from tests.crash.trouble import PLACES, Blow, Kind, Place, Seam, Trouble, Weather, provoked, weather

MADE = {
    "task.create": "task.created",
    "note.create": "note.created",
    "link.create": "link.created",
    "link.expire": "link.expired",
    "communication.log": "communication.created",
    "message.send": "mail.accepted",
}
"""The effect that a finished job of each topic has outside, once."""

SHOWN = {"matter.mark": "matter.patched"}
"""A state, not an event: one job may find that another has brought it about already, so there is at most one effect each."""

BLOWS = tuple((kind, place) for kind, places in PLACES.items() for place in places)
"""Every way to be struck and where: schedule n begins with number n of them, so that none is left to luck."""

LASTS_LONGER = {Point.EFFECT_MARKED_SENT, Seam.COMMITTED}
"""Frozen here, only the time that really passed keeps a worker from sending: the freeze is longer than its lease."""

EVERY_ROW = 1_000_000
"""A siege leaves more rows behind than any screen shows."""

CANARIES = ("bo@clients.test", "Bo Ferris")


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that seed `seed` decides."""

    seed: int
    requested: bool
    stories: tuple[tuple[Story, When, int], ...]
    blows: tuple[Blow, ...]
    weather: tuple[Weather, ...]
    told: bool
    unreached: bool
    meanwhile: str | None

    def __str__(self) -> str:
        bills = ["asked for"] if self.requested else []
        bills += [f"{story.name} ({when.name.lower()})" for story, when, _ in self.stories]
        sky = [f"{on} {do} after {params.get('skip', 0)}" for on, do, params in self.weather]
        more = [
            *(["Clio unreached"] if self.unreached else []),
            *([f"meanwhile {self.meanwhile}"] if self.meanwhile else []),
        ]
        return f"bills: {', '.join(bills)}; {'; '.join([*map(str, self.blows), *sky, *more]) or 'no trouble'}"


def draw(seed: int) -> Schedule:
    """The schedule of this number; the same for ever, as long as the tables are the same."""
    dice = random.Random(f"crash schedule {seed}")
    first = BLOWS[seed % len(BLOWS)]
    others = dice.choices(BLOWS, k=dice.choice([0, 0, 1, 2]))
    blows = tuple(_blow(dice, kind, place) for kind, place in (first, *others))
    if seed < len(BLOWS) and isinstance(first[1], Point):
        # The first round is for certain: each of them strikes at the first passing.
        blows = (replace(blows[0], nth=1), *blows[1:])
    stories = [
        (story, dice.choice(story.when), dice.choice([100, 150, 250]))
        for story in dice.sample(STORIES, dice.choice([1, 1, 2]))
    ]
    freezes = any(blow.kind is Kind.FREEZE for blow in blows)
    return Schedule(
        seed=seed,
        requested=dice.random() < 0.2,
        stories=tuple(stories),
        blows=blows,
        weather=(*provoked(first[1]), *weather(dice, most=3)),
        told=dice.random() < 0.6 or first[1] in {Point.RECEIPT_STORED, Point.RECEIPT_STORING},
        unreached=dice.random() < 0.08,
        meanwhile=dice.choice([None, "void_bill", "credit_bill", "record_payment"]) if freezes else None,
    )


def _blow(dice: random.Random, kind: Kind, place: Place) -> Blow:
    often = isinstance(place, Seam)
    nth = dice.randint(1, 50) if often else dice.choice([1, 1, 1, 2, 2, 3, dice.randint(1, 12)])
    times = dice.choice([1, 1, 1, 2, 3]) if kind is Kind.DEATH else 1
    return Blow(kind, place, nth, times, minutes=dice.choice([0, 3, 3, 20]))


@dataclass
class Outcome:
    """What came of one schedule; `breaches` is empty, or the promise is broken."""

    seed: int
    schedule: str = ""
    breaches: list[str] = field(default_factory=list)
    intents: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    duplicates: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    frozen: Counter[str] = field(default_factory=Counter)
    disconnected: Counter[str] = field(default_factory=Counter)
    weather: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    calls: int = 0
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        counted = {name: dict(value) for name, value in vars(self).items() if isinstance(value, Counter)}
        return asdict(self) | {name: {str(key): n for key, n in value.items()} for name, value in counted.items()}


def play(stage: Stage, seed: int) -> Outcome:
    """Play it and judge it; whatever goes wrong is a breach, never an exception."""
    schedule, outcome = draw(seed), Outcome(seed)
    outcome.schedule = str(schedule)
    began = time.process_time()
    trouble = Trouble(schedule.blows)
    short = any(blow.kind is Kind.FREEZE and blow.place in LASTS_LONGER for blow in schedule.blows)
    try:
        with structlog.testing.capture_logs() as said, stage.life(trouble, short_lease=short) as life:
            for on, do, params in schedule.weather:
                stage.sandbox.fault(on, do, **params)
            live(life, schedule)
            judge(life, outcome, str(said))
            outcome.restarts = life.restarts
    except Exception as failure:  # noqa: BLE001  a schedule that cannot be played to its end has failed
        place = traceback.extract_tb(failure.__traceback__)[-1]
        outcome.breaches.append(
            f"{type(failure).__name__}: {failure} ({place.filename.rsplit('/', 1)[-1]}:{place.lineno})"
        )
    for (kind, place_), times in trouble.struck.items():
        {Kind.DEATH: outcome.killed, Kind.FREEZE: outcome.frozen, Kind.DISCONNECT: outcome.disconnected}[kind][
            str(place_)
        ] += times
    outcome.seconds = time.process_time() - began
    return outcome


def live(life: Life, schedule: Schedule) -> None:
    """From work to money, with the acts of people at their moments."""
    life.work()
    people = People(life, schedule)
    pause = 1 if schedule.told else 16
    people.act(When.EARLY)
    if schedule.unreached:
        life.unreached()
    life.later(pause)
    people.act(When.BETWEEN)
    life.later(2)
    people.act(When.LATE)
    life.later(pause)
    people.act_afterwards()
    life.rest()


class People:
    """Whoever bills, decides and pays in one schedule; Clio tells of it, or only a sweep will find it."""

    def __init__(self, life: Life, schedule: Schedule) -> None:
        self._life, self._schedule = life, schedule
        asked = [self._asked_for()] if schedule.requested else []
        self._own = [life.issued_bill(dollars) for _, _, dollars in schedule.stories]
        self._bills = asked + self._own
        self._afterwards: list[Later] = []
        if schedule.meanwhile is not None:
            life.meanwhile = _once(life, schedule.meanwhile, self._own[0])

    def _asked_for(self) -> int:
        """The bill that our worker's own task asks for."""
        self._life.later(16)
        self._life.later(50)
        draft = self._life.sandbox.act("generate_bill", matter_id=self._life.matter())
        return int(self._life.sandbox.act("approve_bill", id=draft["id"])["id"])

    def act(self, when: When) -> None:
        for (story, moment, _), bill in zip(self._schedule.stories, self._own, strict=True):
            if moment is when:
                self._afterwards.append(_unless_refused(partial(story.fate, self._life, bill)))
        self._tell()

    def act_afterwards(self) -> None:
        for later in filter(None, self._afterwards):
            _unless_refused(later)
        self._tell()

    def _tell(self) -> None:
        for bill in self._bills if self._schedule.told else ():
            self._life.tell("bill", bill)
        for payment in self._life.payments if self._schedule.told else ():
            self._life.tell("clio_payments_payment", payment)


def _once(life: Life, verb: str, bill: int) -> Callable[[], None]:
    left = [verb]

    def act() -> None:
        if left:
            life.sandbox.act(left.pop(), id=bill, **({"amount": 10} if verb == "credit_bill" else {}))

    return act


def _unless_refused(doing: Callable[[], Any]) -> Any:
    """What Clio refuses a person, because somebody else was first, does not happen."""
    try:
        return doing()
    except SandboxRefused:
        return None


def judge(life: Judged, outcome: Outcome, said: str) -> None:
    """I1–I5 and I7–I9 of the fault catalogue, from the sandbox's record; our database is only asked what it intended."""
    sandbox, breaches = life.sandbox, outcome.breaches
    verdict, counts = sandbox.oracle(), sandbox.counts()
    with life.desk.read() as work:
        rows = work.jobs.listed(limit=EVERY_ROW)
        held, balance = work.journal.held(), work.journal.balance()
        told = work.exceptions.listed(limit=EVERY_ROW)
        alive = {row["clio_id"] for row in work.links.listed(states=["live"], limit=EVERY_ROW)}
    asked_a_person = {row["subject_id"] for row in told if row["kind"] == "payment_reversed"}
    in_hand = {row["subject_id"] for row in told if row["kind"] == "payment_unallocated"}
    missing = [one for one in verdict.pop("missing") if one.get("bill_id") not in asked_a_person]
    outcome.duplicates = len(verdict["duplicate_links"]) + len(verdict["duplicate_mails"])
    outcome.lost = len(missing)
    for name, found in (*verdict.items(), ("missing", missing)):
        if found:
            breaches.append(f"{name}: {found}")
    outcome.calls = counts["total_calls"]
    entries = sandbox.effects()
    by_kind = Counter(one["kind"] for one in entries if _ours(one))
    for topic, kind in SHOWN.items():
        mine = [row for row in rows if row["topic"] == topic]
        if by_kind[kind] > len(mine) or any(row["state"] not in {JobState.DONE, JobState.REVOKED} for row in mine):
            breaches.append(f"{by_kind[kind]} {kind} for {topic} {[row['state'] for row in mine]}")
    for topic, kind in MADE.items():
        mine = [row for row in rows if row["topic"] == topic and row["state"] != JobState.REVOKED]
        outcome.intents[topic], outcome.effects[topic] = len(mine), by_kind[kind]
        if len(mine) != by_kind[kind]:
            breaches.append(f"{by_kind[kind]} {kind} for {len(mine)} intents of {topic}")
        stuck = [row["state"] for row in mine if row["state"] != JobState.DONE and not _arrived(row)]
        if stuck:
            breaches.append(f"{topic} ended {stuck}")
    received = sum(round(100 * one["amount"]) for one in _settled(entries))
    reversals = [one for one in entries if one["kind"] == "payment.reversed"]
    went_back = sum(round(100 * part) for one in reversals for part in one["bills"].values())
    # What went back of money that belongs to no bill shows nowhere at Clio: a person has that payment in hand already.
    unseen = {one["id"] for one in reversals if round(sum(one["bills"].values()) - one["amount"], 2)}
    there = _alive(entries)
    # The heartbeat is real time's own: there may always be one due.
    now = life.desk.clock()
    busy = sorted(
        {row["topic"] for row in rows if row["state"] in LIVE and row["not_before"] <= now}
        - {"engine.heartbeat", "sweep"}
    )
    outcome.weather.update(struck(sandbox))
    slowed = sum(times for name, times in outcome.weather.items() if name.endswith(" retry_after"))
    for holds, words in (
        (balance == 0, f"the ledger sums to {balance}"),
        (held == received - went_back, f"the books hold {held}, Clio {received - went_back}"),
        (unseen <= in_hand, f"money of {sorted(unseen - in_hand)} went back unseen"),
        (not busy, f"it is not idle: {busy}"),
        (alive == there, f"live links: ours {sorted(alive)}, Clio's {sorted(there)}"),
        (counts["rate_limited"] <= slowed, "more was asked than the budget allows"),
        (
            not any(canary in said for canary in (*CANARIES, sandbox.access_token)),
            "a log line names a person or a token",
        ),
    ):
        if not holds:
            breaches.append(words)


def struck(sandbox: SandboxClient) -> Counter[str]:
    """How often each of the scripted faults that stand there has struck."""
    times: Counter[str] = Counter()
    for fault in sandbox.faults():
        times[f"{fault['on']} {fault['do']}"] += fault["hits"]
    return +times


def _ours(entry: dict[str, Any]) -> bool:
    return entry.get("by", "app") == "app" and (entry["kind"] != "link.expired" or entry["why"] == "request")


def _arrived(row: Any) -> bool:
    return row["topic"] == "message.send" and row["reason"] == "mail_outcome_unknown"


def _settled(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each payment that was completed, once."""
    found = {}
    for one in entries:
        if one["kind"] in {"payment.completed", "payment.completed_requiring_allocation"}:
            found.setdefault(one["id"], one)
    return list(found.values())


def _alive(entries: Sequence[dict[str, Any]]) -> set[int]:
    made = {one["id"] for one in entries if one["kind"] == "link.created"}
    return made - {one["id"] for one in entries if one["kind"] in {"link.used", "link.expired"}}
