import itertools
import json
import resource
import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import psycopg

from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS, signed
from orchestrator.domain.kinds import Kind
from orchestrator.storage.tables import dirty
from tests.firm import open_firm

MODELS = {row.model for row in SUBSCRIPTIONS}
CAP = 256 * 1024


# ── shaking hands ──


def test_every_subscription_is_created_shaken_hands_on_and_enabled_once_read_back(door):
    assert {effect["model"] for effect in door.firm.effects("webhook.created")} == MODELS
    assert all(effect["accepted"] for effect in door.firm.effects("webhook.handshake"))
    with door.firm.rt.read() as work:
        rows = work.subscriptions.all()
    assert {row["model"] for row in rows} == MODELS
    assert all(row["state"] == "enabled" and row["secret"] and not row["offered"] for row in rows)
    assert len({row["path_token"] for row in rows}) == len(MODELS)
    assert all(len(row["path_token"]) >= 43 for row in rows)
    door.firm.check()


def test_a_secret_is_kept_encrypted(door):
    secret = door.secret("bill")
    assert secret.encode() not in bytes(door.subscription("bill")["secret"])


def test_an_accepted_handshake_counts_for_nothing_until_the_webhook_was_read_back(sandbox, database_url, opening):
    with opening(sandbox, database_url) as door:
        sandbox.fault("GET /webhooks", "empty_data", times=None)
        door.hear()
        assert all(effect["accepted"] for effect in door.firm.effects("webhook.handshake"))
        assert door.states() == {"pending"}
        sandbox.clear_faults()
        door.firm.later(hours=6)
        door.hear()
        assert door.states() == {"enabled"}
        assert len(door.firm.effects("webhook.created")) == len(MODELS)
        door.firm.check()


def test_F23_a_stranger_s_handshake_is_refused_when_nothing_is_pending(door):
    before = door.subscription("bill")
    answer = door.shake("bill", "strangers-secret")
    assert answer.status_code == 401
    assert "X-Hook-Secret" not in answer.headers
    assert door.subscription("bill") == before
    body = door.body(1)
    assert door.deliver(body, signature=signed(body, "strangers-secret")) == 401
    assert door.deliver(body) == 200


def test_F23_while_pending_only_the_secret_that_the_api_confirms_is_believed(sandbox, database_url, opening):
    with opening(sandbox, database_url) as door:
        # The subscriptions are wanted, and the stranger is faster than Clio.
        sandbox.fault("POST /webhooks", "delay", seconds=0.5, before=True, times=1)
        worker = threading.Thread(target=door.firm.work)
        worker.start()
        try:
            for _ in range(200):
                if door.subscription("bill") is not None:
                    break
                time.sleep(0.01)
            assert door.shake("bill", "strangers-secret").status_code == 200
        finally:
            worker.join()
        door.settle()
        assert door.states() == {"enabled"}
        assert door.secret("bill") != "strangers-secret"
        body = door.body(1)
        assert door.deliver(body, signature=signed(body, "strangers-secret")) == 401
        assert door.deliver(body) == 200


def test_F23_a_stranger_cannot_crowd_out_a_pending_subscription_with_secrets(sandbox, database_url, opening):
    with opening(sandbox, database_url) as door:
        sandbox.fault("POST /webhooks", "status", code=503, times=None)
        door.firm.work(most=5000)
        answers = [door.shake("bill", f"secret-{number}").status_code for number in range(6)]
        assert answers.count(200) <= 3
        assert answers[-1] == 401


def test_a_delivery_before_the_secret_is_known_is_asked_for_again_later(sandbox, database_url, opening):
    with opening(sandbox, database_url) as door:
        sandbox.fault("POST /webhooks", "status", code=503, times=None)
        door.firm.work(most=5000)
        assert door.deliver(b'{"data":{"id":1}}', signature="00") == 503


# ── taking deliveries ──


def test_a_delivery_is_durable_as_a_receipt_with_a_dirty_mark_before_it_is_answered(door):
    body = door.body(4711)
    assert door.deliver(body) == 200
    [receipt] = door.receipts()
    assert (receipt["kind"], receipt["object_id"], receipt["event"], receipt["status"]) == (
        "bill",
        4711,
        "updated",
        "stored",
    )
    assert bytes(receipt["body"]) == body
    with door.firm.rt.read() as work:
        [mark] = work.connection.execute(dirty.select()).mappings()
    assert (mark["kind"], mark["object_id"]) == (Kind.BILL, 4711)
    assert [job["state"] for job in door.firm.jobs("sync.bill")][-1] == "ready"


