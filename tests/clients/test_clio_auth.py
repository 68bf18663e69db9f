"""Signing in, and a token that is renewed once: against the stand-in Clio, and a vault with the vault's rules."""

import itertools
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from raw_server import a_closed_port, raw_server, reply

from orchestrator.clients.clio.auth import RECONNECT, REGIONS, App, ClioLogin, ReadyToken, credentials
from orchestrator.clients.http import ApiClient
from orchestrator.clients.meaning import Refused
from orchestrator.errors import NeedsConnection, Stale
from orchestrator.ports import Token

NOW = datetime(2031, 5, 4, 12, tzinfo=UTC)
APP = App("an-id", "a-secret", "http://127.0.0.1/connected")


class Vault:
    """The port's rules, in memory: one refresher per version until its time is over or a newer token is stored."""

    def __init__(self, token=None):
        self.token = token
        self.lock = threading.Lock()
        self.refreshing = None
        self.begun = 0

    def current(self):
        return self.token

    def begin_refresh(self, version, seconds):
        with self.lock:
            if self.refreshing == version or (self.token and self.token.version > version):
                return False
            self.refreshing = version
            self.begun += 1
            return True

    def store(self, token):
        with self.lock:
            if self.token is not None and token.version <= self.token.version:
                raise Stale("older")
            self.token = token

    def revoke(self, version):
        with self.lock:
            if self.token.version == version:
                self.token = replace(self.token, revoked=True)

    def forget(self, version):
        with self.lock:
            if self.token.version == version:
                self.token = replace(self.token, access_token="", refresh_token=None, revoked=True)


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def a_token(**facts):
    return Token(
        **{"access_token": "a1", "refresh_token": "r1", "expires_at": NOW + timedelta(days=30), "version": 1} | facts
    )


class Rotating:
    """A token endpoint that takes each refresh token once, and an API that knows the newest access token only."""

    def __init__(self):
        self.lock = threading.Lock()
        self.numbers = itertools.count(2)
        self.good_refresh, self.good_access = "r1", "a1"
        self.forms = []

    def __call__(self, request):
        with self.lock:
            if request.path == "/oauth/token":
                form = {name: value[0] for name, value in parse_qs(request.body.decode()).items()}
                self.forms.append(form)
                if form.get("refresh_token") != self.good_refresh:
                    return reply(400, {"error": "invalid_grant", "error_description": "used"})
                number = next(self.numbers)
                self.good_access, self.good_refresh = f"a{number}", f"r{number}"
                grant = {"access_token": self.good_access, "refresh_token": self.good_refresh, "expires_in": 3600}
                return reply(200, grant)
            if request.headers.get("authorization") != f"Bearer {self.good_access}":
                return reply(401, {"error": "invalid_token"})
            return reply(200, {"data": {}})


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def login_at(stack, url, vault, clock=None, **options):
    api = stack.enter_context(closing(ApiClient(url, provider="clio", deadline_seconds=2)))
    return ClioLogin(vault, api, APP, clock=clock or Clock(), **options)


def logged_in(stack, answer, vault, clock=None, **options):
    server = stack.enter_context(raw_server(answer))
    return login_at(stack, server.url, vault, clock, **options), server


def granting(**facts):
    return lambda _: reply(200, {"access_token": "a2", "expires_in": 2_592_000, **facts})


def test_regions_are_four_hosts_over_https():
    assert {urlsplit(url).scheme for url in REGIONS.values()} == {"https"}
    assert set(REGIONS) == {"us", "ca", "eu", "au"}


def test_the_authorize_url_carries_the_state_back_to_us(stack):
    url = urlsplit(login_at(stack, "https://eu.app.clio.com", Vault()).authorize_url("s/1"))
    asked = {name: value[0] for name, value in parse_qs(url.query).items()}
    assert (url.netloc, url.path) == ("eu.app.clio.com", "/oauth/authorize")
    assert asked == {"response_type": "code", "client_id": "an-id", "redirect_uri": APP.redirect_uri, "state": "s/1", "redirect_on_decline": "true"}  # fmt: skip


def test_a_code_becomes_a_stored_token(stack):
    vault = Vault()
    login, server = logged_in(stack, granting(refresh_token="r2"), vault)
    assert login.exchange("c-1") == vault.current() == Token("a2", "r2", NOW + timedelta(days=30), 1)
    form = {name: value[0] for name, value in parse_qs(server.requests[0].body.decode()).items()}
    assert form == {"client_id": "an-id", "client_secret": "a-secret", "grant_type": "authorization_code", "code": "c-1", "redirect_uri": APP.redirect_uri}  # fmt: skip
    assert server.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_code_clio_does_not_know_is_refused(stack):
    login, _ = logged_in(stack, lambda _: reply(400, {"error": "invalid_grant"}), Vault())
    with pytest.raises(Refused) as error:
        login.exchange("old")
    assert error.value.type == "invalid_grant"


