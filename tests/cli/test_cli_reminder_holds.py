"""`orchestrator reminders hold|release|holds|pause-client|promise`: a person's word, kept, ended, and tried before."""

import pytest

from orchestrator.domain.silence import HoldKind, Subject, quiet
from orchestrator.usecases.read_standings import rules_of, standings
from tests.cli.conftest import Cli, environment


@pytest.fixture
def desk(firm, database_url):
    """A firm with an unpaid bill, that bill, and the command that works for the firm."""
    bill = firm.issued_bill()
    firm.later(minutes=16)
    return firm, bill["id"], Cli(environment(firm.sandbox, database_url))


def held(firm, bill):
    """The holds among what silences a bill now, each with its last day."""
    with firm.rt.read() as work:
        found = quiet(
            standings(firm.rt, work, [bill])[bill], today=firm.rt.local_date(work.now), rules=rules_of(firm.rt)
        )
    besides = ("client_not_read", "never_delivered", "client_written_today")
    return {one.reason: one.until for one in found if one.reason not in besides}


def lines(firm, action):
    with firm.rt.read() as work:
        return [line for line in work.audit.lines() if line.action == action]


def test_a_hold_lasts_until_it_is_released_and_both_are_in_the_audit(desk):
    firm, bill, cli = desk
    done = cli("reminders", "hold", bill, "--kind", "bankruptcy", "--because", "chapter 7 filed", "--by", "iris")
    assert "the client is in bankruptcy" in done.stdout
    assert str(bill) in done.stdout
    assert held(firm, bill) == {"client_bankrupt": None}
    [row] = cli.json("reminders", "holds")
    assert {name: row[name] for name in ("subject", "id", "kind", "why", "by", "over")} == {
        "subject": "bill", "id": bill, "kind": "bankruptcy", "why": "chapter 7 filed", "by": "iris", "over": False,
    }  # fmt: skip
    cli("reminders", "release", row["hold"], "--because", "discharged", "--by", "nora")
    assert held(firm, bill) == {}
    assert cli.json("reminders", "holds") == []
    assert [line.actor for line in (*lines(firm, "reminders.held"), *lines(firm, "reminders.released"))] == [
        "iris",
        "nora",
    ]
    assert all("chapter" not in str(line.facts) for line in lines(firm, "reminders.held"))


def test_a_hold_is_never_edited_its_end_is_a_row_of_its_own(desk):
    firm, bill, cli = desk
    cli("reminders", "hold", bill, "--because", "she called")
    [row] = cli.json("reminders", "holds")
    with firm.rt.read() as work:
        before = dict(work.holds.get(row["hold"]))
    cli("reminders", "release", row["hold"], "--because", "settled")
    with firm.rt.read() as work:
        assert dict(work.holds.get(row["hold"])) == before
    again = cli("reminders", "release", row["hold"], "--because", "settled")
    assert again.exit_code == 1
    assert again.stderr.strip() == (
        f"Nothing is left to release of hold {row['hold']}: `orchestrator reminders holds` shows those that stand."
    )


def test_a_promise_has_a_day_and_ends_with_it(desk):
    firm, bill, cli = desk
    assert cli("reminders", "promise", bill, "--until", "2026-03-20").exit_code == 0
    assert str(held(firm, bill)["payment_promised"]) == "2026-03-20"
    firm.sandbox.clock_advance(86_400 * 19)
    firm.rt.clock.ask_again()
    assert held(firm, bill) == {}
    assert cli.json("reminders", "holds")[0]["over"] is True


def test_a_paused_client_and_a_held_matter_hold_every_unpaid_bill(desk):
    firm, bill, cli = desk
    client, matter = firm.ids["contacts"]["bo"], firm.matter()
    assert cli.json("reminders", "pause-client", client, "--because", "a death in the family")["bills"] == [bill]
    cli("reminders", "hold", "--matter", matter, "--kind", "dispute", "--because", "she objects")
    assert list(held(firm, bill)) == ["fee_disputed", "client_paused"]


@pytest.mark.parametrize("kind", HoldKind)
def test_every_kind_of_hold_can_be_tried_before_and_nothing_is_kept(desk, kind):
    firm, bill, cli = desk
    done = cli("reminders", "hold", bill, "--kind", kind, "--until", "2026-03-20", "--because", "x", "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert "Would hold" in done.stdout
    assert held(firm, bill) == {}
    assert lines(firm, "reminders.held") == []


def test_a_release_can_be_tried_before(desk):
    firm, bill, cli = desk
    hold = cli.json("reminders", "hold", bill, "--because", "x")["hold"]
    assert "Would release" in cli("reminders", "release", hold, "--because", "x", "--dry-run").stdout
    assert list(held(firm, bill)) == ["reminders_held"]


@pytest.mark.parametrize("subject", Subject)
def test_what_nobody_knows_is_refused_in_one_sentence(desk, subject):
    _, _, cli = desk
    named = [4077] if subject is Subject.BILL else [f"--{subject}", 4077]
    refused = cli("reminders", "hold", *named, "--because", "x")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"There is no {subject} 4077 here: ")
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("args", [[], [1, "--matter", 2], ["--matter", 1, "--client", 2]])
def test_a_hold_is_on_one_thing(desk, args):
    assert desk[2]("reminders", "hold", *args, "--because", "x").exit_code == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [(["--until", "2026-03-01"], "2026-03-01 is over"), (["--kind", "promise"], "name it with --until")],
)
def test_a_hold_that_would_hold_nothing_is_refused(desk, args, words):
    refused = desk[2]("reminders", "hold", desk[1], *args, "--because", "x")
    assert refused.exit_code == 1
    assert words in refused.stderr
