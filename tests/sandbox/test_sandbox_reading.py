"""Fields, filters, pages, etags, versions and what a caller may not see."""

from urllib.parse import urlsplit

import pytest


def test_an_answer_without_fields_shows_id_with_etag(clio):
    (first, *_) = clio.get("/matters")
    assert set(first) == {"id", "etag"}


def test_a_payment_has_no_etag(clio):
    bill = clio.issued_bill()
    clio.sandbox.act("pay_link", link_id=clio.link(bill).json()["data"]["id"])
    assert [set(payment) for payment in clio.get("/clio_payments/payments")] == [{"id"}]


def test_a_nested_record_without_braces_shows_its_defaults(clio):
    (first, *_) = clio.get("/matters", "client")
    assert set(first["client"]) == {"id", "etag"}


@pytest.mark.parametrize(
    "fields", ["nonsense", "client{nonsense}", "client{id", "id,,etag", "client{company{id}}", "id{x}"]
)
def test_a_wrong_field_refuses_the_whole_request(clio, fields):
    answer = clio.ask("GET", "/matters", fields=fields)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "InvalidFields")


def test_fields_work_on_a_write(clio):
    data = {"type": "Matter", "subject": "s", "detail": "d", "matter": {"id": clio.matter("okafor-lease")}}
    answer = clio.ask("POST", "/notes", data, fields="subject,matter{display_number}")
    assert answer.json()["data"] == {"subject": "s", "matter": {"display_number": "00001-Okafor"}}


def test_a_path_needs_no_json_ending(clio):
    assert clio.http.get("/api/v4/users").status_code == 200


def test_an_unknown_parameter_changes_nothing(clio):
    assert len(clio.get("/matters", billed="true")) == 16


@pytest.mark.parametrize(
    ("path", "params", "count"),
    [
        ("/matters", {"status": "open"}, 14),
        ("/matters", {"status": "closed"}, 1),
        ("/activities", {"status": "unbilled", "matter": "okafor-lease"}, 3),
        ("/activities", {"status": "non_billable"}, 2),
        ("/bank_accounts", {"type": "TrustAccount"}, 1),
        ("/contacts", {"query": "brandt"}, 2),
        ("/custom_fields", {"parent_type": "matter"}, 2),
    ],
)
def test_a_filter_narrows_the_list(clio, path, params, count):
    if "matter" in params:
        params = {**params, "matter_id": clio.matter(params["matter"])}
    assert len(clio.get(path, **params)) == count


def test_updated_since_takes_the_moment_itself_in(clio):
    clio.sandbox.clock_advance(3600)
    contact = clio.names["contacts"]["maya"]
    clio.sandbox.act("edit_contact", id=contact, email="new@clients.test")
    moment = clio.sandbox.now().isoformat().replace("+00:00", "Z")
    assert [row["id"] for row in clio.get("/contacts", updated_since=moment)] == [contact]


def test_ids_take_at_most_two_hundred(clio):
    assert clio.ask("GET", "/bills", **{"ids[]": [str(n) for n in range(201)]}).status_code == 400


def test_pages_follow_one_another_without_a_gap(clio):
    seen, answer = [], clio.ask("GET", "/activities", limit=7, fields="id")
    while True:
        body = answer.json()
        seen += [row["id"] for row in body["data"]]
        if "next" not in body["meta"]["paging"]:
            break
        answer = clio.http.get(body["meta"]["paging"]["next"])
    assert len(seen) == len(set(seen)) == body["meta"]["records"]


def test_the_next_page_is_addressed_to_the_host_that_was_asked(clio):
    answer = clio.http.get("/api/v4/matters.json?limit=1", headers={"Host": "clio.firm.test:8443"})
    assert urlsplit(answer.json()["meta"]["paging"]["next"]).netloc == "clio.firm.test:8443"


