"""F76: the relay took a letter, and hours later it comes back: the address is left alone until somebody does something about it."""

import pytest

from orchestrator.domain.bounces import Bounced, Report
from orchestrator.storage.bounces import key_of
from orchestrator.usecases.note_bounce import note_bounce, release_address, show_bounces
from orchestrator.usecases.resolve_exception import resolve_exception
from tests.firm import open_firm
from tests.imap import running_mailbox
from tests.journeys.test_w8_reminders import DUE, FIRST, at, rows
from tests.returned import returned
from tests.trust import deposit, draws, trust_settings


@pytest.fixture(scope="module")
def server():
    with running_mailbox() as box:
        yield box


@pytest.fixture
def mailbox(server):
    server.empty()
    return server


@pytest.fixture
def firm(opened, mailbox):
    return opened(scenario="tiny", mail={"bounces_url": mailbox.url, "bounces_seconds": 300})


def mailed(firm):
    firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    return firm.mails()[-1]


def states(firm):
    with firm.rt.read() as work:
        return [
            row["state"] for row in work.connection.exec_driver_sql("SELECT state FROM messages ORDER BY id").mappings()
        ]


def test_F76_a_letter_that_comes_back_holds_its_address_and_calls_a_person(firm, mailbox):
    mail = mailed(firm)
    mailbox.arrive(returned(mail["message_id"]))
    firm.later(hours=3)
    assert states(firm) == ["bounced"]
    assert firm.exceptions() == {"address_bounced": 1}
    [bounce] = show_bounces(firm.rt)
    assert (bounce["state"], bounce["code"], bounce["source"]) == ("hard", "5.1.1", "imap")
    with firm.rt.read() as work:
        assert work.bounces.of(mail["to"][0]) is not None
        said = str([dict(row) for row in work.exceptions.listed()])
    assert mail["to"][0] not in said
    assert mailbox.unread() == 0


def test_F76_nothing_more_is_sent_there_until_a_person_releases_it(firm, mailbox):
    mail = mailed(firm)
    mailbox.arrive(returned(mail["message_id"]))
    firm.later(minutes=6)
    firm.issued_bill(dollars=700)
    firm.later(minutes=20)
    firm.later(minutes=2)
    assert len(firm.mails()) == 1
    assert "address_bounced" in {row["reason"] for row in firm.jobs("message.send")}
    [bounce] = show_bounces(firm.rt)
    assert release_address(firm.rt, bounce["id"], by="nora", dry_run=True)["dry_run"]
    with firm.rt.read() as work:
        assert work.bounces.of(mail["to"][0]) is not None
    release_address(firm.rt, bounce["id"], by="nora", dry_run=False)
    firm.later(minutes=2)
    assert len(firm.mails()) == 2  # what was kept back; what came back is a person's to send again
    assert "address_bounced" not in firm.exceptions()
    firm.issued_bill(dollars=800)
    firm.later(minutes=20)
    firm.later(minutes=2)
    assert len(firm.mails()) == 3


def test_F76_however_many_bills_wait_for_an_address_it_is_one_question(firm, mailbox):
    bills = [firm.mailed_bill(due_at=DUE, dollars=dollars) for dollars in (100, 200, 300)]
    mailbox.arrive(returned(firm.mails()[0]["message_id"]))
    at(firm, FIRST)
    assert [rows(firm, bill)["overdue-7"][0] for bill in bills] == ["silent"] * 3
    assert "address_bounced" in {rows(firm, bill)["overdue-7"][1] for bill in bills}
    assert firm.exceptions() == {"address_bounced": 1}


def test_F76_resolving_the_exception_releases_the_address(firm, mailbox):
    mail = mailed(firm)
    mailbox.arrive(returned(mail["message_id"]))
    firm.later(minutes=6)
    with firm.rt.read() as work:
        [told] = work.exceptions.listed()
    resolve_exception(firm.rt, told["id"], by="nora", note="She cleared her mailbox.")
    with firm.rt.read() as work:
        assert work.bounces.of(mail["to"][0]) is None


def test_F76_a_client_with_another_address_is_written_to_again(firm, mailbox):
    mail = mailed(firm)
    mailbox.arrive(returned(mail["message_id"]))
    firm.later(minutes=6)
    with firm.rt.read() as work:
        assert work.bounces.of("new@clients.test") is None


def test_F76_a_soft_bounce_is_counted_and_holds_nothing(firm, mailbox):
    mail = mailed(firm)
    mailbox.arrive(returned(mail["message_id"], status="5.2.2"), returned(mail["message_id"], status="5.2.2"))
    firm.later(minutes=6)
    [bounce] = show_bounces(firm.rt)
    assert (bounce["state"], bounce["soft"]) == ("soft", 1)
    assert states(firm) == ["sent"]
    assert firm.exceptions() == {}


