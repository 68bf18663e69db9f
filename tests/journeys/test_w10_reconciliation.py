"""W10, W15: the article's failure. A draw shows in LawPay and not in Clio, because its reference leads nowhere."""

from datetime import timedelta

import httpx
import pytest

from orchestrator.usecases.backfill_matters import queue_backfill
from orchestrator.usecases.import_statement import import_statement
from orchestrator.usecases.map_reference import map_reference
from orchestrator.usecases.reconcile import account_named, reconcile
from orchestrator.usecases.show_runs import show_breaks, show_diff, show_run
from orchestrator.usecases.sign_period import sign_period
from tests.firm import START, open_firm
from tests.journeys.test_w14_planted_faults import profile

REVIEWER = "Nora Harbor"
CENTS = 123_45


@pytest.fixture
def firm(sandbox, database_url):
    """The small firm, with Clio, LawPay and its bank."""
    names = sandbox.reset("small-firm", now=START.isoformat(), frozen=True, rate_limit=100_000)
    said = profile(names)
    said["trust"]["reviewers"] = [REVIEWER]
    with open_firm(sandbox, database_url, environment=said) as firm:
        firm.work()
        yield firm


def yesterday(firm):
    return firm.rt.local_date(firm.rt.clock()) - timedelta(days=1)


def statement(firm):
    """The bank's own file of the trust account, up to yesterday."""
    said = httpx.get(
        f"{firm.sandbox.state()['bank']['trust']['statement']}.ofx",
        params={"from": "2026-03-01", "to": yesterday(firm).isoformat()},
        trust_env=False,
    )
    import_statement(firm.rt, account_named(firm.rt, "trust"), said.content, name="trust.ofx", by="test")


def compared(firm):
    done = reconcile(firm.rt, account_named(firm.rt, "trust"), cut_off=yesterday(firm))
    return show_run(firm.rt, done["id"])


def newest(firm):
    with firm.rt.read() as work:
        return show_run(firm.rt, work.runs.newest("trust")["id"])


def drawn(firm, matter_id, reference):
    """A draw by way of LawPay, which somebody entered in Clio: only nothing says that it is the same."""
    firm.sandbox.act(
        "plant_fault", name="bad_reference", matter_id=matter_id, amount_cents=CENTS, reference=reference, recorded=True
    )
    firm.later(days=4)
    statement(firm)


def actions(firm, kind, ident):
    with firm.rt.read() as work:
        return [line["action"] for line in work.audit.about(kind, ident)]


def test_W10_a_mapping_reconciles_the_draw_that_its_reference_hid(firm):
    matter = firm.sandbox.act("create_matter", client="maya", attorney="harbor", description="Lost", trust="911.07")
    firm.later(days=2)
    drawn(firm, matter["id"], "Harbr retainr")
    before = compared(firm)
    (said,) = [one for one in before["breaks"] if one["kind"] == "unmapped_reference"]
    assert (said["money_cents"], said["reference"]) == (CENTS, "Harbr retainr")
    assert [one["matter_id"] for one in said["candidates"]] == [matter["id"]]
    (waiting,) = show_breaks(firm.rt, account="trust", kind="unmapped_reference")
    assert firm.exceptions()["break_unmapped_reference"] == 1

    answer = map_reference(firm.rt, "Harbr retainr", matter["id"], provider="lawpay", by="iris")
    assert answer["reopened"] == 1
    firm.work()

    after = newest(firm)
    assert after["run"]["version"] > before["run"]["version"]
    assert after["breaks"] == []
    assert after["statement"]["equal"]
    assert "break_unmapped_reference" not in firm.exceptions()
    changed = show_diff(firm.rt, before["run"]["id"], after["run"]["id"])
    assert [one["reference"] for one in changed["breaks_gone"]] == ["Harbr retainr"]
    assert [one["rule"] for one in changed["matches_new"]] == ["amount_matter_days"]
    assert actions(firm, "break", waiting["id"]) == ["break_opened", "break_reopened", "break_settled"]
    assert "reference.mapped" in actions(firm, "matter", matter["id"])
    firm.check()


def test_W10_a_matter_opened_before_the_integration_is_found_by_the_backfill(firm):
    """Its number stands in Clio and in LawPay's reference; only the lookup table never heard of it."""
    matter = firm.sandbox.act("create_matter", client="maya", attorney="harbor", description="Old", trust="911.07")
    firm.later(days=2)
    with firm.rt.read() as work:
        number = work.mirror.matters([matter["id"]])[matter["id"]].display_number
    drawn(firm, matter["id"], number)
    with firm.rt.uow() as work:  # as if it had been opened before anybody listened
        work.references.withdraw([row["id"] for row in work.references.of_matter(matter["id"])])
        work.connection.exec_driver_sql(f"DELETE FROM matters WHERE id = {matter['id']}")
    before = compared(firm)
    assert [one["kind"] for one in before["breaks"]] == ["unmapped_reference"]

    assert queue_backfill(firm.rt)
    firm.work()
    firm.later(minutes=20)

    after = newest(firm)
    assert after["breaks"] == []
    assert after["statement"]["equal"]
    firm.check()


def test_W15_an_equal_month_is_signed_and_the_next_begins_where_it_ended(firm):
    matter = firm.sandbox.act("create_matter", client="maya", attorney="harbor", description="Clean", trust="911.07")
    firm.later(days=30)
    statement(firm)
    month = reconcile(firm.rt, account_named(firm.rt, "trust"), cut_off=START.date().replace(day=31))
    sign_period(firm.rt, month["id"], reviewer=REVIEWER)
    firm.sandbox.act("deposit_trust", matter_id=matter["id"], amount="50.00")
    firm.later(days=5)
    statement(firm)
    april = compared(firm)
    assert april["run"]["opened_on"].isoformat() == "2026-04-01"
    assert april["statement"]["opening_cents"] == month["statement"]["book_cents"]
    assert (april["breaks"], april["statement"]["equal"]) == ([], True)
