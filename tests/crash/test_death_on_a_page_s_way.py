"""A death at every named point of a bill's way over a LawPay page: one message, one booking, one note, one task."""

import tomllib
from contextlib import ExitStack

import pytest

from orchestrator.domain.links import Rail
from orchestrator.engine.points import Point
from orchestrator.sandbox.scenario import SCENARIOS
from tests.firm import START, Died, dying_at, open_firm
from tests.lawpay import lawpay_settings, questions, with_lawpay

NEVER = {
    Point.EFFECT_SETTLING,
    Point.EFFECT_SEARCHED,
    Point.EFFECT_ADOPTED,
    Point.RECEIPT_STORING,
    Point.RECEIPT_STORED,
}
"""Passed only after a lost answer, or by the web process; tests of their own kill there."""


@pytest.fixture
def settings(sandbox):
    tiny = tomllib.loads((SCENARIOS / "tiny.toml").read_text("utf-8"))
    sandbox.reset(with_lawpay(tiny), seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    return lawpay_settings(sandbox.state())


def lived(sandbox, database_url, settings, act, *, point, times):
    """Do `act` with a firm that dies at the first passings of a point, and with another after each death."""
    for left in range(times, -1, -1):
        with ExitStack() as stack:
            passing = {"passing": dying_at(point)} if left else {}
            firm = stack.enter_context(open_firm(sandbox, database_url, environment=settings, **passing))
            firm.rest_pauses()
            try:
                act(firm)
            except Died:
                sandbox.clock_advance(1)
                continue
            return


@pytest.mark.slow
@pytest.mark.parametrize("point", [point for point in Point if point not in NEVER])
def test_F10_a_death_anywhere_leaves_one_of_everything(sandbox, database_url, settings, point):
    with open_firm(sandbox, database_url, environment=settings) as firm:
        firm.work()
        bill = firm.issued_bill()
    steps = (
        lambda firm: (firm.later(minutes=16), firm.later(minutes=2), firm.later(minutes=3)),
        lambda firm: (firm.later(days=1), firm.later(minutes=6), firm.later(minutes=3)),
        lambda firm: (firm.later(minutes=6), firm.later(minutes=3)),
    )
    acts = (
        lambda: None,
        lambda: sandbox.act("lawpay_pay", page=page(sandbox, database_url, settings, bill)["url"]),
        lambda: sandbox.act("lawpay_refund", id=sandbox.effects("lawpay.authorized")[0]["id"], amount_cents=10_000),
    )
    for act, step in zip(acts, steps, strict=True):
        act()
        lived(sandbox, database_url, settings, step, point=point, times=3)
    with open_firm(sandbox, database_url, environment=settings) as firm:
        firm.rest_pauses()
        firm.later(minutes=3)
        # A message whose relay may have taken it is a person's, and never sent again (F75).
        doubt = questions(firm).pop("mail_outcome_unknown", 0)
        assert len(firm.mails()) == 1 or (doubt and firm.mails() == [])
        said = [note["subject"].partition(" for ")[0] for note in firm.effects("note.created")]
        assert sorted(said) == sorted(
            {"Payment received", "Payment reversed", *(word for word in said if "issued" in word)}
        )
        tasks = [task["name"].partition(" of ")[0] for task in firm.effects("task.created") if "LawPay" in task["name"]]
        assert sorted(tasks) == ["Record the LawPay payment", "Take back the LawPay payment"]
        with firm.rt.read() as work:
            lines = [row for row in work.journal.listed() if row["rail"] == Rail.LAWPAY_PAGE]
            assert sum(row["amount_cents"] for row in lines if row["account"] == "bank:operating") == 50_000
            assert len(lines) == 4
        assert questions(firm).keys() - {"mail_outcome_unknown"} == {"payment_reversed"}
        firm.check()


def page(sandbox, database_url, settings, bill):
    with open_firm(sandbox, database_url, environment=settings) as firm, firm.rt.read() as work:
        return work.links.of_bill(bill["id"])[-1]
