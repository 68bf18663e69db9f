"""RFC 8058: a mail program's unsubscribe button ends a client's reminders, never their invoices, and a person is told."""

import pytest

from orchestrator.usecases.hold_reminders import release, show_holds
from orchestrator.usecases.stop_reminders import stop_address
from tests.api.conftest import open_door

CLICK = {"List-Unsubscribe": "One-Click"}
REMINDED = 17
"""Days from the first day of a test to the first reminder of a bill that is due ten days after it."""


@pytest.fixture
def door(sandbox, database_url):
    with open_door(sandbox, database_url, mail={"one_click": True, "unsubscribe": "stop@firm.test"}) as door:
        door.settle()
        yield door


def bo(door):
    return door.firm.ids["contacts"]["bo"]


def path(door, client=None):
    return stop_address(door.firm.rt, client or bo(door)).removeprefix(door.url)


def press(door, where=None, **form):
    answer = door.http.post(where or path(door), **(form or {"data": CLICK})).status_code
    door.firm.work()
    return answer


def reminded(door):
    door.firm.mailed_bill(due_at="2026-03-12")
    door.firm.later(days=REMINDED)
    door.firm.later(minutes=2)
    return door.firm.mails()[-1]


def holds(door):
    return [(one["kind"], one["id"], one["by"]) for one in show_holds(door.firm.rt, limit=9)]


def test_the_button_of_a_reminder_ends_reminders_and_tells_a_person(door):
    mail = reminded(door)
    invoice = door.firm.mails()[0]["headers"]
    assert "List-Unsubscribe-Post" not in invoice, "an invoice is nothing that anybody can leave"
    assert mail["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    first, second = mail["headers"]["List-Unsubscribe"].split(",")
    assert (first.strip("<> "), second.strip("<> \r\n")) == (f"{door.url}{path(door)}", "mailto:stop@firm.test")
    assert press(door, first.strip("<> ").removeprefix(door.url)) == 200
    assert holds(door) == [("do_not_contact", bo(door), "client")]
    assert door.firm.exceptions() == {"client_unsubscribed": 1}
    door.firm.later(days=14)
    door.firm.later(minutes=2)
    assert len(door.firm.mails()) == 2, "the second reminder does not go"
    door.firm.mailed_bill(dollars=700)  # the next invoice does


def test_pressed_again_it_says_nothing_new_and_after_a_release_it_holds_again(door):
    for _ in range(3):
        assert press(door) == 200
        door.firm.later(minutes=2)
    [hold] = show_holds(door.firm.rt, limit=9)
    release(door.firm.rt, hold["hold"], why="she meant the newsletter", by="nora", dry_run=False)
    assert (holds(door), door.firm.exceptions()) == ([], {})
    assert press(door) == 200
    assert len(holds(door)) == 1


def test_F80_a_scanner_that_opens_the_address_changes_nothing(door):
    answer = door.http.get(path(door))
    assert (answer.status_code, "Nothing was changed" in answer.text) == (200, True)
    assert door.http.head(path(door)).status_code == 200
    door.firm.work()
    assert holds(door) == []


@pytest.mark.parametrize("form", [{"content": b""}, {"data": {"List-Unsubscribe": "no"}}, {"data": {"x": "One-Click"}}])
def test_F80_a_post_that_is_not_the_button_s_changes_nothing(door, form):
    assert press(door, **form) == 400
    assert holds(door) == []


def test_both_forms_that_a_mail_provider_may_post_are_understood(door):
    assert press(door, files={"List-Unsubscribe": (None, "One-Click")}) == 200
    assert len(holds(door)) == 1


@pytest.mark.parametrize("client", ["7", "x", "²", "9" * 30])
def test_an_address_that_was_only_guessed_leads_nowhere(door, client):
    word = path(door).rpartition("/")[2]
    for where in (f"/stop/{client}/{word}", f"/stop/{bo(door)}/{'0' * 40}"):
        assert press(door, where) == 404
        assert door.http.get(where).status_code == 404
    assert holds(door) == []


def test_no_cookie_is_asked_for_or_given(door):
    assert "set-cookie" not in door.http.post(path(door), data=CLICK).headers


def test_F22_too_much_of_it_is_refused(door):
    assert press(door, content=b"List-Unsubscribe=One-Click&x=" + b"y" * 5000) == 413
    assert holds(door) == []


def test_a_firm_that_wants_no_button_has_none(sandbox, database_url):
    with open_door(sandbox, database_url) as door:
        door.settle()
        assert stop_address(door.firm.rt, bo(door)) is None
        assert "List-Unsubscribe" not in reminded(door)["headers"]
