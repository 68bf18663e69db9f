"""What upkeep does about one subscription, and what a POST to our own address means: tables of cases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.front_door import DoorAnswer, Trouble, fault_of
from orchestrator.domain.webhooks import HALF_LIFE, LIFE, Deed, RemoteWebhook, Renewal, Standing, upkeep
from tests.firm import START

AGED = timedelta(days=2)
OURS = Standing(enabled=True, offered=False, outdated=False, asked_at=START - AGED, tries=0, renewal=Renewal.NONE)
THEIRS = RemoteWebhook(1, "e", "https://x", "bill", "enabled", frozenset(), "id", START + LIFE - AGED, None)
PENDING = replace(OURS, enabled=False, asked_at=START)
UNSHAKEN = replace(THEIRS, status="pending")
LATE = replace(THEIRS, expires_at=START + HALF_LIFE - timedelta(seconds=1))

CASES = {
    "nothing yet": (None, None, 0, (Deed.CREATE, "wanted")),
    "good": (OURS, THEIRS, 0, (Deed.KEEP, "")),
    "wanted otherwise": (replace(OURS, outdated=True), THEIRS, 0, (Deed.CREATE, "changed")),
    "vanished": (OURS, None, 0, (Deed.CREATE, "lost")),
    "suspended": (OURS, replace(THEIRS, status="suspended"), 0, (Deed.CREATE, "suspended")),
    "expired": (OURS, replace(THEIRS, expires_at=START), 0, (Deed.CREATE, "expired")),
    "half gone": (OURS, LATE, 0, (Deed.RENEW, "")),
    "being renewed": (replace(OURS, renewal=Renewal.UNDER_WAY), LATE, 0, (Deed.WAIT, "")),
    "renewed in vain": (replace(OURS, renewal=Renewal.IN_VAIN), LATE, 0, (Deed.CREATE, "not_renewed")),
    "just created": (PENDING, UNSHAKEN, 1, (Deed.CONFIRM, "")),
    "not there yet": (PENDING, None, 1, (Deed.WAIT, "")),
    "unshaken for half an hour": (PENDING, UNSHAKEN, 30, (Deed.CREATE, "unconfirmed")),
    "unshaken again, an hour's patience": (replace(PENDING, tries=1), UNSHAKEN, 59, (Deed.CONFIRM, "")),
    "unshaken again for an hour": (replace(PENDING, tries=1), UNSHAKEN, 60, (Deed.CREATE, "unconfirmed")),
    "never longer than six hours": (replace(PENDING, tries=99), UNSHAKEN, 360, (Deed.CREATE, "unconfirmed")),
    "shaken and not read back": (replace(PENDING, offered=True), THEIRS, 360, (Deed.CONFIRM, "")),
    "shaken and never read back": (replace(PENDING, offered=True), THEIRS, 1440, (Deed.CREATE, "unconfirmed")),
}


@pytest.mark.parametrize("case", CASES)
def test_what_upkeep_does(case):
    ours, theirs, minutes, expected = CASES[case]
    plan = upkeep(ours, theirs, START + timedelta(minutes=minutes))
    assert (plan.deed, plan.why) == expected


@pytest.mark.parametrize(("minutes", "told"), [(9, False), (10, True), (30, True)])
def test_a_handshake_that_is_out_is_a_person_s_after_ten_minutes(minutes, told):
    assert upkeep(PENDING, UNSHAKEN, START + timedelta(minutes=minutes)).unconfirmed is told


def test_only_a_renewal_in_vain_asks_for_a_person():
    told = {renewal: upkeep(replace(OURS, renewal=renewal), LATE, START).unrenewed for renewal in Renewal}
    assert told == {Renewal.NONE: False, Renewal.UNDER_WAY: False, Renewal.IN_VAIN: True}


DOORS = {
    "ours": (DoorAnswer(200, genuine=True), None),
    "another server": (DoorAnswer(200), ("another server", True)),
    "a redirect": (DoorAnswer(301, location="https://www.firm.example/"), ("answers 301 to https://www.firm", True)),
    "gone": (DoorAnswer(410), ("switches a webhook off", True)),
    "a wrong path": (DoorAnswer(404), ("let the proxy pass /webhooks/ on", True)),
    "a proxy without us": (DoorAnswer(502), ("`orchestrator serve`", False)),
    "a bad certificate": (DoorAnswer(None, trouble=Trouble.TLS), ("certificate", True)),
    "nobody": (DoorAnswer(None, trouble=Trouble.UNREACHED), ("was not reached from here", False)),
}


@pytest.mark.parametrize("case", DOORS)
def test_F28_what_a_post_to_our_own_address_means(case):
    answer, expected = DOORS[case]
    found = fault_of(answer, "https://billing.firm.example")
    if expected is None:
        assert found is None
    else:
        words, certain = expected
        assert words in found.said
        assert "https://billing.firm.example" in found.said
        assert found.certain is certain
