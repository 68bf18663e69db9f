"""F75: what a relay may have taken is never sent again by itself, and everything later knows that the client may have it."""

import time
from datetime import timedelta

from orchestrator.storage.jobs import JobState


def in_doubt(firm, **facts):
    """A bill whose message the relay took, and then fell silent; parked after the settling wait."""
    firm.sandbox.fault("smtp", "drop_after_data")
    bill = firm.issued_bill(**facts)
    firm.later(minutes=16)
    firm.later(minutes=2)
    firm.later(minutes=2)
    [job] = firm.jobs("message.send")
    assert (job["state"], job["reason"]) == (JobState.PARKED, "mail_outcome_unknown")
    return bill, job


def message(firm, bill):
    with firm.rt.read() as work:
        return [(row["step"], row["state"]) for row in work.messages.of_bill(bill["id"])]


def retry(firm, job, **how):
    with firm.rt.uow() as work:
        assert work.jobs.retry(job["id"], **how)
        work.exceptions.close_job(job["id"])
    firm.work()
    firm.later(minutes=2)


def test_F75_it_is_parked_with_what_a_person_needs_to_look_it_up(firm):
    bill, job = in_doubt(firm)
    [mail] = firm.mails()
    assert job["intent"]["message_id"] == mail["message_id"]
    assert "bo@clients.test" not in str(dict(job["intent"]))
    with firm.rt.read() as work:
        [told] = work.exceptions.listed()
    assert mail["message_id"] in told["summary"]
    assert (told["subject_kind"], told["subject_id"], told["money_cents"]) == ("bill", bill["id"], 60_000)
    assert message(firm, bill) == [("invoice", "unknown")]
    firm.later(days=2)
    assert len(firm.mails()) == 1
    firm.check()


def test_F75_a_plain_retry_only_looks_again(firm):
    _, job = in_doubt(firm)
    retry(firm, job)
    [again] = firm.jobs("message.send")
    assert (again["state"], again["reason"]) == (JobState.PARKED, "mail_outcome_unknown")
    assert len(firm.mails()) == 1
    firm.check()


def test_F75_a_person_s_word_sends_it_once_more(firm):
    """The relay had dropped it in truth: nothing but a person's word can know that."""
    bill, job = in_doubt(firm)
    firm.sandbox.clear_effects()
    retry(firm, job, resend=True)
    [sent] = firm.jobs("message.send")
    assert sent["state"] == JobState.DONE
    [mail] = firm.mails()
    assert mail["message_id"] == job["intent"]["message_id"]
    assert message(firm, bill) == [("invoice", "sent")]
    assert len(firm.effects("communication.created")) == 1
    firm.later(days=1)
    assert len(firm.mails()) == 1
    firm.check()


def test_F75_a_person_s_word_sends_nothing_for_a_bill_paid_meanwhile(firm):
    bill, job = in_doubt(firm)
    firm.sandbox.act("record_payment", id=bill["id"])
    firm.later(minutes=16)
    retry(firm, job, resend=True)
    [withheld] = firm.jobs("message.send")
    assert (withheld["state"], withheld["reason"]) == (JobState.REVOKED, "nothing_open")
    assert len(firm.mails()) == 1
    firm.check()


def test_F75_after_one_in_doubt_the_next_message_of_the_bill_is_a_revised_one(firm):
    """The client may hold the first: a second "invoice" with another link would be the duplicate we promise not to send."""
    bill, _ = in_doubt(firm)
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert message(firm, bill) == [("invoice", "unknown"), ("revised-2", "sent")]
    assert len(firm.mails()) == 2
    firm.check()


def test_F77_a_message_kept_waiting_never_overrules_the_one_that_replaced_it(firm):
    """Greylisted for long, then replaced because the bill changed: the old job comes last and leaves the new record alone."""
    firm.later(seconds=20)
    bill = firm.issued_bill()
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "now", kind="bill")
    firm.work()
    firm.sandbox.clock_advance(40)
    time.sleep(0.03)  # the moved clock is asked at most every 20 ms
    with firm.rt.uow() as work:
        [row] = work.jobs.listed(topic="message.send")
        job = work.jobs.claim(row["id"], holder="greylisted", lease_seconds=30)
        work.jobs.hand_back(job, not_before=work.now + timedelta(hours=1))
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert message(firm, bill) == [("invoice", "sent")]
    firm.later(hours=1)
    assert [row["state"] for row in firm.jobs("message.send")] == [JobState.REVOKED, JobState.DONE]
    assert message(firm, bill) == [("invoice", "sent")]
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert message(firm, bill) == [("invoice", "sent"), ("revised-3", "sent")]
    firm.check()
