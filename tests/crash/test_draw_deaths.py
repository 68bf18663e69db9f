"""A process that dies anywhere on a draw's way leaves one draw, one task, one promise, and the money where it was (T23)."""

from contextlib import suppress

import pytest

from orchestrator.domain.draws import DrawState
from orchestrator.engine.points import Point
from orchestrator.usecases.authorise_draw import authorise_by_hand
from tests.firm import Died, open_firm
from tests.trust import apply_in_clio, authorise, deposit, draws, judged, notice, trust_settings

POINTS = [point for point in Point if not point.value.startswith("receipt.")]


def survive(firm, minutes):
    """Time passes; whoever dies is started again."""
    firm.sandbox.clock_advance(60 * minutes)
    for _ in range(6):
        with suppress(Died):
            firm.work()
            return
        firm.rest_pauses()


@pytest.mark.parametrize("nth", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("point", POINTS)
def test_F10_T23_a_death_at_any_point_leaves_one_draw_and_one_task(sandbox, database_url, point, nth):
    left = 0

    def passing(passed):
        nonlocal left
        left -= passed is point
        if passed is point and left == 0:
            raise Died(point)

    environment = {"trust": trust_settings(sandbox)}
    with open_firm(sandbox, database_url, passing=passing, environment=environment) as firm:
        firm.work()
        deposit(firm, 1000)
        left = nth
        bill = firm.issued_bill(dollars=600)
        survive(firm, 16)
        survive(firm, 2)
        [draw] = draws(firm)
        assert (draw["state"], draw["amount_cents"], draw["bill_id"]) == (DrawState.PROPOSED, 60_000, bill["id"])
        left = nth
        notice(firm, draw["id"])
        authorise(firm, draw["id"])
        firm.sandbox.act("apply_trust", id=bill["id"], amount=600)
        survive(firm, 16)
        survive(firm, 16)
        assert [(one["state"], one["sequence"]) for one in draws(firm)] == [(DrawState.POSTED, 1)]
        asked = [task for task in firm.effects("task.created") if "Authorise" in task["name"]]
        assert len(asked) <= 1
        with firm.rt.read() as work:
            [ledger] = work.trust.ledgers()
        assert (ledger["balance_cents"], ledger["reserved_cents"]) == (40_000, 0)
        assert firm.links() == []
        judged(firm)


def test_F12_a_bill_that_was_paid_while_a_signatory_looked_at_its_draw_is_not_drawn(sandbox, database_url):
    with open_firm(sandbox, database_url, environment={"trust": trust_settings(sandbox)}) as firm:
        firm.work()
        deposit(firm, 1000)
        bill = firm.issued_bill(dollars=600)
        firm.later(minutes=16)
        [draw] = draws(firm)
        notice(firm, draw["id"])
        firm.sandbox.act("record_payment", id=bill["id"], amount=600)
        firm.later(minutes=16)
        with pytest.raises(Exception, match="no longer waiting"):
            authorise_by_hand(firm.rt, draw["id"], by="Ada Quill", dry_run=False)
        assert [(one["state"], one["reason"]) for one in draws(firm)] == [("withdrawn", "nothing_open")]
        judged(firm)


def test_F13_a_ledger_page_that_fails_posts_nothing_of_what_was_not_read(sandbox, database_url):
    with open_firm(sandbox, database_url, environment={"trust": trust_settings(sandbox)}) as firm:
        firm.work()
        deposit(firm, 1000)
        firm.issued_bill(dollars=600)
        firm.later(minutes=16)
        [draw] = draws(firm)
        notice(firm, draw["id"])
        authorise(firm, draw["id"])
        sandbox.fault("GET /bank_transactions", "status", code=500, times=9)
        apply_in_clio(firm, draw)
        assert draws(firm)[0]["state"] == DrawState.AUTHORISED
        sandbox.clear_faults()
        firm.rest_pauses()
        firm.later(minutes=16)
        assert draws(firm)[0]["state"] == DrawState.POSTED
        judged(firm)