def test_a_webhook_carries_a_bill_to_the_client_s_mailbox_without_any_sweep(door):
    door.firm.issued_bill()
    door.hear()
    door.firm.later(seconds=61)
    assert len(door.firm.links()) == 1
    assert len(door.firm.mails()) == 1
    door.firm.check()


def test_F16_the_same_delivery_a_hundred_times_in_parallel_is_one_receipt_and_one_effect(door):
    bill = door.firm.issued_bill()
    door.hear()
    links, receipts, reads = len(door.firm.links()), len(door.receipts()), door.reads("bills")
    body = door.body(bill["id"], etag="x")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: door.deliver(body), range(100)))
    assert answers == [200] * 100
    assert len(door.receipts()) == receipts + 1
    assert door.receipts()[-1]["seen"] == 100
    door.firm.work()
    assert door.reads("bills") - reads <= 2
    assert len(door.firm.links()) == links == 1
    door.firm.check()


def test_F17_states_that_arrive_out_of_order_never_move_anything_backwards(door):
    bill = door.firm.issued_bill()
    door.hear()
    [link] = door.firm.links()
    for _ in range(3):
        door.firm.sandbox.fault("webhook", "webhook_reorder")
    payment = door.firm.sandbox.act("pay_link", link_id=link["id"], method="card", settle_after_seconds=0)
    door.hear()
    for state in ("completed", "authorized", "pending"):
        body = door.body(payment["id"], "clio_payments_payment", state=state)
        assert door.deliver(body, "clio_payments_payment") == 200
        door.firm.work()
    with door.firm.rt.read() as work:
        assert work.mirror.payments([payment["id"]])[payment["id"]]["state"] == "completed"
        assert len(work.journal.entries_of(payment["id"])) == 2
        assert work.mirror.bills([bill["id"]])[bill["id"]].state == "paid"
    assert len(door.firm.effects("matter.patched")) == 1
    door.firm.check()


def test_F18_a_payment_made_by_a_person_s_link_is_booked_when_its_bill_is_ours(door):
    bill = door.firm.issued_bill()
    door.hear()
    made = door.firm.sandbox.act("create_link_by_hand", bill_id=bill["id"])
    payment = door.firm.sandbox.act("pay_link", link_id=made["id"], method="card", settle_after_seconds=0)
    door.hear()
    with door.firm.rt.read() as work:
        assert work.journal.held() == 60_000
        assert work.mirror.payments([payment["id"]])[payment["id"]]["booked_cents"] == 60_000
        assert work.mirror.bills([bill["id"]])[bill["id"]].state == "paid"
    door.firm.later(minutes=2)
    assert door.firm.effects("link.expired")[0]["bill_id"] == bill["id"]
    door.firm.check()


def test_F18_a_delivery_about_something_that_does_not_exist_is_stored_and_read(door):
    for model in ("bill", "clio_payments_payment", "matter", "activity", "task", "contact"):
        assert door.deliver(door.body(999_999_999, model), model) == 200
    door.firm.work()
    assert len(door.receipts()) == 6
    assert door.firm.exceptions() == {}
    door.firm.check()


def test_F18_a_payment_that_names_no_bill_becomes_a_person_s(door):
    bill = door.firm.issued_bill()
    door.hear()
    [link] = door.firm.links()
    payment = door.firm.sandbox.act(
        "pay_link",
        link_id=link["id"],
        method="card",
        settle_after_seconds=0,
        final_state="completed_requiring_allocation",
    )
    door.hear()
    assert door.firm.exceptions().get("payment_unallocated") == 1
    with door.firm.rt.read() as work:
        assert work.mirror.payments([payment["id"]])[payment["id"]]["booked_cents"] == 60_000
    assert bill["id"] in {row["bill_id"] for row in door.firm.effects("link.used")}


