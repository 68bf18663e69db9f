"""docs/reminders.md keeps what it says: every reason for silence is in its table, in the order in which they are told."""

import re
from pathlib import Path

from orchestrator.domain.silence import HoldKind
from tests.domain.test_silence import ORDER

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "reminders.md").read_text("utf-8")


def test_every_reason_for_silence_is_in_its_table_and_no_other():
    rows = re.findall(
        r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", PAGE.partition("## Why nothing was sent")[2], flags=re.MULTILINE
    )
    told = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(told) == sorted(ORDER)


def test_every_kind_of_hold_is_named():
    kinds = PAGE.partition("The kinds are ")[2].partition(". ")[0]
    assert set(re.findall(r"`([a-z_]+)`", kinds)) == set(HoldKind)
