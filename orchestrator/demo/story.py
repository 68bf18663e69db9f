"""What happens when: a list of dated events, made from a scenario, a seed and a number of days before anything runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from random import Random
from types import MappingProxyType
from typing import Any

from orchestrator.demo.days import (
    AFTERNOON,
    BEGIN,
    CLOSING,
    EVENING,
    MORNING,
    NOON,
    Moment,
    begin,
    date_of,
    end,
    moment,
    weekend,
    workday,
)
from orchestrator.demo.year import year
from orchestrator.sandbox.scenario import Case, Scenario


@dataclass(frozen=True, slots=True)
class Event:
    """At this moment somebody does `kind`, a verb of `people.PEOPLE`."""

    at: datetime
    id: str
    kind: str
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part, by their names in the scenario."""

    attorneys: tuple[str, ...]
    hourly: tuple[str, ...]
    payers: tuple[str, ...]
    speechless: tuple[tuple[str, str], ...]
    staged: tuple[tuple[str, str], ...]
    dates: bool
    trusted: tuple[str, ...]

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages at which a flat fee is due in this story."""
        return tuple(sorted({stage for _, stage in self.staged}))


def cast_of(scenario: Scenario) -> Cast:
    """Choose the parts: hourly matters of clients who can be written to, those who cannot, and flat fees that wait."""
    clients = {client.key: client for client in scenario.contacts}
    stages = {area.key: area.stages for area in scenario.practice_areas}
    living = [case for case in scenario.matters if case.status == "Open" and case.billable and _plain(case)]
    hourly = [case for case in living if case.billing_method == "hourly" and not clients[case.client].redacted]
    reachable = [case for case in hourly if clients[case.client].email]
    many = scenario.many.clients if scenario.many else 0
    crowd = range(1, min(many, 8) + 1)
    return Cast(
        attorneys=tuple(user.key for user in scenario.users if user.subscription_type == "Attorney") or ("",),
        hourly=(*(case.key for case in reachable), *(f"matter-{place}-1" for place in crowd)),
        payers=(*dict.fromkeys(case.client for case in living), *(f"client-{place}" for place in crowd)),
        speechless=tuple((case.key, case.client) for case in hourly if not clients[case.client].email),
        staged=tuple(
            (case.key, stages[case.area][-2])
            for case in living
            if case.billing_method == "flat" and not case.custom and len(stages.get(case.area, ())) > 1
        ),
        dates=any(custom.name == "Billing Date" for custom in scenario.custom_fields),
        trusted=tuple(case.key for case in scenario.matters if case.trust > 0 and case.status == "Open"),
    )


def _plain(case: Case) -> bool:
    return not any(work.redacted or work.price_hidden for work in case.entries)


def story(scenario: Scenario, *, seed: int, days: int) -> list[Event]:
    """The whole story in order; the same scenario, seed and days give the same story."""
    dice = Random(f"{scenario.name}:{seed}:{days}")  # noqa: S311  a story, not a secret
    scenes = PLOTS[scenario.plot](scenario, dice, days)
    told = sorted(((at, kind, facts) for at, kind, facts in scenes if begin() < at < end(days)), key=lambda it: it[0])
    return [
        Event(at, f"{place:03d}-{kind}", kind, MappingProxyType(dict(facts)))
        for place, (at, kind, facts) in enumerate(told)
    ]


def weeks(scenario: Scenario, dice: Random, days: int) -> Iterator[Moment]:
    """Some weeks of a small firm: everything that the worker can do happens in them, and much goes wrong."""
    cast = cast_of(scenario)
    yield from _trouble(days)
    yield from _weeks(cast, dice, days)
    yield from _turns(cast, days)


PLOTS: Mapping[str, Callable[[Scenario, Random, int], Iterator[Moment]]] = {"weeks": weeks, "year": year}
"""The story that a scenario asks for (`plot`)."""


def _weeks(cast: Cast, dice: Random, days: int) -> Iterator[Moment]:
    """Every day's work: time in the office, bills in the afternoon, and some clients pay in the evening."""
    for day in range(days):
        if not weekend(day):
            yield from _work(cast, dice, day)
            friday = date_of(day).weekday() == 4  # noqa: PLR2004
            at_once = dice.random() < 0.6  # noqa: PLR2004
            yield moment(day, AFTERNOON), "approve_drafts", {}
            yield moment(day, AFTERNOON), "answer_tasks", {"most": 99 if friday else 3, "approve": at_once or friday}
        if cast.trusted and not weekend(day):
            yield moment(day, MORNING), "enter_deposits", {}
            yield moment(day, NOON), "make_draws", {}
            yield moment(day, CLOSING), "answer_draws", {}
        for client in dice.sample(cast.payers, k=min(len(cast.payers), dice.choice((1, 2, 3)))):
            yield (
                moment(day, EVENING),
                "client_pays",
                {"client": client, "method": dice.choice(("card", "card", "echeck"))},
            )