def test_F19_an_old_delivery_replayed_a_thousand_times_has_no_effect(door):
    bill = door.firm.issued_bill()
    door.hear()
    body = door.body(bill["id"], etag="old")
    assert door.deliver(body) == 200
    door.firm.later(days=3)
    receipts, reads = len(door.receipts()), door.reads("bills")
    effects = len(door.firm.effects("link.")) + len(door.firm.mails())
    signature, path = signed(body, door.secret("bill")), door.path("bill")
    with ThreadPoolExecutor(16) as pool:
        headers = {"X-Hook-Signature": signature}
        answers = set(pool.map(lambda _: door.http.post(path, content=body, headers=headers).status_code, range(1000)))
    assert answers == {200}
    door.firm.work()
    assert len(door.receipts()) == receipts
    assert door.reads("bills") - reads <= 1
    assert len(door.firm.effects("link.")) + len(door.firm.mails()) == effects
    door.firm.check()


FORGERIES = {
    "a flipped byte": lambda body, sign: (body.replace(b"4711", b"4712"), [sign(body)]),
    "in upper case": lambda body, sign: (body, [sign(body).upper()]),
    "with a prefix": lambda body, sign: (body, ["sha256=" + sign(body)]),
    "twice": lambda body, sign: (body, [sign(body), sign(body)]),
    "missing": lambda body, _: (body, []),
    "empty": lambda body, _: (body, [""]),
    "not ASCII": lambda body, _: (body, ["\xe9" * 64]),
    "of an empty body": lambda body, sign: (body, [sign(b"")]),
}


def test_F20_a_delivery_that_is_not_signed_exactly_is_refused(door):
    for forgery, forge in FORGERIES.items():
        body, signatures = forge(door.body(4711), lambda body: signed(body, door.secret("bill")))
        headers = [(b"X-Hook-Signature", signature.encode("latin-1")) for signature in signatures]
        assert door.http.post(door.path("bill"), content=body, headers=headers).status_code == 401, forgery
    assert door.receipts() == []


def test_F20_a_signature_made_with_another_model_s_secret_is_refused(door):
    body = door.body(4711)
    assert door.deliver(body, signature=signed(body, door.secret("matter"))) == 401


def test_F21_a_body_that_a_proxy_wrote_anew_is_refused(door):
    body = door.body(4711, etag="a", state="paid")
    rewritten = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    assert rewritten != body
    assert door.deliver(rewritten, signature=signed(body, door.secret("bill"))) == 401


def test_F22_a_body_over_the_cap_is_refused_by_its_declared_length_alone(door):
    host, port = httpx.URL(door.url).host, httpx.URL(door.url).port
    with socket.create_connection((host, port), timeout=10) as wire:
        head = f"POST {door.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: {50 * 1024 * 1024}\r\n\r\n"
        wire.sendall(head.encode())
        assert wire.recv(64).startswith(b"HTTP/1.1 413")
    assert door.deliver(door.body(1)) == 200


