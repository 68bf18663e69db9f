"""Every row of the table in `orchestrator.clients.meaning`, over real sockets."""

import socket
import threading
import time
from contextlib import closing
from decimal import Decimal

import pytest
from raw_server import a_closed_port, raw_server, reply

from orchestrator.clients.circuit import Circuit
from orchestrator.clients.http import ApiClient, ReadsOnly, encode, query
from orchestrator.clients.meaning import NotFound, Refused, error_of, redacted, retry_after
from orchestrator.domain.topics import Urgency
from orchestrator.errors import (
    NeedsConnection,
    OutcomeUnknown,
    Paced,
    Rejected,
    Shut,
    Stale,
    Transient,
)


class AlwaysKnown:
    """Credentials that keep a note of what was refused."""

    def __init__(self):
        self.refusals = []

    def authorization(self):
        return "Bearer one"

    def refused(self, authorization):
        self.refusals.append(authorization)
        return NeedsConnection("renewed", retry_after=0)


class NotingPacer:
    def __init__(self):
        self.notes = []

    def take(self, urgency):
        self.notes.append(("take", urgency))

    def learn(self, *, limit, remaining, reset):
        self.notes.append(("learn", limit, remaining, reset))

    def pause(self, seconds):
        self.notes.append(("pause", seconds))


def ask(answer, method="GET", *, credentials=None, pacer=None, seconds=2.0, **given):
    """One request to a server that gives `answer` to everything; the result, or the error raised."""
    with (
        raw_server(answer if callable(answer) else lambda _: answer) as server,
        closing(client(server.url, credentials=credentials, pacer=pacer, seconds=seconds)) as api,
    ):
        return api.request(method, "/things.json", lambda said: said, **given)


def client(url, *, credentials=None, pacer=None, seconds=2.0, **given):
    credentials = credentials or AlwaysKnown()
    return ApiClient(url, provider="clio", credentials=credentials, pacer=pacer, deadline_seconds=seconds, **given)


WRITES = ("POST", "PATCH", "PUT", "DELETE")
REFUSALS = [
    (400, Refused, "clio_refused"),
    (404, NotFound, "clio_not_found"),
    (409, Refused, "clio_refused"),
    (422, Refused, "clio_refused"),
]


@pytest.mark.parametrize("method", ["GET", *WRITES])
@pytest.mark.parametrize(("status", "verdict", "reason"), REFUSALS)
def test_a_refusal_is_final_with_its_reason_whatever_was_asked(status, verdict, reason, method):
    with pytest.raises(verdict) as error:
        ask(reply(status, {"error": {"type": "Some", "message": "no"}}), method)
    assert error.value.reason == reason
    assert "Some" in str(error.value)


SHUT = [(403, "clio_forbidden"), (410, "clio_version_retired")]


@pytest.mark.parametrize("method", ["GET", *WRITES])
@pytest.mark.parametrize(("status", "notice"), SHUT)
def test_F42_F46_a_shut_door_is_nobody_s_fault_and_is_named_once(status, notice, method):
    with pytest.raises(Shut) as error:
        ask(reply(status, {"error": {"type": "Some", "message": "no"}}), method)
    assert error.value.notice == notice
    assert not error.value.counted
    assert error.value.retry_after >= 60
    assert f"{method} /things.json" in str(error.value)


@pytest.mark.parametrize("status", [301, 308])
def test_F42_a_path_that_moved_is_shut_for_reads_and_unknown_for_writes(status):
    moved = reply(status, headers={"Location": "https://elsewhere.example/things.json"})
    with pytest.raises(Shut) as error:
        ask(moved)
    assert error.value.notice == "clio_path_moved"
    with pytest.raises(OutcomeUnknown):
        ask(moved, "POST")