def _work(cast: Cast, dice: Random, day: int) -> Iterator[Moment]:
    at = dice.choice((MORNING, NOON))
    for place in range(2):
        name = f"entry-{day}-{place}"
        facts = {"matter": dice.choice(cast.hourly), "user": dice.choice(cast.attorneys)}
        hours = dice.choice((0.5, 1.0, 1.5, 2.0))
        yield moment(day, at), "log_time", {"entry": name, "hours": hours, **facts}
        if dice.random() < 0.15:  # noqa: PLR2004
            yield moment(day, at, minutes=dice.choice((6, 40))), "edit_time", {"entry": name, "hours": hours + 0.3}
    if day % 13 == 2:  # noqa: PLR2004
        yield from _saved_in_parts(cast, dice, day)


def _saved_in_parts(cast: Cast, dice: Random, day: int) -> Iterator[Moment]:
    """One entry saved again and again within its quiet period: only what it says at the end may be billed."""
    name = f"parts-{day}"
    facts = {"entry": name, "matter": dice.choice(cast.hourly), "user": dice.choice(cast.attorneys)}
    yield moment(day, NOON), "log_time", {**facts, "hours": 0.1}
    for minutes, hours in ((4, 0.8), (9, 1.4), (17, 2.1)):
        yield moment(day, NOON, minutes=minutes), "edit_time", {"entry": name, "hours": hours}


SHORT_TERMS = 5
"""Days to pay of the bills that are issued all at once."""


def _turns(cast: Cast, days: int) -> Iterator[Moment]:
    """What happens once, spread over the days: each needs an occasion, and waits a day when there is none."""
    client, home = cast.payers[0], cast.hourly[-1]
    flat = {"billing_method": "flat", "entries": [{"price": 1400, "flat_rate": True, "note": "Agreed fee"}]}
    extra = {"client": client, "key": "second-look", "description": "A second look", "entries": [{"hours": 1}]}
    soon = date_of(workday(0.04, days) + SHORT_TERMS)
    chased = next((matter for matter in reversed(cast.hourly) if matter not in cast.trusted), home)
    rows: list[tuple[float, time, str, Mapping[str, Any]]] = [
        # Due so soon, and with no trust money to pay them from, that a short story sees what follows an unpaid bill.
        (0.04, CLOSING, "bulk_bills", {"matter": chased, "bills": 5, "amount": "250.00", "due_at": soon.isoformat()}),
        (0.08, MORNING, "trust_request", {"matter": home, "amount": "1500.00"}),
        (0.12, EVENING, "payment_fails", {}),
        (0.18, MORNING, "open_matter", extra),
        (0.18, NOON, "draft_by_hand", {"matter": "second-look"}),
        (0.18, AFTERNOON, "log_time", {"entry": "second-look", "matter": "second-look", "hours": 3.0}),
        (0.22, EVENING, "payment_voided", {}),
        (0.26, CLOSING, "cheque", {}),
        (0.33, CLOSING, "credit_bill", {}),
        (0.40, CLOSING, "void_bill", {}),
        (0.45, CLOSING, "refund", {}),
        (0.52, CLOSING, "part_refund", {}),
        (0.55, MORNING, "close_matter", {"matter": cast.hourly[0]}),
        (0.60, CLOSING, "chargeback", {}),
        (0.66, CLOSING, "late_return", {}),
    ]
    for matter, who in cast.speechless[:1]:
        rows += [
            (0.06, CLOSING, "bill_by_hand", {"matter": matter}),
            (0.35, MORNING, "fill_address", {"client": who, "email": f"{who}.found@clients.test"}),
        ]
    for matter, stage in cast.staged[:1]:
        rows.append((0.30, NOON, "set_stage", {"matter": matter, "stage": stage}))
    if cast.dates:
        due = {"Billing Date": date_of(int(0.5 * days)).isoformat()}
        rows.append((0.10, NOON, "open_matter", {"client": client, "key": "flat-date", "custom": due, **flat}))
    if cast.trusted:
        rows += _trust(cast, days)
    for share, at, kind, facts in rows:
        yield moment(workday(share, days), at), kind, facts


