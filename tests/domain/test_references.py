"""W11, F70: a text names one matter, several, or none; nothing is guessed."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.references import (
    LONGEST,
    Ambiguous,
    Known,
    Provider,
    ReferenceKind,
    ReferenceTable,
    Resolved,
    Rung,
    Unknown,
    normalise,
    resolve,
)

THEN = datetime(2026, 3, 2, tzinfo=UTC)
LATER = THEN + timedelta(days=1)


def number(reference, matter_id, *, since=THEN, current=True):
    return Known(reference, matter_id, ReferenceKind.DISPLAY_NUMBER, since, Provider.CLIO, current)


def word(reference, matter_id, *, since=THEN, provider=Provider.ANY):
    return Known(reference, matter_id, ReferenceKind.MAPPED, since, provider)


def bill(reference, matter_id, *, since=THEN):
    return Known(reference, matter_id, "bill_number", since)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("00001-Ferris", "1 ferris"),
        ("M-0007", "m7"),
        ("ＡＢ－１２", "ab-12"),
        (" 2026 / 014 ", "2026-14"),
        ("Straße 1", "STRASSE1"),
        ("0", "000"),
    ],
)
def test_what_differs_in_case_space_punctuation_or_leading_zeros_is_the_same(one, other):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), [("1-01", "11"), ("1-1", "11"), ("2026-014", "2026014"), ("10", "1")])
def test_two_numbers_are_never_run_together(one, other):
    assert normalise(one) != normalise(other)


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


PARTS = st.lists(
    st.one_of(st.integers(0, 10**6), st.text(string.ascii_letters, min_size=1, max_size=6)), min_size=1, max_size=5
)


@given(PARTS, st.data())
def test_the_way_a_number_is_written_does_not_matter(parts, data):
    def written():
        between = st.sampled_from(["-", " ", "/", "_", " - ", "."])
        texts = []
        for part in parts:
            text = str(part)
            if isinstance(part, int):
                text = "0" * data.draw(st.integers(0, 3)) + text
            else:
                text = text.upper() if data.draw(st.booleans()) else text.lower()
            texts.append(text)
        return "".join(text + data.draw(between) for text in texts)

    assert normalise(written()) == normalise(written())


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_different_numbers_never_meet(one, other):
    same = normalise("-".join(map(str, one))) == normalise("/".join(map(str, other)))
    assert same is (one == other)


def test_each_rung_answers_in_its_turn():
    table = ReferenceTable(
        known=[number("00001-Ferris", 1), number("ACME-2", 2)],
        ids=[900],
        bills=[bill("INV-77", 3)],
        keys={"KEY": [4]},
        own_key=lambda text: "KEY" if text.startswith("ORC-") else None,
    )
    assert resolve("900", table) == Resolved(900, Rung.ID)
    assert resolve("00001-Ferris", table) == Resolved(1, Rung.EXACT)
    assert resolve("1 FERRIS", table) == Resolved(1, Rung.NORMALISED)
    assert resolve("inv 077", table) == Resolved(3, Rung.BILL)
    assert resolve("ORC-1-77-KEY-X", table) == Resolved(4, Rung.KEY)
    assert resolve("somebody else's", table) == Unknown()


@pytest.mark.parametrize("text", ["", "   ", "---", "x" * (LONGEST + 1)])
def test_what_says_nothing_names_nothing(text):
    assert resolve(text, ReferenceTable(known=[number("***", 1), number("x", 2)])) == Unknown()


def test_an_exact_reference_is_not_confused_by_one_that_only_looks_like_it():
    table = ReferenceTable(known=[number("A-1", 1), number("a1", 2)])
    assert resolve("A-1", table) == Resolved(1, Rung.EXACT)
    assert resolve("A 1", table) == Ambiguous((1, 2), Rung.NORMALISED)


def test_F70_an_old_number_still_names_its_matter_until_another_bears_it():
    assert resolve("A-1", ReferenceTable(known=[number("A-1", 1, current=False)])) == Resolved(1, Rung.EXACT)
    both = ReferenceTable(known=[number("A-1", 1, current=False), number("A-1", 2)])
    assert resolve("A-1", both) == Ambiguous((1, 2), Rung.EXACT)


def test_a_bare_number_that_is_one_matter_s_number_and_another_s_bill_is_not_guessed():
    table = ReferenceTable(known=[number("1001", 1)], bills=[bill("1001", 2)])
    assert resolve("1001", table) == Ambiguous((1, 2), Rung.EXACT)
    assert resolve("1001", ReferenceTable(known=[number("1001", 7)], ids=[1001])) == Ambiguous((7, 1001), Rung.ID)
    assert resolve("1001", ReferenceTable(known=[number("1001", 1)], bills=[bill("1001", 1)])) == Resolved(
        1, Rung.EXACT
    )


def test_a_bill_of_two_matters_names_neither():
    assert resolve("INV-5", ReferenceTable(bills=[bill("INV-5", 1), bill("INV-5", 2)])) == Ambiguous((1, 2), Rung.BILL)


def test_a_person_s_word_decides_among_what_was_known_when_it_was_given():
    known = [number("A-1", 1, current=False), number("A-1", 2), word("A-1", 2)]
    assert resolve("A-1", ReferenceTable(known=known)) == Resolved(2, Rung.EXACT)


@pytest.mark.parametrize(
    "newcomer", [{"known": [number("A-1", 3, since=LATER)]}, {"bills": [bill("A1", 3, since=LATER)]}]
)
def test_what_bears_the_name_since_makes_a_person_s_word_ambiguous_again(newcomer):
    table = ReferenceTable(known=[word("A-1", 2), *newcomer.get("known", [])], bills=newcomer.get("bills", []))
    assert resolve("A-1", table) == Ambiguous((2, 3), Rung.EXACT)


def test_the_word_on_one_provider_s_text_goes_before_the_word_on_everybody_s():
    known = [word("A-1", 1), word("A-1", 2, provider=Provider.LAWPAY)]
    assert resolve("A-1", ReferenceTable(known=known)) == Resolved(2, Rung.EXACT)


def test_two_persons_words_on_texts_that_look_alike_are_ambiguous():
    table = ReferenceTable(known=[word("A-1", 1), word("a1", 2)])
    assert resolve("A-1", table) == Resolved(1, Rung.EXACT)
    assert resolve("A 1", table) == Ambiguous((1, 2), Rung.NORMALISED)


TEXTS = st.sampled_from(["A-1", "a1", "A 01", "1001", "01001", "7", "B"])
ROWS = st.lists(
    st.builds(number, TEXTS, st.integers(1, 3), since=st.sampled_from([THEN, LATER]), current=st.booleans()),
    max_size=5,
)


@given(TEXTS, ROWS, st.lists(st.builds(bill, TEXTS, st.integers(1, 3)), max_size=3))
def test_without_anybody_s_word_what_is_resolved_has_no_rival_on_its_rung(text, known, bills):
    found = resolve(text, ReferenceTable(known=known, bills=bills))
    if isinstance(found, Resolved):
        on_rung = {
            Rung.EXACT: {row.matter_id for row in known if row.reference == text},
            Rung.NORMALISED: {row.matter_id for row in known if normalise(row.reference) == normalise(text)},
            Rung.BILL: {row.matter_id for row in bills if normalise(row.reference) == normalise(text)},
        }
        assert on_rung[found.rung] == {found.matter_id}
