"""docs/trust.md says how each rule is held, and is not wrong about it."""

import re

import pytest

from orchestrator.domain.draws import DRAW_TRANSITIONS
from orchestrator.domain.jurisdictions import Jurisdiction
from orchestrator.domain.trust import LedgerKind
from orchestrator.settings import TrustSettings
from tests.firm import CONFIG

ROOT = CONFIG.parent
PAGE = (ROOT / "docs" / "trust.md").read_text("utf-8")
ROWS = re.findall(r"^\| (T\d+) \| (.+?) \| (\w+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
TESTS = {
    name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}  # fmt: skip


def test_every_rule_has_one_row():
    assert [rule for rule, *_ in ROWS] == [f"T{number}" for number in range(1, 51)]


@pytest.mark.parametrize(("rule", "held", "where"), [(rule, held, where) for rule, _, held, where in ROWS])
def test_a_rule_is_held_by_what_its_row_says(rule, held, where):
    named = re.findall(r"`(\w+)`", where)
    tests = {name for name in named if name.startswith("test_")}
    assert tests <= TESTS
    values = TrustSettings.model_fields.keys() | Jurisdiction.__slots__
    match held:
        case "test":
            assert any(f"_{rule}_" in name for name in tests)
        case "configuration":
            assert named
            assert set(named) <= values
        case _:
            assert held == "person"


def test_every_ledger_and_every_state_of_a_draw_is_explained():
    words = set(re.findall(r"`(\w+)`", PAGE))
    assert set(LedgerKind) <= words
    assert set(DRAW_TRANSITIONS) <= words
