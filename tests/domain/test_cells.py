from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.cells import FORMULA, neutral, plain


@given(st.text())
def test_F79_a_cell_comes_back_as_it_was_and_no_spreadsheet_runs_it(text):
    cell = neutral(text)
    assert plain(cell) == text
    assert cell.lstrip(" ")[:1] not in FORMULA


def test_F79_what_a_person_typed_with_an_apostrophe_stays():
    assert plain("'tis") == "'tis"
    assert plain(neutral("'tis")) == "'tis"
    assert neutral("=1+1") == "'=1+1"