def test_F42_behind_a_shut_door_nobody_knocks_but_one_at_a_time():
    now = [0.0]
    circuit = Circuit("Clio", monotonic=lambda: now[0])
    circuit.answered("GET", "/bills/1.json", 410)
    for bill in (1, 2, 3):
        with pytest.raises(Shut) as error:
            circuit.check("GET", f"/bills/{bill}.json")
        assert error.value.notice == "clio_version_retired"
    circuit.check("POST", "/notes.json")
    now[0] = 301.0
    circuit.check("GET", "/bills/4.json")
    with pytest.raises(Shut):
        circuit.check("GET", "/bills/5.json")
    circuit.answered("GET", "/bills/4.json", 503)
    with pytest.raises(Shut):
        circuit.check("GET", "/bills/5.json")
    circuit.answered("GET", "/bills/4.json", 200)
    circuit.check("GET", "/bills/5.json")


def test_F46_one_record_that_is_denied_shuts_no_door():
    circuit = Circuit("Clio")
    for status in (403, 403, 200, 403, 403):
        circuit.answered("PATCH", "/matters/7.json", status)
        circuit.check("PATCH", "/matters/8.json")
    circuit.answered("PATCH", "/matters/7.json", 403)
    with pytest.raises(Shut):
        circuit.check("PATCH", "/matters/8.json")


@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_F39_a_changed_record_is_stale(method):
    with pytest.raises(Stale):
        ask(reply(412), method)


@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_F47_an_expired_token_is_neither_unknown_nor_counted_and_is_renewed(method):
    credentials = AlwaysKnown()
    with pytest.raises(NeedsConnection) as error:
        ask(reply(401, {"error": "invalid_token", "error_description": "expired"}), method, credentials=credentials)
    assert not error.value.counted
    assert credentials.refusals == ["Bearer one"]


@pytest.mark.parametrize("status", [300, 302, 304, 408, 500, 502, 503, 504, 520])
def test_a_read_without_a_usable_answer_may_be_made_again(status):
    with pytest.raises(Transient):
        ask(reply(status, b"<html>"))


def test_a_read_is_made_again_when_the_provider_said():
    with pytest.raises(Transient) as error:
        ask(reply(503, Retry_After="90"))
    assert error.value.retry_after == 90


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("status", [302, 408, 500, 502, 504])
def test_F02_a_write_answered_by_a_broken_gateway_may_have_happened(status, method):
    with pytest.raises(OutcomeUnknown):
        ask(reply(status, b"<html>"), method)


@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_F05_a_refused_connection_is_not_sent(method):
    with a_closed_port() as url, closing(client(url)) as api, pytest.raises(Transient, match="nothing was sent"):
        api.request(method, "/things.json", dict)


def test_F05_an_unknown_host_is_not_sent():
    with closing(client("http://nowhere.invalid")) as api, pytest.raises(Transient, match="nothing was sent"):
        api.request("POST", "/things.json", dict, body={})


def test_F05_an_exhausted_pool_is_not_sent():
    release = threading.Event()

    def slow(_):
        release.wait(5)
        return reply(200, {})

    with raw_server(slow) as server, closing(client(server.url, connections=1, seconds=1)) as api:
        busy = threading.Thread(target=api.read, args=("/things.json", dict))
        busy.start()
        while not server.requests:
            time.sleep(0.01)
        with pytest.raises(Transient, match="nothing was sent"):
            api.request("POST", "/things.json", dict, body={})
        release.set()
        busy.join()
        assert len(server.requests) == 1


def test_F05_a_failed_tls_handshake_is_not_sent():
    with raw_server(lambda _: b"") as server:
        with (
            closing(client(server.url.replace("http:", "https:"))) as api,
            pytest.raises(Transient, match="nothing was sent"),
        ):
            api.request("POST", "/things.json", dict, body={})
        assert server.requests == []


@pytest.mark.parametrize(
    ("method", "verdict"), [("GET", Transient), ("POST", OutcomeUnknown), ("PATCH", OutcomeUnknown)]
)
def test_F06_a_pooled_connection_dropped_under_a_request_is_judged_by_what_was_asked(method, verdict):
    answers = iter([reply(200, {}), b""])
    with raw_server(lambda _: next(answers)) as server, closing(client(server.url)) as api:
        api.read("/things.json", dict)
        with pytest.raises(verdict):
            api.request(method, "/things.json", dict)
        assert (server.connections, len(server.requests)) == (1, 2)


