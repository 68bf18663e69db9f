"""A firm with LawPay beside it: what its sandbox begins with, and the settings that name what is there."""

from typing import Any

from tests.firm import Firm

KEYS = ("operating", "trust")


def with_lawpay(scenario: dict[str, Any], flags: tuple[str, str] = ("false", "true")) -> dict[str, Any]:
    """The scenario with an operating and a trust account at LawPay, each with a page for cards and eChecks."""
    doors = [{"bank_account": key, "page": key, "trust": flag} for key, flag in zip(KEYS, flags, strict=True)]
    return {**scenario, "lawpay": {"firm": "solo", "accounts": doors}}


def lawpay_settings(state: dict[str, Any], only: tuple[str, ...] = KEYS) -> dict[str, Any]:
    """Settings for the sandbox in this state: everything on the rail of pages, `only` these accounts configured."""
    doors = {key: state["lawpay_accounts"][key] for key in only}
    return {
        "lawpay": {
            "base_url": state["lawpay_base_url"],
            "secret_key": state["lawpay_secret_key"],
            "pages": {key: door["page"] for key, door in doors.items()},
        },
        "trust": {
            "accounts": [
                {
                    "key": key,
                    "account_class": key,
                    "clio_id": door["clio_id"],
                    "lawpay_ids": [door["card"], door["echeck"]],
                }
                for key, door in doors.items()
            ]
        },
        "links": {"rail": "lawpay_page"},
    }


def questions(firm: Firm) -> dict[str, int]:
    """What is asked of a person beside reconciliation's breaks, which rightly miss in Clio what nobody has recorded there."""
    return {kind: times for kind, times in firm.exceptions().items() if not kind.startswith("break_")}
