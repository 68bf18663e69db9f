"""When a retainer is to be filled up, and by how much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.evergreen import RETAINER_TRANSITIONS, Level, RetainerState, level_of, missing_cents
from orchestrator.errors import Rejected

NAMES = {"threshold_field": "Threshold", "target_field": "Target"}
DEFAULT = Level(100_000, 250_000)


@pytest.mark.parametrize("text", ["2500", "2,500.00", " $2,500 ", "2500.00", "2 500", "2500.0"])
def test_an_amount_is_read_as_people_type_it(text):
    assert level_of({"Threshold": text}, **NAMES, default=None) == Level(250_000, 250_000)


@pytest.mark.parametrize(
    "text",
    ["about 2500", "-1", "1.005", "NaN", "Infinity", "2500 or so", "2500,00", "2.500,00", "2,50", "1e3", "2,5000"],
)
def test_what_is_no_amount_is_refused_and_never_guessed(text):
    with pytest.raises(Rejected) as refusal:
        level_of({"Threshold": text}, **NAMES, default=DEFAULT)
    assert refusal.value.reason == "evergreen_unreadable"


def test_a_matter_s_own_field_goes_before_the_default_and_zero_switches_it_off():
    assert level_of({}, **NAMES, default=DEFAULT) == DEFAULT
    assert level_of({"Threshold": "500", "Target": "900"}, **NAMES, default=DEFAULT) == Level(50_000, 90_000)
    assert level_of({"Threshold": "500"}, **NAMES, default=DEFAULT) == Level(50_000, 50_000)
    assert level_of({"Threshold": "0"}, **NAMES, default=DEFAULT) is None
    assert level_of({}, **NAMES, default=None) is None


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(-(10**6), 10**9))
def test_what_is_asked_for_reaches_the_target_in_whole_units_and_only_below_the_threshold(threshold, more, balance):
    level = Level(threshold, threshold + more)
    asked = missing_cents(level, balance)
    if balance >= threshold:
        assert asked == 0
    else:
        assert asked % 100 == 0
        assert level.target_cents <= balance + asked < level.target_cents + 100


def test_a_request_that_is_over_stays_over():
    assert RETAINER_TRANSITIONS[RetainerState.OVER] == set()
    assert all(RetainerState.OVER in following for state, following in RETAINER_TRANSITIONS.items() if following)