USELESS = {
    "empty": reply(201, b""),
    "html": reply(201, b"<html>maintenance</html>"),
    "truncated json": reply(201, b'{"data": {"id": 1'),
    "cut off": [b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n", b'{"data":'],
    "not utf-8": reply(201, b'{"data": "\xff"}'),
    "not a number": reply(201, b'{"data": NaN}'),
    "too deep": reply(201, b"[" * 100_000),
    "no http": [b"SSH-2.0-nonsense\r\n\r\n"],
    "wrong encoding": reply(201, b"plain", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("body", USELESS.values(), ids=USELESS)
def test_F07_an_answer_that_cannot_be_read_is_a_lost_answer(body, method):
    with pytest.raises(Transient if method == "GET" else OutcomeUnknown):
        ask(lambda _: body, method)


def test_F07_a_204_where_a_record_was_expected_is_a_lost_answer():
    with pytest.raises(OutcomeUnknown):
        ask(reply(204), "POST")


def test_F07_an_answer_larger_than_the_cap_is_a_lost_answer():
    with (
        raw_server(lambda _: reply(200, b'"' + b"a" * 5000 + b'"')) as server,
        closing(client(server.url, body_cap=1000)) as api,
        pytest.raises(OutcomeUnknown),
    ):
        api.request("POST", "/things.json", str)


def test_a_write_that_needs_no_body_takes_any_2xx():
    for answer in (reply(204), reply(200, b"")):
        with raw_server(lambda _, answer=answer: answer) as server, closing(client(server.url)) as api:
            api.tell("DELETE", "/things/1.json")


def drip(head, part):
    yield head
    for _ in range(100):
        time.sleep(0.05)
        yield part


@pytest.mark.parametrize("where", ["headers", "body"])
@pytest.mark.parametrize(("method", "verdict"), [("GET", Transient), ("POST", OutcomeUnknown)])
def test_F08_a_dripping_answer_is_stopped_by_the_total_deadline(where, method, verdict):
    head = {"headers": b"HTTP/1.1 200 OK\r\nX-Long: ", "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}[
        where
    ]
    began = time.monotonic()
    with raw_server(lambda _: drip(head, b"a")) as server, closing(client(server.url, seconds=0.4)) as api:
        with pytest.raises(verdict):
            api.request(method, "/things.json", dict)
        assert 0.3 < time.monotonic() - began < 0.8


def test_F08_a_silent_server_is_left_after_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with closing(client(url, seconds=0.3)) as api, pytest.raises(OutcomeUnknown):
            api.request("POST", "/things.json", dict)
        assert time.monotonic() - began < 0.7


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "86400"}, 3600),
        ({"Retry_After": "-5"}, 1),
        ({"Retry_After": "0"}, 1),
        ({"Retry_After": "17"}, 17),
        ({"Retry_After": "soon"}, 60),
        ({"Retry_After": "nan"}, 60),
        ({}, 60),
        ({"Date": "Mon, 05 Jan 2026 10:00:00 GMT", "Retry_After": "Mon, 05 Jan 2026 10:00:30 GMT"}, 30),
        ({"Date": "Mon, 05 Jan 2026 10:00:00 GMT", "Retry_At": "Mon, 05 Jan 2026 10:00:40 GMT"}, 40),
        ({"Date": "Thu, 01 Jan 1970 01:00:00 GMT", "Retry_At": "3620"}, 20),
        ({"Retry_At": "Mon, 05 Jan 2026 10:00:40 GMT"}, 1),
    ],
)
def test_F31_any_429_pauses_everybody_for_a_clamped_time(headers, seconds):
    pacer = NotingPacer()
    with pytest.raises(Paced) as error:
        ask(reply(429, **headers), "POST", pacer=pacer)
    assert error.value.retry_after == pytest.approx(seconds)
    assert pacer.notes[-1] == ("pause", pytest.approx(seconds))