def _trust(cast: Cast, days: int) -> Iterator[tuple[float, time, str, Mapping[str, Any]]]:
    """Client money comes, some of it comes back, and after the month's end everything is compared."""
    drawn, held = cast.trusted[0], cast.trusted[-1]
    yield 0.03, NOON, "trust_deposit", {"matter": drawn, "amount": "875.00"}
    yield 0.05, EVENING, "lawpay_deposit", {"matter": held, "amount_cents": 60_000, "method": "card"}
    yield 0.10, EVENING, "lawpay_deposit", {"matter": held, "amount_cents": 25_000, "method": "echeck"}
    yield 0.50, MORNING, "trust_return", {}
    if days < SHORT:
        return
    until = date_of(days - 2) if days < LONG else next(date_of(day) for day in range(days) if date_of(day + 1).day == 1)
    closed = (until - BEGIN).days + 1
    yield closed / days, CLOSING, "month_end", {"from": until.replace(day=1).isoformat(), "to": until.isoformat()}


SHORT, LONG = 10, 32
"""Shorter, nothing has come to the bank yet; from so many days on a story sees a month end, and before that its last days."""

TROUBLES: Sequence[tuple[float, time, str, str, Mapping[str, Any]]] = (
    (0.02, CLOSING, "POST /tasks", "status_after", {"code": 502}),
    (0.05, AFTERNOON, "POST /clio_payments/links", "lose_answer", {}),
    (0.14, MORNING, "webhook", "webhook_drop", {"times": 12}),
    (0.20, AFTERNOON, "GET /bills", "retry_after", {"value": 1, "times": 2}),
    (0.24, AFTERNOON, "smtp", "refuse", {}),
    (0.36, MORNING, "webhook", "webhook_duplicate", {"n": 8, "times": 8}),
    (0.42, AFTERNOON, "POST /communications", "truncate", {}),
    (0.48, AFTERNOON, "POST /clio_payments/links", "create_later", {"after_seconds": 40}),
    (0.58, AFTERNOON, "POST /notes", "drop_before", {}),
    (0.64, MORNING, "webhook", "webhook_reorder", {"times": 6}),
    (0.70, MORNING, "PATCH /matters/{id}", "stale_etag", {}),
    (0.75, AFTERNOON, "GET /clio_payments/links", "html", {}),
    (0.80, AFTERNOON, "POST /clio_payments/links", "status_after", {"code": 502}),
)
"""What goes wrong outside, just before the work that it strikes; none of it needs a person."""


def _trouble(days: int) -> Iterator[Moment]:
    for share, at, on, do, params in TROUBLES:
        yield moment(workday(share, days), at), "trouble", {"on": on, "do": do, **params}
