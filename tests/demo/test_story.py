"""The story: the same for the same seed, in order, within its days, and with every kind of event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.demo.acting import ACTS
from orchestrator.demo.collecting import COLLECTING
from orchestrator.demo.days import begin, end
from orchestrator.demo.driver import next_stride, slot_keys
from orchestrator.demo.outages import OUTAGES
from orchestrator.demo.people import PEOPLE
from orchestrator.demo.story import TROUBLES, cast_of, story
from orchestrator.demo.trust import TRUST
from orchestrator.engine.schedule import ticks
from orchestrator.sandbox.faults import ON_CALLS, ON_MAIL, ON_WEBHOOKS
from orchestrator.sandbox.scenario import load, names

SMALL = load("small-firm")


def test_the_same_seed_tells_the_same_story():
    assert story(SMALL, seed=7, days=20) == story(SMALL, seed=7, days=20)
    assert story(SMALL, seed=7, days=20) != story(SMALL, seed=8, days=20)


@given(seed=st.integers(), days=st.integers(1, 90), name=st.sampled_from(["small-firm", "tiny", "busy", "year"]))
def test_events_are_in_order_within_the_days_with_ids_of_their_own(seed, days, name):
    events = story(load(name), seed=seed, days=days)
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert all(begin() < event.at < end(days) for event in events)
    assert len({event.id for event in events}) == len(events)
    assert {event.kind for event in events} <= ACTS.keys()


@given(seed=st.integers(), days=st.integers(1, 90))
def test_every_name_in_an_event_is_the_scenarios_or_the_storys_own(seed, days):
    matters = {case.key for case in SMALL.matters} | {"second-look", "flat-date"}
    known = {
        "matter": matters,
        "client": {client.key for client in SMALL.contacts},
        "user": {user.key for user in SMALL.users},
    }
    for event in story(SMALL, seed=seed, days=days):
        for name, allowed in known.items():
            assert event.facts.get(name) in allowed | {None}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_forty_five_days_of_the_small_firm_hold_every_kind_of_event(seed):
    events = story(SMALL, seed=seed, days=45)
    assert {event.kind for event in events} == PEOPLE.keys() | TRUST.keys()
    assert {event.facts["do"] for event in events if event.kind == "trouble"} == {row[3] for row in TROUBLES}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_year_holds_all_that_can_become_of_a_bill_and_every_outage(seed):
    events = story(load("year"), seed=seed, days=365)
    assert {event.kind for event in events} >= COLLECTING.keys() | OUTAGES.keys()
    assert len([event for event in events if event.kind == "issue_bill"]) > 500


def test_what_is_taken_away_is_brought_back():
    at = {event.kind: event.at for event in story(load("year"), seed=1, days=365)}
    assert at["worker_back"] - at["worker_away"] == timedelta(days=2)
    assert at["broker_back"] - at["broker_away"] == timedelta(hours=6)


@given(days=st.integers(1, 60))
def test_nothing_is_taken_away_that_would_not_be_back_in_time(days):
    events = story(load("year"), seed=1, days=days)
    at = {event.kind: event.at for event in events}
    for away, back in (("worker_away", "worker_back"), ("broker_away", "broker_back")):
        assert (away in at) == (back in at)
    assert all(at[kind] < end(days) - timedelta(days=1) for kind in OUTAGES.keys() & at.keys())
    times = [
        (event.at, event.at + timedelta(hours=event.facts["hours"]))
        for event in events
        if "hours" in event.facts and event.kind in OUTAGES
    ]
    assert all(back < away for (_, back), (away, _) in pairwise(times))


def test_every_trouble_is_a_fault_that_the_sandbox_knows():
    assert {row[3] for row in TROUBLES} <= ON_CALLS | ON_WEBHOOKS | ON_MAIL.keys()


@pytest.mark.parametrize("name", names())
def test_every_scenario_has_somebody_to_work_for_and_somebody_to_pay(name):
    cast = cast_of(load(name))
    assert cast.attorneys
    assert cast.hourly
    assert cast.payers


def test_a_flat_fee_that_waits_for_nothing_is_not_staged():
    cast = cast_of(SMALL)
    assert cast.staged == (("brandt-deed", "Signed"),)
    assert replace(cast, staged=()).stages == ()


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_day_has_two_fixed_stops(moment):
    stop = next_stride(moment)
    assert timedelta() < stop - moment <= timedelta(hours=12)
    assert (stop.hour % 12, stop.minute, stop.second) == (0, 0, 0)


def test_the_slots_to_wait_for_are_named_as_beat_names_them():
    firm = [tick for tick in ticks(900) if not tick.real]
    keys = slot_keys(firm, datetime(2026, 3, 2, 14, 20, tzinfo=UTC))
    assert ("billing.plan", "2026-03-02T14:00:00Z") in keys
    assert ("sweep", "2026-03-02T14:15:00Z") in keys
