"""W11: the lookup table follows Clio, the past is read once, and people's words are kept."""

import csv
import io

import pytest

from orchestrator.domain.references import Ambiguous, Resolved, Rung, Unknown
from orchestrator.domain.topics import Urgency
from orchestrator.errors import Rejected
from orchestrator.storage.tables import breaks, matter_references
from orchestrator.usecases.backfill_matters import backfill_matters, backfill_stands, queue_backfill
from orchestrator.usecases.exchange_references import NotImported, export_references, import_references
from orchestrator.usecases.map_reference import map_reference, merge_matters, unmap_reference
from orchestrator.usecases.sync_matters import Matters


def meaning(firm, text, provider="lawpay"):
    with firm.rt.read() as work:
        return work.references.resolve(provider, text)


def lines_about(firm, matter_id):
    with firm.rt.read() as work:
        return [(line["action"], line["actor"], line["facts"]) for line in work.audit.about("matter", matter_id)]


def another(firm, **facts):
    matter = firm.sandbox.act("create_matter", client="bo", attorney="ada", **facts)
    firm.later(minutes=16)
    return matter["id"]


# ── what Clio says ──


def test_a_matter_is_known_by_its_numbers_from_its_first_day(firm):
    ident = another(firm, display_number="00002-Ferris", custom_number="F/2", client_reference="PO-9")
    for text in ("00002-Ferris", "F/2", "PO-9"):
        assert meaning(firm, text) == Resolved(ident, Rung.EXACT)


def test_F70_a_renumbered_matter_is_found_under_both_numbers(firm):
    firm.sandbox.act("edit_matter", id=firm.matter(), display_number="99999-Ferris", custom_number="X-1")
    firm.later(minutes=16)
    old, new = meaning(firm, "00001-Ferris"), meaning(firm, "99999-Ferris")
    assert old == new == Resolved(firm.matter(), Rung.EXACT)
    assert lines_about(firm, firm.matter())[-1] == (
        "matter.renumbered",
        "worker",
        {"before": ["00001-Ferris"], "after": ["X-1", "99999-Ferris"]},
    )


def test_F17_an_older_reading_makes_no_alias_of_the_present_number(firm):
    [reading] = firm.rt.practice(Urgency.SWEEPS).matters.by_ids([firm.matter()])
    firm.later(seconds=2)
    firm.sandbox.act("edit_matter", id=firm.matter(), display_number="99999-Ferris")
    firm.later(minutes=16)
    with firm.rt.uow() as work:
        Matters().apply(firm.rt, work, [reading])
        current = [row["reference"] for row in work.references.of_matter(firm.matter()) if row["current"]]
    assert current == ["99999-Ferris"]


# ── the past ──


@pytest.fixture
def old(firm):
    """A firm with 450 matters of its own, of which the table has forgotten all."""
    for one in range(450):
        firm.sandbox.act("create_matter", client="bo", attorney="ada", display_number=f"{one + 100:05d}-Old")
    with firm.rt.uow() as work:
        work.connection.execute(matter_references.delete())
    return firm


def nothing(_):
    """What a backfill tells goes nowhere."""


def calls(firm):
    return sum(one["path"] == "/matters" for one in firm.sandbox.requests())


def test_a_matter_opened_before_the_integration_is_known_after_the_backfill(old):
    assert meaning(old, "00100-Old") == Unknown()
    told = []
    assert backfill_matters(old.rt, Urgency.SWEEPS, told=told.append, turned=nothing) == 451
    assert [(at.read, at.total) for at in told] == [(200, 451), (400, 451), (451, 451)]
    assert isinstance(meaning(old, "100 old"), Resolved)
    with old.rt.read() as work:
        assert work.audit.about("account", "clio")[-1]["action"] == "matters.backfilled"


def test_a_backfill_that_was_interrupted_goes_on_where_it_stopped(old):
    def pulled(at):
        if at.read == 200:
            raise KeyboardInterrupt

    before = calls(old)
    with pytest.raises(KeyboardInterrupt):
        backfill_matters(old.rt, Urgency.SWEEPS, told=pulled, turned=nothing)
    assert backfill_stands(old.rt)["read"] == 200
    assert backfill_matters(old.rt, Urgency.SWEEPS, told=nothing, turned=nothing) == 451
    assert calls(old) - before == 3
    backfill_matters(old.rt, Urgency.SWEEPS, told=nothing, turned=nothing)
    with old.rt.read() as work:
        assert work.references.counts() == {"display_number": 451}


