"""Every sequence in config/reminders, and what a wrong one is told."""

import pytest

from orchestrator.sequences import UnreadableSequence, in_words, load, names
from tests.firm import CONFIG

STEP = """
[[steps]]
key = "overdue-7"
days = 7
from = "due"
action = "message"
channel = "email"
template = "reminder"
audience = "client"
"""
FIRST = 'name = "Gentle"\n' + STEP


@pytest.mark.parametrize("name", names(CONFIG))
def test_every_sequence_loads_and_its_templates_are_there(name):
    sequence = load(CONFIG, name)
    assert sequence.steps
    assert in_words(sequence)


def test_the_standard_sequence_in_words():
    assert in_words(load(CONFIG, "standard")) == (
        "7 days after the due date a message, 21 days after the due date a message with a fresh link, "
        "30 days after the due date a task for the attorney"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "cannot be read"),
        ('name = "Empty"\nsteps = []', "is not a sequence: steps"),
        (FIRST.replace("days = 7", "days = -1"), "steps.0.days"),
        (FIRST.replace('"message"', '"fax"'), "steps.0.action"),
        (FIRST.replace('"client"', '"attorney"'), "goes by email to the client"),
        (FIRST.replace('template = "reminder"\n', ""), "needs a template"),
        (FIRST + STEP, "two steps called overdue-7"),
        (FIRST + STEP.replace("overdue-7", "sooner").replace("days = 7", "days = 3"), "each on a later day"),
        (
            "gap_days = 9\n" + FIRST + STEP.replace("-7", "-14").replace("= 7", "= 14"),
            "two of its steps are 7 days apart",
        ),
        (FIRST.replace("days = 7", "days = 7\ncolour = 1"), "steps.0.colour"),
    ],
)
def test_a_wrong_sequence_is_told_what_to_correct(tmp_path, text, said):
    folder = tmp_path / "reminders"
    folder.mkdir()
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableSequence, match=said):
        load(tmp_path, "mine")


@pytest.mark.parametrize(("later", "gap"), [(14, 5), (10, 3)])
def test_steps_that_a_firm_puts_closer_than_the_usual_gap_keep_their_own(tmp_path, later, gap):
    folder = tmp_path / "reminders"
    folder.mkdir()
    text = FIRST + STEP.replace("-7", "-later").replace("= 7", f"= {later}")
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    assert load(tmp_path, "mine").gap_days == gap
