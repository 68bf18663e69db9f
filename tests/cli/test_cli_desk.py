"""What a billing administrator does at the desk: budget, links, payments, jobs and exceptions."""

import pytest

from orchestrator.engine.points import Point
from orchestrator.engine.run import run
from tests.cli.conftest import Cli, environment
from tests.cli.test_cli_reads import promised
from tests.firm import Died, dying_at, open_firm
from workflows.book import BOOK


@pytest.fixture
def desk(sandbox, database_url):
    """A firm of its own and its command line."""
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        yield firm, Cli(environment(sandbox, database_url))


def audit(firm, kind, ident):
    with firm.rt.read() as work:
        return [(line["actor"], line["action"]) for line in work.audit.about(kind, ident)]


def said(done, code=0):
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


# ── links ──


def test_the_budget_says_who_uses_what_and_when_the_next_one_waits_no_longer(desk):
    firm, cli = desk
    other = firm.issued_bill(dollars=50)
    for _ in range(47):
        firm.sandbox.act("create_link_by_hand", bill_id=other["id"])
    firm.sandbox.act("record_payment", bill_id=other["id"])
    firm.later(hours=12)
    for dollars in (300, 200, 100, 400, 500):
        firm.issued_bill(dollars=dollars)
    firm.later(minutes=16)
    found = cli.json("links", "budget")
    assert set(found) == {
        "users", "limit", "active", "created", "reserved", "counted_at", "shut_until", "next_frees_at", "next_new_link_at", "forecast", "waiting",
    }  # fmt: skip
    assert (found["users"], found["limit"]) == (1, 50)
    assert found["created"] == {"ours": 3, "others": 47, "free": 0}
    assert [link["amount_cents"] for link in found["waiting"]] == [20_000, 10_000]
    assert all(link["at_the_latest"] >= found["next_frees_at"] for link in found["waiting"])
    words = said(cli("links", "budget"))
    assert "1 users: 50 links active" in words
    assert "200.00" in words


def test_a_live_link_is_expired_on_a_person_s_word_and_not_remade(desk):
    firm, cli = desk
    bill = firm.mailed_bill()
    [link] = cli.json("links", "list")["links"]
    assert said(cli("links", "expire", link["id"], "--dry-run")).startswith(
        f"Would expire link {link['id']} of bill 1001 (600.00 USD)"
    )
    assert firm.jobs("link.expire") == []
    assert "expires link" in said(cli("links", "expire", link["id"], "--by", "Ada"))
    firm.work()
    assert [effect["id"] for effect in firm.effects("link.expired")] == [link["clio_id"]]
    assert audit(firm, "link", link["id"])[-2:] == [("Ada", "link.expiry_asked"), ("worker", "link.expired")]
    firm.later(days=1)
    assert len(firm.links()) == len(firm.mails()) == 1
    with firm.rt.read() as work:
        [row] = work.links.of_bill(bill["id"])
    assert (row["state"], row["reason"]) == ("expired", "link_expired_by_hand")
    again = said(cli("links", "expire", link["id"]), 1)
    assert again == f"Link {link['id']} cannot be expired: it is expired already.\n"
    firm.check()


def test_F12_a_link_paid_just_before_a_person_expired_it_is_honoured(desk):
    firm, cli = desk
    firm.mailed_bill()
    [link] = cli.json("links", "list")["links"]
    firm.sandbox.act("pay_link", link_id=link["clio_id"], settle_after_seconds=0)
    said(cli("links", "expire", link["id"], "--by", "Ada"))
    firm.work()
    firm.later(minutes=16)
    assert firm.effects("link.expired") == []
    assert [shown["state"] for shown in cli.json("links", "list")["links"]] == ["used"]
    firm.check()


# ── payments ──


