"""What Clio Payments took, as movements: on the day on which the money moved."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from orchestrator.domain.movements import MovementStatus, Source
from orchestrator.domain.payments import Payment, PaymentState
from orchestrator.usecases.see_payments import see_payments
from tests.reconciling import office

MADE = datetime(2026, 3, 16, 23, 30, tzinfo=UTC)
ECHECK = Payment(71, PaymentState.PENDING, 52_000, "USD", None, (7,), (5,), 12, MADE, MADE)


def seen(firm, payment):
    with firm.rt.uow() as work:
        work.mirror.put_payments([payment])
    with firm.rt.uow() as work:
        new = see_payments(work, firm.rt.settings.trust)
        head = work.movements.heads(Source.CLIO_PAYMENTS, [str(payment.id)])[str(payment.id)]
    return new, head["on"], head["status"]


def test_a_payment_moves_on_the_day_it_settles_and_stays_on_that_day(either_url):
    with office(either_url) as firm:
        settled = replace(ECHECK, state=PaymentState.COMPLETED, updated_at=MADE + timedelta(days=5))
        touched = replace(settled, updated_at=MADE + timedelta(days=9))
        assert seen(firm, ECHECK) == (1, date(2026, 3, 16), MovementStatus.PENDING)
        assert seen(firm, settled) == (1, date(2026, 3, 21), MovementStatus.SETTLED)
        assert seen(firm, touched) == (0, date(2026, 3, 21), MovementStatus.SETTLED)


def test_a_payment_that_fell_through_stays_on_the_day_it_was_made(database_url):
    with office(database_url) as firm:
        failed = replace(ECHECK, state=PaymentState.FAILED, updated_at=MADE + timedelta(days=2))
        assert seen(firm, failed) == (1, date(2026, 3, 16), MovementStatus.FAILED)
        assert seen(firm, failed)[0] == 0
