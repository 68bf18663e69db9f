"""Firms that differ from the tiny one: in their settings, or in what their sandbox begins with."""

import copy
import tomllib
from contextlib import ExitStack
from typing import Any

import pytest

from orchestrator.sandbox.scenario import SCENARIOS
from tests.firm import START, open_firm


@pytest.fixture(scope="session")
def _tiny() -> dict[str, Any]:
    return tomllib.loads((SCENARIOS / "tiny.toml").read_text("utf-8"))


@pytest.fixture
def tiny(_tiny) -> dict[str, Any]:
    """The tiny scenario as data, to be varied."""
    return copy.deepcopy(_tiny)


@pytest.fixture
def opened(sandbox, database_url):
    """Open the firm of a scenario with some settings of its own, connected and at rest."""
    with ExitStack() as stack:

        def open_(scenario=None, **environment):
            if scenario is not None:
                sandbox.reset(scenario, seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
            firm = stack.enter_context(open_firm(sandbox, database_url, environment=environment))
            firm.work()
            return firm

        yield open_


@pytest.fixture
def at_lawpay(sandbox, tiny, opened):
    """Open the tiny firm with LawPay beside it: an operating and a trust account, each with a page for cards and eChecks."""

    def open_(*, flags=("false", "true"), scenario=None, only=("operating", "trust"), **environment):
        given = scenario or tiny
        given["lawpay"] = {
            "firm": "solo",
            "accounts": [
                {"bank_account": key, "page": key, "trust": flag}
                for key, flag in zip(("operating", "trust"), flags, strict=True)
            ],
        }
        sandbox.reset(given, seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
        state = sandbox.state()
        doors = state["lawpay_accounts"]
        accounts = [
            {"key": key, "account_class": key, "clio_id": door["clio_id"], "lawpay_ids": [door["card"], door["echeck"]]}
            for key, door in doors.items()
            if key in only
        ]
        settings = {
            "lawpay": {
                "base_url": state["lawpay_base_url"],
                "secret_key": state["lawpay_secret_key"],
                "pages": {key: doors[key]["page"] for key in only},
            },
            "trust": {"accounts": accounts},
            "links": {"rail": "lawpay_page"},
        }
        for name, value in environment.items():
            settings[name] = {**settings.get(name, {}), **value}
        return opened(**settings)

    return open_
