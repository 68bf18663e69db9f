"""Scripted faults: what the caller sees, and what has happened all the same."""

import time

import httpx
import pytest

LINKS = "POST /clio_payments/links"


def made(clio):
    return len(clio.sandbox.effects("link.created"))


def test_a_lost_answer_was_still_carried_out(clio):
    clio.sandbox.fault(LINKS, "lose_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        clio.link(clio.issued_bill())
    assert made(clio) == 1


def test_a_call_dropped_before_it_began_did_nothing(clio):
    clio.sandbox.fault(LINKS, "drop_before")
    with pytest.raises(httpx.RemoteProtocolError):
        clio.link(clio.issued_bill())
    assert made(clio) == 0


def test_what_is_created_later_appears_in_its_own_time(clio):
    clio.sandbox.fault(LINKS, "create_later", after_seconds=40)
    with pytest.raises(httpx.RemoteProtocolError):
        clio.link(clio.issued_bill())
    clio.sandbox.clock_advance(39)
    assert made(clio) == 0
    clio.sandbox.clock_advance(1)
    assert made(clio) == 1


def test_an_outage_is_over_when_its_time_has_passed(clio):
    clio.sandbox.fault("* *", "status", code=503, times=None, for_seconds=3600)
    assert clio.ask("GET", "/bills").status_code == 503
    clio.sandbox.clock_advance(3599)
    assert clio.ask("GET", "/users").status_code == 503
    clio.sandbox.clock_advance(1)
    assert clio.ask("GET", "/bills").status_code == 200


@pytest.mark.parametrize(
    ("do", "params", "status", "done"),
    [
        ("status", {"code": 503}, 503, 0),
        ("status_after", {}, 502, 1),
        ("status", {"code": 400, "body": ""}, 400, 0),
        ("status", {"code": 422, "body": {"error": "just a word"}}, 422, 0),
        ("truncate", {}, 201, 1),
        ("empty", {}, 201, 1),
        ("html", {}, 201, 1),
        ("not_found", {}, 404, 0),
        ("stale_etag", {}, 412, 0),
        ("revoke_token", {}, 401, 0),
    ],
)
def test_a_scripted_answer(clio, do, params, status, done):
    bill = clio.issued_bill()
    clio.sandbox.fault(LINKS, do, **params)
    answer = clio.link(bill)
    assert (answer.status_code, made(clio)) == (status, done)
    assert clio.sandbox.faults()[0]["hits"] == 1


@pytest.mark.parametrize("do", ["truncate", "empty", "html"])
def test_a_spoilt_body_is_no_json(clio, do):
    clio.sandbox.fault("GET /users", do)
    with pytest.raises(ValueError):
        clio.ask("GET", "/users").json()


@pytest.mark.parametrize("value", ["86400", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", None])
def test_retry_after_says_what_the_script_wants(clio, value):
    clio.sandbox.fault("GET /users", "retry_after", value=value)
    answer = clio.ask("GET", "/users")
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, value)


def test_a_fault_waits_its_turn(clio):
    clio.sandbox.fault("GET *", "status", code=500, skip=1, times=2)
    assert [clio.ask("GET", "/users").status_code for _ in range(4)] == [200, 500, 500, 200]


def test_a_fault_without_end_can_be_cleared(clio):
    clio.sandbox.fault("* *", "status", code=500, times=None)
    assert [clio.ask("GET", "/users").status_code for _ in range(3)] == [500] * 3
    clio.sandbox.clear_faults()
    assert clio.ask("GET", "/users").status_code == 200


def test_an_unknown_fault_is_refused(clio):
    with pytest.raises(Exception, match="no fault of webhook"):
        clio.sandbox.fault("webhook", "lose_answer")


def test_the_next_page_can_lead_elsewhere(clio):
    clio.sandbox.fault("GET /matters", "paging_foreign_host")
    following = clio.ask("GET", "/matters", limit=2).json()["meta"]["paging"]["next"]
    assert httpx.URL(following).host == "elsewhere.example"


def test_the_next_page_can_lead_back(clio):
    clio.sandbox.fault("GET /matters", "paging_loop")
    first = clio.ask("GET", "/matters", limit=2)
    again = clio.http.get(first.json()["meta"]["paging"]["next"])
    assert again.json()["data"] == first.json()["data"]


def test_a_known_id_can_vanish_for_a_moment(clio):
    clio.sandbox.fault("GET /matters", "empty_data")
    asked = {"ids[]": clio.matter("okafor-lease")}
    assert [len(clio.get("/matters", **asked)) for _ in range(2)] == [0, 1]


def test_an_answer_can_drip(clio):
    clio.sandbox.fault("GET /users", "drip", bytes_per_second=400)
    begun = time.monotonic()
    assert clio.ask("GET", "/users").status_code == 200
    assert time.monotonic() - begun > 0.3


def test_an_answer_can_be_late(clio):
    clio.sandbox.fault("GET /users", "delay", seconds=0.2)
    begun = time.monotonic()
    clio.ask("GET", "/users")
    assert time.monotonic() - begun >= 0.2


def test_the_token_endpoint_can_fail_too(clio):
    clio.sandbox.fault("token", "lose_answer")
    form = {name: clio.names[name] for name in ("client_id", "client_secret", "refresh_token")}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{clio.sandbox.url}/oauth/token", data={**form, "grant_type": "refresh_token"})
    assert len(clio.sandbox.effects("token.given")) == 1


def test_the_limit_can_drop_with_an_answer(clio):
    clio.sandbox.fault("GET /users", "rate_limit_change", limit=50)
    assert clio.ask("GET", "/users").headers["x-ratelimit-limit"] == "50"
