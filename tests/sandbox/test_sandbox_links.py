"""Payment links: what is refused, how they end, and both quotas."""

import pytest

BAD = {
    "another currency": {"currency": "CAD"},
    "longer than 90 days": {"duration": 7_776_001},
    "no time at all": {"duration": 0},
    "an amount of zero": {"amount": 0},
    "more than is open": {"amount": 1404.01},
    "a wrong address": {"email_address": "nobody"},
    "a redirect that is no address": {"redirect_url": "javascript:alert(1)"},
    "no account": {"destination_account": None},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_a_link_is_refused_for(clio, changes):
    assert clio.link(clio.issued_bill(), **changes).status_code == 422
    assert clio.sandbox.effects("link.created") == []


@pytest.mark.parametrize("account", ["petty", "trust"])
def test_a_link_needs_a_connected_operating_account(clio, account):
    assert clio.link(clio.issued_bill(), destination_account={"id": clio.account(account)}).status_code == 422


def test_a_trust_request_is_paid_into_trust(clio):
    bill = clio.sandbox.act("request_trust", matter_id=clio.matter("okafor-lease"), amount="500.00")
    assert clio.link(bill).status_code == 422
    assert clio.link(bill, destination_account={"id": clio.account("trust")}).status_code == 201


def test_a_draft_takes_no_link(clio):
    assert clio.link(clio.sandbox.act("generate_bill", matter_id=clio.matter("okafor-lease"))).status_code == 422


def test_a_link_remembers_where_to_send_the_payer(clio):
    link = clio.link(clio.issued_bill(), redirect_url="https://firm.example/paid?k=1").json()["data"]
    shown = clio.get(f"/clio_payments/links/{link['id']}", "redirect_url,active,bill{number}")
    assert shown == {"redirect_url": "https://firm.example/paid?k=1", "active": True, "bill": {"number": "1001"}}


def test_a_description_can_be_demanded(enter, tiny):
    clio = enter({**tiny, "account": {"description_required": True}})
    bill = clio.issued_bill("ferris")
    refused = clio.link(bill)
    assert (refused.status_code, "description" in refused.json()["error"]["message"]) == (422, True)
    assert clio.link(bill, description="Invoice").status_code == 201


def test_an_expired_link_stays_expired(clio):
    link = clio.link(clio.issued_bill()).json()["data"]
    path = f"/clio_payments/links/{link['id']}"
    assert clio.ask("PATCH", path, {"expired": True}, fields="active").json()["data"] == {"active": False}
    assert clio.ask("PATCH", path, {"expired": True}, fields="active").status_code == 200
    assert clio.ask("PATCH", path, {"expired": False}).status_code == 422
    assert len(clio.sandbox.effects("link.expired")) == 1


def test_a_link_expires_by_itself(clio):
    clio.link(clio.issued_bill(), duration=3600)
    clio.sandbox.clock_advance(3600)
    assert clio.get("/clio_payments/links", active="true") == []
    assert clio.sandbox.effects("link.expired")[0]["at"] == "2026-03-02T16:00:00Z"


def test_a_link_is_used_once(clio):
    link = clio.link(clio.issued_bill()).json()["data"]
    clio.sandbox.act("pay_link", link_id=link["id"])
    with pytest.raises(Exception, match="already been used"):
        clio.sandbox.act("pay_link", link_id=link["id"])


def test_expiring_a_link_that_was_just_paid_meets_a_newer_etag(clio):
    link = clio.link(clio.issued_bill()).json()["data"]
    clio.sandbox.act("pay_link", link_id=link["id"])
    path = f"/api/v4/clio_payments/links/{link['id']}.json"
    assert (
        clio.http.patch(path, json={"data": {"expired": True}}, headers={"If-Match": link["etag"]}).status_code == 412
    )


def test_a_stranger_s_link_is_not_shown(clio):
    bill = clio.issued_bill()
    hidden = clio.sandbox.act("create_link_by_hand", bill_id=bill["id"], by="stranger")
    shown = clio.sandbox.act("create_link_by_hand", bill_id=bill["id"])
    assert [row["id"] for row in clio.get("/clio_payments/links")] == [shown["id"]]
    clio.sandbox.act("pay_link", url=hidden["url"])
    assert clio.get("/clio_payments/payments") == []


def quota(clio, per_user=2):
    bills = clio.sandbox.act("bulk", bills=per_user + 1)["bill_ids"]
    return [clio.link({"id": bill, "balance": 250.0}) for bill in bills]


def test_the_active_quota_ends_in_a_422(enter, tiny):
    clio = enter({**tiny, "account": {"links_per_user": 2}})
    answers = quota(clio)
    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert clio.sandbox.oracle()["quota_breaches"] == 1
    assert clio.sandbox.counts()["peak_active_links"] == 2


def test_the_daily_quota_counts_expired_links_too(enter, tiny):
    clio = enter({**tiny, "account": {"links_per_user": 2}})
    answers = quota(clio, 1)
    for answer in answers:
        clio.ask("PATCH", f"/clio_payments/links/{answer.json()['data']['id']}", {"expired": True})
    assert quota(clio, 0)[0].status_code == 422
    clio.sandbox.clock_advance(86_401)
    assert quota(clio, 0)[0].status_code == 201