def test_connecting_again_replaces_a_revoked_token(stack):
    vault = Vault(a_token(version=4, revoked=True))
    login, _ = logged_in(stack, granting(refresh_token="r2"), vault)
    assert login.exchange("c-1").version == 5
    assert login.access_token() == "a2"


def test_a_token_with_time_left_is_used_as_it_is(stack):
    login, server = logged_in(stack, granting(), Vault(a_token()))
    assert login.authorization() == "Bearer a1"
    assert server.requests == []


@pytest.mark.parametrize(
    ("life", "left", "renewed"), [(86_400, 299, True), (86_400, 301, False), (600, 59, True), (600, 61, False)]
)
def test_a_token_is_renewed_five_minutes_early_or_in_the_last_tenth_of_a_short_life(stack, life, left, renewed):
    clock = Clock()
    login, _ = logged_in(stack, granting(), Vault(a_token(expires_at=NOW + timedelta(seconds=life))), clock)
    login.access_token()
    clock.now += timedelta(seconds=life - left)
    assert login.access_token() == ("a2" if renewed else "a1")


def expired(**facts):
    return a_token(expires_at=NOW - timedelta(seconds=1), **facts)


def test_the_refresh_token_stays_when_the_answer_names_none(stack):
    vault = Vault(expired())
    login, _ = logged_in(stack, granting(), vault)
    assert login.access_token() == "a2"
    assert vault.current() == Token("a2", "r1", NOW + timedelta(days=30), 2)


def test_the_refresh_token_is_replaced_when_the_answer_names_one(stack):
    vault = Vault(expired())
    login, _ = logged_in(stack, granting(refresh_token="r2"), vault)
    login.access_token()
    assert vault.current().refresh_token == "r2"


def test_F44_eight_threads_renew_a_rotating_token_once(stack):
    vault, remote = Vault(expired()), Rotating()
    server = stack.enter_context(raw_server(remote))
    logins = [login_at(stack, server.url, vault) for _ in range(2)]
    api = [
        stack.enter_context(closing(ApiClient(server.url, provider="clio", credentials=login, deadline_seconds=2)))
        for login in logins
    ]
    done, waited = [], []
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        for _ in range(200):
            try:
                done.append(api[number % 2].read("/api/v4/x.json", dict))
            except NeedsConnection as held:
                waited.append(held.retry_after)
                time.sleep(0.01)
            else:
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(remote.forms) == 1
    assert vault.current() == Token("a2", "r2", NOW + timedelta(hours=1), 2)
    assert len(done) == 8
    assert set(waited) <= {1}


def test_F44_whoever_loses_the_race_uses_the_old_token_while_it_is_good(stack):
    vault = Vault(a_token(expires_at=NOW + timedelta(seconds=1000)))
    clock = Clock()
    login, server = logged_in(stack, granting(), vault, clock)
    login.access_token()
    clock.now += timedelta(seconds=950)
    assert vault.begin_refresh(1, 10)
    assert login.access_token() == "a1"
    clock.now += timedelta(seconds=50)
    with pytest.raises(NeedsConnection) as error:
        login.access_token()
    assert error.value.retry_after == 1
    assert server.requests == []


def test_F44_a_newer_token_stored_meanwhile_wins(stack):
    vault = Vault(expired())

    def answer(_):
        vault.store(Token("a9", "r9", NOW + timedelta(days=30), 9))
        return reply(200, {"access_token": "a2"})

    login, _ = logged_in(stack, answer, vault)
    assert login.access_token() == "a9"


@pytest.mark.parametrize(("status", "error"), [(400, "invalid_grant"), (401, "invalid_client")])
def test_F45_F46_a_connection_that_ended_is_revoked_and_work_waits(stack, status, error):
    vault = Vault(expired())
    login, server = logged_in(stack, lambda _: reply(status, {"error": error}), vault)
    for _ in range(2):
        with pytest.raises(NeedsConnection) as held:
            login.access_token()
        assert str(held.value) == RECONNECT
        assert not held.value.counted
    assert vault.current().revoked
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [reply(502), reply(200, b"<html>"), reply(200, {}), reply(429), reply(403), b""])
def test_a_refresh_that_fails_for_now_is_tried_again_later_and_revokes_nothing(stack, answer):
    vault = Vault(expired())
    login, _ = logged_in(stack, lambda _: answer, vault)
    with pytest.raises(NeedsConnection) as held:
        login.access_token()
    assert held.value.retry_after >= 1
    assert not vault.current().revoked


