"""Every scenario file loads; what is wrong with one is said in a sentence."""

import pytest

from orchestrator.sandbox import running_sandbox
from orchestrator.sandbox.refusal import Refusal
from orchestrator.sandbox.scenario import load, names


@pytest.mark.parametrize("name", names())
def test_a_scenario_opens_a_firm(enter, name):
    clio = enter(name)
    assert clio.names["scenario"] == name
    assert clio.get("/matters")
    assert all(link is not None for link in clio.names["bank_accounts"].values())


def test_a_busy_firm_has_more_open_bills_than_a_day_s_links(enter):
    clio = enter("busy")
    answer = clio.ask("GET", "/bills", state="awaiting_payment", limit=1)
    assert answer.json()["meta"]["records"] == 360 > clio.names["link_quota"] == 250


def test_the_same_seed_gives_the_same_ids(enter):
    first, second, other = (enter(seed=seed).names["matters"] for seed in (7, 7, 8))
    assert first == second != other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"token_user": "nobody"}, "token_user: there is no nobody"),
        ({"bank_accounts": []}, "bank_accounts"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"region": "mars"}, "region"),
    ],
)
def test_a_wrong_scenario_is_refused_by_name(tiny, change, words):
    with pytest.raises(Refusal, match=words):
        load({**tiny, **change})


def test_an_unknown_scenario_names_those_there_are(enter):
    with pytest.raises(Exception, match="choose from busy, small-firm, tiny, year"):
        enter("nonsense")


def test_a_sandbox_comes_and_goes():
    with running_sandbox("tiny", frozen=True) as first, running_sandbox("tiny") as second:
        assert first.url != second.url
        assert first.access_token == first.state()["access_token"]
