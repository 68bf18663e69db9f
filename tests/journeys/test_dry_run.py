"""A dry run of the whole worker: reads the live Clio, decides everything, records what it would have done, sends nothing."""

from datetime import UTC, date, datetime, timedelta
from inspect import getmembers

import pytest

from orchestrator.bootstrap import begin
from orchestrator.domain.bills import BillState
from orchestrator.domain.evergreen import TrustAsk
from orchestrator.domain.links import LinkAsk
from orchestrator.domain.tasks import TaskAsk
from orchestrator.domain.topics import Urgency
from orchestrator.domain.trust import LineAsk
from orchestrator.domain.webhooks import WebhookAsk
from orchestrator.engine.points import Point
from orchestrator.ports import PracticeManagement
from orchestrator.settings import Misconfigured
from orchestrator.usecases.show_status import show_status
from orchestrator.usecases.show_would import show_would
from tests.firm import Died, dying_at, open_firm

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def dry(sandbox, database_url):
    """The tiny firm as a dry run; whatever a test does, nothing may have left in the end."""
    sandbox.clear_effects()
    with open_firm(sandbox, database_url, environment={"dry_run": True}) as firm:
        begin(firm.rt)
        firm.work()
        yield firm
    nothing_left(sandbox)


def nothing_left(sandbox):
    """The sandbox's own record: only GETs, and an empty mailbox."""
    calls = sandbox.counts()["calls"]
    assert calls
    assert [call for call in calls if not call.startswith("GET ")] == []
    assert sandbox.mail() == []
    assert [effect for effect in sandbox.effects("link.created") if effect["by"] == "app"] == []


def would(firm):
    return [act["verb"] for act in reversed(show_would(firm.rt, limit=100)["acts"])]


def words(firm):
    return [act["would"] for act in reversed(show_would(firm.rt, limit=100)["acts"])]


def test_a_dry_run_follows_the_whole_chain_and_sends_nothing(dry):
    dry.log_time(dollars=600)
    dry.later(minutes=16)
    dry.later(hours=1)
    assert would(dry) == ["create_task"]
    bill = dry.sandbox.act("generate_bill", matter_id=dry.matter())
    dry.sandbox.act("approve_bill", id=bill["id"])
    dry.later(minutes=16)
    dry.later(minutes=2)
    assert set(would(dry)[1:]) == {"create_note", "create_link", "send_message", "log_email"}
    assert len(would(dry)) == 5
    dry.sandbox.act("record_payment", id=bill["id"])
    dry.later(minutes=16)
    dry.later(hours=1)
    assert sorted(would(dry)[5:]) == ["expire_link", "set_matter_field"]
    said = words(dry)
    assert f"make a payment link of 1,200.00 USD for bill {bill['number']} (Bo Ferris)" in said
    assert any(line.startswith("send “") and line.endswith("to bo@clients.test") for line in said)
    dry.later(days=1)
    assert len(would(dry)) == 7
    assert dry.exceptions() == {}
    with dry.rt.read() as work:
        assert [row["state"] for row in work.links.of_bill(bill["id"])] == ["expired"]
        assert work.messages.counts() == {"sent": 1}
    dry.check()


def test_a_dry_run_moves_bills_in_its_imagination_and_asks_for_their_money(sandbox, database_url):
    sandbox.clear_effects()
    switched_on = {"dry_run": True, "billing": {"submit_drafts": True, "issue_approved": True}}
    with open_firm(sandbox, database_url, environment=switched_on) as firm:
        begin(firm.rt)
        firm.work()
        firm.log_time(dollars=600)
        firm.later(minutes=16)
        firm.later(hours=1)
        firm.sandbox.act("generate_bill", matter_id=firm.matter())
        for _ in range(4):
            firm.later(minutes=16)
        assert would(firm).count("move_bill") == 2
        assert {"create_link", "send_message"} <= set(would(firm))
        assert len(would(firm)) == len({str(word) for word in words(firm)})
    nothing_left(sandbox)


def test_a_dry_run_that_dies_after_an_imagined_write_finds_it_again(sandbox, database_url):
    sandbox.clear_effects()
    passing = dying_at(Point.EFFECT_ANSWERED)
    with open_firm(sandbox, database_url, environment={"dry_run": True}, passing=passing) as firm:
        begin(firm.rt)
        firm.issued_bill()
        with pytest.raises(Died):
            firm.work()
    with open_firm(sandbox, database_url, environment={"dry_run": True}) as firm:
        begin(firm.rt)
        for _ in range(3):
            firm.rest_pauses()
            firm.later(minutes=2)
        assert would(firm).count("create_link") == would(firm).count("send_message") == 1
        firm.check()
    nothing_left(sandbox)


def test_a_dry_run_registers_no_webhook_and_is_ready_without(dry):
    dry.later(hours=7)
    assert dry.jobs("webhook.create") == []
    assert show_status(dry.rt)["dry_run"] is True


# ── it cannot leak ──

BILL, MATTER = 1, 2


