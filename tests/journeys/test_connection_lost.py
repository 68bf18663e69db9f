"""What happens while Clio denies us: work waits under one notice, nothing is dropped, and it goes on by itself."""

from contextlib import ExitStack, contextmanager
from functools import partial

import httpx
import pytest
import sqlalchemy as sa

from orchestrator.bootstrap import clio_login, clio_token, whoever_has
from orchestrator.engine.run import run
from orchestrator.errors import Rejected
from orchestrator.ports import Token
from orchestrator.storage.jobs import JobState
from orchestrator.storage.tables import connections, jobs
from orchestrator.storage.vault import Cipher, DatabaseVault, sealed_values
from orchestrator.usecases.connect_clio import begin, disconnect, finish, show_connection, take_answer
from tests.firm import START, open_firm
from workflows.book import BOOK

LINKS = "POST /clio_payments/links"


def rounds(firm, times=3):
    """Time passes while nothing comes to rest: every job that waits is tried so often."""
    firm.tick()
    for _ in range(times):
        firm.rest_pauses()
        for job_id in firm.bells():
            run(firm.rt, BOOK, job_id)


def heartbeat(firm):
    with firm.rt.uow() as work:
        work.jobs.add(
            "engine.heartbeat", "again", firm.sandbox.counts()["total_calls"], len(firm.jobs("engine.heartbeat"))
        )
    firm.work()


def waiting(firm, reason):
    return [job for job in firm.jobs(None, *(JobState.READY, JobState.SENT)) if job["reason"] == reason]


def app_of(sandbox):
    state = sandbox.state()
    return {"access_token": None, "client_id": state["client_id"], "client_secret": state["client_secret"]}


@contextmanager
def signed_in(sandbox, database_url):
    """A firm that a person connected; its first token is the sandbox's."""
    with open_firm(sandbox, database_url, environment={"secret_key": "k" * 32, "clio": app_of(sandbox)}) as firm:
        state = sandbox.state()
        vault = DatabaseVault(firm.rt.uow, firm.rt.cipher, "clio")
        vault.store(Token(state["access_token"], state["refresh_token"], None, version=1))
        firm.work()
        yield firm


def agree(firm, *, by="casey"):
    """A person runs `connect clio` and agrees in the browser."""
    with clio_login(firm.rt) as login:
        attempt = begin(firm.rt, login)
        address = httpx.get(f"{attempt.url}&approve=true").headers["location"]
        code = httpx.URL(address).params["code"]
        who = partial(whoever_has, firm.rt.settings)
        return finish(firm.rt, login, code, by=by, who=who, attempt=attempt)


def one_link_one_mail_each(firm, bills):
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert len(firm.links()) == len(firm.mails()) == bills
    firm.check()


def test_F46_without_a_connection_work_waits_under_one_notice_and_goes_on_after_connecting(sandbox, database_url):
    with signed_in(sandbox, database_url) as firm:
        for dollars in (100, 200, 300):
            firm.issued_bill(dollars=dollars)
        sandbox.fault("* *", "revoke_token", refresh_too=True)
        sandbox.clock_advance(16 * 60)
        with firm.rt.uow() as work:
            work.jobs.add("account.read", "again")
        rounds(firm)
        assert firm.exceptions() == {"reconnect": 1}
        held = waiting(firm, "reconnect")
        assert len(held) > 1
        assert firm.jobs(None, JobState.PARKED, JobState.FAILED) == []
        assert not show_connection(firm.rt, clio_token(firm.rt), ready=False)["connected"]
        before = sandbox.counts()["total_calls"]
        rounds(firm)
        assert sandbox.counts()["total_calls"] == before, "without a token nobody asks Clio anything"
        assert agree(firm)["resumed"] >= len(held)
        assert firm.exceptions() == {}
        firm.work()
        one_link_one_mail_each(firm, 3)
        assert show_connection(firm.rt, clio_token(firm.rt), ready=False)["connected"]