def test_an_early_refresh_that_fails_does_not_stop_a_good_token(stack):
    clock = Clock()
    with a_closed_port() as url:
        login = login_at(stack, url, Vault(a_token(expires_at=NOW + timedelta(seconds=1000))), clock)
        login.access_token()
        clock.now += timedelta(seconds=950)
        assert login.access_token() == "a1"


def test_without_a_token_the_firm_is_told_to_connect(stack):
    with pytest.raises(NeedsConnection, match="not connected"):
        login_at(stack, "http://127.0.0.1:9", Vault()).access_token()


def test_F47_a_401_renews_the_token_and_the_work_goes_on_at_once(stack):
    remote, vault = Rotating(), Vault(a_token())
    remote.good_access = "something newer"
    login, server = logged_in(stack, remote, vault)
    api = stack.enter_context(closing(ApiClient(server.url, provider="clio", credentials=login, deadline_seconds=2)))
    with pytest.raises(NeedsConnection) as held:
        api.request("POST", "/api/v4/x.json", dict, body={})
    assert held.value.retry_after == 0
    assert api.request("POST", "/api/v4/x.json", dict, body={}) == {"data": {}}


def test_a_401_to_a_token_that_was_renewed_meanwhile_renews_nothing(stack):
    login, server = logged_in(stack, granting(), Vault(a_token(access_token="a5", version=5)))
    assert login.refused("Bearer a4").retry_after == 0
    assert server.requests == []


def test_F48_a_fresh_token_that_is_refused_too_does_not_go_in_circles(stack):
    login, server = logged_in(stack, granting(), Vault(a_token()))
    assert login.refused("Bearer a1").retry_after == 0
    again = login.refused("Bearer a2")
    assert again.retry_after >= 60
    assert "region" in str(again)
    assert len(server.requests) == 1


def test_F48_two_workers_do_not_renew_a_useless_token_in_turns(stack):
    numbers = itertools.count(2)
    vault = Vault(a_token())
    one, server = logged_in(stack, lambda _: reply(200, {"access_token": f"a{next(numbers)}"}), vault)
    other = login_at(stack, server.url, vault)
    for _ in range(5):
        for login in (one, other):
            login.refused(f"Bearer {vault.current().access_token}")
    assert len(server.requests) == 2


def test_F46_a_401_to_a_connection_that_ended_asks_to_connect_again(stack):
    vault = Vault(a_token())
    login, _ = logged_in(stack, lambda _: reply(400, {"error": "invalid_grant"}), vault)
    assert str(login.refused("Bearer a1")) == RECONNECT
    assert vault.current().revoked


def test_disconnecting_tells_clio_and_forgets(stack):
    vault = Vault(a_token())
    login, server = logged_in(stack, lambda _: reply(200, b""), vault)
    login.deauthorize()
    assert server.requests[0].headers["authorization"] == "Bearer a1"
    assert server.requests[0].path == "/oauth/deauthorize"
    assert vault.current().revoked
    assert "a1" not in (vault.current().access_token, vault.current().refresh_token)


def test_disconnecting_forgets_even_what_clio_does_not_know(stack):
    vault = Vault(a_token())
    login, _ = logged_in(stack, lambda _: reply(401, {"error": "invalid_token"}), vault)
    login.deauthorize()
    assert vault.current().revoked


def test_a_ready_token_is_used_and_never_renewed():
    ready = ReadyToken("t0ken")
    assert ready.authorization() == "Bearer t0ken"
    held = ready.refused("Bearer t0ken")
    assert held.retry_after >= 60
    assert "ORCH_CLIO__ACCESS_TOKEN" in str(held)


def test_a_ready_token_wins_and_without_any_the_missing_setting_is_named(stack):
    login = login_at(stack, "http://127.0.0.1:9", Vault())
    assert isinstance(credentials("t", login), ReadyToken)
    assert credentials(None, login) is login
    with pytest.raises(NeedsConnection, match="ORCH_CLIO__CLIENT_ID"):
        credentials(None, None)


def test_no_secret_shows_in_a_representation():
    shown = repr((ReadyToken("s3cret"), App("id", "s3cret", "u"), Token("s3cret", "s3cret")))
    assert "s3cret" not in shown
