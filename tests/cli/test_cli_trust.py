"""`orchestrator trust`: a draw from proposal to authority by hand, and every read in words and in JSON."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, environment
from tests.cli.test_cli_reads import promised
from tests.firm import CONFIG, open_firm
from tests.trust import deposit, draws, trust_settings


@pytest.fixture
def trusty(sandbox, database_url, tmp_path):
    """A firm with a proposed draw and a disputed bill, and the command that works for it."""
    said = trust_settings(sandbox)
    config = tmp_path / "config"
    (config / "firms").mkdir(parents=True)
    for name in ("templates", "jurisdictions", "reminders"):
        (config / name).symlink_to(CONFIG / name)
    signatory = said["signatories"][0]
    (config / "firms" / "main.toml").write_text(
        f"""
        [trust]
        jurisdiction = "california"
        confirmed_by = "Ada Quill"
        trust_first = true
        signatories = [{{ name = "{signatory["name"]}", clio_user_id = {signatory["clio_user_id"]} }}]
        [[trust.accounts]]
        key = "iolta"
        account_class = "trust"
        clio_id = {said["accounts"][0]["clio_id"]}
        """
    )
    with open_firm(sandbox, database_url, environment={"trust": said}) as firm:
        firm.work()
        deposit(firm, 1000)
        firm.issued_bill(dollars=600)
        firm.later(minutes=16)
        yield firm, Cli(environment(sandbox, database_url) | {"ORCH_CONFIG_DIR": str(config)})


def test_a_draw_is_authorised_by_hand_after_its_notice(trusty):
    firm, cli = trusty
    [draw] = draws(firm)
    refused = cli("trust", "authorise", draw["id"], "--by", "Ada Quill")
    assert refused.exit_code == 1
    assert "has not been told" in refused.stderr
    told = cli("trust", "notice", draw["id"], "--what", "itemised bill", "--by", "iris")
    assert "may be authorised from 2026-03-1" in told.stdout
    assert "Would authorise" in cli("trust", "authorise", draw["id"], "--by", "Ada Quill", "--dry-run").stdout
    assert draws(firm)[0]["state"] == "proposed"
    stranger = cli("trust", "authorise", draw["id"], "--by", "Iris Vale")
    assert stranger.exit_code == 1
    assert "list of signatories" in stranger.stderr
    done = cli("trust", "authorise", draw["id"], "--by", "Ada Quill")
    assert "record a payment from trust of exactly this amount" in done.stdout
    assert draws(firm)[0]["state"] == "authorised"


@pytest.mark.parametrize(
    "args",
    [("accounts",), ("ledgers",), ("draws",), ("holds",), ("ledger", "--account", "iolta")],
    ids=" ".join,
)
def test_a_read_in_words_ends_well_and_its_json_has_what_its_help_promises(trusty, args):
    firm, cli = trusty
    bill = draws(firm)[0]["bill_id"]
    assert cli("trust", "dispute", bill, "--cents", 100, "--why", "one hour").exit_code == 0
    done = cli("trust", *args)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip()
    said = cli.json("trust", *args)
    if args[0] in {"ledgers", "draws", "holds"}:
        assert set(said[0]) == promised(cli, ("trust", args[0]))


def test_every_act_can_be_tried_first(trusty):
    firm, cli = trusty
    [draw] = draws(firm)
    bill, matter = draw["bill_id"], draw["matter_id"]
    for words in (
        ("decline", draw["id"], "--why", "no"),
        ("dispute", bill, "--why", "no"),
        ("claim", matter, "--cents", 10_000, "--why", "lien"),
        ("set-aside", matter, "--cents", 100, "--why", "costs", "--by", "Ada Quill"),
    ):
        tried = cli("trust", *words, "--dry-run")
        assert tried.exit_code == 0, tried.stderr
        assert tried.stdout.startswith("Would ")
    assert [one["state"] for one in draws(firm)] == ["proposed"]
    assert cli.json("trust", "holds") == []


def test_T44_a_past_day_is_shown_as_it_is_known_now_or_was_known_then(trusty):
    _, cli = trusty
    [card] = cli.json("trust", "ledger", "--account", "iolta")
    assert card["balance_then_cents"] == 100_000
    [before] = cli.json("trust", "ledger", "--account", "iolta", "--on", "2026-03-01")
    assert (before["balance_then_cents"], before["lines"]) == (0, [])
    [then] = cli.json("trust", "ledger", "--account", "iolta", "--known-at", "2026-03-02")
    assert then["balance_then_cents"] == 0


def test_an_unknown_hold_is_refused_with_a_sentence(trusty):
    _, cli = trusty
    done = cli("trust", "release", "dispute:99", "--why", "x")
    assert done.exit_code == 1
    assert "dispute:99 is not held" in done.stderr


def test_retainers_are_listed_with_what_is_missing_and_why_nobody_is_asked(trusty):
    firm, cli = trusty
    profile = Path(cli.environment["ORCH_CONFIG_DIR"]) / "firms" / "main.toml"
    evergreen = "[trust.evergreen]\ndefaults = [{ threshold_cents = 200000, target_cents = 300000 }]\n"
    profile.write_text(profile.read_text("utf-8") + evergreen, "utf-8")
    [row] = cli.json("trust", "evergreen", "list")
    assert (row["matter_id"], row["balance_cents"], row["missing_cents"]) == (firm.matter(), 100_000, 200_000)
    assert row.keys() == promised(cli, ("trust", "evergreen", "list"))
