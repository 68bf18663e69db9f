"""LawPay's unsigned webhook: kept, believed in nothing, and one poll for however many ring."""

import json

import pytest

from orchestrator.clients.lawpay.webhooks import outline
from orchestrator.domain.movements import Source
from orchestrator.usecases.replay_receipts import replay_receipts
from orchestrator.usecases.show_webhooks import show_lawpay
from tests.api.conftest import open_door

BODY = json.dumps(
    {"id": "e1", "type": "transaction.completed", "data": {"id": "t1", "amount": 999_999, "status": "COMPLETED"}}
)


@pytest.fixture
def door(sandbox, database_url):
    """The small firm at an address that LawPay rings at."""
    sandbox.reset("small-firm", seed=1, now="2026-03-02T15:00:00+00:00", frozen=True, rate_limit=100_000)
    state = sandbox.state()
    lawpay = {"base_url": state["lawpay_base_url"], "secret_key": state["lawpay_secret_key"]}
    with open_door(sandbox, database_url, lawpay=lawpay) as door:
        door.settle()
        sandbox.act("set_lawpay_webhooks", urls=show_lawpay(door.firm.rt)["address"])
        yield door


def bell(door):
    return show_lawpay(door.firm.rt)["address"].removeprefix(door.url)


def calls(door, what="events"):
    return int(door.firm.sandbox.counts()["lawpay_calls"].get(f"GET /v1/{what}", 0))


def moved(door):
    with door.firm.rt.read() as work:
        return work.movements.current(source=Source.LAWPAY)


def test_what_was_paid_is_known_as_soon_as_lawpay_rings(door):
    door.firm.sandbox.act("lawpay_pay", page="trust", amount_cents=5000)
    door.hear()
    assert [one.amount_cents for one in moved(door)] == [5000]
    assert show_lawpay(door.firm.rt)["deliveries"] == 2


def test_nothing_that_a_body_says_is_believed(door):
    assert door.http.post(bell(door), content=BODY).status_code == 200
    door.hear()
    assert moved(door) == []
    with door.firm.rt.read() as work:
        assert work.gateway.get("t1") is None
        assert not work.gateway.known_events(["e1"])


def test_F19_a_thousand_rings_are_one_poll(door):
    before = calls(door)
    for n in range(1000):
        assert door.http.post(bell(door), content=BODY if n % 2 else b"").status_code == 200
    door.firm.work()
    assert calls(door) - before <= 2
    assert sum(row["seen"] for row in door.receipts() if row["source"] == "lawpay") == 1000
    assert len([row for row in door.receipts() if row["source"] == "lawpay"]) == 2


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b'{"data": null}', b"{" * 5000])
def test_F25_whatever_it_says_it_is_kept_and_answered_with_200(door, body):
    assert door.http.post(bell(door), content=body).status_code == 200
    assert [row["status"] for row in door.receipts() if row["source"] == "lawpay"] == ["hint"]


def test_F22_more_than_256_kilobytes_is_refused(door):
    assert door.http.post(bell(door), content=b"x" * (256 * 1024 + 1)).status_code == 413
    assert [row for row in door.receipts() if row["source"] == "lawpay"] == []


@pytest.mark.parametrize("path", ["/webhooks/lawpay/guess", "/webhooks/lawpay/", "/webhooks/lawpay/é"])
def test_another_path_leads_nowhere(door, path):
    before = len(door.receipts())
    assert door.http.post(path, content=BODY).status_code == 404
    assert len(door.receipts()) == before


def test_a_firm_without_lawpay_has_no_such_path(sandbox, database_url):
    with open_door(sandbox, database_url) as door:
        assert door.http.post("/webhooks/lawpay/x", content=BODY).status_code == 404
        assert show_lawpay(door.firm.rt)["address"] is None


def test_F19_replaying_one_does_nothing(door):
    door.http.post(bell(door), content=BODY)
    door.hear()
    ids = [row["id"] for row in door.receipts() if row["source"] == "lawpay"]
    before = calls(door)
    assert replay_receipts(door.firm.rt, by="nora", ids=ids) == {}
    door.firm.work()
    assert calls(door) == before


@pytest.mark.parametrize("fault", ["webhook_drop", "webhook_duplicate", "webhook_reorder"])
def test_a_ring_that_is_lost_doubled_or_late_changes_nothing(door, fault):
    door.firm.sandbox.fault("lawpay_webhook", fault, times=2)
    door.firm.sandbox.act("lawpay_pay", page="trust", amount_cents=5000)
    door.hear()
    door.firm.later(minutes=6)
    assert [one.amount_cents for one in moved(door)] == [5000]


def test_nothing_of_the_payer_is_kept(door):
    door.firm.sandbox.act("lawpay_pay", page="trust", amount_cents=5000, name="Pat Example", email="pat@example.test")
    door.hear()
    kept = b"".join(row["body"] for row in door.receipts() if row["source"] == "lawpay")
    assert b"transaction.authorized" in kept
    for private in (b"Pat", b"example", b"5000", b"*", b"1111"):
        assert private not in kept


@pytest.mark.parametrize(
    "said", [{"id": "e" * 65}, {"type": "Pat Example"}, {"data": {"id": "pat@example.test"}}, {"data": "Pat"}]
)
def test_what_does_not_look_like_an_id_is_not_kept(said):
    event = {"id": "e1", "type": "transaction.completed", "data": {"id": "-t1_", "name": "Pat"}}
    assert outline(json.dumps(event).encode()) == json.dumps(event | {"data": {"id": "-t1_"}}).encode()
    assert outline(json.dumps(event | said).encode()) == b""