def test_F22_a_chunked_body_without_end_is_cut_off_at_the_cap_while_others_are_served(door):
    host, port = httpx.URL(door.url).host, httpx.URL(door.url).port
    with socket.create_connection((host, port), timeout=10) as wire:
        wire.sendall(f"POST {door.path()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"1000\r\n" + b"a" * 0x1000 + b"\r\n"
        for _ in range(CAP // 0x1000 - 1):
            wire.sendall(chunk)
        assert door.deliver(door.body(1)) == 200
        try:
            for _ in range(400):
                wire.sendall(chunk)
            answer = wire.recv(64)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        # Closed at the cap, or told so.
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert door.deliver(door.body(2)) == 200


def test_F22_a_gzip_bomb_is_kept_as_the_bytes_it_is_and_never_unpacked(door):
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([*(packer.compress(bytes(2**20)) for _ in range(100)), packer.flush()])
    assert len(bomb) < CAP
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    packed = {"Content-Encoding": "gzip", "X-Hook-Signature": signed(bomb, door.secret("bill"))}
    assert door.http.post(door.path(), content=bomb, headers=packed).status_code == 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024  # kB: the door runs in this process
    [receipt] = door.receipts()
    assert (receipt["status"], bytes(receipt["body"])) == ("bad", bomb)


def test_F22_a_body_of_just_the_cap_is_read(door):
    body = door.body(1, padding="x" * (CAP - 120))
    assert len(body) <= CAP
    assert door.deliver(body) == 200


SHAPES = {
    "data is null": b'{"data":null,"meta":{"event":"updated","webhook_id":1}}',
    "id is a string": b'{"data":{"id":"7"},"meta":{"event":"updated","webhook_id":1}}',
    "id is true": b'{"data":{"id":true},"meta":{"event":"updated","webhook_id":1}}',
    "id is enormous": b'{"data":{"id":1%s},"meta":{"event":"updated","webhook_id":1}}' % (b"0" * 400),
    "a list": b"[1,2,3]",
    "an unknown event": b'{"data":{"id":7},"meta":{"event":"exploded","webhook_id":1}}',
    "duplicate keys": b'{"data":{"id":7},"data":{"id":8},"meta":{"event":"updated","webhook_id":1}}',
    "ten thousand deep": b"[" * 10_000 + b"]" * 10_000,
    "not JSON": b"\xff\xfe not json",
    "empty": b"",
    "a handshake's body": b'{"data":{"id":7}}',
    "NaN": b'{"data":{"id":NaN},"meta":{"event":"updated","webhook_id":1}}',
}


def test_F25_a_signed_body_of_the_wrong_shape_is_kept_as_bad_and_nobody_is_harmed(door):
    for shape, body in SHAPES.items():
        assert door.deliver(body) == 200, shape
        assert bytes(door.receipts()[-1]["body"]) == body
    assert {(row["status"], row["object_id"]) for row in door.receipts()} == {("bad", None)}
    assert len(door.receipts()) == len(SHAPES)
    assert door.deliver(door.body(1)) == 200
    door.firm.work()
    door.firm.check()


PATHS = ("", "/", "/x", "/../..", "/%00", "/" + "a" * 3000, "?x=1", "//")


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


def test_F28_the_webhook_path_never_answers_what_a_sender_would_misread(door):
    """3xx counts as delivered at Clio, 410 disables the webhook, and 500 is nobody's promise."""
    token = door.path("bill").rsplit("/", 1)[-1]
    bases = (f"/webhooks/clio/{token}", "/webhooks/clio/unknown", "/webhooks/clio")
    for method, base, path in itertools.product(METHODS, bases, PATHS):
        status = door.http.request(method, base + path).status_code
        assert 200 <= status < 300 or 400 <= status < 500 or status == 503, (method, base, path)
        assert status != 410
        assert method != "POST" or status >= 400


def test_F28_a_path_that_is_not_ours_is_not_found(door):
    body = door.body(1)
    headers = {"X-Hook-Signature": signed(body, door.secret("bill"))}
    for path in ("/webhooks/clio/unknown", door.path("bill") + "/", door.path("bill")[:-1]):
        assert door.http.post(path, content=body, headers=headers).status_code == 404


def test_F29_without_its_database_a_delivery_is_answered_503_until_it_is_back(sandbox, postgres_url, opening):
    name = postgres_url.rsplit("/", 1)[1]
    with (
        psycopg.connect(postgres_url.replace(name, "postgres"), autocommit=True) as admin,
        opening(sandbox, postgres_url) as door,
    ):
        door.settle()
        body = door.body(1)
        path, headers = door.path("bill"), {"X-Hook-Signature": signed(body, door.secret("bill"))}
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        assert door.http.post(path, content=body, headers=headers).status_code == 503
        assert door.http.get("/health/live").status_code == 200
        ready = door.http.get("/health/ready")
        assert ready.status_code == 503
        assert "database" in ready.json()["findings"][0]
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        assert door.http.post(path, content=body, headers=headers).status_code == 200
        assert [row["object_id"] for row in door.receipts()] == [1]
        door.firm.work()
        door.firm.check()


def test_F30_an_update_that_changed_nothing_has_no_effect(door):
    bill = door.firm.issued_bill()
    door.hear()
    door.firm.later(seconds=61)
    before = len(door.firm.sandbox.effects())
    assert door.deliver(door.body(bill["id"])) == 200
    door.firm.work()
    assert len(door.firm.sandbox.effects()) == before
    door.firm.check()


# ── keeping subscriptions alive (W13) ──


def test_W13_every_subscription_is_renewed_at_half_its_life(door):
    ends = {row: door.subscription(row)["expires_at"] for row in MODELS}
    door.firm.later(days=14)
    assert door.firm.effects("webhook.patched") == []
    door.firm.later(days=2)
    assert len(door.firm.effects("webhook.patched")) == len(MODELS)
    assert all(door.subscription(row)["expires_at"] > ends[row] + timedelta(days=10) for row in MODELS)
    door.firm.check()


def test_W13_a_subscription_that_lapsed_while_we_were_away_is_created_anew_on_another_path(door):
    paths = {model: door.path(model) for model in MODELS}
    door.firm.sandbox.clock_advance(31 * 86_400)
    door.settle()
    assert door.states() == {"enabled"}
    assert all(door.path(model) != paths[model] for model in MODELS)
    door.firm.later(minutes=10)
    door.firm.later(hours=3)
    assert all(door.http.post(path, content=b"{}").status_code == 404 for path in paths.values())
    assert door.deliver(door.body(1)) == 200
    door.firm.work()
    door.firm.check()


def test_W13_a_subscription_that_vanished_at_clio_is_created_anew(door):
    gone, old = door.subscription("bill")["webhook_id"], door.path("bill")
    bearer = {"Authorization": f"Bearer {door.firm.sandbox.access_token}"}
    answer = httpx.delete(f"{door.firm.sandbox.clio_base_url}/api/v4/webhooks/{gone}.json", headers=bearer)
    assert answer.status_code == 204
    door.firm.later(hours=6)
    door.settle()
    assert door.subscription("bill")["state"] == "enabled"
    assert door.path("bill") != old
    assert {model: door.subscription(model)["webhook_id"] for model in MODELS}["bill"] != gone
    assert len(door.firm.effects("webhook.created")) == len(MODELS) + 1
    door.firm.check()


def test_W13_a_handshake_that_never_arrives_is_a_person_s_after_ten_minutes(sandbox, database_url):
    """Nobody listens at this firm's address: everything stays true by sweeps, and the administrator is told."""
    with open_firm(sandbox, database_url, subscribed=True) as firm:
        firm.work()
        firm.later(minutes=9)
        assert firm.exceptions() == {}
        firm.later(minutes=2)
        assert firm.exceptions() == {"webhook_unconfirmed": len(MODELS)}
        firm.mailed_bill()
        firm.check()


def test_F24_a_new_public_address_keeps_the_old_secret_until_the_new_one_is_confirmed(sandbox, database_url, opening):
    with opening(sandbox, database_url) as door:
        door.settle()
        before = door.subscription("bill")
    with open_firm(sandbox, database_url, environment={"public_url": "http://127.0.0.1:9"}, subscribed=True) as moved:
        moved.later(hours=6)
        with moved.rt.read() as work:
            row = work.subscriptions.get("bill")
        assert row["url"].startswith("http://127.0.0.1:9/")
        assert row["previous_secret"] == before["secret"]


# ── what else the web process answers ──


def test_F80_opening_the_thank_you_page_changes_nothing(door):
    effects, jobs = len(door.firm.sandbox.effects()), len(door.firm.jobs())
    for method, path in itertools.product(("GET", "HEAD"), (f"/thanks/{'0' * 64}", "/thanks/x", "/")):
        answer = door.http.request(method, path)
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert door.http.post("/thanks/x").status_code == 405
    assert (len(door.firm.sandbox.effects()), len(door.firm.jobs())) == (effects, jobs)


def test_a_live_process_says_so(door):
    assert door.http.get("/health/live").json() == {"live": True}


def test_a_firm_that_works_is_ready(door):
    answer = door.http.get("/health/ready")
    assert (answer.status_code, answer.json()["findings"]) == (200, [])
    assert answer.json()["jobs"]["done"] > 0


def test_a_firm_whose_beat_never_ticked_is_not_ready(sandbox, database_url, opening):
    with opening(sandbox, database_url) as door:
        answer = door.http.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["findings"] == ["The beat process is silent: start or restart `orchestrator beat`."]


def test_late_sweeps_and_lapsing_webhooks_are_findings(door):
    door.firm.sandbox.clock_advance(28 * 86_400)
    time.sleep(0.03)
    findings = " ".join(door.http.get("/health/ready").json()["findings"])
    assert "Sweeps are late" in findings
    assert "Webhooks lapse soon" in findings
    assert "bill" in findings