def test_F76_what_is_no_bounce_of_ours_stays_unread_and_says_nothing(firm, mailbox):
    mailed(firm)
    mailbox.arrive(
        returned("<CAF=stranger@mail.gmail.com>"), returned(f"<{'cd' * 20}@firm.test>"),
        b"From: ana@clients.test\r\nSubject: Re: invoice\r\n\r\nI have a question.\r\n",
    )  # fmt: skip
    firm.later(minutes=6)
    firm.later(minutes=6)
    assert show_bounces(firm.rt) == []
    assert mailbox.unread() == 3


def test_a_mailbox_that_refuses_us_is_told_without_its_password(opened, mailbox):
    url = mailbox.url.replace("s3cret-word", "wr0ng-word")
    firm = opened(scenario="tiny", mail={"bounces_url": url, "bounces_seconds": 300})
    firm.later(minutes=6)
    assert firm.exceptions() == {"mailbox_refused": 1}
    assert "wr0ng-word" not in str([dict(row) for row in firm.jobs("bounces.read")])


def test_F76_a_mailbox_that_was_away_is_read_from_where_it_stopped(opened):
    with running_mailbox() as box:
        firm = opened(scenario="tiny", mail={"bounces_url": box.url, "bounces_seconds": 3600})
        mail = mailed(firm)
        firm.later(hours=1)
    for _ in range(7):
        firm.later(hours=1)
    assert firm.exceptions() == {"mailbox_away": 1}
    assert {row["state"] for row in firm.jobs("bounces.read")} == {"done"}
    with running_mailbox(box.port) as again:
        again.arrive(returned(mail["message_id"]))
        firm.later(hours=1)
    assert firm.exceptions() == {"address_bounced": 1}


def test_F76_a_mailbox_that_was_never_reached_is_told_at_once(opened):
    with running_mailbox() as box:
        pass
    firm = opened(scenario="tiny", mail={"bounces_url": box.url, "bounces_seconds": 300})
    firm.later(minutes=6)
    assert firm.exceptions() == {"mailbox_away": 1}
    with running_mailbox(box.port):
        firm.later(minutes=6)
    assert firm.exceptions() == {}


def test_F76_a_bounce_of_the_lost_answer_proves_that_it_had_gone(firm):
    firm.sandbox.fault("smtp", "drop_after_data")
    mail = mailed(firm)
    with firm.rt.uow() as work:
        assert note_bounce(work, Report(key_of(mail["message_id"]), Bounced.HARD, "5.1.1"), source="imap")
    assert states(firm) == ["bounced"]


# ── reminders and notices ──


def test_F76_a_reminder_that_comes_back_is_the_last_one_to_that_address(firm, mailbox):
    bill = firm.mailed_bill(due_at="2026-03-12")
    firm.later(days=17)
    reminder = firm.mails()[-1]
    assert reminder["headers"]["X-Orchestrator-Step"] == "overdue-7"
    mailbox.arrive(returned(reminder["message_id"]))
    firm.later(days=14)
    firm.later(minutes=5)
    assert len(firm.mails()) == 2
    with firm.rt.read() as work:
        steps = work.reminders.of_bills([bill["id"]])[bill["id"]]
        [letter] = work.connection.exec_driver_sql("SELECT state, reason FROM reminder_letters").mappings()
    assert (steps["overdue-7"]["state"], steps["overdue-21"]["reason"]) == ("sent", "address_bounced")
    assert (letter["state"], letter["reason"]) == ("sent", "address_bounced")
    firm.check()


def test_F75_a_relay_that_knows_its_keys_is_handed_a_reminder_again(opened):
    firm = opened(scenario="tiny", mail={"key_header": "X-Idempotency-Key", "relay_knows_keys": True})
    firm.mailed_bill(due_at="2026-03-12")
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.later(days=17)
    firm.later(minutes=10)
    assert [mail["headers"]["X-Orchestrator-Step"] for mail in firm.mails()] == ["invoice", "overdue-7"]
    assert firm.exceptions() == {}
    assert {job["state"] for job in firm.jobs("reminder.send")} == {"done"}
    firm.check()


def test_T18_F76_a_notice_that_comes_back_is_no_notice(sandbox, database_url, mailbox):
    environment = {
        "trust": trust_settings(sandbox, notices="mail", jurisdiction="wisconsin"),
        "mail": {"bounces_url": mailbox.url, "bounces_seconds": 300},
    }
    with open_firm(sandbox, database_url, environment=environment) as firm:
        firm.work()
        deposit(firm, 1000)
        firm.issued_bill(dollars=600)
        firm.later(minutes=16)
        firm.later(minutes=2)
        [draw] = draws(firm)
        assert draw["noticed_at"] is not None
        mailbox.arrive(returned(draw["notice"]))
        firm.later(minutes=6)
        [draw] = draws(firm)
        assert (draw["noticed_at"], draw["draw_from"]) == (None, None)
        assert set(firm.exceptions()) >= {"trust_notice_missing", "address_bounced"}
