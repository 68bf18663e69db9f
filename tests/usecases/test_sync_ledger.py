"""What a line of Clio's bank ledger does to the client ledgers: posted once, corrected by lines, sighted by reconciliation."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.domain.kinds import Kind
from orchestrator.domain.movements import MovementKind, MovementStatus, Source
from orchestrator.domain.topics import Urgency
from orchestrator.domain.trust import BankLine, LedgerKind, LineKind, kind_of, within
from orchestrator.usecases.reconcile import account_named, reconcile
from orchestrator.usecases.show_runs import show_run
from orchestrator.usecases.sync_ledger import LedgerLines
from tests.firm import open_firm
from tests.trust import authorised, deposit, draws, judged, trust_settings


@pytest.fixture
def bank(sandbox, database_url):
    with ExitStack() as stack:

        def open_(**said):
            environment = {"trust": trust_settings(sandbox, **said)}
            firm = stack.enter_context(open_firm(sandbox, database_url, environment=environment))
            firm.work()
            return firm

        yield open_


@pytest.fixture
def firm(bank):
    return bank()


def a_line(firm, cents=100_000, ident=1, **facts):
    now = firm.rt.clock()
    line = BankLine(
        id=ident, etag="e", account_id=firm.ids["bank_accounts"]["trust"], amount_cents=cents, currency="USD",
        on=firm.rt.local_date(now), client_id=3, matter_id=9, bill_id=None, allocation_id=None, payment_type=None,
        description="", confirmation="", online=False, created_at=now, updated_at=now,
    )  # fmt: skip
    return replace(line, **facts)


def read(firm, *lines):
    with firm.rt.uow() as work:
        LedgerLines().apply(firm.rt, work, lines)


def gone(firm, *idents):
    with firm.rt.uow() as work:
        LedgerLines().gone(firm.rt, work, idents)


def balances(firm):
    with firm.rt.read() as work:
        return {(row["kind"], row["matter_id"]): row["balance_cents"] for row in work.trust.ledgers()}


def card(firm, **place):
    with firm.rt.read() as work:
        [row] = [one for one in work.trust.ledgers() if all(one[name] == value for name, value in place.items())]
        return [(line["kind"], line["amount_cents"]) for line in work.trust.lines_of(row["id"])]


def movements(firm):
    with firm.rt.read() as work:
        return work.movements.current(source=Source.CLIO_LEDGER)


# ── read, once ──


def test_a_deposit_is_a_line_of_its_matter_and_a_sighting(firm):
    line = deposit(firm, 1000, clear=False)
    matter = firm.matter()
    assert balances(firm) == {("matter", matter): 100_000}
    [seen] = movements(firm)
    assert (seen.external_id, seen.account, seen.amount_cents, seen.matter_id) == (
        str(line["id"]),
        "iolta",
        100_000,
        matter,
    )
    assert (seen.kind, seen.status) == (MovementKind.DEPOSIT, MovementStatus.SETTLED)
    judged(firm)


def test_T16_a_receipt_is_posted_at_the_amount_that_clio_recorded(firm):
    deposit(firm, 1234.56)
    assert card(firm, kind="matter") == [("deposit", 123_456)]
    assert [seen.amount_cents for seen in movements(firm)] == [123_456]


def test_F73_reading_everything_again_changes_nothing(firm):
    deposit(firm, 1000)
    firm.issued_bill(dollars=600)
    firm.later(minutes=16)
    before = balances(firm), draws(firm), movements(firm)
    practice = firm.rt.practice(Urgency.MONEY)
    for _ in range(3):
        read(firm, *practice.ledger_of(firm.ids["bank_accounts"]["trust"]))
    assert (balances(firm), draws(firm), movements(firm)) == before


def test_a_firm_without_configured_accounts_reads_no_ledger(sandbox, database_url):
    sandbox.clear_effects()
    with open_firm(sandbox, database_url) as firm:
        firm.later(days=1)
        assert not [call for call in sandbox.counts()["calls"] if "bank_transactions" in call]


def test_T1_a_refused_account_s_lines_wait_and_are_posted_once_it_is_agreed(bank, sandbox):
    accounts = trust_settings(sandbox)["accounts"]
    firm = bank(accounts=[{**accounts[0], "account_class": "operating"}])
    deposit(firm, 1000)
    assert balances(firm) == {}
    again = bank()
    again.later(days=1)
    assert balances(again) == {("matter", again.matter()): 100_000}
    judged(again)


def test_operating_lines_are_sighted_and_posted_to_no_client_ledger(firm):
    deposit(firm, 1000)
    bill = firm.issued_bill(dollars=600)
    firm.sandbox.act("record_payment", id=bill["id"], amount=600)
    firm.later(minutes=16)
    assert {seen.account for seen in movements(firm)} == {"iolta", "operating"}
    assert balances(firm) == {("matter", firm.matter()): 100_000}


def test_the_line_that_a_payment_left_names_the_payment_whichever_is_read_first(firm):
    firm.issued_bill(dollars=600)
    firm.later(minutes=16)
    firm.later(minutes=2)
    paid = firm.sandbox.act("pay_link", link_id=firm.links()[-1]["id"], method="card", settle_after_seconds=0)
    firm.later(minutes=16)
    firm.later(minutes=16)
    [line] = [seen for seen in movements(firm) if seen.account == "operating"]
    assert (line.amount_cents, line.parent, line.payment_id) == (60_000, str(paid["id"]), paid["id"])
    firm.later(days=1)
    with firm.rt.read() as work:
        assert len(work.movements.versions(Source.CLIO_LEDGER, line.external_id)) <= 2


def test_F17_an_older_reading_never_replaces_a_newer_one(firm):
    old = a_line(firm)
    new = replace(old, amount_cents=90_000, updated_at=old.updated_at + timedelta(minutes=1))
    read(firm, new)
    read(firm, old)
    assert balances(firm) == {("matter", 9): 90_000}


# ── corrected, never changed ──


def test_T12_a_line_changed_in_clio_is_reversed_and_posted_anew(firm):
    old = a_line(firm)
    read(firm, old)
    read(firm, replace(old, amount_cents=90_000, updated_at=old.updated_at + timedelta(minutes=1)))
    assert card(firm, matter_id=9) == [("deposit", 100_000), ("correction", -100_000), ("deposit", 90_000)]
    assert [seen.amount_cents for seen in movements(firm)] == [90_000]
    judged(firm)


def test_T12_a_line_that_names_another_matter_now_moves_by_lines(firm):
    old = a_line(firm)
    read(firm, old)
    read(firm, replace(old, matter_id=10, updated_at=old.updated_at + timedelta(minutes=1)))
    assert balances(firm) == {("matter", 9): 0, ("matter", 10): 100_000}
    judged(firm)


def test_T12_a_deleted_line_is_taken_back_and_its_sighting_void(firm):
    read(firm, a_line(firm))
    gone(firm, 1)
    gone(firm, 1)
    assert card(firm, matter_id=9) == [("deposit", 100_000), ("correction", -100_000)]
    assert [seen.status for seen in movements(firm)] == [MovementStatus.VOIDED]
    judged(firm)


def elsewhere(firm, line, account, *, minutes=1):
    """The same line as Clio has it after somebody gave it another account."""
    return replace(line, account_id=account, updated_at=line.updated_at + timedelta(minutes=minutes))


def three_way(firm):
    """What tonight's run of the trust account says: book, client ledgers, and breaks."""
    shown = show_run(
        firm.rt, reconcile(firm.rt, account_named(firm.rt, "iolta"), cut_off=firm.rt.local_date(firm.rt.clock()))["id"]
    )
    said = shown["statement"]
    return said["book_cents"], said["ledgers_cents"], [one["kind"] for one in shown["breaks"]]


