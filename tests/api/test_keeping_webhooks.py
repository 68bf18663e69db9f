"""W13: a subscription that is lost in any way comes back by itself, and what nobody told meanwhile is found."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS, signed
from tests.firm import open_firm

MODELS = {row.model for row in SUBSCRIPTIONS}


def at_clio(door):
    """The webhooks that Clio has, by address."""
    bearer = {"Authorization": f"Bearer {door.firm.sandbox.access_token}"}
    url = f"{door.firm.sandbox.clio_base_url}/api/v4/webhooks.json?fields=id,url,status"
    return {row["url"]: row["status"] for row in httpx.get(url, headers=bearer).json()["data"]}


@contextmanager
def proxy(status, **headers):
    """A server in front of nobody that answers every POST with this."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_W13_a_subscription_whose_only_handshake_was_lost_is_made_anew_and_the_old_one_deleted(door):
    """Clio shakes hands once: what waits for a second handshake waits for ever."""
    row = door.subscription("bill")
    with door.firm.rt.uow() as work:
        # As it is when the web process was away in the moment of the handshake.
        work.subscriptions.put("bill", state="pending", secret=None, asked_at=work.now, confirmed_at=None)
        work.jobs.add("webhooks.upkeep", "asked", 1)
    bearer = {"Authorization": f"Bearer {door.firm.sandbox.access_token}"}
    theirs = f"{door.firm.sandbox.clio_base_url}/api/v4/webhooks/{row['webhook_id']}.json"
    assert httpx.delete(theirs, headers=bearer).status_code == 204
    door.firm.work()
    door.firm.later(minutes=11)
    assert door.firm.exceptions() == {"webhook_unconfirmed": 1}
    door.firm.later(minutes=20)
    door.settle()
    assert door.path("bill") != f"/webhooks/clio/{row['path_token']}"
    assert door.firm.exceptions() == {}
    assert door.deliver(door.body(1)) == 200
    door.firm.work()
    door.firm.check()


def test_W13_a_list_that_is_empty_for_a_moment_only_delays_the_confirmation(sandbox, database_url, opening):
    with opening(sandbox, database_url) as door:
        sandbox.fault("GET /webhooks", "empty_data", times=3)
        door.settle()
        assert len(door.firm.effects("webhook.created")) == len(MODELS)


def test_W13_upkeep_comes_soon_after_a_start(sandbox, database_url, firm):
    sandbox.clock_advance(3600)
    before = len(firm.jobs("webhooks.upkeep"))
    with open_firm(sandbox, database_url) as again:
        again.work()
        assert len(again.jobs("webhooks.upkeep")) == before + 1
    with open_firm(sandbox, database_url) as once_more:
        once_more.work()
        assert len(once_more.jobs("webhooks.upkeep")) == before + 1


def test_F24_an_old_address_is_served_with_its_own_secret_until_nothing_can_be_on_its_way(door):
    old_path, old_secret = door.path("bill"), door.secret("bill")
    body = door.body(4711, etag="a")
    with door.firm.rt.uow() as work:
        work.subscriptions.put("bill", fields="id,etag")  # what an upgrade that wants other fields finds
        work.jobs.add("webhooks.upkeep", "asked", 1)
    door.settle()
    assert door.path("bill") != old_path

    def deliver(secret):
        return door.http.post(old_path, content=body, headers={"X-Hook-Signature": signed(body, secret)}).status_code

    assert deliver(old_secret) == 200
    assert deliver(door.secret("bill")) == 401, "a new secret says nothing about the old address"
    assert len(at_clio(door)) == len(MODELS) + 1
    door.firm.later(minutes=10)
    door.firm.later(hours=2, minutes=6)
    assert deliver(old_secret) == 404
    assert len(at_clio(door)) == len(MODELS)
    assert set(at_clio(door).values()) == {"enabled"}
    door.firm.check()


@pytest.mark.parametrize("answer", [422, 503])
def test_F27_a_renewal_that_fails_is_told_and_the_webhook_made_anew_and_the_gap_swept(door, answer):
    old = {model: door.path(model) for model in MODELS}
    door.firm.sandbox.fault("PATCH /webhooks/{id}", "status", code=answer, times=None)
    door.firm.later(days=15, hours=1)
    for _ in range(30):
        if all(door.path(model) != old[model] for model in MODELS):
            break
        door.firm.later(minutes=30)
    with door.firm.rt.read() as work:
        assert len(work.exceptions.listed(state=None, kind="webhook_unrenewed")) == len(MODELS)
    bill = door.firm.issued_bill()
    door.settle()
    assert all(door.path(model) != old[model] for model in MODELS)
    assert [job for job in door.firm.jobs("sweep") if ":gap:" in job["key"]]
    with door.firm.rt.read() as work:
        assert bill["id"] in work.mirror.bills([bill["id"]])
    assert door.firm.exceptions() == {}
    door.firm.later(minutes=10)
    door.firm.later(hours=3)
    assert len(at_clio(door)) == len(MODELS)
    door.firm.later(days=16)
    assert door.firm.exceptions() == {}
    door.firm.check()


@pytest.mark.parametrize(("status", "words"), [(301, "takes that for delivered"), (410, "switches a webhook off")])
def test_F28_a_proxy_that_answers_for_us_is_told_and_closed_when_it_is_mended(door, status, words):
    assert door.firm.exceptions() == {}
    with (
        proxy(status, Location="https://www.firm.test/") as address,
        open_firm(
            door.firm.sandbox,
            str(door.firm.rt.uow.engine.url),
            environment={"public_url": address},
            subscribed=True,
        ) as astray,
    ):
        with astray.rt.uow() as work:
            work.jobs.add("webhooks.upkeep", "asked", status)
        astray.work()
        with astray.rt.read() as work:
            [told] = work.exceptions.listed(kind="public_address")
        assert words in told["summary"]
    with door.firm.rt.uow() as work:
        work.jobs.add("webhooks.upkeep", "asked", "mended")
    door.settle()
    assert door.firm.exceptions() == {}


def test_F28_only_this_installation_proves_itself(door):
    url = "/webhooks/clio/self-check"
    assert door.http.post(url).status_code == 404
    assert door.http.post(url, headers={"X-Orchestrator-Door": "x" * 65}).status_code == 404
    answer = door.http.post(url, headers={"X-Orchestrator-Door": "a word"})
    assert answer.headers["X-Orchestrator-Door"] == door.firm.rt.cipher.prove("a word")
    assert door.firm.rt.cipher.prove("a word") != door.firm.rt.cipher.prove("another")


def test_F20_F21_refused_deliveries_are_counted_without_a_commit_each_and_many_in_a_row_are_told(door):
    body = door.body(4711)
    rewritten = json.dumps(json.loads(body), separators=(",", ":")).encode()
    for _ in range(60):
        assert door.deliver(rewritten, signature=signed(body, door.secret("bill"))) == 401
    row = door.subscription("bill")
    assert 10 <= row["refused_in_a_row"] <= row["refused"] <= 60
    assert row["refused_at"] is not None
    assert door.firm.exceptions() == {"webhook_signatures": 1}
    assert door.deliver(body) == 200
    row = door.subscription("bill")
    assert (row["refused"], row["refused_in_a_row"]) == (60, 0)
    assert door.firm.exceptions() == {}
    assert door.http.post("/webhooks/clio/unknown", content=body).status_code == 404
    door.firm.work()
    door.firm.check()
