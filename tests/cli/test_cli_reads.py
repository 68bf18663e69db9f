"""Every read: words for people, and JSON with the keys its help promises."""

import json
import re

import pytest

LISTS = {
    ("bills", "list"): None,
    ("bills", "list", "--requests"): "With --requests: ",
    ("bills", "list", "--why"): "With --why: ",
    ("time", "list"): None,
    ("jobs", "list"): None,
    ("exceptions", "list"): None,
    ("webhooks", "list"): None,
}


def promised(cli, args, after=None):
    """The key names that a command's help lists after `JSON:` (or after another lead)."""
    said = " ".join(cli(*args, "--help").stdout.split())
    found = re.search(re.escape(after or "JSON: ") + r"(?:a list of )?(.*?)\.(?: |$)", said)
    return {name.strip() for name in found[1].replace(" and ", " ").split(",")}


@pytest.mark.parametrize(("args", "lead"), LISTS.items(), ids=[" ".join(args) for args in LISTS])
def test_a_list_has_the_keys_its_help_promises(cli, args, lead):
    rows = cli.json(*args)
    assert rows
    assert set(rows[0]) == promised(cli, args[:2], lead)


@pytest.mark.parametrize("args", [*LISTS, ("status",), ("links", "list"), ("config", "check")], ids=" ".join)
def test_a_read_in_words_ends_well(cli, args):
    done = cli(*args)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr == ""


def test_status_counts_everything_under_stable_names(cli):
    found = cli.json("status")
    assert {
        "ready", "findings", "jobs", "bills", "links", "messages", "payments", "exceptions", "sweeps", "webhooks", "pulses", "books",
    } <= set(found)  # fmt: skip
    assert found["bills"] == {"requested": 1, "issued": 2, "paid": 1}
    assert found["books"] == {"balance_cents": 0, "held_cents": 120_000}
    assert found["exceptions"] == {"mail_outcome_unknown": 1}
    budget = found["links"].pop("budget")
    assert found["links"] == {"live": 1, "used": 1}
    assert (budget["limit"], budget["active"], budget["room"]) == (50, 1, 48)


def test_json_times_are_iso_and_amounts_whole_cents(cli):
    bill = cli.json("bills", "list")[-1]
    assert bill["total_cents"] == 120_000
    assert bill["issued_on"] == "2026-03-02"
    assert re.fullmatch(r"2026-03-02T\d\d:\d\d:\d\dZ", bill["updated_at"])


def test_links_come_with_their_budget(cli):
    found = cli.json("links", "list", "--state", "live")
    assert [link["bill_number"] for link in found["links"]] == ["1002"]
    assert set(found["budget"]) == {"limit", "active", "created", "shut_until", "frees_at", "room"}
    assert "Budget: limit 50" in cli("links", "list").stdout


def test_a_paid_bill_shows_its_whole_story(cli):
    paid = next(bill for bill in cli.json("bills", "list") if bill["state"] == "paid")
    found = cli.json("bills", "show", paid["id"])
    assert found["request"]["bill_id"] == paid["id"]
    assert [link["state"] for link in found["links"]] == ["used"]
    assert [message["state"] for message in found["messages"]] == ["sent"]
    assert [payment["booked_cents"] for payment in found["payments"]] == [120_000]
    assert [line["action"] for line in found["audit"]].index("link.wanted") >= 0
    assert set(found) == promised(cli, ("bills", "show"))
    words = cli("bills", "show", paid["id"]).stdout
    assert "1,200.00 USD" in words
    assert "nothing is left to ask for" in words


def test_a_list_that_would_not_fit_has_a_value_a_line_and_loses_nothing(cli):
    bill = cli.json("bills", "list")[-1]
    shown = cli("bills", "list", COLUMNS="80").stdout.splitlines()
    assert max(map(len, shown)) <= 80
    said = " ".join(word for line in shown for word in line.split())
    for fact in (f"Number {bill['number']}", f"Client {bill['client_name']}", f"No link because {bill['why_silent']}"):
        assert fact in said


def test_a_bills_state_filters_the_list(cli):
    assert [bill["number"] for bill in cli.json("bills", "list", "--state", "awaiting_payment")] == ["1002"]


def test_an_exception_says_what_to_do(cli):
    [listed] = cli.json("exceptions", "list")
    found = cli.json("exceptions", "show", listed["id"])
    assert set(found) == promised(cli, ("exceptions", "show"))
    assert found["advice"]
    assert found["job"]["id"] == listed["job_id"]
    assert f"orchestrator jobs retry {listed['job_id']}" in cli("exceptions", "show", listed["id"]).stdout


def test_a_parked_job_says_why_in_words(cli):
    [parked] = cli.json("jobs", "list", "--state", "parked")
    assert "the mail relay took the message" in cli("jobs", "show", parked["id"]).stdout
    found = cli.json("jobs", "show", parked["id"])
    assert found["reason"] == "mail_outcome_unknown"
    assert {"payload", "intent", "evidence", "sent_at", "holder", "fence"} <= set(found)


def test_unapproved_time_leaves_the_approved_out(cli):
    assert {entry["state"] for entry in cli.json("time", "list")} == {"approved"}
    assert cli.json("time", "list", "--unapproved") == []
    assert "None." in cli("time", "list", "--unapproved").stdout


def test_a_dry_sync_says_what_it_would_do_about_each_webhook(cli):
    rows = cli.json("webhooks", "sync", "--dry-run")
    assert {row["would"] for row in rows} <= {"confirm", "create"}
    assert {row["at_clio"] for row in rows} == {"pending"}


def test_webhook_paths_and_the_token_are_never_printed(cli, filled):
    firm, _ = filled
    with firm.rt.read() as work:
        secrets = [row["path_token"] for row in work.subscriptions.all()]
    secrets.append(firm.sandbox.access_token)
    job = cli.json("jobs", "list", "--topic", "webhook.create")[0]["id"]
    for args in [("status",), ("config", "check"), ("jobs", "list"), ("jobs", "show", job), ("webhooks", "list")]:
        for form in ((), ("--json",)):
            said = cli(*args, *form, *(("--limit", "500") if args == ("jobs", "list") else ())).output
            assert not [secret for secret in secrets if secret in said], args


def test_an_empty_firm_answers_every_list(cli, tmp_path):
    empty = {"ORCH_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    assert cli("migrate", **empty).exit_code == 0
    for args in [*LISTS, ("status",), ("links", "list")]:
        assert cli(*args, **empty).exit_code == 0, args
    assert json.loads(cli("status", "--json", **empty).stdout)["ready"] is False
