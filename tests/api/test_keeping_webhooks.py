"""W13: a subscription that is lost in any way comes back by itself, and what nobody told meanwhile is found."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS, signed
from orchestrator.usecases.show_webhooks import remedies, show_health
from tests.api.conftest import Door
from tests.delivery.conftest import certificates
from tests.firm import open_firm, web
from tests.servers import free_port

__all__ = ["certificates"]

MODELS = {row.model for row in SUBSCRIPTIONS}


def at_clio(door):
    """The webhooks that Clio has, by address."""
    bearer = {"Authorization": f"Bearer {door.firm.sandbox.access_token}"}
    url = f"{door.firm.sandbox.clio_base_url}/api/v4/webhooks.json?fields=id,url,status"
    return {row["url"]: row["status"] for row in httpx.get(url, headers=bearer).json()["data"]}


@contextmanager
def proxy(status, tls=None, port=0, **headers):
    """A server in front of nobody that answers every POST with this, over `tls` if given."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Answer)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
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


def upkeep_at(door, address):
    """What is told of this public address by an upkeep of the same firm there."""
    where = {"environment": {"public_url": address}, "subscribed": True}
    with open_firm(door.firm.sandbox, str(door.firm.rt.uow.engine.url), **where) as astray:
        with astray.rt.uow() as work:
            work.jobs.add("webhooks.upkeep", "asked", address)
        astray.work()
        with astray.rt.read() as work:
            return [row["summary"] for row in work.exceptions.listed(kind="public_address")]


ASTRAY = {
    301: "takes that for delivered",
    308: "Set ORCH_PUBLIC_URL to the final address",
    410: "switches a webhook off",
    404: "let the proxy pass /webhooks/ on",
    200: "leads to another server",
}


@pytest.mark.parametrize("status", ASTRAY)
def test_F28_a_proxy_that_answers_for_us_is_told_and_closed_when_it_is_mended(door, status):
    assert door.firm.exceptions() == {}
    with proxy(status, Location="https://www.firm.test/") as address:
        [told] = upkeep_at(door, address)
    assert ASTRAY[status] in told
    with door.firm.rt.uow() as work:
        work.jobs.add("webhooks.upkeep", "asked", "mended")
    door.settle()
    assert door.firm.exceptions() == {}


def test_F28_a_wrong_path_in_front_of_our_own_server_is_told(door):
    [told] = upkeep_at(door, f"{door.url}/billing")
    assert f"{door.url}/billing answers 404 to a POST" in told


def test_F28_a_certificate_that_nobody_accepts_is_told(door, certificates):
    with proxy(200, tls=certificates[0]) as address:
        [told] = upkeep_at(door, address)
    assert f"The certificate of {address} is not accepted" in told


def test_F28_a_proxy_whose_backend_is_away_for_a_moment_troubles_nobody(door):
    with proxy(502) as address:
        assert upkeep_at(door, address) == []


def health(door, model="bill"):
    return next(row for row in show_health(door.firm.rt) if row["model"] == model)


def test_F26_what_a_sweep_found_and_no_webhook_told_is_shown_until_one_tells_again(door):
    quiet = {"bills": 1, "clients": 1, "amount": "50.00"}
    before = health(door)
    door.firm.sandbox.act("bulk", **quiet)
    door.firm.later(minutes=15)
    found = health(door)
    assert found["found_by_sweep"] == before["found_by_sweep"] + 1
    assert found["found_at"] == door.firm.rt.clock()
    assert found["troubles"] == [], "it may be on its way"
    door.firm.sandbox.clock_advance(11 * 60)
    door.firm.tick()
    rows = show_health(door.firm.rt)
    assert [row["model"] for row in rows if row["troubles"]] == ["bill"]
    [said] = remedies(door.firm.rt, rows)
    assert "nothing was delivered since" in said
    assert "firewall" in said
    assert door.deliver(door.body(4711)) == 200
    assert health(door)["troubles"] == []


def test_F27_a_subscription_that_clio_switched_off_for_a_410_is_made_anew_and_the_gap_swept(sandbox, database_url):
    port = free_port()
    here = {"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    with open_firm(sandbox, database_url, environment=here, subscribed=True) as firm:
        with standing(firm, port) as door:
            door.settle()
            old = door.path("bill")
        with proxy(410, port=port):
            bill = firm.issued_bill()
            sandbox.settle()
        with standing(firm, port) as door:
            assert at_clio(door)[here["public_url"] + old] == "suspended"
            firm.later(hours=6)
            door.settle()
            assert door.path("bill") != old
            assert [job for job in firm.jobs("sweep") if job["key"].startswith("bill:gap")]
            with firm.rt.read() as work:
                assert bill["id"] in work.mirror.bills([bill["id"]])
            assert firm.exceptions() == {}


@contextmanager
def standing(firm, port):
    """The firm's web process for a while."""
    with web(firm, port) as url, httpx.Client(base_url=url, timeout=20, trust_env=False) as http:
        yield Door(firm, url, http)


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
