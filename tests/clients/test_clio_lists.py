"""Paging, from a server that answers exactly what a test needs."""

from contextlib import closing

import pytest
from raw_server import raw_server, reply

from orchestrator.clients.clio.auth import ReadyToken
from orchestrator.clients.clio.lists import ForeignPage, Lists, refused
from orchestrator.clients.clio.schemas import TaskRecord
from orchestrator.clients.http import ApiClient
from orchestrator.clients.meaning import Refused
from orchestrator.errors import NeedsReview, Transient
from orchestrator.ports import PageLost


def row(number, **other):
    facts = {"name": "Call", "status": "pending", "completed_at": None, "updated_at": "2026-01-05T08:00:00Z"}
    return {"id": number, "etag": "e", **facts, **other}


def page(rows, onward=None):
    return {"data": rows, "meta": {"paging": {"next": onward} if onward else {}, "records": 3}}


def listed(pages, *, aliases=(), prefix="", bad=None):
    """The ids that a list gives, and the requests it took; `pages(server_url, request)` answers."""
    where = []

    def answer(request):
        said = pages(where[0], request)
        return said if isinstance(said, bytes) else reply(200, said)

    with raw_server(answer) as server:
        where.append(server.url)
        api = ApiClient(server.url + prefix, provider="clio", credentials=ReadyToken("t"), deadline_seconds=2)
        with closing(api):
            lists = Lists(api, aliases, **({"on_bad_row": bad} if bad else {}))
            found = [one.id for one in lists.rows("task", "/tasks.json", TaskRecord, {"order": "id(asc)"})]
            return found, server.targets


def two_pages(onward):
    """A first page whose `next` is `onward`, then a last one."""

    def pages(url, request):
        first = "page_token" not in request.target
        return page([row(1)], onward.format(url=url)) if first else page([row(1), row(2)])

    return pages


def test_next_is_followed_exactly_as_given_and_each_id_comes_once():
    found, targets = listed(two_pages("{url}/api/v4/tasks.json?page_token=BAh%7B%2B&fields=id%2Cbill%7Bid%7D"))
    assert found == [1, 2]
    assert targets[0].startswith(
        "/api/v4/tasks.json?fields=id,etag,name,status,completed_at,updated_at,matter{id},assignee{id}&"
    )
    assert targets[0].endswith("&limit=200&order=id(asc)")
    assert targets[1] == "/api/v4/tasks.json?page_token=BAh%7B%2B&fields=id%2Cbill%7Bid%7D"


@pytest.mark.parametrize("onward", ["{url}/api/v4/tasks?page_token=2", "/api/v4/tasks.json?page_token=2"])
def test_next_may_leave_out_the_ending_or_the_host(onward):
    assert listed(two_pages(onward))[0] == [1, 2]


def test_next_may_name_another_address_of_the_same_clio_but_the_request_stays_here():
    found, targets = listed(
        two_pages("https://app.clio.com/api/v4/tasks.json?page_token=2"),
        aliases=("https://app.clio.com",),
        prefix="/clio",
    )
    assert found == [1, 2]
    assert targets[1] == "/clio/api/v4/tasks.json?page_token=2"


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/api/v4/tasks.json?page_token=2",
        "http://app.clio.com/api/v4/tasks.json?page_token=2",
        "{url}.evil.example/api/v4/tasks.json?page_token=2",
        "{url}/api/v4/users.json?page_token=2",
        "//evil.example/api/v4/tasks.json?page_token=2",
        "javascript:alert(1)",
    ],
)
def test_F37_a_next_page_elsewhere_is_refused(onward):
    with pytest.raises(ForeignPage) as error:
        listed(two_pages(onward), aliases=("https://app.clio.com",))
    assert error.value.reason == "clio_foreign_page"


def test_F37_a_page_that_leads_back_is_noticed():
    def pages(url, request):
        turn = {"page_token=2": "3", "page_token=3": "2"}.get(request.target.partition("?")[2], "2")
        return page([row(1)], f"{url}/api/v4/tasks.json?page_token={turn}")

    with pytest.raises(PageLost):
        listed(pages)


def test_F37_a_page_token_that_expired_means_to_start_again():
    def pages(url, request):
        if "page_token" in request.target:
            return reply(400, {"error": {"type": "InvalidPageToken", "message": "expired"}})
        return page([row(1)], f"{url}/api/v4/tasks.json?page_token=2")

    with pytest.raises(PageLost):
        listed(pages)


def test_a_refusal_of_the_first_page_is_a_refusal():
    with pytest.raises(Refused) as error:
        listed(lambda *_: reply(400, {"error": {"type": "InvalidFields", "message": "x"}}))
    assert error.value.type == "InvalidFields"


def test_F13_a_search_whose_second_page_fails_does_not_end_as_if_it_were_whole():
    def pages(url, request):
        return reply(502) if "page_token" in request.target else page([row(1)], f"{url}/api/v4/tasks.json?page_token=2")

    with pytest.raises(Transient):
        listed(pages)


@pytest.mark.parametrize("body", [[], {"data": {}}, {"data": None}, {}, {"data": [], "meta": {"paging": {"next": 7}}}])
def test_a_list_that_is_no_list_is_a_lost_answer(body):
    with pytest.raises(Transient):
        listed(lambda *_: body)


@pytest.mark.parametrize("meta", [None, {}, {"paging": None}, {"paging": {}}, {"paging": {"next": None}}, []])
def test_a_list_without_a_next_page_ends(meta):
    assert listed(lambda *_: {"data": [row(1)], "meta": meta})[0] == [1]


def test_F41_one_row_that_cannot_be_read_is_reported_and_the_others_go_on():
    reported = []
    rows = [row(1), row(2, updated_at="Ada Lovelace"), "nonsense", row(3)]
    found, _ = listed(lambda *_: page(rows), bad=lambda *what: reported.append(what))
    assert found == [1, 3]
    assert [(kind, number) for kind, number, _ in reported] == [("task", 2), ("task", None)]
    assert "Ada" not in str(reported)


def test_F41_by_default_a_bad_row_goes_to_the_log_by_its_id(lines):
    assert listed(lambda *_: page([row(1, updated_at="x"), row(2)]))[0] == [2]
    assert [(line["event"], line["id"]) for line in lines if "id" in line] == [("clio.row_skipped", 1)]


def test_a_search_is_not_trusted_when_a_row_cannot_be_read():
    with pytest.raises(NeedsReview) as error:
        listed(lambda *_: page([row(1, updated_at="x")]), bad=refused)
    assert error.value.reason == "data_incomplete"


def test_one_record_that_cannot_be_read_waits_for_a_person():
    with (
        raw_server(lambda _: reply(200, {"data": {"id": 1, "name": "Ada"}})) as server,
        closing(ApiClient(server.url, provider="clio", credentials=ReadyToken("t"))) as api,
        pytest.raises(NeedsReview) as error,
    ):
        Lists(api).one("/tasks/1.json", TaskRecord)
    assert error.value.reason == "data_incomplete"
    assert "Ada" not in str(error.value)
