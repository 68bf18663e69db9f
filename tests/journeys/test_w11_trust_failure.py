"""The article's trust failure: a draw shows at LawPay and not in Clio, because its reference is wrong. W10, W11, W14, W15."""

import io
import json
import zipfile
from datetime import timedelta

import pytest

from orchestrator.domain.topics import Urgency
from orchestrator.usecases.backfill_matters import backfill_matters
from orchestrator.usecases.export_evidence import export_evidence
from orchestrator.usecases.resolve_exception import name_its_matter
from orchestrator.usecases.show_exceptions import show_exception
from orchestrator.usecases.verify_audit import verify_audit
from tests.firm import START, open_firm
from tests.journeys.test_w14_planted_faults import breaks, profile

CENTS = 12_345


@pytest.fixture
def firm(sandbox, database_url):
    """The small firm with Clio, LawPay and its bank, and a matter with trust money that is older than the first look back."""
    names = sandbox.reset("small-firm", now=(START - timedelta(days=420)).isoformat(), frozen=True, rate_limit=100_000)
    sandbox.act(
        "create_matter", client="maya", attorney="harbor", description="Old", display_number="OLD-77", trust="900.00"
    )
    sandbox.clock_advance(420 * 86_400)
    with open_firm(sandbox, database_url, environment=profile(names)) as firm:
        firm.work()
        yield firm


def planted(firm, matter_id, **facts):
    firm.sandbox.act("plant_fault", name="bad_reference", matter_id=matter_id, amount_cents=CENTS, **facts)
    firm.later(days=1)
    return [(kind, cents) for kind, cents in breaks(firm) if cents == CENTS]


def standing(firm, cents=CENTS):
    with firm.rt.read() as work:
        return [row for row in work.breaks.standing() if row["money_cents"] == cents]


def trail(firm, cents=CENTS):
    """What was done about the breaks of this amount, and the mapping between, in the chain's own order."""
    with firm.rt.read() as work:
        every = work.connection.exec_driver_sql(f"SELECT id FROM breaks WHERE money_cents = {cents}").scalars().all()
        ours = {("break", str(one)) for one in every}
        return [
            line.action
            for line in work.audit.lines()
            if (line.subject_kind, line.subject_id) in ours or line.action.startswith(("reference.", "matters."))
        ]


def test_W10_a_draw_under_a_wrong_reference_is_a_break_until_a_person_names_its_matter(firm):
    matter = firm.sandbox.act("create_matter", client="maya", attorney="harbor", description="New", trust="900.00")
    firm.later(days=1)
    assert ("unmapped_reference", CENTS) in planted(firm, matter["id"], recorded=True)
    [row] = [row for row in standing(firm) if row["kind"] == "unmapped_reference"]
    assert matter["id"] in [one["matter_id"] for one in row["candidates"]]
    with firm.rt.read() as work:
        [exception] = work.exceptions.about("break", row["id"])
    assert show_exception(firm.rt, exception["id"])["subject"]["reference"] == row["reference"]
    name_its_matter(firm.rt, exception["id"], matter["id"], by="nora", note="the draw of 2 March")
    firm.work()
    assert standing(firm) == []
    with firm.rt.read() as work:
        assert work.exceptions.get(exception["id"])["state"] == "resolved"
    assert trail(firm)[-4:] == ["break_opened", "reference.mapped", "break_reopened", "break_settled"]
    assert verify_audit(firm.rt)["intact"]
    out = io.BytesIO()
    export_evidence(firm.rt, out, matter_id=matter["id"], month=None)
    with zipfile.ZipFile(out) as pack:
        said = {line["action"] for line in json.loads(pack.read("audit.json"))}
    assert {"break_opened", "reference.mapped", "break_reopened", "break_settled"} <= said


def test_W11_a_draw_of_a_matter_opened_before_the_integration_is_explained_by_the_backfill(firm):
    with firm.rt.read() as work:
        assert work.references.written("OLD-77") == []
    old = next(ident for ident in firm.ids["matters"].values() if _number(firm, ident) == "OLD-77")
    assert planted(firm, old, reference="old 77") == [("unmapped_reference", CENTS)]
    backfill_matters(firm.rt, Urgency.SWEEPS, told=lambda _: None, turned=lambda _: None)
    firm.work()
    [row] = standing(firm)
    assert (row["kind"], row["matter_id"]) == ("missing_in_clio", old), (
        "now it is known whose it is, and what is missing"
    )
    firm.sandbox.act("disburse_trust", matter_id=old, amount=f"{CENTS / 100:.2f}", payee="the firm", banked=False)
    firm.later(days=1)
    assert [one for one in breaks(firm) if one[1] == CENTS] == []
    assert standing(firm) == []
    said = trail(firm)
    order = [said.index(action) for action in ("break_opened", "break_reopened", "matters.backfilled", "break_settled")]
    assert order == sorted(order)


def _number(firm, matter_id):
    [read] = firm.rt.practice(Urgency.SWEEPS).matters.by_ids([matter_id])
    return read.display_number
