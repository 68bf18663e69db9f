from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ids import effect_key, short_key
from orchestrator.domain.money import Money, cents
from orchestrator.errors import Rejected

amounts = st.integers(-(10**13), 10**13)
facts = st.one_of(st.text(), st.integers(), st.dates(), st.datetimes(timezones=st.just(UTC)), st.none())


@given(amounts)
def test_an_amount_in_cents_survives_its_text(whole):
    assert cents(str(Decimal(whole).scaleb(-2))) == whole
    assert cents(Money(whole).amount) == whole


@given(amounts)
def test_an_amount_in_cents_survives_a_float_s_own_words(whole):
    # Clio writes JSON floats; up to ten million dollars their text is exact to the cent.
    whole %= 10**9
    assert cents(repr(whole / 100)) == whole


@given(st.lists(st.integers(0, 10**7), max_size=20))
def test_a_sum_of_floats_is_read_without_its_noise(parts):
    noisy = sum(part / 100 for part in parts)
    assert cents(Decimal(repr(noisy))) == sum(parts)


@pytest.mark.parametrize("amount", ["0.001", "1.005", "-0.0099", "10.125"])
def test_a_fraction_of_a_cent_is_refused_and_never_rounded(amount):
    with pytest.raises(Rejected) as refusal:
        cents(amount)
    assert refusal.value.reason == "amount_invalid"


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(Rejected):
        cents(amount)


@given(amounts, amounts)
def test_adding_and_taking_away_loses_nothing(one, other):
    assert (Money(one) + Money(other)) - Money(other) == Money(one)
    assert -Money(one) + Money(one) == Money(0)
    assert bool(Money(one)) == (one != 0)


@given(amounts, amounts)
def test_currencies_do_not_mix(one, other):
    with pytest.raises(Rejected, match="different currencies"):
        Money(one, "USD") + Money(other, "CAD")


@pytest.mark.parametrize(
    ("whole", "words"),
    [(0, "0.00 USD"), (5, "0.05 USD"), (-5, "-0.05 USD"), (123_456_789, "1,234,567.89 USD"), (-100, "-1.00 USD")],
)
def test_money_is_shown_to_the_cent(whole, words):
    assert str(Money(whole)) == words


# A changed value here re-sends the past: every link, message, task and note of every firm would be made again.
LINK = "69a8b661de8b35ae955e500da6783c6ed246d99141330eed6ac2120f2a684c39"
MESSAGE = "7d565e992196c0e1a68ef46db5a87328ede4bc35938db8e7b25fcb56ca8ca502"
REQUEST = "ec207faa15a189af21dce529f4e970c082dd7c9f72527a5fbf84f4cb742ecbf1"
ODD = "a8472ee1155a5981b255eb2feec2cad3b22c477c6392b4f811bcc632b935fa37"
SHORT = "OB-NGULMYO6RM22"


def test_keys_are_what_they_have_always_been():
    assert effect_key("link", 1001, 1, 60_000, "USD") == LINK
    assert effect_key("message", 1001, "invoice", 7) == MESSAGE
    assert effect_key("billing-request", 42, date(2026, 2, 27), date(2026, 3, 2), "hourly") == REQUEST
    assert effect_key("x", None, datetime(2026, 3, 2, 15, tzinfo=UTC), "a|b", "c\\d") == ODD
    assert short_key(LINK) == SHORT


@given(st.lists(facts, max_size=5), st.lists(facts, max_size=5))
def test_different_facts_have_different_keys(one, other):
    def said(values):
        return [
            value.isoformat() if isinstance(value, date) else "" if value is None else str(value) for value in values
        ]

    assert (effect_key(*one) == effect_key(*other)) == (said(one) == said(other))


@given(st.lists(facts, max_size=5))
def test_a_short_key_is_safe_to_search_for(given_facts):
    short = short_key(effect_key(*given_facts))
    assert short.startswith("OB-")
    assert len(short) == 15
    assert short[3:].isalnum()