def test_a_payment_shows_what_it_paid_and_what_took_it_back(desk):
    firm, cli = desk
    bill = firm.mailed_bill()
    payment = firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    firm.later(minutes=16)
    [listed] = cli.json("payments", "list")
    assert set(listed) == promised(cli, ("payments", "list"))
    assert (listed["bill_numbers"], listed["booked_cents"], listed["reversed_cents"]) == ([bill["number"]], 60_000, 0)
    firm.sandbox.act("refund_payment", id=payment["id"], amount="100.01")
    firm.later(minutes=16)
    found = cli.json("payments", "show", payment["id"])
    assert set(found) == promised(cli, ("payments", "show"))
    assert found["allocations"] == [{"bill_id": bill["id"], "bill_number": bill["number"], "amount_cents": 49_999}]
    [back] = found["reversed_by"]
    assert (back["event"], back["amount_cents"]) == ("payment_reversed", 10_001)
    assert found["link"]["state"] == "used"
    words = said(cli("payments", "show", payment["id"]))
    assert "What took it back" in words
    assert "100.01" in words
    assert said(cli("payments", "list", "--state", "failed")) == "Payments: None.\n"


# ── jobs ──


def in_doubt(firm, cli):
    firm.sandbox.fault("smtp", "drop_after_data")
    bill = firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=5)
    [job] = cli.json("jobs", "list", "--state", "parked")
    return bill, job


def test_F75_a_message_that_did_arrive_counts_as_sent_on_a_person_s_word(desk):
    firm, cli = desk
    bill, job = in_doubt(firm, cli)
    [mail] = firm.mails()
    dry = said(cli("jobs", "settle", job["id"], "--dry-run"))
    assert (
        dry == f"Job {job['id']} would be done: message {mail['message_id']} counts as sent, and is logged in Clio.\n"
    )
    assert cli.json("jobs", "show", job["id"])["state"] == "parked"
    said(cli("jobs", "settle", job["id"], "--by", "Ada"))
    assert cli.json("jobs", "show", job["id"])["state"] == "done"
    assert cli.json("exceptions", "list") == []
    firm.work()
    assert len(firm.mails()) == 1
    assert len(firm.effects("communication.created")) == 1
    with firm.rt.read() as work:
        [message] = work.messages.of_bill(bill["id"])
    assert (message["state"], message["message_id"]) == ("sent", mail["message_id"])
    assert message["sent_at"] < firm.rt.clock()
    assert ("Ada", "job.settled") in audit(firm, "job", job["id"])
    assert ("Ada", "message.sent") in audit(firm, "bill", bill["id"])
    assert said(cli("jobs", "settle", job["id"]), 1) == f"Job {job['id']} is done and nothing about it is in doubt.\n"
    firm.later(days=1)
    assert len(firm.mails()) == 1
    firm.check()


def test_what_can_be_searched_for_is_not_settled_by_anybody_s_word(desk):
    firm, cli = desk
    firm.issued_bill()
    firm.later(minutes=16)
    job = firm.jobs("link.create")[0]["id"]
    assert "can find out by itself" in said(cli("jobs", "settle", job), 1)


def test_a_dry_retry_says_what_the_job_would_do_and_leaves_it_parked(desk):
    firm, cli = desk
    _, job = in_doubt(firm, cli)
    assert "it searches for what it may have done" in said(cli("jobs", "retry", job["id"], "--dry-run"))
    assert "and sends once more" in said(cli("jobs", "retry", job["id"], "--resend", "--dry-run"))
    assert cli.json("jobs", "show", job["id"])["state"] == "parked"
    assert len(cli.json("exceptions", "list")) == 1


def test_a_ready_job_is_parked_with_its_reason_and_given_back(desk):
    firm, cli = desk
    firm.later(seconds=20)
    firm.issued_bill()
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "now", kind="bill")
    firm.work()
    [job] = firm.jobs("message.send", "ready")
    assert "would be parked" in said(cli("jobs", "park", job["id"], "--reason", "wrong letter", "--dry-run"))
    said(cli("jobs", "park", job["id"], "--reason", "wrong letter", "--by", "Ada"))
    firm.later(minutes=5)
    assert firm.mails() == []
    [listed] = cli.json("exceptions", "list")
    assert (listed["kind"], listed["job_id"], listed["summary"]) == (
        "parked_by_hand",
        job["id"],
        "message.send: wrong letter",
    )
    assert audit(firm, "job", job["id"]) == [("Ada", "job.parked")]
    firm.check()
    said(cli("jobs", "retry", job["id"], "--by", "Ada"))
    firm.work()
    assert len(firm.mails()) == 1
    assert cli.json("exceptions", "list") == []
    firm.check()


