"""When links that wait will find room: at the latest, in order, under both quotas."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.quota import WINDOW, Outlook, Quota, Use, forecast, outlook

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
LIFE = timedelta(days=90)


def hours(*count):
    return [NOW + timedelta(hours=one) for one in count]


def when(use, waiting):
    return forecast(use, waiting=waiting, life=LIFE, now=NOW)


def test_with_room_everybody_goes_now():
    assert when(Use(3, [], []), 3) == [NOW] * 3


def test_a_full_window_lets_the_next_in_as_each_creation_leaves_it():
    assert when(Use(2, hours(5, 3), []), 3) == [*hours(3, 5), NOW + timedelta(hours=3) + LIFE]


def test_a_full_account_lets_the_next_in_as_each_link_ends():
    assert when(Use(2, [], hours(48, 30)), 2) == hours(30, 48)


def test_links_of_others_never_end_for_us():
    assert when(Use(2, [], [], stuck=2), 2) == [None, None]
    assert when(Use(2, [], hours(1), stuck=1), 2) == [*hours(1), NOW + timedelta(hours=1) + LIFE]


def test_a_refusal_holds_everybody_back():
    assert when(Use(2, [], [], shut_until=NOW + timedelta(hours=1)), 1) == hours(1)


def test_an_account_without_users_makes_none():
    assert when(Use(0, [], []), 1) == [None]


# ── what the next thirty days will use ──


def days(*count):
    return [NOW + timedelta(days=one) for one in count]


def seen(use, wanted):
    return outlook(use, wanted, life=LIFE, now=NOW)


def test_a_quiet_month_is_neither_tight_nor_short():
    assert seen(Use(10, [], []), days(1, 2, 3)) == Outlook(3, 1, None, None, None)


def test_links_that_stay_active_make_the_account_tight_on_the_day_of_the_eighth_of_ten():
    found = seen(Use(10, [], [], stuck=5), days(3, 9, 12, 20))
    assert (found.most_active, found.tight, found.tight_at, found.short_at) == (9, Quota.ACTIVE, *days(12), None)


def test_many_on_one_day_make_the_window_tight_though_the_account_is_not():
    found = seen(Use(10, hours(1, 1, 1, 1), [NOW + timedelta(minutes=30)] * 6), [*hours(0.6) * 4])
    assert (found.most_created, found.tight, found.tight_at) == (8, Quota.CREATED, *hours(0.6))


def test_who_will_have_to_wait_is_known_before():
    found = seen(Use(2, [], []), days(5, 6, 7))
    assert (found.tight_at, found.short_at) == (days(6)[0], days(7)[0])


def test_much_is_used_already():
    assert seen(Use(10, [], [], stuck=8), []).tight_at == NOW


moments = st.lists(st.integers(0, 23).map(lambda one: NOW + timedelta(hours=one)), max_size=6)


@given(limit=st.integers(1, 6), window=moments, ending=moments, waiting=st.integers(0, 12), stuck=st.integers(0, 3))
def test_no_forecast_ever_breaks_a_quota(limit, window, ending, waiting, stuck):
    found = [moment for moment in when(Use(limit, window, ending, stuck), waiting) if moment is not None]
    assert found == sorted(found)
    leaving = [*window, *(moment + WINDOW for moment in found)]
    ends = [*ending, *(moment + LIFE for moment in found)]
    for place, moment in enumerate(found):
        begun = found[: place + 1]
        held = [end for end in leaving[: len(window)] if end > moment] + [one for one in begun if one + WINDOW > moment]
        alive = [end for end in ends[: len(ending)] if end > moment] + [one for one in begun if one + LIFE > moment]
        assert len(held) <= max(limit, 1)
        assert len(alive) + stuck <= limit