def test_a_limiter_refusal_sends_nothing():
    class Full(NotingPacer):
        def take(self, urgency):
            raise Paced("full", retry_after=3)

    with raw_server(lambda _: reply(200, {})) as server, closing(client(server.url, pacer=Full())) as api:
        with pytest.raises(Paced):
            api.request("POST", "/things.json", dict)
        assert server.requests == []


@pytest.mark.parametrize("method", WRITES)
def test_a_conversation_that_only_reads_lets_no_write_out(method):
    with raw_server(lambda _: reply(200, {})) as server, closing(client(server.url, reads_only=True)) as api:
        with pytest.raises(ReadsOnly):
            api.at(Urgency.MONEY).request(method, "/things.json", dict, body={})
        with pytest.raises(ReadsOnly):
            api.tell(method, "/things/1.json")
        assert server.requests == []
        assert api.read("/things.json", dict) == {}


def test_every_answer_teaches_the_pacer_and_every_lost_one_is_reported_to_it():
    pacer = NotingPacer()
    answers = iter([reply(200, {}, X_RateLimit_Limit="50", X_RateLimit_Remaining="0", X_RateLimit_Reset="7"), b""])
    with raw_server(lambda _: next(answers)) as server, closing(client(server.url, pacer=pacer)) as api:
        api.at(Urgency.MONEY).read("/things.json", dict)
        with pytest.raises(Transient):
            api.read("/things.json", dict)
    assert pacer.notes == [
        ("take", Urgency.MONEY),
        ("learn", 50, 0, 7.0),
        ("take", Urgency.SWEEPS),
        ("learn", None, None, None),
    ]


def test_F60_a_window_announced_by_another_clock_is_moved_to_ours():
    pacer = NotingPacer()
    answer = reply(200, {}, Date="Mon, 05 Jan 2026 10:00:00 GMT", X_RateLimit_Limit="50", X_RateLimit_Remaining="3",
                   X_RateLimit_Reset="1767607230")  # fmt: skip
    ask(answer, pacer=pacer)
    assert pacer.notes[-1][3] == pytest.approx(time.time() + 30, abs=2)


def test_calls_are_counted_with_their_status():
    calls = []
    answers = iter([reply(200, {}), reply(422), b""])
    with (
        raw_server(lambda _: next(answers)) as server,
        closing(client(server.url, on_call=lambda *call: calls.append(call))) as api,
    ):
        api.read("/a.json", dict)
        for _ in range(2):
            with pytest.raises((Rejected, OutcomeUnknown)):
                api.request("POST", "/b.json", dict)
    assert calls == [("GET", "/a.json", 200), ("POST", "/b.json", 422), ("POST", "/b.json", None)]


def test_braces_commas_and_brackets_go_over_the_wire_as_they_are():
    with raw_server(lambda _: reply(200, {})) as server, closing(client(server.url)) as api:
        api.read("/b.json", dict, {"fields": "id,bill{id,state}", "order": "id(asc)", "ids[]": [1, 2], "q": "a&b c+d", "on": True, "no": None})  # fmt: skip
        assert server.targets == [
            "/b.json?fields=id,bill{id,state}&order=id(asc)&ids[]=1&ids[]=2&q=a%26b%20c%2Bd&on=true"
        ]


def test_a_finished_query_is_sent_untouched():
    with raw_server(lambda _: reply(200, {})) as server, closing(client(server.url)) as api:
        api.read("/b.json", dict, "page_token=BAh%7B%2F%3D%3D&fields=id%2Cbill%7Bid%7D")
        assert server.targets == ["/b.json?page_token=BAh%7B%2F%3D%3D&fields=id%2Cbill%7Bid%7D"]
    assert query("") == query(None) == query({}) == ""


def test_money_goes_out_and_comes_in_digit_for_digit():
    with (
        raw_server(lambda _: reply(201, b'{"amount": 0.30000000000000004}')) as server,
        closing(client(server.url)) as api,
    ):
        said = api.request(
            "POST", "/b.json", dict, body={"data": {"amount": Decimal("120.40"), "n": [1, None, True, "x"]}}
        )
        assert said["amount"] == Decimal("0.30000000000000004")
        assert server.requests[0].body == b'{"data":{"amount":120.40,"n":[1,null,true,"x"]}}'
    assert encode(Decimal("1E+3")) == "1000"


