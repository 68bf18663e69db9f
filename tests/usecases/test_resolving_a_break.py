"""W10, W11, W15: a draw under a wrong reference, from its break to its settling, in one audit trail."""

import io
import json
import zipfile

import pytest

from orchestrator.domain.audit_chain import check
from orchestrator.engine.run import run
from orchestrator.errors import Rejected
from orchestrator.usecases.assign_exception import assign_exception
from orchestrator.usecases.explain_break import explain_break
from orchestrator.usecases.export_evidence import export_evidence
from orchestrator.usecases.map_reference import map_reference, unmap_reference
from orchestrator.usecases.resolve_exception import name_its_matter
from orchestrator.usecases.retry_exception import retry_exception
from tests.reconciling import clio, lawpay, office
from workflows.book import BOOK


@pytest.fixture
def firm(either_url):
    with office(either_url) as firm:
        firm.knows(M1=5)
        firm.sees(lawpay("cr_1", -70_000, 4, "Smth retainer"), clio(1, -70_000, 5), clio(2, 90_000, 1))
        firm.run()
        yield firm


def work_windows(firm):
    """What workers do with the windows that were asked for."""
    with firm.rt.read() as work:
        waiting = work.jobs.listed(topic="reconcile.window", states=["ready"], limit=100)
    for row in waiting:
        assert run(firm.rt, BOOK, row["id"])
    return len(waiting)


def the_exception(firm):
    with firm.rt.read() as work:
        [row] = work.exceptions.listed(kind="break_unmapped_reference")
    return row


def trail(firm):
    with firm.rt.read() as work:
        assert check(work.audit.lines()).findings == []
        return [line.action for line in work.audit.lines() if line.action != "run_finished"]


def test_a_break_whose_matter_a_person_names_is_settled_by_the_run_that_follows(firm):
    row = the_exception(firm)
    assert name_its_matter(firm.rt, row["id"], 5, by="nora", note="", dry_run=True)["reopened"] == 1
    assert work_windows(firm) == 0
    done = name_its_matter(firm.rt, row["id"], 5, by="nora", note="letter of 2 March")
    assert (done["provider"], done["reopened"]) == ("lawpay", 1)
    with firm.rt.read() as work:
        assert work.references.mapping("lawpay", "Smth retainer")["source"] == "break"
    assert work_windows(firm) == 1
    with firm.rt.read() as work:
        assert work.exceptions.open_counts() == {}
        assert work.breaks.standing() == []
    said = trail(firm)
    order = [said.index(action) for action in ("break_opened", "reference.mapped", "break_reopened", "break_settled")]
    assert order == sorted(order)


def test_who_looks_after_a_break_has_its_exception_too(firm):
    row = the_exception(firm)
    explain_break(firm.rt, row["subject_id"], owner="iris", why=None, cure_by=None, by="nora")
    assert the_exception(firm)["owner"] == "iris"


def test_a_mapping_taken_back_and_made_again_has_the_window_run_each_time(firm):
    map_reference(firm.rt, "smth retainer", 5, provider="lawpay", by="nora")
    assert work_windows(firm) == 1
    unmap_reference(firm.rt, "smth retainer", matter_id=None, provider="lawpay", by="nora")
    firm.run()
    map_reference(firm.rt, "smth retainer", 5, provider="lawpay", by="nora")
    assert work_windows(firm) == 1
    with firm.rt.read() as work:
        assert work.breaks.standing() == []


def test_a_reference_as_long_as_may_be_has_its_window_run(firm):
    text = "R " + "x 1 " * 60
    firm.sees(lawpay("cr_2", -5, 6, text))
    firm.run()
    map_reference(firm.rt, text, 5, provider="lawpay", by="nora")
    assert work_windows(firm) >= 1


def test_who_takes_an_exception_on_owns_its_break(firm):
    row = the_exception(firm)
    assign_exception(firm.rt, row["id"], to="nora", by="ada", dry_run=False)
    with firm.rt.read() as work:
        assert work.breaks.get(row["subject_id"])["owner"] == "nora"


def test_a_retry_of_a_break_runs_its_window_and_says_the_same_while_nothing_changed(firm):
    row = the_exception(firm)
    retry_exception(firm.rt, row["id"], by="nora", resend=False, dry_run=False)
    assert work_windows(firm) == 1
    with firm.rt.read() as work:
        assert [one["kind"] for one in work.breaks.standing()] == ["unmapped_reference"]
        assert work.exceptions.open_counts() == {"break_unmapped_reference": 1}


def test_what_has_no_text_names_no_matter(firm):
    with firm.rt.uow() as work:
        work.exceptions.open("reconnect", "clio", "Connect again.")
        [row] = work.exceptions.listed(kind="reconnect")
    with pytest.raises(Rejected, match="no text that could name a matter"):
        name_its_matter(firm.rt, row["id"], 5, by="nora", note="")


def test_T46_the_pack_of_the_matter_tells_the_whole_story(firm):
    name_its_matter(firm.rt, the_exception(firm)["id"], 5, by="nora", note="")
    work_windows(firm)
    for scope in ({"matter_id": 5, "month": None}, {"matter_id": None, "month": "2026-03"}):
        out = io.BytesIO()
        rows = export_evidence(firm.rt, out, **scope)["rows"]
        assert (rows["movements"], rows["matches"], rows["breaks"]) == (
            3,
            1,
            1 if scope["matter_id"] else rows["breaks"],
        )
        with zipfile.ZipFile(out) as zipped:
            [row] = json.loads(zipped.read("matches.json"))
            assert row["rule"] == "amount_matter_days"
    assert rows["runs"] == 2
