"""What people said: it stands for whom and on which days it was said, and not a day longer."""

from datetime import date

from orchestrator.demo.words import Word, Words

BILL = {"id": 7, "client_id": 3}
FIRST, LAST, LATER = date(2026, 4, 8), date(2026, 4, 18), date(2026, 4, 19)


def words(*said):
    record = Words()
    for word in said:
        record.say("b", word)
    return record


def test_a_word_stands_from_its_first_day_to_its_last_for_whom_it_was_given():
    promise = words(Word("payment_promised", FIRST, LAST, bill=7))
    assert promise.stood(BILL, FIRST) == promise.stood(BILL, LAST) == ["payment_promised"]
    assert promise.stood(BILL, date(2026, 4, 7)) == promise.stood(BILL, LATER) == []
    assert promise.stood({**BILL, "id": 8}, FIRST) == []


def test_a_pause_is_on_every_bill_of_the_client_and_an_outage_on_all():
    both = words(Word("client_paused", FIRST, client=3), Word("reminder_day_passed", FIRST, FIRST))
    assert both.stood({**BILL, "id": 8}, FIRST) == ["client_paused", "reminder_day_passed"]
    assert both.stood({"id": 9, "client_id": 4}, FIRST) == ["reminder_day_passed"]


def test_what_is_over_stood_until_that_day_and_a_promise_never_longer_than_it_said():
    for word, ends in ((Word("fee_disputed", FIRST, bill=7), LATER), (Word("payment_promised", FIRST, LAST), LAST)):
        record = words(word)
        record.over("b", LATER)
        assert record.stood(BILL, ends)
        assert not record.stood(BILL, date(2026, 4, 20))
    Words().over("b", LATER)
