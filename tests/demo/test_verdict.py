"""The verdict on hand-made records: clean when all is explained, and every kind of finding breaks it."""

from dataclasses import replace
from datetime import date

import pytest

from orchestrator.demo.books import Books
from orchestrator.demo.record import Record
from orchestrator.demo.report import three_way_difference
from orchestrator.demo.verdict import BORNE_OUT, TAKEN_AT_ITS_WORD, explained, judge, lost_effects, unexplained_silences
from orchestrator.domain.reasons import REASONS
from orchestrator.domain.three_way import Statement

CLEAN = {
    "duplicate_links": [], "duplicate_mails": [], "quota_breaches": 0, "mails_after_payment": [], "missing": [],
    "trust_violations": [], "mails_to_closed_matters": [], "repeated_steps": [], "unanswered": [],
}  # fmt: skip
SIGNED = Statement(
    bank_cents=100, bank_until="2026-03-31", deposits_cents=0, withdrawals_cents=0, book_cents=100, ledgers_cents=100,
    opening_cents=None, corrected_cents=0,
)  # fmt: skip


def signed(statement):
    return Books(signed=({"account": "iolta", "closed_on": date(2026, 3, 31), "statement": statement},))


NO_LINK = {"kind": "link", "bill_id": 7, "why": "no live link", "stood": sorted(BORNE_OUT)}
NO_NOTE = {"kind": "note", "payment_id": 9, "why": "no note on the matter", "stood": ["payment_reversed"]}
LEFT_OPEN = {"kind": "expiry", "bill_id": 7, "link_id": 3, "why": "link alive though bill is paid", "stood": []}


def kinds(oracle=CLEAN, books=Books(), standing=0):  # noqa: B008
    return [finding.kind for finding in judge(oracle, books, standing_cents=standing, currency="USD")]


def test_nothing_wrong_is_the_clean_verdict():
    assert kinds() == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"duplicate_links": [7]}, "duplicate_links"),
        ({"duplicate_mails": [{"message_id": "<a@b>", "times": 2}]}, "duplicate_mails"),
        ({"duplicate_mails": [{"to": "a@b", "key": "k", "times": 2}]}, "duplicate_mails"),
        ({"quota_breaches": 1}, "quota_breaches"),
        ({"mails_after_payment": [{"bill_id": 7, "message_id": "<a@b>", "at": "now"}]}, "mails_after_payment"),
        ({"mails_to_closed_matters": [{"bill_id": 7, "message_id": "<a@b>", "at": "now"}]}, "mails_to_closed_matters"),
        ({"repeated_steps": [{"bill_id": 7, "step": "overdue-7", "times": 2}]}, "repeated_steps"),
        ({"missing": [NO_LINK]}, "lost_effects"),
        ({"missing": [NO_NOTE]}, "lost_effects"),
        ({"missing": [LEFT_OPEN]}, "lost_effects"),
        ({"trust_violations": [{"kind": "negative_ledger", "id": 3}]}, "trust_violations"),
    ],
)
def test_whatever_the_sandbox_holds_against_us_is_found(change, kind):
    assert kinds({**CLEAN, **change}) == [kind]


@pytest.mark.parametrize(
    ("books", "kind"),
    [
        (Books(due_jobs=("job 1 (sweep)",)), "jobs_due"),
        (Books(silent_jobs=("job 2 (link.create)",)), "jobs_silent"),
        (Books(journal_sum=1), "journal_sum"),
        (Books(held_cents=100), "journal_held"),
        (signed(replace(SIGNED, bank_cents=101)), "three_way"),
        (signed(replace(SIGNED, ledgers_cents=99)), "three_way"),
    ],
)
def test_what_the_workers_own_books_show_is_found(books, kind):
    assert kinds(books=books) == [kind]


def test_a_surplus_counts_like_a_shortage_and_nothing_signed_is_no_difference_told():
    assert three_way_difference(Books()) is None
    assert three_way_difference(signed(SIGNED)) == 0
    assert three_way_difference(signed(replace(SIGNED, bank_cents=99, ledgers_cents=102))) == 3


