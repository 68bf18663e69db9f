"""What time alone makes a matter for a person, and what is never forgotten."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from orchestrator.domain.draws import DrawState
from orchestrator.domain.topics import TOPICS
from orchestrator.usecases.authorise_draw import decline
from tests.firm import open_firm
from tests.trust import authorised, deposit, draws, judged, trust_settings


@pytest.fixture
def firm(sandbox, database_url):
    with ExitStack() as stack:
        firm = stack.enter_context(
            open_firm(sandbox, database_url, environment={"trust": trust_settings(sandbox)})
        )  # fmt: skip
        firm.work()
        yield firm


def billed(firm, dollars=600):
    bill = firm.issued_bill(dollars=dollars)
    firm.later(minutes=16)
    return bill


def test_T3_earned_money_that_lingers_is_told_once(firm):
    deposit(firm, 1000)
    billed(firm)
    firm.later(days=29)
    assert "trust_draw_lingers" not in firm.exceptions()
    firm.later(days=2)
    assert firm.exceptions()["trust_draw_lingers"] == 1
    firm.later(days=2)
    with firm.rt.read() as work:
        [told] = work.exceptions.listed(kind="trust_draw_lingers")
    assert (told["times"], told["money_cents"]) == (1, 60_000)
    judged(firm)


@pytest.mark.parametrize("end", ["declined", "posted"])
def test_T3_nobody_is_asked_about_a_draw_that_is_over(firm, end):
    deposit(firm, 1000)
    bill = billed(firm)
    firm.later(days=31)
    [draw] = draws(firm)
    assert "trust_draw_lingers" in firm.exceptions()
    if end == "declined":
        decline(firm.rt, draw["id"], by="iris", why="the client pays", dry_run=False)
    else:
        authorised(firm, draw["id"])
        firm.sandbox.act("apply_trust", id=bill["id"], amount=600)
        firm.later(minutes=16)
    assert draws(firm)[0]["state"] == end
    assert "trust_draw_lingers" not in firm.exceptions()


def test_T33_a_balance_that_has_not_moved_for_a_year_is_told_and_never_swept(firm):
    deposit(firm, 1000)
    firm.later(days=366)
    assert firm.exceptions()["trust_idle"] == 1
    with firm.rt.read() as work:
        assert work.trust.total("iolta") == 100_000


def test_T34_a_matter_that_is_closed_with_money_in_trust_is_told_until_it_is_gone(firm):
    deposit(firm, 1000)
    firm.sandbox.act("close_matter", id=firm.matter())
    firm.later(minutes=16)
    firm.later(days=1)
    assert firm.exceptions()["trust_closed_matter"] == 1
    firm.sandbox.act("disburse_trust", matter_id=firm.matter(), amount=1000, payee="Bo Ferris")
    firm.later(minutes=16)
    firm.later(days=1)
    assert "trust_closed_matter" not in firm.exceptions()
    judged(firm)


def test_T24_a_draw_is_in_transit_until_both_its_bill_and_its_ledger_show_it(firm):
    deposit(firm, 1000)
    bill = billed(firm)
    [draw] = draws(firm)
    authorised(firm, draw["id"])
    firm.sandbox.act("apply_trust", id=bill["id"], amount=600)
    firm.sandbox.clock_advance(60)
    firm.tick()
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "bill-first", kind="bill")
    firm.work()
    [draw] = draws(firm)
    with firm.rt.read() as work:
        assert work.mirror.bills([bill["id"]])[bill["id"]].balance_cents == 0
        [ledger] = work.trust.ledgers()
    assert draw["state"] == DrawState.AUTHORISED
    assert (ledger["balance_cents"], ledger["reserved_cents"]) == (100_000, 60_000)
    firm.later(minutes=16)
    assert draws(firm)[0]["state"] == DrawState.POSTED
    judged(firm)


def test_an_authorised_draw_whose_bill_was_settled_otherwise_gives_its_promise_back(firm):
    deposit(firm, 1000)
    bill = billed(firm)
    authorised(firm, draws(firm)[0]["id"])
    firm.sandbox.act("record_payment", id=bill["id"], amount=600)
    firm.later(days=1)
    assert draws(firm)[0]["state"] == DrawState.AUTHORISED
    firm.later(days=3)
    assert [(draw["state"], draw["reason"]) for draw in draws(firm)] == [("withdrawn", "trust_draw_not_posted")]
    judged(firm)


def test_T24_a_draw_made_days_after_its_authorisation_is_not_taken_back_while_only_its_bill_shows_it(firm):
    deposit(firm, 1000)
    bill = billed(firm)
    authorised(firm, draws(firm)[0]["id"])
    firm.later(days=4)
    firm.sandbox.act("apply_trust", id=bill["id"], amount=600)
    firm.sandbox.clock_advance(60)
    for topic, facts in (("sweep", {"kind": "bill"}), ("trust.watch", {})):
        with firm.rt.uow() as work:
            work.jobs.add(topic, "before the ledger", **facts)
        firm.work()
    assert draws(firm)[0]["state"] in {DrawState.AUTHORISED, DrawState.POSTED}
    firm.later(minutes=16)
    assert draws(firm)[0]["state"] == DrawState.POSTED
    assert firm.exceptions() == {}
    judged(firm)


def test_T45_nothing_of_trust_is_forgotten_by_upkeep(firm):
    deposit(firm, 1000)
    billed(firm)
    before = kept(firm)
    with firm.rt.uow() as work:
        work.jobs.tidy(before=work.now + timedelta(days=3_700), topics=TOPICS)
    after = kept(firm)
    assert after["lines"] == before["lines"]
    assert after["draws"] == before["draws"]
    assert after["movements"] == before["movements"]
    assert after["audit"][: len(before["audit"])] == before["audit"]


def kept(firm):
    with firm.rt.read() as work:
        [ledger] = work.trust.ledgers()
        return {
            "lines": [row["id"] for row in work.trust.lines_of(ledger["id"])],
            "draws": [row["id"] for row in work.draws.listed()],
            "movements": [seen.external_id for seen in work.movements.current()],
            "audit": [row["seq"] for draw in work.draws.listed() for row in work.audit.about("draw", draw["id"])],
        }


def test_T48_what_a_person_is_asked_names_a_matter_number_and_not_the_nature_of_the_work(firm):
    deposit(firm, 1000)
    billed(firm)
    [task] = [one for one in firm.effects("task.created") if "Authorise" in one["name"]]
    said = " ".join(str(value) for value in task.values())
    assert "lease" not in said
    assert "Professional services" not in said