@pytest.fixture
def either(sandbox, either_url):
    with open_firm(sandbox, either_url, environment={"trust": trust_settings(sandbox)}) as firm:
        firm.work()
        yield firm


@pytest.mark.parametrize("whither", ["operating", "an account that nobody configured"])
def test_T12_a_line_moved_out_of_trust_in_clio_is_taken_back_by_a_line_and_the_books_agree(either, whither):
    kept, line = a_line(either, 25_000, ident=2, matter_id=8), a_line(either)
    read(either, line, kept)
    moved = elsewhere(either, line, either.ids["bank_accounts"].get(whither, 77))
    for _ in range(2):
        read(either, moved)
    assert card(either, matter_id=9) == [("deposit", 100_000), ("correction", -100_000)]
    assert balances(either) == {("matter", 9): 0, ("matter", 8): 25_000}
    with either.rt.read() as work:
        assert work.trust.total("iolta") == 25_000
        assert "trust.line_reversed" in [row["action"] for row in work.audit.listed(limit=50)]
    assert three_way(either) == (25_000, 25_000, [])


def test_F17_a_reading_from_before_a_line_left_trust_does_not_bring_it_back(firm):
    line = a_line(firm)
    read(firm, line)
    read(firm, elsewhere(firm, line, firm.ids["bank_accounts"]["operating"]))
    read(firm, line)
    assert balances(firm) == {("matter", 9): 0}
    assert card(firm, matter_id=9) == [("deposit", 100_000), ("correction", -100_000)]
    assert [seen.account for seen in movements(firm)] == ["operating"]