def test_F37_a_backfill_whose_place_clio_forgot_begins_again(old):
    old.sandbox.fault("GET /matters", "status", skip=1, times=1, code=400)
    queue_backfill(old.rt)
    assert queue_backfill(old.rt) is False
    old.work()
    assert [job["state"] for job in old.jobs("matters.backfill")] == ["done"]
    assert backfill_stands(old.rt)["read"] == 451


# ── what people say ──


def test_a_mapping_stands_until_it_is_taken_back_and_each_has_its_line(firm):
    ident = firm.matter()
    done = map_reference(firm.rt, " smith retainer ", ident, provider="any", by="nora", note="letter of 2 March")
    assert (done["new"], done["before"]) == (True, {"outcome": "unknown"})
    assert meaning(firm, "Smith Retainer") == Resolved(ident, Rung.NORMALISED)
    assert map_reference(firm.rt, "smith retainer", ident, provider="any", by="nora")["new"] is False
    unmap_reference(firm.rt, "smith retainer", matter_id=None, provider="any", by="nora")
    assert meaning(firm, "smith retainer") == Unknown()
    mapped, unmapped = lines_about(firm, ident)[-2:]
    assert (mapped[0], unmapped[0], mapped[1]) == ("reference.mapped", "reference.unmapped", "nora")
    assert mapped[2]["reference"] == "smith retainer"


def test_a_dry_mapping_leaves_nothing(firm):
    done = map_reference(firm.rt, "x", firm.matter(), provider="any", by="nora", dry_run=True)
    assert (done["dry_run"], done["new"]) == (True, True)
    assert meaning(firm, "x") == Unknown()


def test_a_mapping_that_contradicts_another_or_names_no_matter_is_refused(firm):
    other = another(firm)
    map_reference(firm.rt, "x", firm.matter(), provider="any", by="nora")
    with pytest.raises(Rejected, match="take that back first"):
        map_reference(firm.rt, "x", other, provider="any", by="nora")
    with pytest.raises(Rejected, match="is not known here"):
        map_reference(firm.rt, "y", 4711, provider="any", by="nora")
    for text in ("", " ", "a\nb", "x" * 300):
        with pytest.raises(Rejected):
            map_reference(firm.rt, text, other, provider="any", by="nora")


def test_what_clio_says_is_changed_in_clio(firm):
    with pytest.raises(Rejected, match="change it there"):
        unmap_reference(firm.rt, "00001-Ferris", matter_id=None, provider="any", by="nora")
    firm.sandbox.act("edit_matter", id=firm.matter(), display_number="9-New")
    firm.later(minutes=16)
    unmap_reference(firm.rt, "00001-Ferris", matter_id=firm.matter(), provider="any", by="nora")
    assert meaning(firm, "00001-Ferris") == Unknown()


def test_F70_a_merged_matter_s_numbers_lead_to_the_other_and_a_sweep_does_not_undo_it(firm):
    into = another(firm, display_number="00002-Ferris")
    merge_matters(firm.rt, firm.matter(), into=into, by="nora")
    firm.sandbox.act("edit_matter", id=firm.matter(), description="merged into 2")
    firm.later(minutes=16)
    assert meaning(firm, "00001-Ferris") == Resolved(into, Rung.EXACT)
    assert lines_about(firm, firm.matter())[-1][0] == "matter.merged"


# ── files ──


def exported(firm):
    out = io.StringIO()
    export_references(firm.rt, out)
    return out.getvalue()


def test_F79_what_is_exported_is_neutral_and_comes_back_the_same(firm):
    other = another(firm, display_number='=HYPERLINK("x"),1', custom_number="+1 'tis")
    for text in ("@sum", "'=1", "a,b", 'say "no"', "- 5", "müller & söhne"):
        map_reference(firm.rt, text, other, provider="lawpay", by="nora")
    first = exported(firm)
    for row in list(csv.reader(io.StringIO(first)))[1:]:
        assert not any(cell.lstrip(" ").startswith(("=", "+", "-", "@")) for cell in row)
    with firm.rt.uow() as work:
        work.connection.execute(matter_references.delete())
    done = import_references(firm.rt, "\ufeff" + first, by="nora", dry_run=False)
    assert (done["new"], done["known"]) == (done["lines"], 0)
    assert exported(firm) == first
    assert import_references(firm.rt, first, by="nora", dry_run=False)["new"] == 0


