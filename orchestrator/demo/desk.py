"""The administrator's desk: what the commands do, in the worker's own environment and by the same use cases."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from orchestrator.bootstrap import build
from orchestrator.engine.runtime import Runtime
from orchestrator.settings import Settings, load


@contextmanager
def desk(env: Mapping[str, str]) -> Iterator[Runtime]:
    """The firm as one of its commands would open it; a command of its own for each act would cost most of the minute."""
    rt = build(_settings(env))
    try:
        yield rt
    finally:
        rt.close()


def _settings(env: Mapping[str, str]) -> Settings:
    ours = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(env)
        return load()
    finally:
        os.environ.clear()
        os.environ.update(ours)


def trust_settings(state: Mapping[str, Any], people: Sequence[Any]) -> dict[str, str]:
    """A firm that watches its trust accounts by the sandbox's own ids; none where the sandbox has no trust account.

    `people` are the scenario's users: who may sign there is on the list here, and the last of them reviews.
    """
    accounts = [
        {
            "key": key, "account_class": "trust", "clio_id": one["clio_id"],
            "lawpay_ids": [one["card"], one["echeck"]], "bank_id": one["bank_id"], "currency": state["currency"],
        }
        for key, one in state["lawpay_accounts"].items()
        if one["trust_account"]
    ]  # fmt: skip
    signatories = [{"name": one.name, "clio_user_id": state["users"][one.key]} for one in people if one.signatory]
    if not signatories or not accounts:
        return {}
    return {
        "ORCH_LAWPAY__BASE_URL": str(state["lawpay_base_url"]),
        "ORCH_LAWPAY__SECRET_KEY": str(state["lawpay_secret_key"]),
        "ORCH_TRUST__ACCOUNTS": json.dumps(accounts),
        "ORCH_TRUST__JURISDICTION": "california",
        "ORCH_TRUST__CONFIRMED_BY": str(signatories[0]["name"]),
        "ORCH_TRUST__SIGNATORIES": json.dumps(signatories),
        "ORCH_TRUST__REVIEWERS": json.dumps([signatories[-1]["name"]]),
        "ORCH_TRUST__TRUST_FIRST": "true",
    }
