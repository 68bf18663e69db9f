"""W11, F70: the lookup table on both databases."""

import pytest
import sqlalchemy as sa

from orchestrator.domain.ids import effect_key
from orchestrator.domain.lawpay_pages import key_of, reference_of
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.domain.references import Ambiguous, Resolved, Rung, Unknown
from orchestrator.storage.references import Entry
from orchestrator.storage.tables import links, matter_references
from tests.firm import START
from tests.storage.rows import a_bill, a_matter


def keep(uow, *matters):
    with uow() as work:
        work.mirror.put_matters(matters)
        return work.references.keep(matters)


def meaning(uow, text, provider="lawpay"):
    with uow.read() as work:
        return work.references.resolve(provider, text)


def test_a_matter_is_found_under_all_that_clio_calls_it(uow):
    keep(uow, a_matter(custom_number="C-77", client_reference="PO 0815"))
    assert meaning(uow, "00001-Ferris") == Resolved(9, Rung.EXACT)
    assert meaning(uow, "1 ferris", "bank") == Resolved(9, Rung.NORMALISED)
    assert meaning(uow, "c77") == meaning(uow, "po-815") == Resolved(9, Rung.NORMALISED)
    assert meaning(uow, "9") == Resolved(9, Rung.ID)
    assert meaning(uow, "00002-Ferris") == Unknown()


def test_a_file_s_lines_are_kept_by_hundreds_and_what_is_there_already_is_not_kept_again(uow):
    keep(uow, a_matter())
    lines = [Entry("lawpay", "mapped", f"ref {n}", 9) for n in range(1200)] + [Entry("clio", "custom_number", "old", 9)]
    said = []
    with uow() as work:
        work.references.add(lines[7], source="operator")
        sa.event.listen(work.connection, "before_cursor_execute", lambda *given: said.append(given[2]))
        new = work.references.add_all_new(lines, source="import")
        known = work.references.mappings({"ref 7", "old", "nothing"})
    assert new == [line for line in lines if line is not lines[7]]
    assert known == {("lawpay", "ref 7"): 9}
    assert len(said) < 10
    assert meaning(uow, "ref 1199") == meaning(uow, "old") == Resolved(9, Rung.EXACT)
    with uow.read() as work:
        [old] = work.references.written("old")
    assert (old["current"], old["source"]) == (False, "import")


def test_F70_an_old_number_stays_as_an_alias(uow):
    keep(uow, a_matter())
    [changed] = keep(uow, a_matter(display_number="00001-Ferris-Jones"))
    assert (changed.new, changed.ended) == (("00001-Ferris-Jones",), ("00001-Ferris",))
    assert meaning(uow, "00001-Ferris") == meaning(uow, "00001-Ferris-Jones") == Resolved(9, Rung.EXACT)
    with uow.read() as work:
        lines = {row["reference"]: (row["current"], row["ended_at"] is None) for row in work.references.of_matter(9)}
    assert lines == {"00001-Ferris": (False, False), "00001-Ferris-Jones": (True, True)}


def test_F70_a_number_that_comes_back_is_current_again_and_no_second_line(uow):
    keep(uow, a_matter())
    keep(uow, a_matter(display_number="x-1"))
    keep(uow, a_matter())
    with uow.read() as work:
        assert [(row["reference"], row["current"]) for row in work.references.of_matter(9)] == [
            ("00001-Ferris", True),
            ("x-1", False),
        ]


def test_F70_a_number_given_to_another_matter_is_ambiguous_until_a_person_says(uow, clock):
    keep(uow, a_matter())
    keep(uow, a_matter(display_number="00002-Ferris"), a_matter(id=10))
    assert meaning(uow, "00001-Ferris") == Ambiguous((9, 10), Rung.EXACT)
    clock.advance(minutes=1)
    with uow() as work:
        work.references.add(Entry("lawpay", "mapped", "00001-Ferris", 10), source="operator")
    assert meaning(uow, "00001-Ferris") == Resolved(10, Rung.EXACT)
    assert meaning(uow, "00001-Ferris", "bank") == Ambiguous((9, 10), Rung.EXACT)
    clock.advance(minutes=1)
    keep(uow, a_matter(id=11, display_number="x", custom_number="00001-Ferris"))
    assert meaning(uow, "00001-Ferris") == Ambiguous((10, 11), Rung.EXACT)


def test_keeping_again_what_is_known_writes_nothing(uow):
    assert len(keep(uow, a_matter(custom_number="C"))) == 1
    assert keep(uow, a_matter(custom_number="C")) == []