HEAD = "provider,kind,reference,matter_id\n"


def test_a_file_with_faults_is_refused_whole_with_a_sentence_for_each_line(firm):
    ident, other = firm.matter(), another(firm)
    map_reference(firm.rt, "taken", other, provider="any", by="nora")
    before = exported(firm)
    source = HEAD + "\n".join([
        f"any,mapped,good,{ident}",
        f"any,mapped,good,{ident}",
        f"any,mapped,good,{other}",
        f"any,mapped,taken,{ident}",
        "any,mapped,x,4711",
        f"paypal,mapped,x,{ident}",
        f"lawpay,display_number,x,{ident}",
        "any,mapped,x",
        "any,mapped,x,twelve",
        f'any,mapped,"two\nlines",{ident}',
        f"any,mapped,,{ident}",
    ])  # fmt: skip
    with pytest.raises(NotImported) as refused:
        import_references(firm.rt, source, by="nora", dry_run=False)
    said = [sentence.split(": ", 1) for sentence in refused.value.faults]
    assert [place for place, _ in said] == [f"Line {n}" for n in (3, 4, 5, 6, 7, 8, 9, 10, 11, 13)]
    for (_, sentence), words in zip(said, ("repeats line 2", "in line 2", "mapped to matter", "not known", "provider",
                                           "kind", "cells", "not the id", "one line", "empty"), strict=True):  # fmt: skip
        assert words in sentence.lower()
    assert exported(firm) == before


@pytest.mark.parametrize("source", ["", "a,b\n", "provider;kind;reference;matter_id\n", HEAD + 'any,mapped,"open,1\n'])
def test_what_is_not_such_a_file_is_refused(firm, source):
    with pytest.raises(NotImported, match=r"Line 1|not CSV"):
        import_references(firm.rt, source, by="nora", dry_run=False)


def test_a_dry_import_says_what_it_would_keep(firm):
    done = import_references(firm.rt, HEAD + f"bank,mapped,x,{firm.matter()}\n", by="nora", dry_run=True)
    assert (done["new"], meaning(firm, "x", "bank")) == (1, Unknown())


def test_a_bill_number_that_is_also_a_matter_s_number_is_a_person_s_question(firm):
    other = another(firm, display_number="1001")
    bill = firm.issued_bill()
    firm.later(minutes=16)
    assert bill["number"] == "1001"
    assert meaning(firm, "1001") == Ambiguous(tuple(sorted((firm.matter(), other))), Rung.EXACT)
    map_reference(firm.rt, "1001", firm.matter(), provider="lawpay", by="nora")
    assert meaning(firm, "1001") == Resolved(firm.matter(), Rung.EXACT)


# ── breaks ──


def a_break(firm, reference):
    with firm.rt.uow() as work:
        work.connection.execute(
            breaks.insert().values(
                fingerprint=reference, kind="unmapped_reference", account="iolta", state="open", run_id=1,
                reference=reference, money_cents=60_000, currency="USD", cause="nobody knows it", candidates=[],
                movement_ids=[], since=work.now.date(), opened_at=work.now, updated_at=work.now,
            )
        )  # fmt: skip


def states(firm):
    with firm.rt.read() as work:
        return {row["reference"]: row["state"] for row in work.breaks.standing()}


def test_a_mapping_has_the_breaks_that_it_explains_looked_at_again(firm):
    a_break(firm, "RETAINER BO")
    a_break(firm, "somebody else")
    assert map_reference(firm.rt, "Retainer Bo", firm.matter(), provider="lawpay", by="nora")["reopened"] == 1
    assert states(firm) == {"RETAINER BO": "reopened", "somebody else": "open"}
    assert len(firm.jobs("reconcile.window")) == 1


def test_a_matter_s_new_number_has_the_breaks_that_it_explains_looked_at_again(firm):
    a_break(firm, "F-0815")
    another(firm, custom_number="F-0815")
    assert states(firm) == {"F-0815": "reopened"}