def test_headers_say_who_we_are_and_what_we_saw():
    with raw_server(lambda _: reply(200, {})) as server:
        with closing(client(server.url, headers={"X-API-VERSION": "4.0.13"})) as api:
            api.request("PATCH", "/b.json", dict, body={}, if_match='"abc"')
        sent = server.requests[0].headers
    assert (sent["authorization"], sent["x-api-version"], sent["if-match"]) == ("Bearer one", "4.0.13", '"abc"')


def test_only_the_documented_redirect_is_followed_and_only_to_the_same_origin():
    def answer(request):
        if request.path == "/practice_areas.json":
            return reply(307, Location="/practice_areas/all.json?a=1")
        if request.path == "/practice_areas/far.json":
            return reply(307, Location="http://127.0.0.1:1/practice_areas/all.json")
        if request.path == "/bills.json":
            return reply(307, Location="/practice_areas/all.json")
        return reply(200, {"path": request.target})

    with raw_server(answer) as server, closing(client(server.url, redirects=("/practice_areas",))) as api:
        assert api.read("/practice_areas.json", dict) == {"path": "/practice_areas/all.json?a=1"}
        for refused in ("/practice_areas/far.json", "/bills.json"):
            with pytest.raises(Transient):
                api.read(refused, dict)


def test_a_redirect_in_a_circle_is_followed_once():
    with raw_server(lambda _: reply(307, Location="/practice_areas.json")) as server:
        with closing(client(server.url, redirects=("/practice_areas",))) as api, pytest.raises(Transient):
            api.read("/practice_areas.json", dict)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":{"type":"InvalidFields","message":"no such field"}}', ("InvalidFields", "no such field")),
        (b'{"error":"invalid_grant","error_description":"revoked"}', ("invalid_grant", "revoked")),
        (b'{"error":"text"}', ("text", "")),
        (b'{"error":{"type":null,"message":["a"]}}', ("", "")),
        (b'{"errors":[]}', ("", "")),
        (b"[1]", ("", "")),
        (b"", ("", "")),
        (b"<html>", ("", "")),
        (b"\xff\xfe", ("", "")),
        (b"[" * 100_000, ("", "")),
    ],
)
def test_error_bodies_of_any_shape_are_understood(body, expected):
    assert error_of(body) == expected
    with pytest.raises(Refused) as error:
        ask(reply(422, body))
    assert (error.value.type, error.value.detail, error.value.status) == (*expected, 422)


def test_a_refusal_names_neither_people_nor_secrets():
    said = "ada@firm.example paid with 4242 4242 4242 4242 by 9f8e7d6c5b4a39281706f5e4d3c2b1a0, see https://pay.test/s3cret\n"
    assert redacted(said) == "[hidden] paid with [hidden] by [hidden], see [hidden]"
    assert len(redacted("word " * 1000)) == 300
    with pytest.raises(Refused) as error:
        ask(reply(422, {"error": {"type": "X", "message": said}}))
    assert "ada" not in str(error.value)


def test_a_lost_answer_quotes_nothing_of_itself():
    with pytest.raises(OutcomeUnknown) as error:
        ask(reply(201, b'{"data": {"name": "Ada Lovelace"'), "POST")
    assert "Ada" not in str(error.value)
    assert error.value.__cause__ is None


def test_waiting_times_are_read_even_from_odd_numbers():
    assert retry_after({"retry-after": "1e400"}, now=0) == 60
    assert retry_after({"retry-after": "2.5"}, now=0) == 2.5


def test_one_client_serves_many_threads():
    with raw_server(lambda request: reply(200, {"at": request.target})) as server, closing(client(server.url)) as api:
        wrong = []

        def work(number):
            for turn in range(20):
                path = f"/{number}/{turn}.json"
                if api.read(path, dict)["at"] != path:
                    wrong.append(path)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(server.requests) == 160
