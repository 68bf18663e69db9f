"""Firms that differ from the tiny one: in their settings, or in what their sandbox begins with."""

import copy
import tomllib
from contextlib import ExitStack
from typing import Any

import pytest

from orchestrator.sandbox.scenario import SCENARIOS
from tests.firm import START, open_firm
from tests.lawpay import KEYS, lawpay_settings, with_lawpay


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
    """Open the tiny firm with LawPay beside it."""

    def open_(*, flags=("false", "true"), scenario=None, only=KEYS, **environment):
        given = with_lawpay(scenario or tiny, flags)
        sandbox.reset(given, seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
        settings = lawpay_settings(sandbox.state(), only)
        for name, value in environment.items():
            settings[name] = {**settings.get(name, {}), **value} if isinstance(value, dict) else value
        return opened(**settings)

    return open_