def asks(practice, bill_id, matter_id):
    """Every verb that writes, and one call of it."""
    link = LinkAsk(bill_id, 100, "USD", 1, 86_400, "https://us.test/thanks/k", None)
    task = TaskAsk("Look [k]", "Please.", 1, matter_id, date(2026, 3, 9))
    hook = WebhookAsk("https://us.test/webhooks/clio/t", "bill", ("created",), "id", MONDAY + timedelta(days=30))
    line = LineAsk(
        account_id=1, amount_cents=100, currency="USD", on=date(2026, 3, 2), client_id=None, matter_id=matter_id,
        confirmation="", description="[k]",
    )  # fmt: skip
    return {
        "enter_line": lambda: practice.enter_line(line),
        "create_link": lambda: practice.create_link(link),
        "expire_link": lambda: practice.expire_link(practice.create_link(link).id, "imagined"),
        "move_bill": lambda: practice.move_bill(bill_id, practice.bill(bill_id).etag, BillState.VOID),
        "create_trust_request": lambda: practice.create_trust_request(
            TrustAsk(1, matter_id, 10_000, date(2026, 3, 2), date(2026, 3, 16), "[k]")
        ),
        "create_task": lambda: practice.create_task(task),
        "create_note": lambda: practice.create_note(matter_id, "s [k]", "d", date(2026, 3, 2)),
        "log_email": lambda: practice.log_email(
            subject="s", body="b", matter_id=matter_id, receiver_id=1, sender_id=1, received_at=MONDAY, key="k"
        ),
        "set_matter_field": lambda: practice.set_matter_field(matter_id, "Invoice Paid", "true"),
        "create_webhook": lambda: practice.create_webhook(hook),
        "renew_webhook": lambda: practice.renew_webhook(
            dry_hook(practice), practice.webhooks()[0].etag, MONDAY + timedelta(days=30)
        ),
        "delete_webhook": lambda: practice.delete_webhook(1),
        "create_custom_action": lambda: practice.create_custom_action(
            label="Approve", target_url="https://us.test/approve/k", place="matters/show"
        ),
        "move_custom_action": lambda: practice.move_custom_action(
            practice.custom_actions()[0].id, practice.custom_actions()[0].etag, "https://us.test/approve/k"
        ),
        "delete_custom_action": lambda: practice.delete_custom_action(1),
    }  # fmt: skip


CHANGES = {"renew_webhook", "move_custom_action"}
"""There is none to change, since none was ever made."""


def dry_hook(practice):
    return practice.webhooks()[0].id


READS = {
    "ledger", "ledger_of", "contacts", "credits", "client_balances", "lines_described",
    "activities", "bills", "matters", "tasks", "links", "connection", "users", "bank_accounts", "bills_in_state", "payments",
    "payments_of_bill", "allocations_of_bill", "links_created_since", "active_links", "link", "bill", "tasks_named",
    "notes_about", "communications_keyed", "matter_field", "matter_fields", "contact_fields", "webhooks",
    "custom_actions", "trust_lines",
}  # fmt: skip


def test_no_verb_of_the_port_that_writes_reaches_clio(dry):
    bill = dry.issued_bill()
    practice = dry.rt.practice(Urgency.MONEY)
    writes = asks(practice, bill["id"], dry.matter())
    verbs = {name for name, _ in getmembers(PracticeManagement) if not name.startswith("_")}
    assert verbs - READS == set(writes)
    for verb, write in writes.items():
        if verb not in CHANGES:
            write()
    made = {act["verb"] for act in show_would(dry.rt, limit=100)["acts"]}
    assert made == set(writes) - CHANGES
    nothing_left(dry.sandbox)


def test_what_was_imagined_is_found_again_by_every_search(dry):
    bill = dry.issued_bill()
    practice, matter = dry.rt.practice(Urgency.MONEY), dry.matter()
    made = {verb: write() for verb, write in asks(practice, bill["id"], matter).items() if verb not in CHANGES}
    assert made["create_link"].id in [link.id for link in practice.links_created_since(MONDAY)]
    assert practice.links.by_ids([made["create_link"].id]) == [made["create_link"]]
    assert made["expire_link"].active is False
    assert made["expire_link"].id not in [link.id for link in practice.active_links()]
    assert practice.bill(bill["id"]).state is BillState.VOID
    assert [task.id for task in practice.tasks_named("[k]", matter)] == [made["create_task"]]
    assert [line.note for line in practice.trust_lines(matter, MONDAY)] == ["[k]"]
    assert practice.lines_described("[k]", 1) == [made["enter_line"]]
    ids = [
        one if isinstance(one, int) else one.id for verb, one in made.items() if verb.startswith(("create", "enter"))
    ]
    assert all(ident < 0 for ident in ids), "below zero, as Clio's never are"
    assert practice.notes_about("[k]", matter) == [made["create_note"]]
    assert practice.communications_keyed("k") == [made["log_email"]]
    assert practice.matter_field(matter, "Invoice Paid") == "true"


# ── a database of its own ──


def test_a_database_begun_as_a_dry_run_is_refused_by_a_live_worker(dry, database_url):
    with open_firm(dry.sandbox, database_url) as live, pytest.raises(Misconfigured, match="begun as a dry run"):
        begin(live.rt)


def test_a_live_database_is_refused_by_a_dry_run(sandbox, database_url):
    with open_firm(sandbox, database_url) as live:
        begin(live.rt)
    with (
        open_firm(sandbox, database_url, environment={"dry_run": True}) as dry,
        pytest.raises(Misconfigured, match="a live worker's"),
    ):
        begin(dry.rt)


def test_a_database_that_worked_before_there_were_dry_runs_is_live(firm, database_url):
    with (
        open_firm(firm.sandbox, database_url, environment={"dry_run": True}) as dry,
        pytest.raises(Misconfigured, match="a live worker's"),
    ):
        begin(dry.rt)