def test_a_bill_s_number_leads_to_its_matter(uow):
    keep(uow, a_matter())
    with uow() as work:
        work.mirror.put_bills([a_bill(number="INV-0017")], read_at=work.now)
        work.mirror.put_bills([a_bill(id=6, number="18", matter_ids=(9, 10))], read_at=work.now)
    assert meaning(uow, "inv 17") == Resolved(9, Rung.BILL)
    assert meaning(uow, "18") == Ambiguous((9, 10), Rung.BILL)


def test_one_word_of_a_person_stands_on_one_text(uow):
    with uow() as work:
        assert work.references.add(Entry("any", "mapped", "R", 1), source="operator")
        assert not work.references.add(Entry("any", "mapped", "R", 2), source="operator")
        row = work.references.mapping("any", "R")
        work.references.withdraw([row["id"]])
        assert work.references.add(Entry("any", "mapped", "R", 2), source="operator")
    assert meaning(uow, "R") == Resolved(2, Rung.EXACT)


def test_a_merged_matter_s_names_and_id_lead_to_the_one_that_remains(uow):
    keep(uow, a_matter(), a_matter(id=10, display_number="00010-Ferris"))
    with uow() as work:
        assert work.references.merge(9, into=10, source="operator") == 1
    assert meaning(uow, "00001-Ferris") == Resolved(10, Rung.EXACT)
    assert meaning(uow, "9") == Resolved(10, Rung.EXACT)
    keep(uow, a_matter(display_number="00001-Ferris"))
    assert meaning(uow, "00001-Ferris") == Resolved(10, Rung.EXACT), "a later sweep does not undo it"


def test_many_texts_are_resolved_in_a_few_statements(uow):
    keep(uow, *(a_matter(id=one, display_number=f"{one:05d}-X") for one in range(1, 1201)))
    asked = []
    with uow.read() as work:
        sa.event.listen(work.connection, "before_cursor_execute", lambda *said: asked.append(said[2]))
        found = work.references.resolve_all("lawpay", [f" {one}x " for one in range(1, 1301)])
    assert len(asked) <= 12
    assert found[" 77x "] == Resolved(77, Rung.NORMALISED)
    assert sum(isinstance(one, Unknown) for one in found.values()) == 100


@pytest.mark.parametrize("text", ["9" * 19, "9" * 400, "é" * 256, "\x00"])
def test_a_text_too_strange_for_a_column_names_nothing(uow, text):
    assert meaning(uow, text.replace("\x00", "")) == Unknown()


def test_the_history_is_never_deleted(uow):
    keep(uow, a_matter())
    with uow() as work:
        work.references.add(Entry("any", "mapped", "R", 9), source="operator")
        work.references.withdraw([work.references.mapping("any", "R")["id"]])
    with uow.read() as work:
        assert work.connection.execute(sa.select(sa.func.count()).select_from(matter_references)).scalar_one() == 2
        assert [row["reference"] for row in work.references.listed()] == ["00001-Ferris"]


def test_a_reference_of_ours_leads_to_the_matter_of_its_bill(uow):
    key = effect_key("link", 5)
    text = reference_of(key, matter_number="00001-Ferris", bill_number="17")
    with uow() as work:
        work.mirror.put_bills([a_bill(number="x17")], read_at=work.now)
        work.connection.execute(
            links.insert().values(
                bill_id=5, cycle=1, rail="lawpay_page", state="live", amount_cents=1, currency="USD", account_id=0, key=key,
                reference=text, reference_key=key_of(key), created_at=work.now, updated_at=work.now,
            )
        )  # fmt: skip
    assert meaning(uow, text.lower()) == Resolved(9, Rung.KEY)
    edited = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert meaning(uow, edited) == Unknown(), "what somebody edited proves nothing"


def test_texts_of_many_movements_are_told_piece_by_piece_while_others_are_looked_up(uow):
    with uow() as work:
        work.movements.see([
            Movement(
                source=Source.BANK, external_id=str(one), account="iolta", amount_cents=-one, currency="USD", on=START.date(),
                at=None, kind=MovementKind.DEPOSIT, status=MovementStatus.SETTLED, reference=f"T {one % 1200}",
            )
            for one in range(2400)
        ])  # fmt: skip
    with uow.read() as work:
        found = {}
        for row in work.references.texts_without_id():
            work.references.resolve("bank", row["reference"])
            found[row["reference"]] = (row["movements"], int(row["money_cents"]))
    assert len(found) == 1200
    assert found["T 7"] == (2, 7 + 1207)
