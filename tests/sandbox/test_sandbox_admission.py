"""Tokens, OAuth and the request budget."""

import time
from urllib.parse import parse_qs, urlsplit

import httpx

HOME = "http://127.0.0.1:9/callback"


def token(clio, **form):
    credentials = {name: clio.names[name] for name in ("client_id", "client_secret")}
    return httpx.post(f"{clio.sandbox.url}/oauth/token", data={**credentials, **form})


def authorize(clio, **extra):
    asked = {"response_type": "code", "client_id": clio.names["client_id"], "redirect_uri": HOME, "state": "s 1"}
    return httpx.get(f"{clio.sandbox.url}/oauth/authorize", params={**asked, **extra})


def test_no_credential_is_the_error_object(clio):
    answer = httpx.get(f"{clio.sandbox.url}/api/v4/users.json")
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "UnauthorizedError")
    assert "x-ratelimit-limit" not in answer.headers


def test_a_bad_token_is_the_oauth_word(clio):
    answer = httpx.get(f"{clio.sandbox.url}/api/v4/users.json", headers={"Authorization": "Bearer nope"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert "invalid_token" in answer.headers["www-authenticate"]


def test_a_token_expires(enter, tiny):
    clio = enter({**tiny, "tokens": {"ready_token_expires": True}})
    clio.sandbox.clock_advance(31 * 86_400)
    assert clio.ask("GET", "/users").json()["error"] == "invalid_token"


def test_an_approved_code_becomes_tokens_once(clio):
    back = authorize(clio, approve="true").headers["location"]
    query = parse_qs(urlsplit(back).query)
    assert query["state"] == ["s 1"]
    form = {"grant_type": "authorization_code", "code": query["code"][0], "redirect_uri": HOME}
    first, second = token(clio, **form), token(clio, **form)
    assert first.json()["expires_in"] == 2_592_000
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


def test_a_code_lives_ten_minutes(clio):
    back = authorize(clio, approve="true").headers["location"]
    clio.sandbox.clock_advance(601)
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = token(clio, grant_type="authorization_code", code=code, redirect_uri=HOME)
    assert answer.json()["error"] == "invalid_grant"


def test_the_page_asks_before_it_sends_anyone_back(clio):
    page = authorize(clio)
    assert page.status_code == 200
    assert "Allow access" in page.text


def test_declining_says_so(clio):
    form = {"response_type": "code", "client_id": clio.names["client_id"], "redirect_uri": HOME, "decision": "decline"}
    answer = httpx.post(f"{clio.sandbox.url}/oauth/authorize", data=form)
    assert "error=access_denied" in answer.headers["location"]


def test_an_unknown_client_is_refused(clio):
    answer = token(clio, client_id="x", grant_type="refresh_token", refresh_token=clio.names["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_refresh_keeps_the_refresh_token(clio):
    answer = token(clio, grant_type="refresh_token", refresh_token=clio.names["refresh_token"])
    assert "refresh_token" not in answer.json()
    assert token(clio, grant_type="refresh_token", refresh_token=clio.names["refresh_token"]).status_code == 200


def test_a_rotating_refresh_token_works_once(enter, tiny):
    clio = enter({**tiny, "tokens": {"rotate_refresh": True, "rate_limit": 100}})
    first = token(clio, grant_type="refresh_token", refresh_token=clio.names["refresh_token"])
    second = token(clio, grant_type="refresh_token", refresh_token=clio.names["refresh_token"])
    assert first.json()["refresh_token"] != clio.names["refresh_token"]
    assert second.json()["error"] == "invalid_grant"


def test_deauthorizing_ends_both_tokens(clio):
    httpx.post(f"{clio.sandbox.url}/oauth/deauthorize", data={"token": clio.names["access_token"]})
    assert clio.ask("GET", "/users").status_code == 401
    refreshed = token(clio, grant_type="refresh_token", refresh_token=clio.names["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"


def test_the_token_sees_with_the_eyes_of_the_billing_administrator(clio):
    me = clio.get("/users/who_am_i", "id,name,account{id,name}")
    assert me["name"] == "Iris Vale"
    assert me["account"] == {"id": clio.names["account_id"], "name": "Harbor & Pine LLP"}


def test_the_budget_counts_down_to_a_429(enter):
    clio = enter("tiny", rate_limit=3)
    left = [clio.ask("GET", "/users").headers["x-ratelimit-remaining"] for _ in range(3)]
    refused = clio.ask("GET", "/users")
    assert left == ["2", "1", "0"]
    assert (refused.status_code, 1 <= int(refused.headers["retry-after"]) <= 60) == (429, True)
    assert clio.sandbox.counts()["rate_limited"] == 1


def test_the_limit_can_change_in_mid_window(enter):
    clio = enter("tiny", rate_limit=120)
    clio.ask("GET", "/users")
    clio.sandbox.rate_limit(50)
    assert clio.ask("GET", "/users").headers["x-ratelimit-remaining"] == "48"


def test_a_stranger_spends_from_the_same_budget(enter):
    clio = enter("tiny", rate_limit=10)
    clio.sandbox.act("stranger_calls", n=8)
    assert clio.ask("GET", "/users").headers["x-ratelimit-remaining"] == "1"


def test_a_window_ends_in_real_time(enter, tiny):
    clio = enter({**tiny, "tokens": {"rate_limit": 1, "window_seconds": 1}}, rate_limit=None)
    first = clio.ask("GET", "/users").status_code
    clio.sandbox.clock_advance(3600)
    second = clio.ask("GET", "/users").status_code
    time.sleep(1.05)
    assert (first, second, clio.ask("GET", "/users").status_code) == (200, 429, 200)


def test_requests_are_remembered_without_their_token(clio):
    clio.ask("POST", "/tasks", {"name": "n"}, fields="id")
    assert clio.sandbox.requests() == [
        {"method": "POST", "path": "/tasks", "params": [["fields", "id"]], "body": '{"data":{"name":"n"}}'}
    ]
