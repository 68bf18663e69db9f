"""W6: a live link is brought to the client by one message, and Clio is told that it was."""

import json

import pytest


def matter(key, client, **facts):
    given = {"key": key, "client": client, "attorney": "ada", "area": "general", "stage": "Active", "description": key}
    return given | {"entries": [{"hours": 2, "price": 300}]} | facts


def mailed(firm):
    firm.later(minutes=15)
    firm.later(minutes=2)
    return firm.mails()


def communications(firm):
    posted = [one for one in firm.sandbox.requests() if (one["method"], one["path"]) == ("POST", "/communications")]
    return [json.loads(one["body"])["data"] for one in posted]


def test_the_message_says_what_is_owed_until_when_and_where_to_pay(firm):
    bill = firm.issued_bill(dollars=1250, due_at="2026-04-01")
    [mail] = mailed(firm)
    [link] = firm.links()
    assert mail["to"] == ["bo@clients.test"]
    assert bill["number"] in mail["subject"]
    for part in (mail["text"], mail["html"]):
        assert "$1,250.00" in part
        assert bill["number"] in part
        assert "April 1, 2026" in part
        assert link["url"] in part
    assert "Ferris lease dispute" not in mail["text"] + mail["html"]
    firm.check()


def test_one_message_is_one_communication_with_our_key_as_an_external_property(firm):
    firm.mailed_bill()
    [logged] = communications(firm)
    [mail] = firm.mails()
    assert logged["external_properties"][0]["name"] == "orchestrator_key"
    assert logged["external_properties"][0]["value"] == mail["headers"]["X-Orchestrator-Key"]
    assert logged["receivers"] == [{"id": firm.ids["contacts"]["bo"], "type": "Contact"}]
    assert logged["matter"] == {"id": firm.matter()}
    assert mail["message_id"] in logged["body"]
    assert len(firm.effects("communication.created")) == 1
    with firm.rt.read() as work:
        assert work.messages.counts() == {"sent": 1}
    firm.check()


def test_a_flat_fee_matter_has_words_of_its_own(opened, tiny):
    tiny["matters"] = [matter("hourly", "bo"), matter("flat", "bo", billing_method="flat")]
    firm = opened(tiny)
    for key in ("hourly", "flat"):
        bill = firm.sandbox.act("generate_bill", matter_id=firm.ids["matters"][key])
        firm.sandbox.act("approve_bill", id=bill["id"])
    texts = [mail["text"] for mail in mailed(firm)]
    assert sum("flat fee we agreed" in text for text in texts) == 1
    assert sum("professional services" in text for text in texts) == 1


@pytest.mark.parametrize(
    ("contact", "kind"),
    [
        ({"email": ""}, "client_email_blank"),
        ({"email": "not an address"}, "client_email_invalid"),
        ({"redacted": True}, "client_redacted"),
    ],
    ids=["blank", "invalid", "redacted"],
)
def test_F41_without_a_usable_address_nothing_is_sent_and_a_person_is_told(opened, tiny, contact, kind):
    tiny["contacts"][0] |= contact
    firm = opened(tiny)
    firm.issued_bill()
    assert mailed(firm) == []
    assert firm.links() == []
    assert firm.exceptions() == {kind: 1}
    firm.check()


def test_F71_two_clients_with_one_address_get_a_mail_each(opened, tiny):
    tiny["contacts"].append({"key": "cy", "name": "Cy Ferris", "email": "bo@clients.test"})
    tiny["matters"].append(matter("second", "cy"))
    firm = opened(tiny)
    for ident in firm.ids["matters"].values():
        bill = firm.sandbox.act("generate_bill", matter_id=ident)
        firm.sandbox.act("approve_bill", id=bill["id"])
    mails = mailed(firm)
    assert [mail["to"] for mail in mails] == [["bo@clients.test"]] * 2
    assert len({mail["message_id"] for mail in mails}) == 2
    assert len({logged["receivers"][0]["id"] for logged in communications(firm)}) == 2
    firm.check()


def test_F71_an_address_changed_after_the_link_was_made_is_the_one_written_to(firm):
    firm.later(seconds=20)
    firm.issued_bill()
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "now", kind="bill")
    firm.work()
    assert len(firm.links()) == 1
    assert firm.mails() == []
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="bo@new.test")
    firm.later(minutes=1)
    assert [mail["to"] for mail in firm.mails()] == [["bo@new.test"]]


@pytest.mark.parametrize("change", ["void_bill", "record_payment"])
def test_F62_a_bill_settled_between_link_and_message_sends_no_message(firm, change):
    firm.later(seconds=20)
    bill = firm.issued_bill()
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "now", kind="bill")
    firm.work()
    [_] = firm.links()
    firm.sandbox.act(change, id=bill["id"], bill_id=bill["id"])
    firm.later(minutes=1)
    assert firm.mails() == []
    assert len(firm.effects("link.expired")) == 1
    with firm.rt.read() as work:
        [message] = work.messages.of_bill(bill["id"])
    assert message["state"] == "withheld"
    assert message["reason"] in {"bill_gone", "nothing_open"}
    firm.check()


def test_messages_of_one_minute_share_one_reading_of_their_bills(firm):
    firm.later(seconds=20)
    for dollars in range(100, 120):
        firm.issued_bill(dollars=dollars)
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "now", kind="bill")
    firm.work()
    assert len(firm.links()) == 20
    before = firm.sandbox.counts()["calls"]["GET /bills"]
    firm.later(minutes=1)
    assert len(firm.mails()) == 20
    assert firm.sandbox.counts()["calls"]["GET /bills"] - before <= 1
    firm.check()


def test_F75_a_relay_that_falls_silent_after_taking_a_message_is_never_given_it_again(firm):
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.issued_bill()
    mails = mailed(firm)
    firm.later(hours=1)
    assert len(mails) == len(firm.mails()) == 1
    assert firm.exceptions() == {"mail_outcome_unknown": 1}
    firm.check()


def test_F77_a_relay_that_refuses_for_now_is_tried_again_with_the_same_message_id(firm):
    firm.sandbox.fault("smtp", "reply", code=451, times=2)
    firm.issued_bill()
    [mail] = mailed(firm)
    [job] = firm.jobs("message.send")
    assert job["state"] == "done"
    assert job["intent"]["message_id"] == mail["message_id"]
    firm.check()


def test_without_a_relay_the_message_waits_for_a_person(opened):
    firm = opened(mail={"url": None})
    firm.issued_bill()
    firm.later(minutes=15)
    firm.later(minutes=2)
    assert firm.exceptions() == {"mail_not_configured": 1}
    firm.check()
