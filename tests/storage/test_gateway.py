"""What LawPay told us, on both databases: forward only, each event once, and one poll for however many ring."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.domain.books import Line
from orchestrator.domain.gateway import (
    GatewayAccount,
    GatewayEvent,
    Method,
    Transaction,
    TransactionStatus,
    TransactionType,
)
from orchestrator.domain.links import Rail
from orchestrator.storage.gateway import POLL, to_transaction

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CHARGE = Transaction(
    id="-Qx7", type=TransactionType.CHARGE, status=TransactionStatus.AUTHORIZED, account_id="a1", amount_cents=60_000,
    currency="USD", reference="R", method=Method.BANK, created_at=NOON, modified_at=NOON,
)  # fmt: skip


def seen(uow, transaction=CHARGE, *, at=NOON, account="operating"):
    with uow() as work:
        return work.gateway.put(transaction, account=account, read_at=at)


def status(uow):
    with uow.read() as work:
        return work.gateway.get(CHARGE.id)["status"]


def later(transaction=CHARGE, minutes=1, **facts):
    return replace(transaction, modified_at=transaction.modified_at + timedelta(minutes=minutes), **facts)


def test_a_transaction_is_read_back_as_it_was_put(uow):
    row = seen(uow)
    assert to_transaction(row) == CHARGE
    assert (row["account"], row["matched"], row["deviations"], row["booked_cents"]) == ("operating", False, [], 0)


def test_F17_a_row_moves_forward_only(uow):
    seen(uow, later(status=TransactionStatus.COMPLETED))
    assert seen(uow) is None
    assert status(uow) == "COMPLETED"
    assert seen(uow, later(minutes=2, status=TransactionStatus.FAILED)) is not None
    assert status(uow) == "FAILED"


def test_F17_of_two_readings_of_one_moment_the_one_that_began_later_stands(uow):
    seen(uow, at=NOON + timedelta(seconds=2))
    assert seen(uow, replace(CHARGE, status=TransactionStatus.PENDING), at=NOON + timedelta(seconds=1)) is None
    assert seen(uow, replace(CHARGE, status=TransactionStatus.COMPLETED), at=NOON + timedelta(seconds=3)) is not None


def test_what_we_concluded_outlives_the_next_reading(uow):
    seen(uow)
    with uow() as work:
        work.gateway.note(CHARGE.id, matched=True, deviations=["lawpay_paid_twice"], booked_cents=1)
    row = seen(uow, later(status=TransactionStatus.COMPLETED))
    assert (row["matched"], row["deviations"], row["booked_cents"]) == (True, ["lawpay_paid_twice"], 1)


def test_a_transaction_keeps_its_number(uow):
    numbers = {seen(uow)["number"], seen(uow, later())["number"], seen(uow, replace(CHARGE, id="other"))["number"]}
    assert len(numbers) == 2


def test_F43_an_event_is_kept_once(uow):
    event = GatewayEvent("e1", "transaction.completed", NOON, CHARGE.id)
    for _ in range(2):
        with uow() as work:
            work.gateway.add_events([event, event])
    with uow.read() as work:
        assert work.gateway.known_events(["e1", "e2"]) == {"e1"}
        assert work.gateway.completed_event(CHARGE.id) == NOON
        assert work.gateway.completed_event("other") is None


def opened(uow):
    with uow() as work:
        return work.gateway.open_feed(lambda: "a-path")


def test_the_feed_is_opened_once_and_keeps_its_path(uow):
    opened(uow)
    with uow() as work:
        assert work.gateway.open_feed(lambda: "another")["path_token"] == "a-path"


def test_F43_the_watermark_never_goes_back(uow):
    opened(uow)
    for moment in (NOON, NOON - timedelta(hours=1)):
        with uow() as work:
            work.gateway.read_to(moment)
    with uow.read() as work:
        assert work.gateway.feed()["watermark"] == NOON


def polls(uow):
    with uow.read() as work:
        return len(work.jobs.listed(topic=POLL, limit=100))


def test_rings_before_a_poll_are_one_job_and_a_ring_during_it_is_another(uow):
    opened(uow)
    for _ in range(3):
        with uow(beside=True) as work:
            work.gateway.ring()
    assert polls(uow) == 1
    with uow() as work:
        work.gateway.begin_poll()
    with uow(beside=True) as work:
        work.gateway.ring()
    assert polls(uow) == 2


def test_rings_and_polls_at_once_never_lose_one(postgres_uow):
    opened(postgres_uow)

    def act(n):
        with postgres_uow(beside=True) as work:
            work.gateway.ring()
        if n % 3 == 0:
            with postgres_uow() as work:
                work.gateway.begin_poll()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(48)))
    with postgres_uow.read() as work:
        generation = work.gateway.feed()["generation"]
    assert generation == 17
    assert 1 <= polls(postgres_uow) <= generation


@pytest.mark.parametrize("trust", [True, False, None])
def test_T1_a_flag_that_lawpay_leaves_out_is_kept_as_unknown(uow, trust):
    opened(uow)
    account = GatewayAccount("a1", "Trust", Method.CARD, trust, "USD", active=True)
    with uow() as work:
        work.gateway.put_accounts([account])
    with uow.read() as work:
        assert work.gateway.accounts() == {"a1": account}
        assert work.gateway.feed()["accounts_read_at"] is not None


def test_both_rails_keep_books_of_their_own_for_payments_of_one_number(uow):
    with uow() as work:
        for rail, cents in ((Rail.CLIO_PAYMENTS, 100), (Rail.LAWPAY_PAGE, 7)):
            lines = [Line("bank:1", cents), Line("receivable", -cents, 5)]
            assert work.journal.post("payment_received", 1, 0, lines, currency="USD", rail=rail)
            assert not work.journal.post("payment_received", 1, 0, lines, currency="USD", rail=rail)
    with uow.read() as work:
        assert work.journal.booked(1) == {("bank:1", None): 100, ("receivable", 5): -100}
        assert work.journal.booked(1, rail=Rail.LAWPAY_PAGE) == {("bank:1", None): 7, ("receivable", 5): -7}
        assert work.journal.events_of(1, rail=Rail.LAWPAY_PAGE) == 2
        assert work.journal.payments_of_bill(5) == {1}
        assert work.journal.balance() == 0