def test_a_page_token_for_another_question_is_refused(clio):
    following = clio.ask("GET", "/matters", limit=1).json()["meta"]["paging"]["next"]
    assert clio.http.get(following.replace("limit=1", "limit=2")).status_code == 400


def test_offset_paging_ends_at_ten_thousand(clio):
    assert clio.ask("GET", "/matters", offset=9_900).status_code == 422


def test_a_row_that_appears_while_paging_is_not_missed(clio):
    first = clio.ask("GET", "/activities", limit=5, fields="id").json()
    added = clio.sandbox.act("log_time", matter_id=clio.matter("okafor-will"), quantity_seconds=600)
    rest, following = [], first["meta"]["paging"].get("next")
    while following:
        body = clio.http.get(following).json()
        rest += [row["id"] for row in body["data"]]
        following = body["meta"]["paging"].get("next")
    assert added["id"] in rest


def test_a_stale_etag_is_refused(clio):
    path = f"/matters/{clio.matter('okafor-lease')}"
    etag = clio.ask("GET", path).headers["etag"]
    clio.sandbox.act("set_custom_field", matter_id=clio.matter("okafor-lease"), name="Invoice Paid", value=True)
    answer = clio.http.patch(f"/api/v4{path}.json", json={"data": {"location": "x"}}, headers={"If-Match": etag})
    assert answer.status_code == 412


def test_the_version_held_already_is_not_sent_again(clio):
    path = f"/api/v4/matters/{clio.matter('okafor-lease')}.json"
    etag = clio.http.get(path).headers["etag"]
    assert clio.http.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_answers_name_the_version(clio):
    assert clio.http.get("/api/v4/users.json", headers={"X-API-VERSION": "4.0.13"}).headers["x-api-version"] == "4.0.13"


def test_a_redacted_contact_shows_only_that_it_exists(clio):
    shown = clio.get(f"/contacts/{clio.names['contacts']['hidden']}", "id,name,type,primary_email_address")
    assert shown == {"id": clio.names["contacts"]["hidden"], "name": "********", "type": "Person", "redacted": True}


def test_a_redacted_contact_cannot_be_written_to(clio):
    hidden = clio.names["contacts"]["hidden"]
    assert clio.ask("PATCH", f"/contacts/{hidden}", {"name": "x"}).status_code == 422


def test_a_redacted_contact_cannot_receive(clio):
    receiver = {"id": clio.names["contacts"]["hidden"], "type": "Contact"}
    data = {"subject": "s", "body": "b", "type": "EmailCommunication", "received_at": "2026-03-02T15:00:00Z"}
    assert clio.ask("POST", "/communications", {**data, "receivers": [receiver]}).status_code == 404


def test_hidden_hours_are_null_never_zero(clio):
    rows = clio.get("/activities", "quantity,quantity_redacted,total,price", matter_id=clio.matter("quinn-licence"))
    assert rows[0] == {"quantity": None, "quantity_redacted": True, "total": None, "price": 380.0}
    assert rows[1] == {"quantity": 5400.0, "quantity_redacted": False, "total": None, "price": None}


def test_hidden_hours_cannot_be_set(clio):
    hidden = clio.get("/activities", matter_id=clio.matter("quinn-licence"))[0]["id"]
    assert clio.ask("PATCH", f"/activities/{hidden}", {"quantity": 60}).status_code == 403


def test_bills_cannot_be_created(clio):
    assert clio.ask("POST", "/bills", {"matter": {"id": 1}}).status_code == 404


def test_billable_matters_add_up_to_their_unbilled_work(clio):
    rows = clio.get("/billable_matters", "id,unbilled_amount,amount_in_trust")
    tidewater = next(row for row in rows if row["id"] == clio.matter("tidewater-charter"))
    entries = clio.get("/activities", "total", status="unbilled", matter_id=tidewater["id"])
    assert tidewater["unbilled_amount"] == sum(entry["total"] for entry in entries) == 2275.25
    assert tidewater["amount_in_trust"] == 1200.0
