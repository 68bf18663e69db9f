"""The acts of the year, on a firm under test: what people and the relay do reaches the worker as it would anywhere."""

import pytest

from orchestrator.demo.collecting import COLLECTING, OVER
from orchestrator.demo.people import Scene
from tests.firm import START, open_firm, web
from tests.servers import free_port


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def firm(sandbox, database_url, port):
    sandbox.reset("tiny", seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    settings = {"mail": {"bounce_hook": "mailgun"}, "listen": f"127.0.0.1:{port}"}
    with open_firm(sandbox, database_url, environment=settings) as firm:
        firm.work()
        yield firm


@pytest.fixture
def scene(firm):
    scene = Scene(firm.sandbox, names=firm.ids, desk=firm.rt)
    act(scene, "issue_bill", matter="ferris", amount="300.00")
    firm.later(minutes=16)
    firm.later(minutes=2)
    scene.look()
    return scene


def act(scene, verb, **facts):
    scene.look()
    return COLLECTING[verb](scene, {"bill": "b", **facts})


def bill(scene):
    scene.look()
    return scene.record.bills[scene.names["bills"]["b"]]


def test_a_letter_that_comes_back_is_told_to_the_worker_by_its_relay(firm, scene, port):
    with web(firm, port):
        assert "came back" in act(scene, "mail_returns")
    [back] = scene.sandbox.effects("mail.returned")
    assert back["bill"] == str(bill(scene)["id"])
    firm.work()
    assert firm.exceptions() == {"address_bounced": 1}


def test_a_relay_that_reaches_nobody_tries_again(scene):
    assert act(scene, "mail_returns") is None


def test_a_word_holds_a_bill_until_it_is_over(firm, scene):
    assert "promised" in act(scene, "word_given", kind="promise", days=5)
    assert scene.words.stood(bill(scene), scene.today) == ["payment_promised"]
    assert act(scene, "word_over") is not None
    assert act(scene, "word_over") == OVER


def test_cheques_and_credits_come_to_their_share(scene):
    act(scene, "bill_cheque", share=0.4)
    assert bill(scene)["balance"] == 180.0
    act(scene, "bill_credit", share=0.5)
    assert bill(scene)["balance"] == 90.0


def test_a_client_pays_by_the_link_in_the_mailbox_and_has_nothing_left_to_do(scene):
    assert "by card" in act(scene, "pay_bill", method="card")
    scene.sandbox.clock_advance(2 * 86_400)
    assert bill(scene)["state"] == "paid"
    for later in ("pay_bill", "bill_cheque", "bill_credit", "bill_void", "word_given", "mail_returns"):
        assert act(scene, later) == OVER
