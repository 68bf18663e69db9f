"""A year of a firm that bills every working day: what becomes of each bill, who pays when, and what is away for how long."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from functools import partial
from random import Random
from typing import Any

from orchestrator.demo.days import (
    AFTERNOON,
    CLOSING,
    EVENING,
    MORNING,
    NOON,
    Moment,
    begin,
    end,
    moment,
    office_day,
    workday,
)
from orchestrator.sandbox.scenario import Scenario

BY_HAND = 2
"""Bills that the office issues by itself each working day, beside those that the worker asks for."""

LARGE, SMALL = 1_800, 90
METHODS = ("card", "card", "echeck")


@dataclass(frozen=True, slots=True)
class Owed:
    """One bill of the story: its name there, the day of issue, and the day on which it falls due."""

    name: str
    matter: str
    day: int
    due: int


Fate = Callable[[Random, Owed], Iterator[Moment]]


def year(scenario: Scenario, dice: Random, days: int) -> Iterator[Moment]:
    """Steady bills, and all that can become of one; everything outside is away once."""
    terms = scenario.account.terms_days
    attorneys = [user.key for user in scenario.users if user.subscription_type == "Attorney"]
    homes = _homes(scenario)
    weights, fates = zip(*FATES, strict=True)
    for day in (day for day in range(days) if office_day(day) == day):
        matter, client = dice.choice(homes)
        facts = {"matter": matter, "user": dice.choice(attorneys), "hours": dice.choice((2.0, 2.5, 4.0))}
        yield moment(day, MORNING), "log_time", {"entry": f"entry-{day}", **facts}
        yield moment(day, AFTERNOON), "answer_tasks", {"most": 99, "approve": True}
        if dice.random() < 0.8:  # noqa: PLR2004
            later = day + dice.randint(3, terms + 25)
            yield moment(later, EVENING), "client_pays", {"client": client, "method": dice.choice(METHODS)}
        for place in range(BY_HAND):
            matter, _ = dice.choice(homes)
            bill = Owed(f"bill-{day}-{place}", matter, day, day + terms)
            amount = f"{dice.randint(SMALL, LARGE)}.{dice.randint(0, 99):02d}"
            yield moment(day, AFTERNOON), "issue_bill", {"bill": bill.name, "matter": matter, "amount": amount}
            [fate] = dice.choices(fates, weights)
            yield from fate(dice, bill)
    yield from _turns(homes, days, terms)
    yield from _outages(days)


def _homes(scenario: Scenario) -> Sequence[tuple[str, str]]:
    """The matters that are billed, each with its client."""
    many = scenario.many
    crowd = [
        (f"matter-{place}-{part}", f"client-{place}")
        for place in range(1, many.clients + 1)
        for part in range(1, many.matters_per_client + 1)
    ] if many else []  # fmt: skip
    return [*((case.key, case.client) for case in scenario.matters if case.status == "Open"), *crowd]


# ── what becomes of a bill ──


def _pays(dice: Random, bill: Owed, *, least: int, most: int) -> Iterator[Moment]:
    """By its link, so many days after the due date."""
    facts = {"bill": bill.name, "method": dice.choice(METHODS)}
    yield moment(max(bill.day + 1, bill.due + dice.randint(least, most)), EVENING), "pay_bill", facts


def _never(_dice: Random, _bill: Owed) -> Iterator[Moment]:
    yield from ()


def _cheque(dice: Random, bill: Owed) -> Iterator[Moment]:
    at = moment(office_day(bill.due + dice.randint(-5, 26)), CLOSING)
    yield at, "bill_cheque", {"bill": bill.name, "share": 1.0}


def _parts(dice: Random, bill: Owed) -> Iterator[Moment]:
    first = office_day(bill.due + dice.randint(2, 12))
    yield moment(first, CLOSING), "bill_cheque", {"bill": bill.name, "share": 0.4}
    if dice.random() < 0.5:  # noqa: PLR2004
        yield from _pays(dice, bill, least=18, most=28)


def _credit(dice: Random, bill: Owed) -> Iterator[Moment]:
    yield moment(office_day(bill.due + dice.randint(-3, 9)), CLOSING), "bill_credit", {"bill": bill.name, "share": 0.25}
    yield from _pays(dice, bill, least=12, most=26)


def _void(dice: Random, bill: Owed) -> Iterator[Moment]:
    yield moment(office_day(bill.due + dice.randint(-4, 24)), CLOSING), "bill_void", {"bill": bill.name}


def _closes(dice: Random, bill: Owed) -> Iterator[Moment]:
    """The matter is closed while the bill is open, between two steps or before the first."""
    at = moment(office_day(bill.due + dice.randint(-6, 20)), CLOSING)
    yield at, "close_matter", {"matter": bill.matter}


def _moves(dice: Random, bill: Owed) -> Iterator[Moment]:
    """The client writes from another address, and pays there."""
    at = moment(office_day(bill.due + dice.randint(1, 6)), MORNING)
    yield at, "client_moves", {"bill": bill.name}
    yield from _pays(dice, bill, least=8, most=14)


def _promises(dice: Random, bill: Owed) -> Iterator[Moment]:
    """The client names a day, and every other one keeps it."""
    day, days = office_day(bill.due + dice.randint(1, 6)), 10
    yield moment(day, NOON), "word_given", {"bill": bill.name, "kind": "promise", "days": days}
    if dice.random() < 0.5:  # noqa: PLR2004
        yield moment(day + days - 1, EVENING), "pay_bill", {"bill": bill.name, "method": dice.choice(METHODS)}


def _disputes(dice: Random, bill: Owed) -> Iterator[Moment]:
    """Somebody disputes the bill, and it is settled some weeks later; then it is paid, or chased again."""
    day = office_day(bill.due + dice.randint(-4, 9))
    over = office_day(day + dice.randint(14, 24))
    yield moment(day, NOON), "word_given", {"bill": bill.name, "kind": dice.choice(("dispute", "hold", "pause"))}
    yield moment(over, NOON), "word_over", {"bill": bill.name}
    if dice.random() < 0.5:  # noqa: PLR2004
        yield moment(over + dice.randint(2, 8), EVENING), "pay_bill", {"bill": bill.name, "method": "card"}


def _agrees(dice: Random, bill: Owed) -> Iterator[Moment]:
    """A payment plan, a bankruptcy or a wish not to be written to: nothing is sent about it for good."""
    kind = dice.choice(("payment_plan", "bankruptcy", "do_not_contact"))
    yield moment(office_day(bill.due + dice.randint(-2, 16)), NOON), "word_given", {"bill": bill.name, "kind": kind}


def _bounces(dice: Random, bill: Owed) -> Iterator[Moment]:
    """The first letter comes back; every other time somebody finds where the client is now."""
    yield moment(office_day(bill.day + 1), NOON), "mail_returns", {"bill": bill.name}
    if dice.random() < 0.5:  # noqa: PLR2004
        yield moment(office_day(bill.due + dice.randint(2, 12)), MORNING), "client_moves", {"bill": bill.name}


FATES: Sequence[tuple[float, Fate]] = (
    (0.42, partial(_pays, least=-13, most=5)),
    (0.14, partial(_pays, least=8, most=14)),
    (0.08, partial(_pays, least=22, most=28)),
    (0.06, _cheque),
    (0.05, _parts),
    (0.03, _credit),
    (0.03, _void),
    (0.02, _closes),
    (0.02, _moves),
    (0.03, _promises),
    (0.03, _disputes),
    (0.02, _agrees),
    (0.02, _bounces),
    (0.05, _never),
)
"""How likely each is."""


# ── what happens once ──


def _turns(homes: Sequence[tuple[str, str]], days: int, terms: int) -> Iterator[Moment]:
    home = homes[len(homes) // 2][0]
    rows: Sequence[tuple[float, time, str, Mapping[str, Any]]] = (
        (0.10, CLOSING, "twelve_bills", {"matter": home, "bills": 12, "amount": "120.00"}),
        (0.20, EVENING, "payment_fails", {}),
        (0.28, MORNING, "trust_request", {"matter": home, "amount": "1500.00"}),
        (0.45, CLOSING, "refund", {}),
        (0.60, CLOSING, "chargeback", {}),
        (0.66, CLOSING, "late_return", {}),
    )
    for share, at, kind, facts in rows:
        yield moment(workday(share, days), at), kind, facts
    twelve = int(0.10 * days) + terms + 10
    yield moment(twelve, EVENING), "client_pays", {"client": homes[len(homes) // 2][1], "method": "card"}


# ── what is away ──

OUTAGES: Sequence[tuple[float, time, str, float]] = (
    (0.15, MORNING, "mail_away", 24),
    (0.32, AFTERNOON, "clio_away", 3),
    (0.50, MORNING, "worker_away", 48),
    (0.68, MORNING, "broker_away", 6),
    (0.82, AFTERNOON, "worker_killed", 0),
)
"""At which share of the year, and for how many hours."""


BACK = {"worker_away": "worker_back", "broker_away": "broker_back"}
"""What has to be brought back; the others come back by themselves."""


def _outages(days: int) -> Iterator[Moment]:
    free = begin()
    for share, at, kind, hours in OUTAGES:
        day = workday(share, days)
        while moment(day, at) <= free:  # in a short story another is still away
            day = office_day(day + 1)
        back = moment(day, at, minutes=round(hours * 60))
        if back + timedelta(days=1) > end(days):
            continue  # the story would be over before the worker has caught up
        free = back
        yield moment(day, at), kind, {"hours": hours}
        if kind in BACK:
            yield back, BACK[kind], {}