def test_F45_a_refresh_whose_answer_was_lost_after_rotation_asks_to_reconnect_and_drops_nothing(
    sandbox, database_url, tiny
):
    tiny["tokens"] = {"rotate_refresh": True}
    sandbox.reset(tiny, seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    with signed_in(sandbox, database_url) as firm:
        firm.issued_bill()
        state = sandbox.state()
        # The worker asked, Clio rotated, and the worker died before it could store what came back.
        form = {"grant_type": "refresh_token", "refresh_token": state["refresh_token"],
                "client_id": state["client_id"], "client_secret": state["client_secret"]}  # fmt: skip
        assert httpx.post(f"{sandbox.clio_base_url}/oauth/token", data=form).status_code == 200
        sandbox.fault("* *", "revoke_token")
        sandbox.clock_advance(16 * 60)
        rounds(firm)
        assert firm.exceptions() == {"reconnect": 1}
        agree(firm)
        firm.work()
        one_link_one_mail_each(firm, 1)


def test_F46_a_permission_that_was_taken_away_is_one_notice_and_few_calls(firm, database_url):
    for dollars in range(100, 900, 100):
        firm.issued_bill(dollars=dollars)
    firm.sandbox.fault(LINKS, "status", code=403, times=None)
    firm.sandbox.clock_advance(16 * 60)
    rounds(firm, times=6)
    assert firm.exceptions() == {"clio_forbidden": 1}
    assert firm.sandbox.counts()["calls"][LINKS] == 3, "after three in a row the door is known to be shut"
    assert len(waiting(firm, "clio_forbidden")) == 8
    assert {job["attempts"] for job in waiting(firm, "clio_forbidden")} == {0}
    firm.sandbox.clear_faults()
    with open_firm(firm.sandbox, database_url) as again:
        again.work()
        one_link_one_mail_each(again, 8)
        heartbeat(again)
        assert again.exceptions() == {}


@pytest.mark.parametrize(("code", "notice"), [(410, "clio_version_retired"), (308, "clio_path_moved")])
def test_F42_a_version_or_path_that_is_gone_is_one_alarm_loses_nothing_and_is_not_hammered(
    firm, database_url, code, notice
):
    for dollars in (100, 200, 300):
        firm.issued_bill(dollars=dollars)
    firm.sandbox.fault("* *", "status", code=code, times=None)
    firm.sandbox.clock_advance(16 * 60)
    before = firm.sandbox.counts()["total_calls"]
    rounds(firm, times=20)
    assert firm.exceptions() == {notice: 1}
    doors = len({(call["method"], call["path"]) for call in firm.sandbox.requests()})
    assert firm.sandbox.counts()["total_calls"] - before <= doors
    assert firm.jobs(None, JobState.PARKED, JobState.FAILED) == []
    firm.sandbox.clear_faults()
    with open_firm(firm.sandbox, database_url) as again:
        again.work()
        one_link_one_mail_each(again, 3)
        heartbeat(again)
        assert again.exceptions() == {}


def test_F48_a_token_of_another_firm_is_used_for_nothing(firm, database_url):
    firm.issued_bill()
    with firm.rt.uow() as work:
        # The database is another firm's: its account is not the token's.
        work.connection.execute(sa.update(connections).values(account_id=999, account_name="Other LLP", proof=""))
    firm.sandbox.clock_advance(16 * 60)
    with open_firm(firm.sandbox, database_url) as astray:
        before, effects = firm.sandbox.counts()["calls"], len(firm.sandbox.effects())
        rounds(astray)
        asked = {
            call: count - before.get(call, 0)
            for call, count in firm.sandbox.counts()["calls"].items()
            if count > before.get(call, 0)
        }
        assert set(asked) == {"GET /users/who_am_i"}
        assert len(firm.sandbox.effects()) == effects
        assert astray.exceptions() == {"wrong_account": 1}
        with astray.rt.uow() as work:
            mine = whoever_has(astray.rt.settings, firm.sandbox.access_token).account_id
            work.connection.execute(sa.update(connections).values(account_id=mine))
        astray.work()
        one_link_one_mail_each(astray, 1)
        heartbeat(astray)
        assert astray.exceptions() == {}


def test_F48_settings_that_lead_to_another_region_are_used_for_nothing(firm, database_url):
    with firm.rt.uow() as work:
        work.connection.execute(sa.update(connections).values(host="eu.app.clio.com"))
    before = firm.sandbox.counts()["total_calls"]
    with open_firm(firm.sandbox, database_url) as astray:
        firm.sandbox.clock_advance(16 * 60)
        rounds(astray)
        assert firm.sandbox.counts()["total_calls"] == before
        assert astray.exceptions() == {"wrong_account": 1}


def test_F48_connecting_as_another_firm_is_refused_before_anything_is_replaced(sandbox, database_url):
    with signed_in(sandbox, database_url) as firm:
        with firm.rt.uow() as work:
            work.connection.execute(sa.update(connections).values(account_id=999, account_name="Other LLP"))
        before = clio_token(firm.rt)
        with pytest.raises(Rejected, match="Nothing was changed") as error:
            agree(firm)
        assert error.value.reason == "wrong_account"
        assert clio_token(firm.rt) == before


def test_a_known_token_costs_no_further_question(firm, database_url):
    asked = firm.sandbox.counts()["calls"]["GET /users/who_am_i"]
    for _ in range(3):
        with open_firm(firm.sandbox, database_url) as again:
            again.rt.practice(0).users()
    assert firm.sandbox.counts()["calls"]["GET /users/who_am_i"] == asked


def test_an_answer_counts_once_for_the_attempt_it_names_and_only_in_time(sandbox, database_url):
    with signed_in(sandbox, database_url) as firm, ExitStack() as stack:
        login = stack.enter_context(clio_login(firm.rt))
        old, new = begin(firm.rt, login), begin(firm.rt, login)
        assert not take_answer(firm.rt, state=old.state, code="c")
        assert not take_answer(firm.rt, state="another", code="c")
        firm.later(minutes=11)
        assert not take_answer(firm.rt, state=new.state, code="c")
        newest = begin(firm.rt, login)
        assert take_answer(firm.rt, state=newest.state, code="c")
        assert not take_answer(firm.rt, state=newest.state, code="d")


def test_disconnecting_ends_it_at_clio_and_work_waits(sandbox, database_url):
    with signed_in(sandbox, database_url) as firm:
        token = clio_token(firm.rt).access_token
        firm.issued_bill()
        with clio_login(firm.rt) as login:
            disconnect(firm.rt, login, by="casey")
        who = f"{sandbox.clio_base_url}/api/v4/users/who_am_i.json"
        assert httpx.get(who, headers={"Authorization": f"Bearer {token}"}).status_code == 401
        sandbox.clock_advance(16 * 60)
        rounds(firm)
        assert firm.exceptions() == {"reconnect": 1}
        agree(firm)
        firm.work()
        one_link_one_mail_each(firm, 1)


def test_F49_after_the_daily_tidy_the_former_key_can_be_dropped(sandbox, database_url):
    with signed_in(sandbox, database_url) as firm:
        with firm.rt.uow() as work:
            secrets = {"secret": firm.rt.cipher.seal("s"), "previous_secret": firm.rt.cipher.seal("p")}
            work.subscriptions.put(
                "bill", path_token="t", state="pending", url="http://127.0.0.1:8080/webhooks/clio/t", events="", fields="",
                offered=[firm.rt.cipher.seal("o").decode()], **secrets,
            )  # fmt: skip
        token = clio_token(firm.rt)
    rotated = {"secret_key": f"{'n' * 32},{'k' * 32}", "clio": app_of(sandbox)}
    with open_firm(sandbox, database_url, environment=rotated) as firm:
        assert clio_token(firm.rt) == token
        with firm.rt.read() as work:
            assert sum(firm.rt.cipher.outdated(value) for value in sealed_values(work)) == 5
        with firm.rt.uow() as work:
            work.jobs.add("engine.tidy", "again")
        firm.work()
    only_new = Cipher(["n" * 32])
    with open_firm(sandbox, database_url, environment=rotated | {"secret_key": "n" * 32}) as firm:
        assert clio_token(firm.rt) == token
        with firm.rt.read() as work:
            assert sorted(only_new.open(value) for value in sealed_values(work))[-3:] == ["o", "p", "s"]
            assert not work.connection.execute(sa.select(jobs.c.id).where(jobs.c.state == "parked")).all()
        firm.issued_bill()
        one_link_one_mail_each(firm, 1)
