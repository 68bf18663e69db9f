"""The relay's webhook for bounces: who knows its path may say that a letter of ours came back, and nothing else is believed."""

import json

import pytest

from orchestrator.usecases.note_bounce import show_bounces
from orchestrator.usecases.show_webhooks import show_mail
from tests.api.conftest import open_door


@pytest.fixture
def door(sandbox, database_url):
    sandbox.reset("tiny", seed=1, now="2026-03-02T15:00:00+00:00", frozen=True, rate_limit=100_000)
    with open_door(sandbox, database_url, mail={"bounce_hook": "sendgrid"}) as door:
        door.settle()
        yield door


def path(door):
    return show_mail(door.firm.rt)["address"].removeprefix(door.url)


def post(door, *events):
    answer = door.http.post(path(door), content=json.dumps(list(events))).status_code
    door.firm.work()
    return answer


def mailed(door):
    door.firm.issued_bill()
    door.hear()
    door.firm.later(minutes=16)
    door.firm.later(minutes=2)
    return door.firm.mails()[-1]


def test_F76_a_posted_bounce_holds_the_address(door):
    mail = mailed(door)
    event = {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.1",
        "smtp-id": mail["message_id"],
        "email": mail["to"][0],
    }
    assert post(door, event) == 200
    assert post(door, event) == 200
    [bounce] = show_bounces(door.firm.rt)
    assert (bounce["state"], bounce["source"], bounce["code"]) == ("hard", "webhook", "5.1.1")
    assert show_mail(door.firm.rt)["told_by_webhook"] == 1
    kept = str([dict(row) for row in door.firm.jobs("bounces.note")])
    assert mail["to"][0] not in kept


def test_F76_a_bounce_of_no_letter_of_ours_says_nothing(door):
    mailed(door)
    assert post(door, {"event": "bounce", "smtp-id": f"<{'cd' * 20}@firm.test>"}) == 200
    assert show_bounces(door.firm.rt) == []


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b'{"data": null}', b"{" * 5000])
def test_f25_whatever_it_says_is_answered_with_200_and_kept_nowhere(door, body):
    assert door.http.post(path(door), content=body).status_code == 200
    assert door.firm.jobs("bounces.note") == []


def test_F22_too_much_of_it_is_refused(door):
    assert door.http.post(path(door), content=b"x" * 300_000).status_code == 413


def test_F80_a_scanner_that_opens_the_address_changes_nothing(door):
    assert door.http.get(path(door)).status_code == 405


def test_a_path_that_was_only_guessed_leads_nowhere(door):
    assert door.http.post("/webhooks/mail/guess", content=b"[]").status_code == 404


def test_a_firm_that_uses_no_relay_s_webhook_has_no_such_door(sandbox, database_url):
    sandbox.reset("tiny", seed=1, now="2026-03-02T15:00:00+00:00", frozen=True, rate_limit=100_000)
    with open_door(sandbox, database_url) as door:
        assert door.http.post("/webhooks/mail/x", content=b"[]").status_code == 404
        assert show_mail(door.firm.rt)["address"] is None
