"""Trust ledgers on both databases: lines that nobody can change, balances that nobody can overdraw, promises made once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from orchestrator.domain.accounts import AccountClass, FirmAccount
from orchestrator.domain.draws import DrawState, Purpose
from orchestrator.domain.trust import Ledger, LedgerKind, LineKind, Origin, Posting
from orchestrator.errors import Rejected
from orchestrator.storage.tables import trust_ledgers, trust_lines
from orchestrator.storage.unit_of_work import UnitOfWork

IOLTA = FirmAccount("iolta", AccountClass.TRUST, 34, (), None, "USD", "America/New_York")
MATTER = Ledger("iolta", LedgerKind.MATTER, 3, 9)
TODAY = date(2026, 3, 2)


def a_line(cents=100_000, ident=1, **facts):
    line = Posting(
        ledger=MATTER, origin=Origin.CLIO, external_id=str(ident), version=1,
        kind=LineKind.DEPOSIT if cents > 0 else LineKind.DRAW, amount_cents=cents, currency="USD", on=TODAY,
        effective_on=TODAY, party="matter:9", purpose="deposit", reference=f"clio:{ident}",
    )  # fmt: skip
    return replace(line, **facts)


def ours(cents, ident="o1", **facts):
    return a_line(
        cents, ident, **{"origin": Origin.OURS, "kind": LineKind.SET_ASIDE, "authoriser": "Ada Quill"} | facts
    )


def post(uow, *lines):
    with uow() as work:
        return [work.trust.post(line, currency="USD") for line in lines]


def available(uow, **place):
    with uow.read() as work:
        return work.trust.available(IOLTA, **{"client_id": 3, "matter_id": 9} | place).available_cents


# ── lines ──


@pytest.mark.parametrize(
    "change",
    [
        sa.update(trust_lines).values(amount_cents=1),
        sa.update(trust_lines).where(trust_lines.c.id == 1).values(why="because"),
        sa.delete(trust_lines),
    ],
    ids=["amount", "why", "delete"],
)
def test_T12_the_database_refuses_to_change_or_drop_a_posted_line(uow, change):
    post(uow, a_line())
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), uow() as work:
        work.connection.execute(change)
    with uow.read() as work:
        [line] = work.connection.execute(sa.select(trust_lines)).mappings()
    assert line["amount_cents"] == 100_000


def test_T7_a_line_says_what_it_must_and_the_balance_after_it(uow):
    [line] = post(uow, a_line(purpose="Retainer", reference="CHK-17"))
    said = {name: line[name] for name in ("on", "amount_cents", "party", "purpose", "reference", "balance_cents")}
    assert said == {
        "on": TODAY, "amount_cents": 100_000, "party": "matter:9", "purpose": "Retainer", "reference": "CHK-17",
        "balance_cents": 100_000,
    }  # fmt: skip


@pytest.mark.parametrize("missing", [{"party": ""}, {"purpose": ""}, {"reference": ""}, {"amount_cents": 0}], ids=str)
def test_T7_a_line_that_lacks_what_it_must_say_is_rejected(uow, missing):
    with pytest.raises(Rejected) as refusal:
        post(uow, a_line(**missing))
    assert refusal.value.reason == "trust_line_incomplete"


def test_T7_a_line_of_ours_that_takes_money_out_names_its_authoriser(uow):
    post(uow, a_line())
    with pytest.raises(Rejected, match="authorised"):
        post(uow, ours(-100, authoriser=None))


def test_T50_a_line_in_another_currency_is_rejected(uow):
    with pytest.raises(Rejected) as refusal:
        post(uow, a_line(currency="CAD"))
    assert refusal.value.reason == "currency_mismatch"


def test_T23_the_same_line_posted_again_is_posted_once(uow):
    assert post(uow, a_line())[0] is not None
    assert post(uow, a_line(), a_line()) == [None, None]
    assert available(uow) == 100_000


def test_T12_a_correction_is_a_line_that_names_what_it_reverses_who_and_why(uow):
    [first] = post(uow, a_line())
    with uow() as work:
        undone = work.trust.reverse(first, on=TODAY, actor="worker", why="Clio changed it")
        work.trust.post(a_line(90_000, version=2), currency="USD")
    assert (undone["reverses"], undone["actor"], undone["why"], undone["amount_cents"]) == (
        first["id"], "worker", "Clio changed it", -100_000,
    )  # fmt: skip
    with uow() as work:
        assert work.trust.standing(["1"])["1"]["amount_cents"] == 90_000
        assert work.trust.versions(["1"]) == {"1": 2}
        # A line is reversed once: the database would refuse the second, and our own key finds it first.
        assert work.trust.reverse(first, on=TODAY, actor="worker", why="again") is None
        assert work.trust.total("iolta") == 90_000


def test_T44_a_past_day_is_rebuilt_as_it_was_known_then_and_as_it_is_known_now(uow, clock):
    [first] = post(uow, a_line())
    then = clock()
    clock.advance(days=40)
    late = TODAY + timedelta(days=40)
    with uow() as work:
        work.trust.reverse(first, on=late, actor="worker", why="Clio changed it")
        work.trust.post(a_line(90_000, version=2), currency="USD")
    with uow.read() as work:
        assert list(work.trust.balances("iolta", on=TODAY, known_at=then).values()) == [100_000]
        assert list(work.trust.balances("iolta", on=TODAY).values()) == [90_000]
        assert work.trust.balances("iolta", on=TODAY - timedelta(days=1)) == {}


# ── balances ──


def test_T8_a_line_of_ours_that_would_go_below_zero_is_refused_and_changes_nothing(uow):
    post(uow, a_line(10_000))
    with pytest.raises(Rejected) as refusal:
        post(uow, ours(-6_000, "o1"), ours(-6_000, "o2"))
    assert refusal.value.reason == "trust_balance_short"
    assert available(uow) == 10_000


def test_T8_the_database_itself_refuses_a_balance_below_zero(uow):
    post(uow, a_line(10_000))
    with pytest.raises(sa.exc.IntegrityError), uow() as work:
        work.connection.execute(sa.update(trust_ledgers).values(balance_cents=-1))


def test_T8_many_writers_at_once_cannot_overdraw_a_ledger(postgres_uow):
    post(postgres_uow, a_line(10_000))
    barrier = threading.Barrier(8)

    def one(number):
        uow = UnitOfWork(postgres_uow.engine, postgres_uow.clock)
        barrier.wait()
        try:
            with uow(beside=True) as work:
                work.trust.post(ours(-3_000, f"o{number}"), currency="USD")
        except Rejected:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 3
    with postgres_uow.read() as work:
        assert work.trust.total("iolta") == 1_000


def test_T14_a_return_after_the_money_was_used_posts_as_the_fact_it_is_and_freezes(uow):
    post(uow, a_line(100_000, 1), a_line(-80_000, 2))
    [back] = post(uow, a_line(-100_000, 3, kind=LineKind.RETURN))
    assert back["balance_cents"] == -80_000
    with uow() as work:
        [ledger] = work.trust.shortages("iolta")
        assert (ledger["frozen"], ledger["frozen_by"]) == (True, "short:3")
        assert not work.trust.reserve(ledger["id"], 1, today=TODAY)
        with pytest.raises(Rejected, match="still short"):
            work.trust.thaw(ledger["id"])
    post(uow, a_line(80_000, 4))
    with uow() as work:
        work.trust.thaw(ledger["id"])
    assert available(uow) == 0


def test_T9_only_the_matter_s_own_ledger_counts(uow):
    client, other = Ledger("iolta", LedgerKind.CLIENT, 3), Ledger("iolta", LedgerKind.MATTER, 3, 10)
    restricted = Ledger("iolta", LedgerKind.RESTRICTED, 3, 9)
    for number, ledger in enumerate((client, other, restricted, Ledger("iolta", LedgerKind.SUSPENSE)), 10):
        post(uow, a_line(50_000, number, ledger=ledger))
    assert available(uow) == 0
    assert available(uow, matter_id=10) == 50_000
    with uow.read() as work:
        assert work.trust.total("iolta") == 200_000


def test_T13_a_deposit_that_has_not_cleared_cannot_be_promised(uow, clock):
    post(uow, a_line(50_000, 1), a_line(70_000, 2, clears_on=TODAY + timedelta(days=3)))
    assert available(uow) == 50_000
    with uow() as work:
        ledger = work.trust.ledger(MATTER, currency="USD")
        assert not work.trust.reserve(ledger["id"], 50_001, today=TODAY)
        assert work.trust.reserve(ledger["id"], 50_000, today=TODAY)
    clock.advance(days=3)
    assert available(uow) == 70_000


# ── promises ──


def test_T17_two_bills_never_count_the_same_dollar(postgres_uow):
    post(postgres_uow, a_line(100_000))
    with postgres_uow() as work:
        ledger = work.trust.ledger(MATTER, currency="USD")
    barrier = threading.Barrier(8)

    def one(number):
        uow = UnitOfWork(postgres_uow.engine, postgres_uow.clock)
        barrier.wait()
        with uow(beside=True) as work:
            if not work.trust.reserve(ledger["id"], 30_000, today=TODAY):
                return 0
            draw = work.draws.propose(bill_id=number, purpose=Purpose.EARNED_FEE, ledger=ledger, amount_cents=30_000)
            return int(draw is not None)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 3
    with postgres_uow.read() as work:
        assert work.draws.promised_by_ledger() == {ledger["id"]: 90_000}
        assert work.trust.ledger_by_id(ledger["id"])["reserved_cents"] == 90_000


def test_T17_the_database_itself_refuses_a_promise_beyond_the_balance(uow):
    post(uow, a_line(10_000))
    with pytest.raises(sa.exc.IntegrityError), uow() as work:
        work.connection.execute(sa.update(trust_ledgers).values(reserved_cents=10_001))


def test_T29_money_claimed_by_a_third_party_is_not_promised(uow):
    post(uow, a_line(10_000))
    with uow() as work:
        ledger = work.trust.ledger(MATTER, currency="USD")
        work.trust.claim(ledger["id"], 7_000)
        assert not work.trust.reserve(ledger["id"], 3_001, today=TODAY)
        assert work.trust.reserve(ledger["id"], 3_000, today=TODAY)
    with pytest.raises(Rejected):
        post(uow, ours(-1))


# ── draws ──


def proposed(uow, bill_id=5, cents=30_000):
    with uow() as work:
        ledger = work.trust.ledger(MATTER, currency="USD")
        assert work.trust.reserve(ledger["id"], cents, today=TODAY)
        return work.draws.propose(bill_id=bill_id, purpose=Purpose.EARNED_FEE, ledger=ledger, amount_cents=cents)


def test_T23_a_bill_has_one_open_draw_and_each_later_one_has_its_own_number(uow):
    post(uow, a_line())
    first = proposed(uow)
    with uow() as work:
        ledger = work.trust.ledger(MATTER, currency="USD")
        assert work.draws.propose(bill_id=5, purpose=Purpose.EARNED_FEE, ledger=ledger, amount_cents=1) is None
        work.draws.move(first, DrawState.DECLINED)
        second = work.draws.propose(bill_id=5, purpose=Purpose.EARNED_FEE, ledger=ledger, amount_cents=1)
    assert (first["sequence"], second["sequence"]) == (1, 2)
    assert first["key"] != second["key"]


def test_T21_a_purpose_outside_the_closed_list_is_refused(uow):
    post(uow, a_line())
    with uow() as work:
        ledger = work.trust.ledger(MATTER, currency="USD")
        with pytest.raises(Rejected) as refusal:
            work.draws.propose(bill_id=5, purpose="office_rent", ledger=ledger, amount_cents=1)
    assert refusal.value.reason == "trust_purpose_unknown"


def test_a_draw_is_reconciled_only_from_posted(uow):
    post(uow, a_line())
    draw = proposed(uow)
    with uow() as work:
        assert not work.trust.reconciled(draw["id"])
        work.draws.move(draw, DrawState.AUTHORISED)
        work.draws.move(work.draws.get(draw["id"]), DrawState.POSTED)
        assert work.trust.reconciled(draw["id"])
        assert not work.trust.reconciled(draw["id"])
        assert work.draws.get(draw["id"])["state"] == DrawState.RECONCILED


def test_what_is_over_stays_over(uow):
    post(uow, a_line())
    draw = proposed(uow)
    with uow() as work:
        work.draws.move(draw, DrawState.WITHDRAWN)
    with pytest.raises(Rejected, match="withdrawn"), uow() as work:
        work.draws.move(work.draws.get(draw["id"]), DrawState.AUTHORISED)
