"""Every verb of `Clio` against the stand-in Clio; the sandbox's own record says what happened."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.clients.clio.auth import ReadyToken
from orchestrator.clients.clio.client import HEADERS, Clio
from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS
from orchestrator.clients.http import ApiClient
from orchestrator.clients.meaning import NotFound, Refused
from orchestrator.domain.accounts import AccountClass
from orchestrator.domain.bills import BillState
from orchestrator.domain.contacts import EmailProblem
from orchestrator.domain.links import LinkAsk
from orchestrator.domain.tasks import TaskAsk
from orchestrator.domain.topics import Urgency
from orchestrator.domain.webhooks import WebhookAsk
from orchestrator.errors import NeedsConnection, OutcomeUnknown, Rejected, Shut, Stale
from orchestrator.ports import PageLost, PracticeManagement
from orchestrator.sandbox import running_sandbox

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def changed(reads):
    return (row for page in reads.changed(LONG_AGO) for row in page.rows)


@pytest.fixture(scope="module")
def shared_sandbox():
    with running_sandbox("tiny") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox):
    shared_sandbox.reset("tiny")
    return shared_sandbox


def connected(sandbox, **options):
    calls = []
    api = ApiClient(
        sandbox.clio_base_url,
        provider="clio",
        credentials=ReadyToken(sandbox.access_token),
        headers=HEADERS,
        deadline_seconds=3,
        on_call=lambda *call: calls.append(call),
    )
    clio = Clio(api, **options)
    clio.calls = calls
    return closing_of(clio, api)


class closing_of(closing):  # noqa: N801
    """Hands out the Clio and closes the connections under it."""

    def __init__(self, clio, api):
        super().__init__(api)
        self.clio = clio

    def __enter__(self):
        return self.clio


@pytest.fixture
def clio(sandbox):
    with connected(sandbox) as clio:
        yield clio


@pytest.fixture
def matter(clio):
    return next(changed(clio.matters))


@pytest.fixture
def bill(sandbox, clio, matter):
    sandbox.act("generate_bill", matter_id=matter.id)
    draft = next(changed(clio.bills))
    sandbox.act("approve_bill", bill_id=draft.id)
    return clio.bill(draft.id)


@pytest.fixture
def account(clio):
    return next(one for one in clio.bank_accounts() if one.account_class is AccountClass.OPERATING)


@pytest.fixture
def ask(bill, account):
    return LinkAsk(
        bill.id, bill.open_cents, "USD", account.id, 86_400, "https://firm.test/thanks/OB-1", "bo@clients.test"
    )


def test_clio_is_the_practice_management_the_use_cases_ask_for(clio):
    port: PracticeManagement = clio
    assert port is clio


def test_the_connection_says_who_and_where_we_are(clio):
    connection = clio.connection()
    assert (connection.user_name, connection.account_name) == ("Ada Quill", "Solo Law")


def test_users_and_accounts_come_as_the_domain_knows_them(clio):
    assert [user.name for user in clio.users()] == ["Ada Quill"]
    assert {account.account_class for account in clio.bank_accounts()} == {AccountClass.OPERATING, AccountClass.TRUST}


def test_a_matter_comes_with_its_client(matter):
    assert matter.client.name == "Bo Ferris"
    assert (matter.client.email, matter.client.email_problem) == ("bo@clients.test", None)
    assert (matter.stage, matter.practice_area) == ("Active", "General Practice")


def test_time_comes_in_seconds_and_exact_cents(clio, matter):
    (entry,) = changed(clio.activities)
    assert (entry.quantity_seconds, entry.price_cents, entry.total_cents) == (7200, 30_000, 60_000)
    assert (entry.matter_id, entry.unbilled, entry.redacted) == (matter.id, True, False)


def test_a_bill_comes_with_what_decides_about_asking_for_it(bill, matter):
    assert (bill.state, bill.open_cents, bill.matter_ids) == (BillState.AWAITING_PAYMENT, 60_000, (matter.id,))
    assert bill.client.email == "bo@clients.test"


def test_records_are_read_two_hundred_to_a_call(clio, bill):
    clio.calls.clear()
    found = clio.bills.by_ids([bill.id, *range(10**9, 10**9 + 399), bill.id])
    assert [one.id for one in found] == [bill.id]
    assert clio.calls == [("GET", "/api/v4/bills.json", 200)] * 2


def test_nothing_is_asked_for_no_ids(clio):
    assert clio.bills.by_ids([]) == []
    assert clio.calls == []


def test_bills_are_found_by_state(clio, bill):
    assert [one.id for one in clio.bills_in_state(BillState.AWAITING_PAYMENT)] == [bill.id]
    assert list(clio.bills_in_state(BillState.PAID)) == []


def test_a_record_that_is_not_there_is_not_found(clio):
    with pytest.raises(NotFound):
        clio.bill(999)


def test_a_bill_is_moved_under_its_etag(sandbox, clio, matter):
    sandbox.act("generate_bill", matter_id=matter.id)
    (draft,) = clio.bills_in_state(BillState.DRAFT)
    moved = clio.move_bill(draft.id, draft.etag, BillState.AWAITING_APPROVAL)
    assert moved.state is BillState.AWAITING_APPROVAL
    with pytest.raises(Stale):
        clio.move_bill(draft.id, draft.etag, BillState.AWAITING_PAYMENT)


def test_F39_a_bill_that_changed_under_us_is_not_moved(sandbox, clio, matter):
    sandbox.act("generate_bill", matter_id=matter.id)
    (draft,) = clio.bills_in_state(BillState.DRAFT)
    sandbox.act("set_due", bill_id=draft.id, due_at="2031-01-01")
    with pytest.raises(Stale):
        clio.move_bill(draft.id, draft.etag, BillState.AWAITING_APPROVAL)
    assert clio.bill(draft.id).state is BillState.DRAFT


def test_a_link_is_made_read_and_expired(sandbox, clio, ask):
    link = clio.create_link(ask)
    assert (link.active, link.amount_cents, link.bill_id) == (True, 60_000, ask.bill_id)
    assert link.redirect_url == ask.return_url
    assert clio.link(link.id) == link
    assert [one.id for one in clio.active_links()] == [link.id]
    assert not clio.expire_link(link.id, link.etag).active
    assert list(clio.active_links()) == []
    assert [one.id for one in clio.links_created_since(link.created_at)] == [link.id]
    assert len(sandbox.effects("link.created")) == 1


def test_F12_a_link_that_changed_is_not_expired(sandbox, clio, ask):
    link = clio.create_link(ask)
    sandbox.act("pay_link", link_id=link.id)
    with pytest.raises(Stale):
        clio.expire_link(link.id, link.etag)


def test_F01_a_link_whose_answer_was_lost_is_unknown_and_found_again_by_our_key(sandbox, clio, ask):
    sandbox.fault("POST /clio_payments/links", "lose_answer")
    with pytest.raises(OutcomeUnknown):
        clio.create_link(ask)
    (found,) = clio.links_created_since(sandbox.now() - timedelta(minutes=5))
    assert found.redirect_url == ask.return_url
    assert len(sandbox.effects("link.created")) == 1


def test_F35_a_refused_link_says_so_with_its_status(clio, ask):
    with pytest.raises(Refused) as error:
        clio.create_link(replace(ask, duration_seconds=10**9))
    assert error.value.status == 422


def wanting_a_description(sandbox, times=1):
    body = {"error": {"type": "ArgumentError", "message": "Description can't be blank"}}
    sandbox.fault("POST /clio_payments/links", "status", code=422, body=body, times=times)


def test_a_description_is_added_only_after_clio_asked_for_it_and_from_then_on(sandbox, clio, ask):
    wanting_a_description(sandbox)
    assert clio.create_link(ask).active
    clio.calls.clear()
    sandbox.fault("POST /clio_payments/links", "status", code=503)
    with pytest.raises(OutcomeUnknown):
        clio.at(Urgency.MONEY).create_link(ask)
    assert len(clio.calls) == 1


def test_a_description_is_not_added_where_the_firm_switched_that_off(sandbox, ask):
    with connected(sandbox, describe_links=False) as clio:
        wanting_a_description(sandbox)
        with pytest.raises(Refused):
            clio.create_link(ask)
        assert len(clio.calls) == 1


def test_a_description_is_asked_for_no_more_than_once_a_link(sandbox, clio, ask):
    wanting_a_description(sandbox, times=None)
    with pytest.raises(Refused):
        clio.create_link(ask)
    assert len(sandbox.effects("link.created")) == 0


def test_the_return_address_can_be_left_out(sandbox, ask):
    with connected(sandbox, return_urls=False) as clio:
        assert clio.create_link(ask).redirect_url is None


def test_a_payment_is_read_with_its_link_bill_and_account(sandbox, clio, ask, matter):
    link = clio.create_link(ask)
    sandbox.act("pay_link", link_id=link.id)
    (payment,) = clio.payments_of_bill(ask.bill_id)
    assert clio.payments([payment.id]) == [payment]
    assert (payment.link_id, payment.bill_ids, payment.amount_cents) == (link.id, (ask.bill_id,), 60_000)
    assert payment.account_id == ask.account_id
    assert clio.link(link.id).payment_id == payment.id


def test_allocations_of_a_bill_name_the_bill(sandbox, clio, bill):
    sandbox.act("record_payment", bill_id=bill.id, amount="100.10")
    (allocation,) = clio.allocations_of_bill(bill.id)
    assert (allocation.bill_id, allocation.amount_cents, allocation.voided_at) == (bill.id, 10_010, None)


def test_a_task_is_found_again_by_the_key_in_its_name(sandbox, clio, matter):
    (user,) = clio.users()
    wanted = TaskAsk(
        "Make the bill OB-AAAABBBBCCCC", "Please.", user.id, matter.id, date(2031, 5, 4), high_priority=True
    )
    made = clio.create_task(wanted)
    clio.create_task(replace(wanted, name="Another one", description="Not OB-AAAABBBBCCCC"))
    (found,) = clio.tasks_named("OB-AAAABBBBCCCC", matter.id)
    assert (found.id, found.complete, found.assignee_id, found.matter_id) == (made, False, user.id, matter.id)
    assert [task.id for task in clio.tasks_named("OB-AAAABBBBCCCC", None)] == [made]
    sandbox.act("complete_task", id=made)
    (done,) = clio.tasks.by_ids([made])
    assert done.complete


def test_a_note_is_found_again_by_its_key(clio, matter):
    made = clio.create_note(matter.id, "Invoice sent", "Key OB-DDDD", date(2031, 5, 4))
    clio.create_note(matter.id, "Other", "Other", date(2031, 5, 4))
    assert clio.notes_about("OB-DDDD", matter.id) == [made]


def test_a_sent_message_is_found_again_by_its_key(clio, matter):
    (user,) = clio.users()
    facts = {"subject": "Invoice 7", "body": "Dear Bo", "matter_id": matter.id, "receiver_id": matter.client.id}
    made = clio.log_email(**facts, sender_id=user.id, received_at=LONG_AGO, key="k-1")
    clio.log_email(**facts, sender_id=user.id, received_at=LONG_AGO, key="k-10")
    assert clio.communications_keyed("k-1") == [made]
    assert clio.communications_keyed("k-2") == []


def test_a_custom_field_is_set_and_changed(clio, matter):
    assert clio.matter_field(matter.id, "Billing Date") is None
    for value in ("2031-05-04", "2031-06-04"):
        clio.set_matter_field(matter.id, "Billing Date", value)
        assert clio.matter_field(matter.id, "Billing Date") == value
    (again,) = clio.matters.by_ids([matter.id])
    assert again.custom_fields == {"Billing Date": "2031-06-04"}


def test_a_custom_field_that_is_right_already_is_not_written(clio, matter):
    clio.set_matter_field(matter.id, "Billing Date", "2031-05-04")
    clio.calls.clear()
    clio.set_matter_field(matter.id, "Billing Date", "2031-05-04")
    assert clio.calls == [("GET", f"/api/v4/matters/{matter.id}.json", 200)]


def test_a_custom_field_that_clio_does_not_have_is_rejected_without_asking_each_time(clio, matter):
    for _ in range(3):
        with pytest.raises(Rejected) as error:
            clio.matter_field(matter.id, "No Such Field")
        assert error.value.reason == "custom_field_missing"
    assert [path for _, path, _ in clio.calls].count("/api/v4/custom_fields.json") == 1


def test_every_subscription_is_accepted_renewed_and_removed(sandbox, clio):
    expires = sandbox.now() + timedelta(days=10)
    for row in SUBSCRIPTIONS:
        ask = WebhookAsk("https://firm.test/webhooks/x", row.model, row.events, row.fields, expires)
        made = clio.create_webhook(ask)
        assert (made.model, made.events, made.fields, made.status) == (
            row.model,
            set(row.events),
            row.fields,
            "pending",
        )
        assert made.shared_secret
        renewed = clio.renew_webhook(made.id, made.etag, expires + timedelta(days=10))
        assert renewed.expires_at > made.expires_at
    assert len(clio.webhooks()) == len(SUBSCRIPTIONS)
    for webhook in clio.webhooks():
        clio.delete_webhook(webhook.id)
    assert clio.webhooks() == []


def test_F41_nothing_is_sent_to_a_hidden_or_broken_address(sandbox, clio, matter):
    seen = {}
    for email, problem in (("", EmailProblem.BLANK), ("bo at clients", EmailProblem.INVALID)):
        sandbox.act("edit_contact", id=matter.client.id, email=email)
        (again,) = clio.matters.by_ids([matter.id])
        seen[problem] = (again.client.email, again.client.email_problem)
    sandbox.act("edit_contact", id=matter.client.id, email="bo@clients.test", redacted=True)
    (again,) = clio.matters.by_ids([matter.id])
    seen[EmailProblem.REDACTED] = (again.client.email, again.client.email_problem)
    assert seen == {problem: (None, problem) for problem in EmailProblem}


def test_F47_an_expired_token_on_a_post_is_not_unknown(sandbox, clio, ask):
    sandbox.fault("POST /clio_payments/links", "revoke_token")
    with pytest.raises(NeedsConnection):
        clio.create_link(ask)
    assert sandbox.effects("link.created") == []


def test_F37_a_next_page_at_another_host_is_refused(sandbox, clio):
    sandbox.fault("GET /bills", "paging_foreign_host")
    with pytest.raises(Rejected, match="elsewhere"):
        list(changed(clio.bills))


def test_F37_a_list_in_circles_is_noticed(sandbox, clio):
    sandbox.fault("GET /matters", "paging_loop", times=None)
    with pytest.raises(PageLost):
        list(changed(clio.matters))
    assert len(clio.calls) <= 3


def test_F40_an_empty_list_for_a_known_id_is_just_empty(sandbox, clio, bill):
    sandbox.fault("GET /bills", "empty_data")
    assert clio.bills.by_ids([bill.id]) == []
    assert [one.id for one in clio.bills.by_ids([bill.id])] == [bill.id]


def test_F46_a_missing_permission_waits_for_a_person(sandbox, clio):
    sandbox.fault("GET /bills", "status", code=403)
    with pytest.raises(Shut) as error:
        list(clio.bills_in_state(BillState.PAID))
    assert error.value.notice == "clio_forbidden"


def test_a_long_list_comes_whole_and_once(sandbox, clio, matter):
    for number in range(205):
        clio.create_note(matter.id, f"N{number}", "OB-PAGES", date(2031, 5, 4))
    clio.calls.clear()
    found = clio.notes_about("OB-PAGES", matter.id)
    assert len(found) == len(set(found)) == 205
    assert len(clio.calls) == 2


def test_a_view_at_another_urgency_shares_what_was_found_out(clio, matter):
    clio.matter_field(matter.id, "Billing Date")
    clio.calls.clear()
    clio.at(Urgency.INTERACTIVE).matter_field(matter.id, "Billing Date")
    assert len(clio.calls) == 1
