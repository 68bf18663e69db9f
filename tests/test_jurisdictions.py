"""Every profile in config/jurisdictions, loaded and looked at; what leaves a value out has the strictest one."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.domain.jurisdictions import Every
from orchestrator.jurisdictions import STRICT, UnreadableProfile, load, names
from tests.firm import CONFIG

PROFILES = [name for name in names(CONFIG) if name != STRICT]
ROWS = {
    "aba", "california", "texas", "new-york", "florida", "washington", "wisconsin", "iowa", "illinois", "new-jersey",
    "arizona", "ontario", "alberta", "england-and-wales",
}  # fmt: skip
"""The rows of the profile table in trust-rules.md, one each."""


def strictest():
    found = load(CONFIG, STRICT)
    assert found is not None
    return found


def test_there_is_a_profile_for_every_row_of_the_table():
    assert set(PROFILES) == ROWS


@pytest.mark.parametrize("name", PROFILES)
def test_no_profile_is_stricter_than_the_strict_one(name):
    profile, strict = load(CONFIG, name), strictest()
    assert profile is not None
    for longer in ("keep_years", "notice_business_days", "hold_days_card", "hold_days_echeck"):
        assert getattr(profile, longer) <= getattr(strict, longer), longer
    for sooner in ("draw_age_alert_days", "client_notice_days", "pay_out_days", "reconcile_due_day"):
        assert getattr(profile, sooner) >= getattr(strict, sooner), sooner


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_itself_and_its_sources(name):
    profile = load(CONFIG, name)
    assert profile is not None
    assert profile.key == name
    assert profile.name
    assert profile.sources
    assert profile.notice


def test_values_from_secondary_sources_are_marked():
    assert {name: load(CONFIG, name).unconfirmed for name in ("wisconsin", "texas", "alberta")} == {
        "wisconsin": ("reconcile_every", "notice_business_days", "keep_years", "dispute_after_draw"),
        "texas": (),
        "alberta": ("reconcile_every", "keep_years"),
    }


def test_what_a_profile_leaves_out_is_the_strictest_value():
    texas, strict = load(CONFIG, "texas"), strictest()
    assert texas is not None
    assert (texas.pay_out_days, texas.hold_days_echeck) == (strict.pay_out_days, strict.hold_days_echeck)
    assert texas.reconcile_every is Every.MONTH


@pytest.mark.parametrize("name", [None, "atlantis", "../firms/main"])
def test_T25_an_unknown_jurisdiction_has_no_profile(name):
    assert load(CONFIG, name) is None


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("keep_years = 'long'", "keep_years"),
        ("keep_centuries = 1", "keep_centuries"),
        ("unconfirmed = ['luck']", "luck"),
        ("name =", "cannot be read"),
    ],
)
def test_a_profile_that_is_not_one_is_refused_by_name(tmp_path, said, wrong):
    folder = tmp_path / "jurisdictions"
    folder.mkdir()
    (folder / "strict.toml").write_text((CONFIG / "jurisdictions" / "strict.toml").read_text("utf-8"))
    (folder / "own.toml").write_text(said)
    with pytest.raises(UnreadableProfile, match=wrong):
        load(Path(tmp_path), "own")


def test_T18_notice_days_are_business_days_and_begin_after_the_delivery():
    friday, strict = date(2026, 3, 6), strictest()
    assert strict.notice_business_days == 5
    assert strict.may_draw_from(friday) == date(2026, 3, 13)
    assert load(CONFIG, "california").may_draw_from(friday) == friday


def test_T13_what_is_not_known_to_be_a_card_waits_as_long_as_an_echeck():
    strict = strictest()
    assert strict.hold_days(card=False) == strict.hold_days_echeck > strict.hold_days(card=True)
