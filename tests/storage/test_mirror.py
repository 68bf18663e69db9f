"""Our copy only moves forward, whatever order readings arrive in (F17)."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from orchestrator.domain.bills import BillState
from orchestrator.domain.contacts import Client, EmailProblem
from orchestrator.domain.payments import PaymentState
from tests.firm import START
from tests.storage.rows import BO, a_bill, a_matter, a_payment, an_entry

LATER = START + timedelta(seconds=1)


def put(uow, kind, *readings, read_at=START):
    with uow() as work:
        if kind == "bills":
            work.mirror.put_bills(readings, read_at=read_at)
        else:
            getattr(work.mirror, f"put_{kind}")(readings)


def test_what_was_read_comes_back_as_it_was(uow):
    bill, matter = a_bill(), a_matter(custom_fields={"Billing Date": "2026-04-01"}, currency="USD")
    put(uow, "bills", bill)
    put(uow, "matters", matter)
    with uow.read() as work:
        assert work.mirror.bills([5, 6]) == {5: bill}
        assert work.mirror.matters([9]) == {9: matter}


@pytest.mark.parametrize("client", [None, Client(3, "***", None, EmailProblem.REDACTED)])
def test_a_client_we_may_not_see_stays_unseen(uow, client):
    put(uow, "bills", a_bill(client=client))
    with uow.read() as work:
        assert work.mirror.bills([5])[5].client == client


def test_F17_an_older_reading_never_replaces_a_newer_one_in_any_order(uow):
    states = (PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.COMPLETED)
    readings = [a_payment(state=state, updated_at=START + timedelta(seconds=n)) for n, state in enumerate(states)]
    for number, order in enumerate(itertools.permutations(readings)):
        for reading in order:
            put(uow, "payments", replace(reading, id=100 + number))
        with uow.read() as work:
            assert work.mirror.payments([100 + number])[100 + number]["state"] == PaymentState.COMPLETED


def test_F17_every_kind_moves_forward_only(uow):
    put(uow, "bills", a_bill(state=BillState.PAID, updated_at=LATER), read_at=LATER)
    put(uow, "bills", a_bill(), read_at=LATER + timedelta(minutes=1))
    put(uow, "matters", a_matter(display_number="new", updated_at=LATER))
    put(uow, "matters", a_matter(display_number="old"))
    put(uow, "entries", an_entry(total_cents=2, updated_at=LATER))
    put(uow, "entries", an_entry(total_cents=1))
    with uow.read() as work:
        assert work.mirror.bills([5])[5].state is BillState.PAID
        assert work.mirror.matters([9])[9].display_number == "new"
        assert [entry["total_cents"] for entry in work.mirror.entries([1])] == [2]


def test_within_one_second_the_reading_that_began_later_is_the_newer(uow):
    put(uow, "bills", a_bill(pending_cents=60_000), read_at=LATER)
    put(uow, "bills", a_bill(), read_at=START)
    with uow.read() as work:
        assert work.mirror.bills([5])[5].pending_cents == 60_000
    put(uow, "bills", a_bill(pending_cents=100), read_at=LATER)
    with uow.read() as work:
        assert work.mirror.bills([5])[5].pending_cents == 100


def test_what_was_booked_survives_the_next_reading(uow):
    put(uow, "payments", a_payment())
    with uow() as work:
        work.mirror.booked(8, 60_000)
    put(uow, "payments", a_payment(state=PaymentState.COMPLETED, updated_at=LATER))
    with uow.read() as work:
        assert work.mirror.payments([8])[8]["booked_cents"] == 60_000


def test_what_we_decided_about_a_bill_survives_the_next_reading(uow):
    put(uow, "bills", a_bill())
    with uow() as work:
        work.mirror.bill_answers(5, 77)
        work.mirror.silence(5, "client_email_blank")
    put(uow, "bills", a_bill(updated_at=LATER))
    with uow.read() as work:
        kept = work.mirror.bill_rows([5])[5]
    assert (kept["request_id"], kept["silence"]) == (77, "client_email_blank")


def test_the_quiet_period_restarts_only_when_a_value_changed(uow):
    put(uow, "entries", an_entry())
    put(uow, "entries", an_entry(etag="e2", updated_at=LATER, quantity_seconds=Decimal("3600.00")))
    with uow.read() as work:
        [entry] = work.mirror.entries([1])
    assert (entry["changed_at"], entry["updated_at"]) == (START, LATER)
    put(uow, "entries", an_entry(updated_at=LATER + timedelta(seconds=1), price_cents=31_000))
    with uow.read() as work:
        [entry] = work.mirror.entries([1])
    assert entry["changed_at"] == LATER + timedelta(seconds=1)


def test_an_entry_that_comes_back_is_not_gone(uow):
    put(uow, "entries", an_entry())
    with uow() as work:
        work.mirror.entry_gone([1])
    put(uow, "entries", an_entry())
    with uow.read() as work:
        assert [entry["gone"] for entry in work.mirror.entries([1])] == [False]


def test_a_bill_that_is_gone_owes_nothing(uow):
    put(uow, "bills", a_bill(state=BillState.DRAFT))
    with uow() as work:
        work.mirror.bill_gone([5], read_at=LATER)
        gone = work.mirror.bills([5])[5]
    assert (gone.state, gone.open_cents) == (BillState.DELETED, 0)


def test_a_thousand_objects_are_asked_for_in_one_go(uow):
    put(uow, "bills", *(a_bill(id=number) for number in range(1, 1201)))
    with uow.read() as work:
        assert len(work.mirror.bills(range(1, 1201))) == 1200
        assert work.mirror.bill_states_of_matter(9) == {BillState.AWAITING_PAYMENT}
        assert len(work.mirror.open_bill_ids_of_clients([BO.id])) == 1200
