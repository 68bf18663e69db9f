"""Runs over what four sources saw: what is matched, what is a break, and that a run is decided once."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from orchestrator.domain.movements import MovementKind, MovementStatus
from orchestrator.domain.references import ReferenceKind
from orchestrator.domain.trust import Ledger, LedgerKind, LineKind, Origin, Posting
from orchestrator.errors import Rejected
from orchestrator.storage.references import Entry
from orchestrator.storage.tables import journal, lawpay_transactions
from orchestrator.usecases.reconcile import account_named, begin, go_on
from orchestrator.usecases.reconcile_course import Course
from orchestrator.usecases.show_runs import show_breaks, show_diff
from tests.reconciling import END, MARCH, bank, clio, lawpay, office, seen

LINKED = {"parent": "ch_1"}


@pytest.fixture
def firm(either_url):
    with office(either_url) as firm:
        yield firm


@pytest.fixture
def here(database_url):
    """On SQLite alone: what the database has no part in."""
    with office(database_url) as firm:
        yield firm


def test_T35_bank_book_and_ledgers_are_equal_to_the_cent(firm):
    firm.knows(M1=5)
    firm.sees(
        lawpay("ch_1", 100_000, 2, "M1"), clio(1, 100_000, 2, parent="ch_1"),
        lawpay("ch_2", 50_000, 2, "M1"), clio(2, 50_000, 3, reference="m-1"),
        clio(3, -40_000, 9), bank("b1", 150_000, 4), bank("b2", -40_000, 10),
        clio(4, 20_000, 30), clio(5, -5_000, 31),
    )  # fmt: skip
    firm.statement(110_000)
    found = firm.run()
    said = found["statement"]
    assert (said["bank_cents"], said["deposits_cents"], said["withdrawals_cents"]) == (110_000, 20_000, 5_000)
    assert said["adjusted_cents"] == said["book_cents"] == said["ledgers_cents"] == 125_000
    assert said["equal"]
    assert found["breaks"] == []
    assert [one["external_id"] for one in found["outstanding"]] == ["4", "5"]
    assert found["matches"] == {
        "bank.amount_days": 1, "bank.batch_deposit": 1, "processor.exact_id": 1, "processor.exact_reference": 1,
    }  # fmt: skip


def test_T35_T36_a_line_that_no_client_ledger_has_is_found_by_its_name(firm):
    firm.sees(clio(1, 1000, 2), bank("b1", 1000, 3), bank("b2", 400, 5))
    firm.sees_unposted(clio(2, 400, 4))
    firm.statement(1400)
    found = firm.run()
    (said,) = found["breaks"]
    assert (said["kind"], said["money_cents"], said["matter_id"]) == ("missing_in_ledgers", 400, 5)
    assert said["cause"] == "Clio's book has line 2 of 4.00 for matter 5, no client ledger has"
    assert [line["external_id"] for line in said["movements"]] == ["2"]
    assert (found["statement"]["book_cents"], found["statement"]["ledgers_cents"]) == (1400, 1000)
    assert found["statement"]["ledger_difference_cents"] == 400
    assert not found["statement"]["equal"]


def test_T35_T36_a_line_that_the_book_lost_is_found_by_its_name(firm):
    firm.sees(clio(1, 1000, 2), bank("b1", 1000, 3))
    firm.posts(clio(2, 400, 4))
    firm.statement(1000)
    found = firm.run()
    (said,) = found["breaks"]
    assert (said["kind"], said["money_cents"]) == ("missing_in_book", 400)
    assert said["cause"] == "client ledgers have line 2 of 4.00 for matter 5, Clio's book does not"
    assert found["statement"]["ledger_difference_cents"] == -400


def test_T36_a_line_in_the_ledger_of_another_matter_fails_though_book_and_ledgers_are_equal(firm):
    firm.sees_unposted(clio(1, 1000, 2, 5))
    firm.posts(clio(1, 1000, 2, 6))
    found = firm.run()
    (said,) = found["breaks"]
    assert (said["kind"], said["money_cents"]) == ("ledger_differs", 1000)
    assert said["cause"] == "line 1 is 10.00 for matter 5 in Clio's book, and 10.00 for matter 6 in the client ledgers"
    assert found["statement"]["ledger_difference_cents"] == 0


def test_T37_lines_that_make_up_for_each_other_are_listed_and_not_netted(here):
    here.sees(clio(1, 1000, 2))
    here.sees_unposted(clio(2, 400, 4))
    here.posts(clio(3, 400, 4))
    found = here.run()
    assert found["statement"]["ledger_difference_cents"] == 0
    assert sorted(one["kind"] for one in found["breaks"]) == ["missing_in_book", "missing_in_ledgers"]


def test_an_account_that_posts_nothing_has_one_break_and_not_one_for_each_line(here):
    here.sees_unposted(*(clio(n, 100, 2) for n in range(1, 30)))
    (said,) = here.run()["breaks"]
    assert (said["kind"], said["money_cents"]) == ("missing_in_ledgers", 2900)


def test_T12_a_line_that_was_changed_and_one_that_was_taken_back_are_no_difference(firm):
    firm.sees(clio(1, 1000, 2), clio(2, 300, 2))
    firm.sees(clio(1, 900, 2), replace(clio(2, 300, 2), status=MovementStatus.VOIDED))
    said = firm.run()
    assert (said["statement"]["book_cents"], said["statement"]["ledgers_cents"]) == (900, 900)
    assert said["breaks"] == []


def test_T42_a_run_counts_the_ledger_lines_that_were_known_when_it_began(firm):
    firm.sees(clio(1, 1000, 2))
    account = account_named(firm.rt, "iolta")
    begun = begin(firm.rt, account, cut_off=END)
    firm.sees(clio(2, 500, 3))
    assert go_on(firm.rt, begun.run_id)["statement"]["ledgers_cents"] == 1000
    later = firm.run()
    assert later["statement"]["ledgers_cents"] == 1500
    assert later["run"]["version"] == 2
    assert (later["inputs"]["lines"], later["breaks"]) == (2, [])


def test_T44_a_correction_that_posts_later_belongs_to_the_day_of_what_it_corrects(here):
    here.sees(clio(1, 1000, 2))
    with here.rt.uow() as work:
        work.movements.see([clio(1, 1000, 33)])
        work.trust.reverse(work.trust.standing(["1"])["1"], on=date(2026, 4, 3), actor="x", why="another day")
    assert here.run()["statement"]["ledgers_cents"] == 0
    assert here.breaks() == []


def test_T6_a_half_of_a_shift_between_ledgers_is_found(here):
    here.sees(clio(1, 1000, 2))
    with here.rt.uow() as work:
        work.trust.post(
            Posting(
                ledger=Ledger("iolta", LedgerKind.RESTRICTED, 2, 5), origin=Origin.OURS, external_id="k:in", version=1,
                kind=LineKind.SET_ASIDE, amount_cents=300, currency="USD", on=MARCH, effective_on=MARCH, party="x",
                purpose="set aside", reference="k", actor="x", authoriser="x", why="x",
            ),
            currency="USD",
        )  # fmt: skip
    (said,) = here.run()["breaks"]
    assert (said["kind"], said["money_cents"]) == ("missing_in_book", 300)


def test_T37_a_surplus_fails_like_a_shortage(here):
    here.sees(clio(1, 100, 2), bank("b1", 100, 2), bank("b2", 7, 3))
    here.statement(107)
    found = here.run()
    assert found["statement"]["bank_difference_cents"] == 7
    assert not found["statement"]["equal"]
    assert [one["kind"] for one in found["breaks"]] == ["missing_in_clio"]


def test_T38_without_a_word_of_the_bank_nothing_is_equal(here):
    here.sees(lawpay("ch_1", 100, 2), clio(1, 100, 2, **LINKED))
    said = here.run()["statement"]
    assert said["bank_cents"] is None
    assert not said["equal"]


def test_T38_the_bank_s_figure_is_its_statement_s_and_not_what_lines_or_ledger_come_to(here):
    here.sees(clio(1, 1000, 2), bank("b1", 1000, 3))
    here.statement(990)
    said = here.run()["statement"]
    assert (said["bank_cents"], said["book_cents"], said["bank_difference_cents"]) == (990, 1000, -10)
    assert not said["equal"]


def test_T42_the_same_facts_find_the_run_that_has_decided(firm):
    firm.sees(clio(1, 100, 2), bank("b1", 100, 2))
    firm.statement(100)
    first = firm.run()["run"]
    assert firm.run()["run"] == first
    firm.sees(bank("b2", 5, 3))
    second = firm.run()["run"]
    assert (second["version"], second["id"] > first["id"]) == (2, True)
    changed = show_diff(firm.rt, first["id"], second["id"])
    assert [one["kind"] for one in changed["breaks_new"]] == ["missing_in_clio"]
    assert changed["inputs"]["upto"] == {"old": 2, "new": 3}
    assert changed["matches_gone"] == changed["matches_new"] == []


def test_an_unmapped_deposit_that_clio_knows_is_one_break_until_it_is_mapped(firm):
    firm.knows(M1=5)
    firm.sees(lawpay("ch_1", 1000, 2, "nobody"), clio(1, 1000, 3), bank("b1", 1000, 4))
    firm.statement(1000)
    (said,) = firm.run()["breaks"]
    assert (said["kind"], [one["kind"] for one in said["consequences"]]) == ("unmapped_reference", ["missing_at_bank"])
    (standing,) = show_breaks(firm.rt, account=None)
    assert [one["money_cents"] for one in standing["consequences"]] == [1000]
    with firm.rt.read() as work:
        assert work.exceptions.open_counts() == {"break_unmapped_reference": 1}
    with firm.rt.uow() as work:
        work.references.add(Entry("lawpay", ReferenceKind.MAPPED, "nobody", 5), source="operator")
    found = firm.run()
    assert (found["breaks"], found["statement"]["equal"]) == ([], True)


def test_a_line_that_clio_has_twice_is_one_break_with_what_the_bank_cannot_show(here):
    here.knows(M1=5)
    here.sees(
        lawpay("ch_1", 1000, 2, "M1"), clio(1, 1000, 3, **LINKED), clio(2, 1000, 3, **LINKED), bank("b1", 1000, 4)
    )
    here.statement(1000)
    (said,) = here.run()["breaks"]
    assert (said["kind"], {one["kind"] for one in said["consequences"]}) == ("duplicate", {"missing_at_bank"})


def test_W15_more_that_is_known_and_says_the_same_makes_no_new_version(firm):
    firm.knows(M1=5)
    firm.sees(clio(1, 100, 2), bank("b1", 100, 2), lawpay("ch_1", 700, 5, "nobody"))
    firm.statement(100)
    first = firm.run()
    firm.sees(clio(7, 90, 40), clio(8, 5, 3, account="operating"))
    firm.knows(M2=6)
    assert firm.run() == first
    assert firm.run() == first
    with firm.rt.read() as work:
        assert [run["version"] for run in work.runs.listed()] == [1]
        assert work.exceptions.open_counts() == {"break_unmapped_reference": 1}
    firm.sees(bank("b2", 5, 3))
    assert firm.run()["run"]["version"] == 2


def test_the_other_end_of_a_draw_through_lawpay_is_not_missed_at_lawpay(firm):
    ident = "TmX0GfMWmNIiNZpafZ1M6g"
    firm.knows(M1=5)
    firm.sees(
        lawpay(ident, -400, 9, "M1"), clio(1, 1000, 2), clio(2, -400, 9, reference=ident),
        clio(3, 400, 9, reference=ident, account="operating"), bank("b1", 400, 10, account="operating"),
    )  # fmt: skip
    firm.statement(400, account="operating")
    assert firm.run(account="operating")["breaks"] == []


LINE = clio(1, 1000, 2, reference="B 7")
PAID = lawpay("ch_1", 1000, 2, "b-07")
BY_REFERENCE = {
    "one of each": ([PAID, LINE], {"processor.exact_reference": 1}, []),
    "45 days later": ([PAID, clio(1, 1000, 31 + 16, reference="B 7")], {"processor.exact_reference": 1}, []),
    "46 days later": ([PAID, clio(1, 1000, 31 + 17, reference="B 7")], {}, ["missing_in_clio"]),
    "of another amount": ([PAID, clio(1, 999, 2, reference="B 7")], {}, ["amount_differs"]),
    "of another matter": ([PAID, clio(1, 1000, 2, 6, reference="B 7")], {}, ["wrong_matter"]),
    "not settled": ([replace(PAID, status=MovementStatus.PENDING), LINE], {"processor.exact_reference": 1}, []),
    "another payment": ([PAID, lawpay("ch_2", 1000, 2, "B7"), LINE], {}, ["duplicate"]),
    "another line": ([PAID, LINE, clio(2, 1000, 2, reference="b.7")], {}, ["duplicate"]),
    "another's very id": ([PAID, lawpay("B 7", 1000, 2), LINE], {"processor.exact_id": 1}, ["missing_in_clio"]),
    "another's id": ([PAID, lawpay("B7", 1000, 2), LINE], {"processor.exact_id": 1}, ["missing_in_clio"]),
    "a line of its id": ([PAID, LINE, clio(2, 1000, 3, reference="CH 1")], {"processor.exact_id": 1}, []),
    "a line of another's": (
        [PAID, lawpay("ch_2", 1000, 2), clio(1, 1000, 2, reference="B 7", parent="ch_2")], {"processor.exact_id": 1},
        ["missing_in_clio"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_REFERENCE)
def test_F74_only_one_payment_and_one_line_of_a_reference_are_a_pair_and_an_id_comes_first(firm, case):
    movements, matched, breaks = BY_REFERENCE[case]
    firm.knows(**{"B-7": 5})
    firm.sees(*movements)
    said = firm.run(cut_off=END + timedelta(days=31))
    assert (said["matches"], [one["kind"] for one in said["breaks"]]) == (matched, breaks)


def test_F63_what_the_books_hold_is_not_matched_with_the_line_of_a_cheque_by_its_reference(firm):
    firm.knows(**{"B-7": 5})
    firm.sees(lawpay("ch_2", 1000, 2, "B-7"), clio(1, 1000, 2, reference="B 7"))
    with firm.rt.uow() as work:
        now = work.now
        charge = {"id": "ch_2", "type": "CHARGE", "status": "COMPLETED", "account_id": "acc_t", "amount_cents": 1000,
                  "currency": "USD", "reference": "B-7", "method": "card", "refunded_cents": 0, "created_at": now,
                  "modified_at": now, "read_at": now, "deviations": []}  # fmt: skip
        number = work.connection.execute(lawpay_transactions.insert().values(**charge)).inserted_primary_key[0]
        held = {"key": "k", "event": "charge", "rail": "lawpay_page", "payment_id": number, "account": "unallocated",
                "amount_cents": -1000, "currency": "USD", "at": now}  # fmt: skip
        work.connection.execute(journal.insert().values(**held))
    said = firm.run()
    assert ([one["kind"] for one in said["breaks"]], said["matches"]) == (["unapplied_payment"], {})


CHEQUE = clio(1, -700, 5, reference="CHK 7")
CASHED = bank("b1", -700, 9, reference="chk-007")
AT_BANK_BY_REFERENCE = {
    "one of each": ([CHEQUE, CASHED], {"bank.exact_reference": 1}, []),
    "of another amount": ([CHEQUE, bank("b1", -650, 9, reference="chk 7")], {}, ["amount_differs"]),
    "cashed twice": ([CHEQUE, CASHED, bank("b2", -700, 9, reference="CHK7")], {}, ["duplicate"]),
    "drawn twice": ([CHEQUE, clio(2, -700, 5, reference="chk.7"), CASHED], {}, ["duplicate"]),
    "a fee at a client's cost": (
        [CHEQUE, replace(CASHED, kind=MovementKind.FEE)], {"bank.exact_reference": 1}, ["fee_from_trust"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AT_BANK_BY_REFERENCE)
def test_F74_only_one_ledger_line_and_one_of_the_bank_s_of_a_reference_are_a_pair(firm, case):
    movements, matched, breaks = AT_BANK_BY_REFERENCE[case]
    firm.sees(clio(9, 5000, 1, status=MovementStatus.SETTLED), *movements)
    firm.statement(0)
    said = firm.run()
    assert said["matches"] == matched
    assert [one["kind"] for one in said["breaks"] if one["kind"] != "missing_at_bank"] == breaks


def test_T35_a_line_that_is_the_sum_of_two_payments_is_on_its_way_to_the_bank_once(firm):
    firm.knows(M1=5)
    firm.sees(lawpay("ch_1", 400, 30, "M1"), lawpay("ch_2", 600, 30, "M1"), clio(1, 1000, 30))
    firm.statement(0)
    said = firm.run()
    assert said["matches"] == {"processor.sum": 2}
    assert [one["external_id"] for one in said["outstanding"]] == ["1"]
    assert (said["statement"]["deposits_cents"], said["statement"]["equal"]) == (1000, True)


def test_T42_deciding_again_from_nothing_says_the_same(tmp_path):
    digests = []
    for name in "ab":
        with office(f"sqlite:///{tmp_path}/{name}.sqlite3") as firm:
            firm.knows(M1=5)
            firm.sees(lawpay("ch_1", 100, 2, "M1"), clio(1, 100, 2), bank("b1", 100, 3), lawpay("ch_2", 9, 4, "?"))
            firm.statement(100)
            digests.append(firm.run()["run"]["digest"])
    assert digests[0] == digests[1]


def test_a_run_killed_after_any_step_goes_on_to_the_same_end(here):
    here.knows(M1=5)
    here.sees(
        *(lawpay(f"ch_{n}", 100 + n, 2, "M1") for n in range(20)), *(clio(n, 100 + n, 2, parent=f"ch_{n}") for n in range(18)),
        bank("b1", sum(100 + n for n in range(20)), 3),
    )  # fmt: skip
    here.statement(2190)
    whole = here.run()["run"]["digest"]
    account = account_named(here.rt, "iolta")
    with here.rt.uow() as work:
        work.connection.exec_driver_sql("UPDATE runs SET state = 'abandoned'")
    again = begin(here.rt, account, cut_off=END)
    while True:
        with here.rt.uow() as work:  # a new process for each step
            run = work.runs.get(again.run_id)
            if run["state"] == "finished":
                break
            Course(here.rt, work, run, account).step()
    assert run["digest"] == whole


def test_two_workers_on_one_run_do_each_step_once(here):
    here.sees(clio(1, 100, 2))
    account = account_named(here.rt, "iolta")
    started = begin(here.rt, account, cut_off=END)
    with here.rt.uow() as work:
        before = work.runs.get(started.run_id)
        Course(here.rt, work, before, account).step()
    with here.rt.uow() as work:
        assert not work.runs.step(before, place={})
    assert go_on(here.rt, started.run_id)["state"] == "finished"


def test_W10_a_wrong_reference_is_a_break_with_candidates_and_a_mapping_reconciles_it(firm):
    firm.knows(M1=5)
    firm.sees(lawpay("cr_1", -70_000, 4, "Smth retainer"), clio(1, -70_000, 5), clio(2, 90_000, 1))
    (said,) = firm.run()["breaks"]
    assert (said["kind"], said["money_cents"], said["reference"]) == ("unmapped_reference", 70_000, "Smth retainer")
    assert [one["matter_id"] for one in said["candidates"]] == [5]
    with firm.rt.read() as work:
        assert work.exceptions.open_counts() == {"break_unmapped_reference": 1}
    with firm.rt.uow() as work:
        work.references.add(Entry("lawpay", ReferenceKind.MAPPED, "Smth retainer", 5), source="operator")
    found = firm.run()
    assert found["run"]["version"] == 2
    assert found["breaks"] == []
    assert found["matches"] == {"processor.amount_matter_days": 1}
    assert show_breaks(firm.rt, account="iolta") == []
    with firm.rt.read() as work:
        assert work.exceptions.open_counts() == {}


def refunded(account):
    """A payment that nobody recorded in Clio, and its refund, as LawPay and the bank have them."""
    return (
        lawpay("ch_1", 1000, 2, "M1", account=account),
        lawpay("rf_1", -1000, 4, account=account, parent="ch_1", kind=MovementKind.REFUND),
        bank("b1", 1000, 3, account=account), bank("b2", -1000, 6, account=account),
    )  # fmt: skip


def test_what_came_and_went_back_before_anybody_recorded_it_is_missed_nowhere(firm):
    firm.knows(M1=5)
    firm.sees(*refunded("operating"))
    firm.statement(0, account="operating")
    found = firm.run("operating")
    assert (found["breaks"], found["statement"]["equal"]) == ([], True)
    assert found["matches"]["processor.went_back"] == 2


def test_what_went_back_and_is_on_its_way_out_is_outstanding_at_the_bank(here):
    here.knows(M1=5)
    charge, refund, into, _ = refunded("operating")
    here.sees(charge, replace(refund, status=MovementStatus.PENDING), into)
    here.statement(1000, account="operating")
    found = here.run("operating")
    assert (found["breaks"], found["statement"]["equal"]) == ([], True)
    assert [one["external_id"] for one in found["outstanding"]] == ["rf_1"]


def test_a_payment_that_has_not_settled_and_stands_in_clio_already_is_on_its_way(here):
    here.sees(lawpay("ch_1", 1000, 2, status=MovementStatus.PENDING), clio(1, 1000, 2, parent="ch_1"))
    here.statement(0)
    found = here.run()
    assert (found["breaks"], found["statement"]["equal"]) == ([], True)
    assert [one["external_id"] for one in found["outstanding"]] == ["1"]


def test_T37_in_trust_what_came_and_went_back_is_listed_and_not_netted(here):
    here.knows(M1=5)
    here.sees(*refunded("iolta"))
    assert here.breaks() == ["missing_in_clio", "unmapped_reference"]


KINDS = {
    "amount_differs": (lawpay("ch_1", 1000, 2), clio(1, 999, 2, **LINKED)),
    "duplicate": (lawpay("ch_1", 1000, 2), clio(1, 1000, 2, **LINKED), clio(2, 1000, 2, **LINKED)),
    "wrong_matter": (lawpay("ch_1", 1000, 2, "M1"), clio(1, 1000, 2, 6, **LINKED)),
    "missing_in_clio": (lawpay("ch_1", 1000, 2, "M1"),),
    "unmapped_reference": (lawpay("ch_1", 1000, 2, "nobody"),),
    "ambiguous_reference": (lawpay("ch_1", 1000, 2, "x 7"),),
    "missing_at_lawpay": (clio(1, 1000, 2, parent="ch_9"),),
    "late_return": (
        lawpay("ch_1", 1000, 2, status=MovementStatus.FAILED), clio(1, 1000, 2, **LINKED), clio(2, 5000, 2),
    ),
    "late_return_after_use": (
        lawpay("ch_1", 1000, 2, "M1", status=MovementStatus.FAILED), clio(1, 1000, 2, **LINKED), clio(2, -600, 3),
    ),
    "fee_from_trust": (lawpay("fee_1", -30, 2, kind=MovementKind.FEE),),
    "chargeback_from_trust": (lawpay("cb_1", -30, 2, kind=MovementKind.CHARGEBACK),),
    "negative_ledger": (clio(1, 1000, 2), clio(2, -1001, 3)),
    "wrong_account_class": (
        lawpay("ch_1", 1000, 2, "M1"), clio(1, 1000, 2, account="operating", **LINKED),
    ),
    "currency_mismatch": (lawpay("ch_1", 1000, 2, "M1", currency="CAD"),),
    "ambiguous_match": (
        lawpay("ch_1", 1000, 2, "M1"), lawpay("ch_2", 1000, 2, "M1"), clio(1, 1000, 2), clio(2, 1000, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_break_has_its_name(here, kind):
    here.knows(M1=5, X_7=8, X7=9)
    here.sees(*KINDS[kind])
    assert here.breaks() == [kind]


AT_BANK = {
    "missing_at_bank": (clio(1, 1000, 20),),
    "stale_item": (clio(1, 1000, -9),),
    "net_deposit": (lawpay("ch_1", 100_000, 2), clio(1, 100_000, 2, **LINKED), bank("b1", 97_000, 4)),
    "fee_from_trust": (clio(1, 1000, 2), bank("b1", 1000, 2), bank("b2", -35, 9, kind=MovementKind.FEE)),
    "missing_in_clio": (bank("b1", 250, 9),),
}


@pytest.mark.parametrize("kind", AT_BANK)
def test_each_kind_of_break_at_the_bank_has_its_name(here, kind):
    here.sees(*AT_BANK[kind])
    here.statement(0, begins=date(2026, 2, 1))
    assert kind in here.breaks()


def test_F67_a_fee_from_trust_comes_before_all_other_breaks(here):
    here.sees(lawpay("fee_1", -30, 2, kind=MovementKind.FEE), lawpay("ch_1", 1_000_000, 2, "nobody"))
    here.run()
    assert [one["kind"] for one in show_breaks(here.rt, account=None)] == ["fee_from_trust", "unmapped_reference"]
    assert show_breaks(here.rt, account=None)[0]["owner"] == "Ann Ohm"


def test_F68_money_in_the_other_class_of_account_is_a_break_and_nothing_is_moved(here):
    here.sees(lawpay("ch_1", 1000, 2, account="operating"), clio(1, 1000, 2, **LINKED))
    assert here.breaks(account="operating") == ["wrong_account_class"]


def test_F74_two_equal_amounts_of_one_client_on_one_day_are_never_picked(here):
    here.knows(M1=5)
    here.sees(
        lawpay("ch_1", 1000, 2, "M1"), lawpay("ch_2", 1000, 2, "M1"), clio(1, 1000, 2), clio(2, 1000, 2, reference="M1"),
    )  # fmt: skip
    found = here.run()
    assert found["matches"] == {}
    assert {one["kind"] for one in found["breaks"]} <= {"ambiguous_match", "duplicate"}


def test_equal_amounts_at_the_bank_are_the_same_money_as_a_set(firm):
    firm.sees(
        *(clio(n, -1000, 2 + n) for n in (1, 2, 3)),
        *(bank(f"b{n}", -1000, 3 + n) for n in (1, 2, 3)),
        clio(9, 5000, 1),
    )
    firm.sees(bank("b9", 5000, 2))
    firm.statement(2000)
    found = firm.run()
    assert (found["breaks"], found["outstanding"]) == ([], [])
    assert found["matches"] == {"bank.amount_days": 1, "bank.amount_days_set": 9}
    assert found["statement"]["equal"]


def test_of_equal_amounts_at_the_bank_what_is_too_many_is_one_break_that_names_the_others(firm):
    firm.sees(clio(9, 5000, 1), bank("b9", 5000, 2))
    firm.sees(*(clio(n, -1000, 2 + n) for n in (1, 2)), *(bank(f"b{n}", -1000, 3 + n) for n in (1, 2, 3, 4)))
    firm.statement(1000)
    found = firm.run()
    (said,) = found["breaks"]
    assert (said["kind"], said["money_cents"]) == ("missing_in_clio", 2000)
    assert (
        said["cause"]
        == "the bank has it, and Clio's ledger does not; 2 equal to it are matched, and it may be any of them"
    )
    assert [line["external_id"] for line in said["movements"]] == ["b3", "b4"]
    assert len(said["candidates"]) == 2
    firm.sees(clio(3, -1000, 6), clio(4, -1000, 6))
    found = firm.run()
    assert (found["breaks"], found["statement"]["equal"]) == ([], True)


def test_T40_an_equal_amount_that_the_bank_has_not_shown_yet_is_outstanding_and_no_break(here):
    here.sees(*(clio(n, 1000, 26 + n) for n in (1, 2, 3)), bank("b1", 1000, 29), bank("b2", 1000, 30))
    here.statement(2000)
    found = here.run()
    assert found["breaks"] == []
    assert [one["external_id"] for one in found["outstanding"]] == ["3"]
    assert found["statement"]["equal"]


def test_equal_payments_of_one_client_on_one_day_are_told_apart_by_their_bills(here):
    here.sees(
        *(seen("clio_payments", name, 1000, 2, matter_id=5, bill_id=bill) for name, bill in ((71, 7), (72, 8), (73, 9))),
        *(clio(name, 1000, 3, bill_id=bill) for name, bill in ((1, 8), (2, 7), (3, None))),
    )  # fmt: skip
    found = here.run()
    assert found["matches"] == {"processor.amount_bill_days": 2, "processor.amount_matter_days": 1}
    assert found["breaks"] == []


def test_T36_a_line_of_the_wrong_matter_fails_though_all_totals_are_equal(here):
    here.knows(M1=5)
    here.sees(lawpay("ch_1", 1000, 2, "M1"), clio(1, 1000, 2, 6, **LINKED), bank("b1", 1000, 3))
    here.statement(1000)
    found = here.run()
    assert found["statement"]["equal"]
    assert [one["kind"] for one in found["breaks"]] == ["wrong_matter"]


def test_a_client_level_draw_of_three_rows_is_one_movement_at_the_bank(here):
    here.sees(
        clio(1, 9000, 1, None), bank("b1", 9000, 1),
        clio(2, -4000, 5, None), clio(3, 4000, 5, 5, kind=MovementKind.TRANSFER), clio(4, -4000, 5, 5), bank("b2", -4000, 6),
    )  # fmt: skip
    here.statement(5000)
    found = here.run()
    assert found["breaks"] == []
    assert found["statement"]["equal"]
    assert found["matches"]["processor.client_level_draw"] == 1


def test_F65_one_payment_for_several_bills_is_one_match(here):
    here.sees(lawpay("ch_1", 1000, 2, "M1"), *(clio(n, cents, 2, **LINKED) for n, cents in enumerate((500, 300, 200))))
    found = here.run()
    assert found["breaks"] == []
    assert found["matches"] == {"processor.sum": 3}


def test_a_cheque_deposit_of_several_lines_is_one_line_at_the_bank(here):
    here.sees(clio(1, 300, 2), clio(2, 450, 2, 6), bank("b1", 750, 3))
    here.statement(750)
    found = here.run()
    assert (found["breaks"], found["matches"]) == ([], {"bank.deposit_slip": 2})


def test_a_break_that_is_cured_is_settled_by_the_next_run(firm):
    firm.sees(lawpay("ch_1", 1000, 2, "nobody"))
    assert firm.breaks() == ["unmapped_reference"]
    firm.sees(clio(1, 1000, 2, **LINKED))
    assert firm.breaks() == []
    with firm.rt.read() as work:
        assert work.breaks.standing() == []
        assert work.exceptions.open_counts() == {}


def test_a_break_keeps_its_row_and_its_owner_from_run_to_run(here):
    here.sees(lawpay("ch_1", 1000, 2, "nobody"))
    here.run()
    (first,) = show_breaks(here.rt, account=None)
    here.sees(lawpay("ch_2", 5, 3, "nobody else"))
    here.run()
    again = {one["id"]: one for one in show_breaks(here.rt, account=None)}
    assert len(again) == 2
    assert again[first["id"]]["opened_at"] == first["opened_at"]


def test_a_payment_that_fails_later_takes_its_match_with_it(here):
    charge = lawpay("ch_1", 1000, 2)
    here.sees(charge, clio(1, 1000, 2, **LINKED))
    assert here.breaks() == []
    here.sees(replace(charge, status=MovementStatus.FAILED))
    assert here.breaks() == ["late_return"]


def test_an_account_that_is_not_configured_is_refused_in_a_sentence(here):
    with pytest.raises(Rejected, match="There is no account savings; configured are iolta, operating"):
        account_named(here.rt, "savings")
