"""The button "Approve for billing": pressed in Clio, proven by Clio, shown by a GET, approved by a POST."""

import re
import tomllib
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from orchestrator.api.callback import host_cookie, tls
from orchestrator.domain.custom_actions import LABEL
from orchestrator.domain.kinds import Kind
from orchestrator.sandbox.scenario import SCENARIOS
from tests.firm import START, open_firm, web
from tests.servers import TLS, free_port

REST = 16


@pytest.fixture(scope="session")
def _two_lawyers():
    """The tiny firm with a second lawyer."""
    scenario = tomllib.loads((SCENARIOS / "tiny.toml").read_text("utf-8"))
    scenario["users"].append({"key": "rory", "name": "Rory Finch", "email": "rory@solo.test"})
    return scenario


@pytest.fixture
def sandbox(_sandbox_server, _two_lawyers):
    _sandbox_server.clear_faults()
    _sandbox_server.reset(_two_lawyers, seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    return _sandbox_server


@contextmanager
def opened(sandbox, database_url, **environment):
    """A firm that approves by the button and listens, with two rested entries on its first matter."""
    port = free_port()
    here = {
        "public_url": f"http://127.0.0.1:{port}",
        "listen": f"127.0.0.1:{port}",
        "approval": {"signal": "custom_action"},
    }
    with open_firm(sandbox, database_url, environment={**here, **environment}) as firm, web(firm, port):
        firm.work()
        firm.log_time(dollars=250)
        firm.later(minutes=REST)
        with firm.rt.read() as work:
            firm.entries = sorted(row["id"] for row in work.approvals.listed(matter_id=firm.matter()))
        assert len(firm.entries) == 2
        yield firm


@pytest.fixture
def firm(sandbox, database_url):
    app = {"client_id": sandbox.state()["client_id"], "client_secret": sandbox.state()["client_secret"]}
    with opened(sandbox, database_url, clio=app) as firm:
        yield firm


@pytest.fixture
def browser():
    with httpx.Client(timeout=20, trust_env=False, verify=TLS, follow_redirects=False) as http:
        yield http


def own_user(firm):
    with firm.rt.read() as work:
        return work.connections.known("clio").user_id


def other_user(firm):
    return next(user for user in firm.ids["users"].values() if user != own_user(firm))


def press(firm, user=None, **subject):
    subject = subject or {"matter_id": firm.matter()}
    return firm.sandbox.act("press_action", user_id=user or own_user(firm), **subject)["url"]


def form_of(page):
    assert page.status_code == 200, page.text
    return dict(re.findall(r'name="(press|word)" value="([^"]+)"', page.text))


def post(browser, page, **changes):
    address = str(page.url).partition("?")[0]
    return browser.post(address, data={**form_of(page), **changes})


def heard(firm, entry_id):
    """What a webhook would lead to."""
    with firm.rt.uow() as work:
        work.dirty.mark(Kind.ACTIVITY, [entry_id])
    firm.work()


def approved(firm):
    with firm.rt.read() as work:
        return work.approvals.by_whom(firm.entries)


def sign_in(firm, browser, page, user):
    """Through Clio's own page, as the browser would."""
    [action] = re.findall(r'action="([^"]+)"', page.text)
    leave = browser.post(httpx.URL(str(page.url)).join(action))
    assert leave.status_code == 303
    agreed = browser.post(leave.headers["location"], data={"decision": "approve", "user": user})
    return browser.get(agreed.headers["location"])


# ── the buttons ──


def test_a_button_stands_once_on_matters_and_once_on_activities_and_leads_to_us(firm):
    made = firm.effects("custom_action.created")
    assert sorted(one["place"] for one in made) == ["activities/show", "matters/show"]
    assert all(one["url"].startswith(firm.rt.settings.public_address + "/approve/") for one in made)
    firm.later(hours=7)
    assert len(firm.effects("custom_action.created")) == 2
    assert {action.label for action in firm.rt.practice(0).custom_actions()} == {LABEL}


def test_a_button_whose_answer_was_lost_is_adopted(sandbox, database_url):
    sandbox.fault("POST /custom_actions", "lose_answer")
    with opened(sandbox, database_url) as firm:
        firm.later(minutes=2)
        assert len(firm.effects("custom_action.created")) == 2
        firm.check()


@pytest.mark.parametrize("call", ["GET /custom_actions", "POST /custom_actions"])
def test_F46_where_clio_denies_the_button_a_person_hears_once_and_all_the_rest_goes_on(sandbox, database_url, call):
    sandbox.fault(call, "status", code=403, body="", times=None)
    with opened(sandbox, database_url) as firm:
        for _ in range(2):
            firm.later(hours=7)
        assert firm.exceptions() == {"buttons_refused": 1}
        firm.mailed_bill()
        sandbox.clear_faults()
        firm.later(hours=7)
        assert firm.exceptions() == {}
        assert len(firm.effects("custom_action.created")) == 2
        firm.check()


def test_a_button_follows_the_public_address_and_goes_when_the_signal_does(sandbox, database_url):
    with opened(sandbox, database_url):
        pass
    moved = {"public_url": "https://billing.firm.test", "approval": {"signal": "custom_action"}}
    with open_firm(sandbox, database_url, environment=moved) as firm:
        firm.later(hours=7)
        urls = {action.target_url for action in firm.rt.practice(0).custom_actions()}
        assert {urlsplit(url).hostname for url in urls} == {"billing.firm.test"}
        assert len(firm.effects("custom_action.created")) == 2
    with open_firm(sandbox, database_url) as firm:
        firm.later(hours=7)
        assert firm.rt.practice(0).custom_actions() == []
        asked = firm.sandbox.counts()["calls"]["GET /custom_actions"]
        firm.later(hours=7)
        assert firm.sandbox.counts()["calls"]["GET /custom_actions"] == asked


def test_a_button_that_somebody_deleted_comes_back(firm):
    action = firm.rt.practice(0).custom_actions()[0]
    firm.rt.practice(0).delete_custom_action(action.id)
    firm.later(hours=7)
    assert len(firm.rt.practice(0).custom_actions()) == 2


# ── the approval ──


def test_pressing_and_answering_approves_what_the_page_showed_and_says_by_whom(firm, browser):
    page = browser.get(press(firm))
    assert "2 entries to approve" in page.text
    done = post(browser, page)
    assert done.status_code == 200
    assert "Approved" in done.text
    assert set(approved(firm)) == set(firm.entries)
    assert set(approved(firm).values()) == {f"clio-user:{own_user(firm)}"}
    with firm.rt.read() as work:
        lines = [row for row in work.audit.listed(limit=50) if row["action"].startswith("approval.")]
    assert {row["actor"] for row in lines} == {f"clio-user:{own_user(firm)}"}
    assert {row["facts"].get("signal") for row in lines if row["action"] == "approval.given"} == {"custom_action"}
    firm.later(hours=1)
    assert firm.effects("task.created")[0]["name"].startswith("Generate the bill")


def test_an_entry_s_button_approves_that_entry_alone(firm, browser):
    post(browser, browser.get(press(firm, entry_id=firm.entries[0])))
    assert set(approved(firm)) == {firm.entries[0]}


def test_the_page_says_what_it_leaves_out_and_why(firm, browser):
    heard(firm, firm.log_time(dollars=99)["id"])
    page = browser.get(press(firm))
    assert "it changed less than 900 seconds ago" in page.text
    assert "99.00" in page.text
    post(browser, page)
    again = browser.get(press(firm))
    assert "approved already by" in again.text
    assert "<form" not in again.text


def test_an_entry_edited_while_the_page_was_open_is_not_approved(firm, browser):
    page = browser.get(press(firm))
    firm.sandbox.act("edit_time", id=firm.entries[0], price=700)
    firm.later(minutes=1)
    firm.later(minutes=REST)
    late = post(browser, page)
    assert late.status_code == 410
    assert approved(firm) == {}
    page = browser.get(press(firm))
    firm.sandbox.act("edit_time", id=firm.entries[0], price=800)
    heard(firm, firm.entries[0])
    done = post(browser, page)
    assert "it changed since the page was opened" in done.text
    assert set(approved(firm)) == {firm.entries[1]}


# ── F80, F81 ──


def test_F80_a_get_of_any_kind_approves_nothing(firm, browser):
    url = press(firm)
    page = browser.get(url)
    assert browser.head(url).status_code in {405, 409}
    assert browser.get(url).status_code == 409
    assert browser.get(str(page.url).partition("?")[0], params=form_of(page)).status_code == 400
    assert approved(firm) == {}


def test_F81_a_form_answered_twice_approves_once_and_shows_the_same(firm, browser):
    page = browser.get(press(firm))
    first, second = post(browser, page), post(browser, page)
    assert first.text == second.text
    with firm.rt.read() as work:
        assert sum(row["action"] == "approval.pressed" for row in work.audit.listed(limit=50)) == 1


def test_F81_of_two_people_at_once_the_second_sees_what_the_first_did(firm, browser):
    with httpx.Client(timeout=20, trust_env=False, verify=TLS) as second:
        user = other_user(firm)
        assert sign_in(firm, second, second.get(press(firm, user)), user).status_code == 200
        theirs = second.get(press(firm, user))
        ours = browser.get(press(firm))
        post(browser, ours)
        late = post(second, theirs)
    assert "Nothing was approved" in late.text
    with firm.rt.read() as work:
        name = work.connections.known("clio").user_name
    assert f"approved already by {name}" in late.text
    assert set(approved(firm).values()) == {f"clio-user:{own_user(firm)}"}


def test_F81_a_stranger_s_post_is_refused(firm, browser):
    page = browser.get(press(firm))
    address, form = str(page.url).partition("?")[0], form_of(page)
    with httpx.Client(timeout=20, trust_env=False, verify=TLS) as stranger:
        assert stranger.post(address, data=form).status_code == 403
    assert post(browser, page, word="0" * 64).status_code == 403
    assert post(browser, page, press="999").status_code == 403
    assert post(browser, page, press="9" * 40).status_code == 403
    cross = browser.post(address, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403
    assert browser.post(address, content=b"x" * 5000).status_code == 403
    assert approved(firm) == {}


def test_the_cookie_is_strict_closed_to_scripts_and_ends_with_the_page(firm, browser):
    said = browser.get(press(firm)).headers["set-cookie"].lower()
    assert "samesite=strict" in said
    assert "httponly" in said
    assert "max-age=600" in said


def test_over_tls_the_cookie_belongs_to_this_host_alone(sandbox, database_url):
    with open_firm(sandbox, database_url, environment={"public_url": "https://billing.firm.test"}) as firm:
        assert tls(firm.rt)
        assert host_cookie(firm.rt, "approve-1") == "__Host-approve-1"


def test_no_script_runs_and_nothing_frames_or_takes_the_page(firm, browser):
    policy = browser.get(press(firm)).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy


# ── the nonce ──


def test_an_address_without_a_nonce_of_clio_s_shows_nothing(firm, browser):
    url = press(firm)
    made_up = url.replace(parse_qs(urlsplit(url).query)["custom_action_nonce"][0], "0" * 32)
    assert browser.get(made_up).status_code == 403
    assert browser.get(url).status_code == 200


def test_a_nonce_opens_one_page(firm, browser):
    url = press(firm)
    assert browser.get(url).status_code == 200
    with httpx.Client(timeout=20, trust_env=False, verify=TLS) as second:
        replayed = second.get(url)
    assert replayed.status_code == 409
    assert "set-cookie" not in replayed.headers


def test_a_nonce_that_is_a_minute_old_opens_nothing(firm, browser):
    url = press(firm)
    firm.sandbox.clock_advance(61)
    assert browser.get(url).status_code == 403


def test_another_s_nonce_opens_nothing(firm, browser):
    url = press(firm, other_user(firm)).replace(f"user_id={other_user(firm)}", f"user_id={own_user(firm)}")
    assert browser.get(url).status_code == 403


def test_who_has_not_signed_in_is_asked_to_and_believed_in_nothing(firm, browser):
    user = other_user(firm)
    url = press(firm, user)
    page = browser.get(url)
    assert page.status_code == 403
    assert "Sign in with Clio" in page.text
    welcome = sign_in(firm, browser, page, user)
    assert "press the button again" in welcome.text
    assert approved(firm) == {}
    post(browser, browser.get(press(firm, user)))
    assert set(approved(firm).values()) == {f"clio-user:{user}"}


def test_a_sign_in_counts_only_in_the_browser_that_began_it(firm, browser):
    user = other_user(firm)
    page = browser.get(press(firm, user))
    [action] = re.findall(r'action="([^"]+)"', page.text)
    leave = browser.post(httpx.URL(str(page.url)).join(action))
    with httpx.Client(timeout=20, trust_env=False, verify=TLS) as stranger:
        agreed = stranger.post(leave.headers["location"], data={"decision": "approve", "user": user})
        assert stranger.get(agreed.headers["location"]).status_code == 400
    assert browser.get(press(firm, user)).status_code == 403


def test_a_sign_in_as_somebody_else_lets_nobody_press_in_their_name(firm, browser):
    user = other_user(firm)
    page = browser.get(press(firm, user))
    assert sign_in(firm, browser, page, own_user(firm)).status_code == 200
    assert browser.get(press(firm, user)).status_code == 403


def test_with_a_ready_token_only_the_connected_user_can_press(sandbox, database_url, browser):
    with opened(sandbox, database_url) as firm:
        page = browser.get(press(firm, other_user(firm)))
        [action] = re.findall(r'action="([^"]+)"', page.text)
        told = browser.post(httpx.URL(str(page.url)).join(action))
        assert told.status_code == 403
        assert "ORCH_CLIO__CLIENT_ID" in told.text
        assert browser.get(press(firm)).status_code == 200


def test_a_user_who_may_not_see_the_matter_approves_nothing_on_it(firm, browser):
    user = other_user(firm)
    sign_in(firm, browser, browser.get(press(firm, user)), user)
    firm.sandbox.act("hide_matter", matter_id=firm.matter(), user_id=user)
    for subject in ({"matter_id": firm.matter()}, {"entry_id": firm.entries[0]}):
        hidden = browser.get(press(firm, user, **subject))
        assert hidden.status_code == 403
        assert "permission" in hidden.text
    assert approved(firm) == {}


@pytest.mark.parametrize(
    "subject_url",
    [
        "https://evil.test/api/v4/matters/1", "//evil.test/api/v4/matters/1", "/api/v4/bills/1", "/api/v4/matters/1/../../2",
        "/api/v4/matters/1?x=1", "file:///etc/passwd", "",
    ],
)  # fmt: skip
def test_an_address_that_names_no_record_of_this_clio_is_refused_before_clio_is_asked(firm, browser, subject_url):
    address, _, _ = press(firm).partition("?")
    before = firm.sandbox.counts()["calls"]
    told = {"custom_action_nonce": "n", "user_id": own_user(firm), "subject_url": subject_url}
    assert browser.get(address, params=told).status_code == 400
    assert firm.sandbox.counts()["calls"] == before


def test_nothing_is_there_for_whoever_does_not_know_the_address(firm, browser):
    base = firm.rt.settings.public_address
    assert browser.get(f"{base}/approve/{'0' * 40}?custom_action_nonce=n").status_code == 404
    assert browser.post(f"{base}/approve/{'0' * 40}/sign-in").status_code == 404
    assert browser.get(f"{base}/approve/").status_code == 404


def test_while_clio_is_away_the_page_says_so_and_the_press_is_not_spent(firm, browser):
    url = press(firm)
    firm.sandbox.fault("GET /matters/{id}", "status", code=503)
    assert browser.get(url).status_code == 503
    with firm.rt.read() as work:
        assert work.presses.get(1) is None