def test_a_job_in_a_worker_s_hands_is_left_there(desk):
    firm, cli = desk
    with firm.rt.uow() as work:
        work.jobs.add("note.create", "x", matter_id=firm.matter(), bill_id=1, subject="s", detail="d", note_key="k")
        row = work.jobs.keyed("note.create", "x")
        work.jobs.claim(row["id"], holder="somebody", lease_seconds=30)
    assert "in a worker's hands" in said(cli("jobs", "park", row["id"], "--reason", "look"), 1)
    assert cli.json("jobs", "show", row["id"])["state"] == "claimed"


def test_F11_a_job_parked_after_its_worker_froze_is_not_recorded_by_that_worker(sandbox, database_url):
    with open_firm(sandbox, database_url, passing=dying_at(Point.EFFECT_ANSWERED)) as firm:
        firm.issued_bill()
        with pytest.raises(Died):
            firm.work()
    cli = Cli(environment(sandbox, database_url))
    with open_firm(sandbox, database_url) as firm:
        [job] = firm.jobs("note.create", "sent") or firm.jobs("link.create", "sent")
        firm.rest_pauses()
        said(cli("jobs", "park", job["id"], "--reason", "look", "--by", "Ada"))
        parked = cli.json("jobs", "show", job["id"])
        assert (parked["state"], parked["fence"]) == ("parked", job["fence"] + 1)
        assert run(firm.rt, BOOK, job["id"]) is False
        said(cli("jobs", "retry", job["id"]))
        for _ in range(3):
            firm.later(minutes=2)
        assert cli.json("jobs", "show", job["id"])["state"] == "done"
        firm.check()


def test_what_everybody_waits_for_is_not_parked(desk):
    firm, cli = desk
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "later", kind="bill", at=work.now.replace(year=2030))
        job = work.jobs.keyed("sweep", "later")["id"]
    assert "it would stop more than itself" in said(cli("jobs", "park", job, "--reason", "look"), 1)


# ── exceptions ──


def test_an_exception_is_given_to_somebody_and_found_by_them(desk):
    firm, cli = desk
    in_doubt(firm, cli)
    [found] = cli.json("exceptions", "list")
    ident = found["id"]
    assert found["owner"] is None
    assert (
        said(cli("exceptions", "assign", ident, "--to", "Nora", "--dry-run"))
        == f"Exception {ident} would be with Nora.\n"
    )
    assert cli.json("exceptions", "list", "--owner", "Nora") == []
    said(cli("exceptions", "assign", ident, "--to", "Nora", "--by", "Ada"))
    assert [row["id"] for row in cli.json("exceptions", "list", "--owner", "Nora")] == [ident]
    assert cli.json("exceptions", "list", "--unassigned") == []
    assert cli.json("exceptions", "list", "--older-than", 1) == []
    firm.sandbox.clock_advance(86_400)
    assert len(cli.json("exceptions", "list", "--older-than", 1)) == 1
    back = said(cli("exceptions", "assign", ident, "--nobody", "--by", "Ada"))
    assert back == f"Exception {ident} is with nobody (it was with Nora).\n"
    assert audit(firm, "exception", ident) == [("Ada", "exception.assigned")] * 2


def test_a_dry_resolve_leaves_the_exception_open(desk):
    firm, cli = desk
    bill = firm.mailed_bill()
    firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    firm.later(minutes=16)
    [payment] = cli.json("payments", "list")
    firm.sandbox.act("refund_payment", id=payment["id"])
    firm.later(minutes=16)
    [found] = cli.json("exceptions", "list")
    dry = said(cli("exceptions", "resolve", found["id"], "--by", "Ada", "--dry-run"))
    assert dry == f"Would settle exception {found['id']}; bill {bill['id']} would be looked at anew.\n"
    assert len(cli.json("exceptions", "list")) == 1
