"""Webhooks: handshake, signature, what fires, attempts in sandbox time, expiry, and what may go wrong on the way."""

import hashlib
import hmac
import json

import pytest


def subscribe(clio, receiver, model="bill", **facts):
    data = {"url": receiver.url, "model": model, "fields": "id,state,balance", **facts}
    answer = clio.ask("POST", "/webhooks", data, fields="id,status,expires_at,shared_secret,events")
    assert answer.status_code == 201, answer.text
    clio.sandbox.settle()
    return answer.json()["data"]


def status(clio, hook):
    return clio.get(f"/webhooks/{hook['id']}", "status")["status"]


def test_an_echoed_secret_enables(clio, receiver):
    hook = subscribe(clio, receiver)
    assert hook["status"] == "pending"
    assert receiver.handshakes == [(hook["shared_secret"], {"data": {"id": hook["id"]}})]
    assert status(clio, hook) == "enabled"


def test_a_silent_receiver_may_activate_later(clio, receiver):
    receiver.echo = False
    hook = subscribe(clio, receiver)
    path = f"/api/v4/webhooks/{hook['id']}/activate"
    assert status(clio, hook) == "pending"
    assert clio.http.put(path, headers={"X-Hook-Secret": "wrong"}).status_code == 422
    assert clio.http.put(path, headers={"X-Hook-Secret": hook["shared_secret"]}).status_code == 200
    assert status(clio, hook) == "enabled"


def test_a_pending_webhook_delivers_nothing(clio, receiver):
    receiver.echo = False
    subscribe(clio, receiver)
    clio.issued_bill()
    clio.sandbox.settle()
    assert receiver.parcels == []


def test_a_delivery_is_signed_over_its_very_bytes(clio, receiver):
    hook = subscribe(clio, receiver)
    bill = clio.issued_bill()
    clio.sandbox.settle()
    # Those of one breath are on their way together, and any of them may arrive first.
    made = [parcel for parcel in receiver.parcels if json.loads(parcel[1])["meta"]["event"] == "created"]
    [(headers, body)] = made
    assert headers["X-Hook-Signature"] == hmac.new(hook["shared_secret"].encode(), body, hashlib.sha256).hexdigest()
    read = json.loads(body)
    assert read["meta"] == {"event": "created", "webhook_id": hook["id"]}
    assert read["data"] | {"etag": ""} == {"id": bill["id"], "etag": "", "state": "draft", "balance": 1404.0}


def test_only_a_watched_change_fires_after_the_first(clio, receiver):
    subscribe(clio, receiver, model="contact", fields="id,primary_email_address")
    contact = clio.names["contacts"]["maya"]
    for facts in ({"name": "New Name"}, {"name": "Other Name"}, {"email": "new@clients.test"}):
        clio.sandbox.act("edit_contact", id=contact, **facts)
        clio.sandbox.settle()
    assert [event for event, _ in receiver.events()] == ["updated", "updated"]


def test_closing_a_matter_has_its_own_event(clio, receiver):
    subscribe(clio, receiver, model="matter", fields="id,status", events=["matter_closed"])
    clio.sandbox.act("close_matter", id=clio.matter("okafor-will"))
    clio.sandbox.settle()
    assert [(event, data["status"]) for event, data in receiver.events()] == [("matter_closed", "Closed")]


def test_a_payment_tells_each_of_its_states(clio, receiver):
    link = clio.link(clio.issued_bill()).json()["data"]
    subscribe(clio, receiver, model="clio_payments_payment", fields="id,state")
    clio.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    clio.sandbox.settle()
    told = {(event, data["state"]) for event, data in receiver.events()}
    assert told == {("created", "pending"), ("updated", "authorized"), ("updated", "completed")}
    assert all("etag" not in data for _, data in receiver.events())


