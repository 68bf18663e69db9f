"""LawPay's webhooks: unsigned, tried six times with growing pauses, and only 200 counts."""

import json

import httpx
import pytest


@pytest.fixture
def clio(enter, receiver):
    clio = enter()
    clio.sandbox.act("set_lawpay_webhooks", urls=receiver.url)
    return clio


@pytest.fixture
def pay(clio):
    def once(**facts):
        paid = clio.sandbox.act("lawpay_pay", page="trust", amount_cents=5000, **facts)
        clio.sandbox.settle()
        return paid

    return once


def rung(receiver):
    return [json.loads(body) for _, body in receiver.parcels]


def test_the_body_is_the_event_and_nothing_signs_it(clio, receiver, pay):
    paid = pay()
    key, base = clio.names["lawpay_secret_key"], clio.names["lawpay_base_url"]
    events = httpx.get(f"{base}/v1/events", auth=(key, ""), trust_env=False).json()["results"]
    assert sorted(rung(receiver), key=lambda event: event["id"]) == sorted(events, key=lambda event: event["id"])
    assert {event["data"]["id"] for event in events} == {paid["id"]}
    assert not [name for headers, _ in receiver.parcels for name in headers if "signature" in name.lower()]


def test_anything_but_200_is_tried_six_times_with_growing_pauses(clio, receiver, pay):
    receiver.answers = [204, *[500] * 40]
    pay()
    seen = [len(receiver.parcels)]
    for hours in (1, 2, 3, 4, 5, 6):
        clio.sandbox.clock_advance(hours * 3600 - 1)
        clio.sandbox.settle()
        before = len(receiver.parcels)
        clio.sandbox.clock_advance(1)
        clio.sandbox.settle()
        seen.append(len(receiver.parcels) - before)
    assert seen[0] == 2
    assert seen[1:] == [2, 2, 2, 2, 2, 0]
    assert {entry["why"] for entry in clio.sandbox.effects("lawpay_webhook.lost")} == {"retries"}


def test_every_address_of_the_firm_hears(clio, receiver, pay):
    clio.sandbox.act("set_lawpay_webhooks", urls=f"{receiver.url}/one, {receiver.url}/two")
    pay()
    assert len(receiver.parcels) == 4


def test_an_integration_that_writes_the_addresses_blindly_silences_the_others(clio, receiver, pay):
    key, base = clio.names["lawpay_secret_key"], clio.names["lawpay_base_url"]
    with httpx.Client(base_url=base, auth=(key, ""), trust_env=False) as http:
        assert http.get("/v1/merchant").json()["live_events_urls"] == receiver.url
        assert http.put("/v1/merchant", json={"live_events_urls": "x" * 1025}).status_code == 422
        http.put("/v1/merchant", json={"live_events_urls": ""})
    pay()
    assert receiver.parcels == []


@pytest.mark.parametrize(("fault", "came"), [("webhook_drop", 1), ("webhook_duplicate", 3), ("webhook_reorder", 2)])
def test_a_ring_can_be_lost_doubled_or_late(clio, receiver, pay, fault, came):
    clio.sandbox.fault("lawpay_webhook", fault)
    pay()
    assert len(receiver.parcels) == came