def test_T12_a_line_that_came_back_into_trust_stands_there_again(firm):
    line = a_line(firm)
    read(firm, line)
    read(firm, elsewhere(firm, line, firm.ids["bank_accounts"]["operating"]))
    read(firm, elsewhere(firm, line, line.account_id, minutes=2))
    assert balances(firm) == {("matter", 9): 100_000}
    assert three_way(firm) == (100_000, 100_000, [])


def test_T14_trust_money_that_was_used_and_whose_deposit_left_trust_is_a_shortage(firm):
    line = a_line(firm)
    read(firm, line, a_line(firm, -80_000, ident=2))
    read(firm, elsewhere(firm, line, firm.ids["bank_accounts"]["operating"]))
    assert balances(firm) == {("matter", 9): -80_000}
    assert firm.exceptions()["trust_shortage"] == 1


def test_T12_a_line_corrected_to_nothing_in_clio_is_taken_back_and_holds_no_other_up(firm):
    line = a_line(firm)
    read(firm, line)
    nothing = replace(line, amount_cents=0, updated_at=line.updated_at + timedelta(minutes=1))
    for _ in range(2):
        read(firm, nothing, a_line(firm, 0, ident=3, matter_id=7), a_line(firm, 5_000, ident=2, matter_id=8))
    assert balances(firm) == {("matter", 9): 0, ("matter", 8): 5_000}
    assert card(firm, matter_id=9) == [("deposit", 100_000), ("correction", -100_000)]
    assert three_way(firm) == (5_000, 5_000, [])


def test_T50_a_line_in_another_currency_is_a_person_s_and_holds_no_other_up(firm):
    for _ in range(2):
        read(firm, a_line(firm, currency="CAD"), a_line(firm, 5_000, ident=2, matter_id=8))
    assert balances(firm) == {("matter", 8): 5_000}
    assert firm.exceptions() == {"currency_mismatch": 1}
    read(firm, replace(a_line(firm), updated_at=firm.rt.clock() + timedelta(minutes=1)))
    assert balances(firm) == {("matter", 8): 5_000, ("matter", 9): 100_000}
    assert firm.exceptions() == {}


def test_T1_a_line_given_to_a_trust_account_that_clio_does_not_vouch_for_leaves_the_one_and_waits_for_the_other(
    bank, sandbox
):
    accounts = trust_settings(sandbox)["accounts"]
    firm = bank(accounts=[*accounts, {"key": "other", "account_class": "trust", "clio_id": 77}])
    line = a_line(firm)
    read(firm, line)
    read(firm, elsewhere(firm, line, 77, minutes=0))
    with firm.rt.read() as work:
        assert (work.trust.total("iolta"), work.trust.total("other")) == (0, 0)


def test_a_line_that_says_nothing_new_of_the_money_is_left_alone(firm):
    old = a_line(firm)
    read(firm, old)
    read(firm, replace(old, description="typed more", updated_at=old.updated_at + timedelta(minutes=1)))
    assert card(firm, matter_id=9) == [("deposit", 100_000)]


def test_a_line_that_only_a_full_look_shows_to_be_gone_is_found_within_a_day(firm):
    now = datetime(2026, 2, 1, tzinfo=UTC)
    read(firm, a_line(firm, ident=424_242, created_at=now, updated_at=now))
    firm.later(days=1)
    assert card(firm, matter_id=9) == [("deposit", 100_000), ("correction", -100_000)]
    judged(firm)


