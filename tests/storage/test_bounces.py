"""Letters that came back, on both databases: of ours only, each told once, and held until a person or an address changes that."""

import pytest

from orchestrator.domain.bounces import AFTER, AddressState, Bounced, Patience, Report
from orchestrator.domain.ids import address_key
from orchestrator.storage.bounces import key_of

ANA = "ana@client.example"


def posted(uow, n, *, to=ANA):
    with uow() as work:
        work.bounces.post(f"<{n * 20}@firm.example>", address=address_key(to), kind="message", bill_ids=[7])


def told(uow, n, bounced=Bounced.HARD, code="5.1.1"):
    with uow() as work:
        return work.bounces.add(Report(n * 20, bounced, code), source="imap")


def of(uow, address=ANA):
    with uow.read() as work:
        return work.bounces.of(address)


def test_f76_an_address_that_bounced_for_good_is_known_until_a_person_releases_it(uow):
    posted(uow, "aa")
    assert of(uow) is None
    assert told(uow, "aa") is not None
    assert of(uow)["code"] == "5.1.1"
    assert of(uow, " Ana@Client.example ")["bill_ids"] == [7]
    assert of(uow, "other@client.example") is None
    with uow() as work:
        assert work.bounces.release(of(uow)["id"], by="nora")
        assert not work.bounces.release(work.bounces.listed()[0]["id"], by="nora")
    assert of(uow) is None


def test_f76_what_bounced_before_the_release_does_not_hold_the_address_again(uow):
    posted(uow, "aa")
    told(uow, "aa")
    with uow() as work:
        work.bounces.release(work.bounces.listed()[0]["id"], by="nora")
    assert told(uow, "aa") is None
    assert of(uow) is None
    posted(uow, "bb")
    told(uow, "bb")
    assert of(uow) is not None


def test_f76_a_letter_sent_again_to_a_corrected_address_may_come_back_again(uow):
    posted(uow, "aa")
    told(uow, "aa")
    posted(uow, "aa", to="ana@other.example")
    assert of(uow, "ana@other.example") is None
    assert told(uow, "aa") is not None
    assert of(uow, "ana@other.example") is not None
    assert of(uow) is not None


def test_f76_a_letter_counts_once_however_often_it_is_told(uow):
    posted(uow, "aa")
    assert told(uow, "aa", Bounced.SOFT, "4.2.2") is not None
    assert told(uow, "aa", Bounced.SOFT, "4.2.2") is None
    with uow.read() as work:
        assert [(row["state"], row["soft"]) for row in work.bounces.listed()] == [("soft", 1)]
    assert of(uow) is None
    assert told(uow, "aa") is not None
    assert told(uow, "aa", Bounced.SOFT) is None
    assert of(uow)["soft"] == 1


def test_f76_a_bounce_of_somebody_else_s_message_is_nothing(uow):
    posted(uow, "aa")
    assert told(uow, "zz") is None
    assert of(uow) is None


def test_a_domain_has_one_key_in_both_its_spellings():
    assert address_key("ana@münchen.example") == address_key("Ana@xn--mnchen-3ya.example")
    assert address_key("*****") != address_key("")


@pytest.mark.parametrize("message_id", ["<abc@firm.example>", "abc@firm.example", " <abc@firm.example> ", "abc"])
def test_the_key_of_a_message_id_is_its_local_part(message_id):
    assert key_of(message_id) == "abc"


def test_every_state_of_an_address_says_what_a_bounce_makes_of_it():
    assert set(AFTER) == {(state, bounced) for state in AddressState for bounced in Bounced}


def test_f76_letters_that_come_back_softly_hold_an_address_only_in_a_row_and_over_some_days(uow):
    def worn(n, patience):
        with uow() as work:
            row = work.bounces.letter(n * 20)
            return [one["key"][:2] for one in work.bounces.wear_out(row["address"], patience, until=row["posted_at"])]

    for n in ("aa", "bb"):
        posted(uow, n)
        told(uow, n, Bounced.SOFT, "4.2.2")
    assert worn("bb", Patience(letters=2, days=1)) == []  # both of one moment
    assert worn("bb", Patience(letters=3, days=0)) == []
    assert sorted(worn("bb", Patience(letters=2, days=0))) == ["aa", "bb"]
    assert of(uow)["state"] == "failing"
    with uow() as work:
        assert work.bounces.release(of(uow)["id"], by="nora")
    assert worn("bb", Patience(letters=1, days=0)) == []  # what came back before the release is forgiven


def test_f76_what_its_reader_calls_spam_holds_the_address(uow):
    posted(uow, "aa")
    assert told(uow, "aa", Bounced.SPAM, "abuse") is not None
    assert of(uow)["state"] == "hard"
    assert told(uow, "aa") is None