def test_a_failing_receiver_is_tried_for_an_hour(clio, receiver):
    subscribe(clio, receiver, model="contact", fields="id,name")
    receiver.answers = [500] * 6
    clio.sandbox.act("edit_contact", id=clio.names["contacts"]["maya"], name="X")
    clio.sandbox.settle()
    seen = [len(receiver.parcels)]
    for minutes in (2, 4, 8, 16, 32, 64):
        clio.sandbox.clock_advance(minutes * 60)
        clio.sandbox.settle()
        seen.append(len(receiver.parcels))
    assert seen == [1, 2, 3, 4, 5, 6, 6]
    assert [entry["why"] for entry in clio.sandbox.effects("webhook.lost")] == ["retries"]


@pytest.mark.parametrize(("code", "left"), [(302, "enabled"), (410, "suspended")])
def test_these_answers_count_as_handled(clio, receiver, code, left):
    hook = subscribe(clio, receiver, model="contact", fields="id,name")
    receiver.answers = [code]
    clio.sandbox.act("edit_contact", id=clio.names["contacts"]["maya"], name="X")
    clio.sandbox.settle()
    assert status(clio, hook) == left
    assert clio.sandbox.effects("webhook.delivered")[0]["status"] == code


def test_a_webhook_lives_three_days_unless_renewed(clio, receiver):
    hook = subscribe(clio, receiver)
    assert hook["expires_at"] == "2026-03-05T15:00:00Z"
    assert clio.ask("PATCH", f"/webhooks/{hook['id']}", {"expires_at": "2026-04-03T15:00:00Z"}).status_code == 422
    assert clio.ask("PATCH", f"/webhooks/{hook['id']}", {"expires_at": "2026-04-02T15:00:00Z"}).status_code == 200
    clio.sandbox.clock_advance(4 * 86_400)
    assert status(clio, hook) == "enabled"
    clio.sandbox.clock_advance(28 * 86_400)
    assert status(clio, hook) == "suspended"


def test_a_new_url_means_a_new_handshake(clio, receiver):
    hook = subscribe(clio, receiver)
    clio.ask("PATCH", f"/webhooks/{hook['id']}", {"url": f"{receiver.url}/two"})
    clio.sandbox.settle()
    (first, _), (second, _) = receiver.handshakes
    assert first != second
    assert status(clio, hook) == "enabled"


@pytest.mark.parametrize("url", ["http://example.test/hook", "ftp://127.0.0.1/x", "nonsense"])
def test_an_address_without_https_is_refused(clio, url):
    assert clio.ask("POST", "/webhooks", {"url": url, "model": "bill", "fields": "id"}).status_code == 422


def test_an_unknown_field_is_refused(clio, receiver):
    data = {"url": receiver.url, "model": "bill", "fields": "id,nonsense"}
    assert clio.ask("POST", "/webhooks", data).status_code == 422


def test_a_dropped_delivery_never_comes(clio, receiver):
    subscribe(clio, receiver, model="contact", fields="id,name")
    clio.sandbox.fault("webhook", "webhook_drop")
    clio.sandbox.act("edit_contact", id=clio.names["contacts"]["maya"], name="X")
    clio.sandbox.clock_advance(7200)
    clio.sandbox.settle()
    assert receiver.parcels == []


def test_a_delivery_can_come_many_times(clio, receiver):
    subscribe(clio, receiver, model="contact", fields="id,name")
    clio.sandbox.fault("webhook", "webhook_duplicate", n=5)
    clio.sandbox.act("edit_contact", id=clio.names["contacts"]["maya"], name="X")
    clio.sandbox.settle()
    assert len({body for _, body in receiver.parcels}) == 1
    assert len(receiver.parcels) == 5


def test_deliveries_can_arrive_in_reverse(clio, receiver):
    subscribe(clio, receiver, model="contact", fields="id,name")
    clio.sandbox.fault("webhook", "webhook_reorder", times=2)
    for name in ("A", "B", "C"):
        clio.sandbox.act("edit_contact", id=clio.names["contacts"]["maya"], name=name)
    clio.sandbox.settle()
    assert sorted(data["name"] for _, data in receiver.events()) == ["A", "B", "C"]
    assert receiver.events()[-1][1]["name"] == "A"