def test_a_posted_draw_whose_line_was_deleted_did_not_happen(firm):
    deposit(firm, 1000)
    bill = firm.issued_bill(dollars=600)
    firm.later(minutes=16)
    firm.sandbox.act("apply_trust", id=bill["id"], amount=600)
    firm.later(minutes=16)
    assert firm.exceptions() == {"trust_draw_unauthorised": 1}
    with firm.rt.read() as work:
        [out] = work.trust.draws_out(bill["id"])
    gone(firm, int(out["external_id"]))
    assert firm.exceptions() == {}
    assert balances(firm) == {("matter", firm.matter()): 100_000}


@pytest.fixture
def drawn(firm):
    """An authorised draw that Clio's ledger shows, and the record of its line there."""
    deposit(firm, 1000)
    bill = firm.issued_bill(dollars=600)
    firm.later(minutes=16)
    authorised(firm, draws(firm)[0]["id"])
    firm.sandbox.act("apply_trust", id=bill["id"], amount=600)
    firm.later(minutes=16)
    [draw] = draws(firm)
    assert draw["state"] == "posted"
    with firm.rt.read() as work:
        [out] = work.trust.draws_out(bill["id"])
    [line] = LedgerLines().read(firm.rt.practice(Urgency.MONEY), [int(out["external_id"])])
    return line


def corrected(firm, line, **facts):
    read(firm, replace(line, updated_at=line.updated_at + timedelta(minutes=1), **facts))
    return draws(firm)[0]


def test_T19_a_draw_whose_cheque_number_was_corrected_in_clio_is_still_the_authorised_one(firm, drawn):
    draw = corrected(firm, drawn, confirmation="1042")
    with firm.rt.read() as work:
        [out] = work.trust.draws_out(draw["bill_id"])
    assert (draw["state"], draw["line_id"]) == ("posted", out["id"])
    assert firm.exceptions() == {}
    assert balances(firm) == {("matter", firm.matter()): 40_000}


def test_T19_a_draw_whose_amount_was_corrected_in_clio_is_not_the_authorised_one(firm, drawn):
    assert corrected(firm, drawn, amount_cents=-59_999)["state"] == "withdrawn"
    assert firm.exceptions() == {"trust_draw_unauthorised": 1}


def test_T12_a_reconciled_draw_whose_line_is_taken_out_of_clio_was_not_made(firm, drawn):
    with firm.rt.uow() as work:
        assert work.trust.reconciled(draws_in(work)["id"])
    gone(firm, drawn.id)
    assert draws(firm)[0]["state"] == "withdrawn"


def draws_in(work):
    [draw] = work.draws.listed(limit=9)
    return draw


# ── whose money ──


def test_T9_client_level_money_that_pays_a_bill_is_three_lines_and_stays_apart_until_then(firm):
    client, matter = firm.ids["contacts"]["bo"], firm.matter()
    deposit(firm, 500, client_id=client, matter_id=matter)
    firm.sandbox.act("deposit_trust", client_id=client, amount=400)
    firm.later(days=11)
    bill = firm.issued_bill(dollars=700)
    firm.later(minutes=16)
    assert [draw["amount_cents"] for draw in draws(firm)] == [50_000]
    firm.sandbox.act("apply_trust", id=bill["id"], amount=700, client_level=True)
    firm.later(minutes=16)
    assert balances(firm) == {("matter", matter): 0, ("client", 0): 20_000}
    assert card(firm, kind="client") == [("deposit", 40_000), ("transfer", -20_000)]
    assert card(firm, matter_id=matter) == [("deposit", 50_000), ("transfer", 20_000), ("draw", -70_000)]
    judged(firm)


def test_T13_uncleared_money_moved_to_another_matter_waits_there_as_long(firm):
    other = firm.sandbox.act("create_matter", client_id=firm.ids["contacts"]["bo"], description="Another")["id"]
    deposit(firm, 1000, clear=False)
    firm.sandbox.act("transfer_trust", from_matter_id=firm.matter(), to_matter_id=other, amount=300)
    firm.later(minutes=16)
    assert balances(firm) == {("matter", firm.matter()): 70_000, ("matter", other): 30_000}
    with firm.rt.read() as work:
        client = firm.ids["contacts"]["bo"]
        account = firm.rt.settings.trust.account_of(key="iolta")
        assert work.trust.available(account, client, other).available_cents == 0
    firm.later(days=11)
    with firm.rt.read() as work:
        assert work.trust.available(account, client, other).available_cents == 30_000
    judged(firm)