@pytest.mark.parametrize(
    "books",
    [
        Books(silences={7: "client_email_blank"}),
        Books(silences={7: "trust_available"}),
        Books(worries={7: "payment_reversed"}),
        Books(withheld={7: "mail_address_refused"}),
        Books(waiting_links={7: "waiting"}),
    ],
)
def test_a_missing_link_is_explained_by_a_stored_reason(books):
    oracle = {**CLEAN, "missing": [NO_LINK]}
    assert kinds(oracle, books) == []
    assert lost_effects(oracle, books) == 0
    assert sum(explained(oracle, books).values()) == 1


@pytest.mark.parametrize("reason", ["bill_not_issued", "nothing_open", "payment_under_way", "unheard_of"])
def test_a_reason_that_is_not_true_any_more_explains_nothing(reason):
    assert kinds({**CLEAN, "missing": [NO_LINK]}, Books(silences={7: reason})) == ["lost_effects"]


@pytest.mark.parametrize("reason", sorted(BORNE_OUT))
def test_a_reason_that_the_record_does_not_show_explains_nothing(reason):
    oracle = {**CLEAN, "missing": [{**NO_LINK, "stood": sorted(BORNE_OUT - {reason})}]}
    assert kinds(oracle, Books(silences={7: reason})) == ["lost_effects"]


SILENT = {"bill_id": 7, "number": "1001", "step": "overdue-7", "on": "2026-04-08", "stood": ["payment_promised"]}


def test_a_step_is_explained_by_what_was_said_on_its_day_and_not_by_what_came_later():
    oracle = {**CLEAN, "unanswered": [SILENT]}
    steps = {(7, "overdue-7"): "bill_paid"}
    assert kinds(oracle, Books(steps=steps)) == ["unexplained_silence"]
    assert kinds(oracle, Books(steps=steps, told={(7, date(2026, 4, 8)): "payment_promised"})) == []
    assert kinds(oracle, Books(steps=steps, told={(7, date(2026, 4, 9)): "payment_promised"})) != []
    assert kinds(oracle, Books(told={(7, date(2026, 4, 8)): "payment_promised"})) == []


def test_a_step_that_nothing_answered_is_explained_by_its_own_stored_reason_alone():
    oracle = {**CLEAN, "unanswered": [SILENT]}
    assert kinds(oracle, Books(steps={(7, "overdue-7"): "payment_promised"})) == []
    assert kinds(oracle, Books(steps={(7, "overdue-21"): "payment_promised"})) == ["unexplained_silence"]
    assert unexplained_silences(oracle, Books()) == 1


def test_a_missing_note_is_explained_by_its_bills_open_exception():
    books = Books(payment_bills={9: (7,)}, worries={7: "payment_reversed"})
    assert kinds({**CLEAN, "missing": [NO_NOTE]}, books) == []
    assert kinds({**CLEAN, "missing": [NO_NOTE]}, replace(books, worries={})) == ["lost_effects"]


def test_every_good_reason_has_words():
    assert REASONS.keys() >= BORNE_OUT | TAKEN_AT_ITS_WORD


def payment(what, ident=1, amount=100.0, by="app"):
    return {"kind": f"payment.{what}", "id": ident, "amount": amount, "by": by, "method": "card"}


def heard(*effects):
    record = Record()
    record.hear([{"seq": place, **effect} for place, effect in enumerate(effects, 1)])
    return record


def test_what_stands_is_what_settled_less_what_went_back():
    back = {"kind": "payment.reversed", "id": 1, "amount": 40.0}
    record = heard(payment("pending"), payment("completed"), back, payment("failed", ident=2))
    assert record.standing_cents() == 6_000
    assert record.reversed_payments() == {1}


def test_a_settled_payment_that_is_voided_stands_no_more():
    record = heard(payment("completed"), payment("voided"))
    assert record.standing_cents() == 0
    assert record.reversed_payments() == {1}


def test_a_payment_through_a_strangers_link_is_not_ours_to_book():
    assert heard(payment("completed", by="stranger")).standing_cents() == 0
