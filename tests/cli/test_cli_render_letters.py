"""`orchestrator reminders render`: every letter, seen before a client sees one."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

NEEDED = {"ORCH_CLIO__ACCESS_TOKEN": "a-token", "ORCH_ENVIRONMENT": "test"}


@pytest.fixture
def cli():
    return Cli(NEEDED)


def test_one_letter_is_written_in_a_form_as_page_and_text(cli, tmp_path):
    shown = cli.json("reminders", "render", "reminder", "--locale", "fr-CA", "--out", tmp_path)
    assert {row["template"] for row in shown} == {"reminder"}
    assert {row["locale"] for row in shown} == {"fr-CA"}
    assert "three bills with links" in {row["case"] for row in shown}
    for row in shown:
        assert '<html lang="fr-CA"' in Path(row["html"]).read_text("utf-8")
        assert "Rappel" in row["subject"]
        assert Path(row["text"]).stat().st_size > 400
        assert Path(row["html"]).name in (tmp_path / "index.html").read_text("utf-8")


def test_all_letters_are_written_in_every_form(cli, tmp_path):
    done = cli("reminders", "render", "--all", "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    written = {path.name for path in tmp_path.iterdir()}
    for letter in (
        "invoice",
        "invoice_revised",
        "trust_notice",
        "reminder",
        "reminder_link",
        "trust_request",
        "replenish",
    ):
        for locale in ("own", "en-AU", "en-CA", "en-GB", "fr-CA"):
            assert [name for name in written if name.startswith(f"{letter}-") and f"-{locale}-" in name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name one letter or --all: invoice"),
        (("reminder", "--all"), "Name one letter or --all"),
        (("remindr",), "no letter 'remindr'"),
        (("reminder", "--locale", "de-DE"), "no words in de-DE"),
        (("reminder", "--brand", "Nobody"), "goes by 'Nobody'"),
    ],
)
def test_what_cannot_be_shown_is_named(cli, words, said, tmp_path):
    done = cli("reminders", "render", *words, "--out", tmp_path)
    assert done.exit_code == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