def test_T14_a_return_recorded_by_hand_is_known_by_its_deposit_s_reference(firm):
    line = deposit(firm, 1000, confirmation="ECHK-7")
    firm.sandbox.act("record_return", id=line["id"])
    firm.later(minutes=16)
    assert card(firm, matter_id=firm.matter()) == [("deposit", 100_000), ("return", -100_000)]
    assert firm.exceptions() == {"trust_return": 1}
    judged(firm)


def test_a_wrong_matter_s_deposit_corrected_in_clio_is_no_return(firm):
    other = firm.sandbox.act("create_matter", client_id=firm.ids["contacts"]["bo"], description="Another")["id"]
    line = deposit(firm, 1000, confirmation="CHK-9")
    firm.sandbox.act("correct_posting", id=line["id"], matter_id=other)
    firm.later(minutes=16)
    assert balances(firm) == {("matter", firm.matter()): 0, ("matter", other): 100_000}
    assert firm.exceptions() == {}
    judged(firm)


def test_T11_the_owner_named_in_clio_takes_the_money_out_of_suspense(firm):
    nobody = a_line(firm, client_id=None, matter_id=None)
    read(firm, nobody)
    assert balances(firm) == {("suspense", 0): 100_000}
    assert firm.exceptions() == {"trust_owner_unknown": 1}
    read(firm, replace(nobody, client_id=3, matter_id=9, updated_at=nobody.updated_at + timedelta(minutes=1)))
    assert balances(firm) == {("suspense", 0): 0, ("matter", 9): 100_000}
    assert firm.exceptions() == {}
    judged(firm)


def test_what_was_there_before_the_first_look_is_history_and_asks_for_nobody(sandbox, database_url):
    with open_firm(sandbox, database_url) as bare:
        bare.work()
        deposit(bare, 1000)
        bill = bare.issued_bill(dollars=600)
        bare.sandbox.act("apply_trust", id=bill["id"], amount=600)
        bare.later(minutes=16)
    with open_firm(sandbox, database_url, environment={"trust": trust_settings(sandbox)}) as firm:
        firm.later(hours=13)
        assert balances(firm) == {("matter", firm.matter()): 40_000}
        assert firm.exceptions() == {}
        judged(firm)


def test_news_counts_what_no_reading_had_shown(firm):
    line = a_line(firm)
    with firm.rt.uow() as work:
        assert LedgerLines().news(work, [line]) == 1
        LedgerLines().apply(firm.rt, work, [line])
        assert LedgerLines().news(work, [line]) == 0
        assert work.dirty.watermark(Kind.LEDGER) is not None


# ── by sign, owner and bill ──


@pytest.mark.parametrize(
    ("facts", "debt", "expected"),
    [
        ({}, False, LineKind.DEPOSIT),
        ({"bill_id": 5}, True, LineKind.TRANSFER),
        ({"bill_id": 5}, False, LineKind.DEPOSIT),
        ({"amount_cents": -1, "bill_id": 5}, True, LineKind.DRAW),
        ({"amount_cents": -1, "bill_id": 5, "matter_id": None}, True, LineKind.TRANSFER),
        ({"amount_cents": -1}, False, LineKind.DISBURSEMENT),
        ({"amount_cents": -1, "online": True, "bill_id": 5}, True, LineKind.RETURN),
        ({"amount_cents": -1, "matter_id": None, "client_id": None}, False, LineKind.FEE),
    ],
    ids=str,
)
def test_a_line_is_what_its_sign_its_owner_and_its_bill_make_it(firm, facts, debt, expected):
    assert kind_of(a_line(firm, **facts), debt=debt) is expected


def test_only_two_rows_of_one_act_are_taken_for_one(firm):
    out, into = a_line(firm, -100, 1), a_line(firm, 100, 2, matter_id=10)
    assert within([out, into]) == {2: 1}
    for facts in (
        {"amount_cents": 99},
        {"client_id": 4},
        {"matter_id": 9},
        {"account_id": 7},
        {"bill_id": 5},
        {"created_at": into.created_at + timedelta(minutes=1)},
        {"on": into.on + timedelta(days=1)},
    ):
        assert within([out, replace(into, **facts)]) == {}
    assert LedgerKind.MATTER == "matter"
