import json

from orchestrator.usecases.receive_webhook import SOURCE
from tests.servers import free_port


def test_the_doctor_says_what_is_wrong_and_what_to_do_first(cli):
    done = cli("doctor", "--json")
    assert done.exit_code == 1, done.stderr
    said = json.loads(done.stdout)
    assert set(said) == {"firm", "ok", "findings"}
    found = {row["check"]: row for row in said["findings"]}
    assert found["connection"]["level"] == "ok"
    assert found["webhooks"]["level"] == "problem", "nobody listens at this firm's address"
    assert "webhooks health" in found["webhooks"]["do"]
    assert "First, " in cli("doctor").stdout


def test_the_doctor_is_of_use_when_nothing_is_there(cli, tmp_path):
    nowhere = {"ORCH_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"}
    assert cli("doctor", **nowhere).exit_code == 1
    assert "orchestrator migrate" in cli("doctor", **nowhere).stdout
    unset = {"ORCH_FIRM__TIME_ZONE": "Mars/Olympus"}
    assert "not a time zone" in cli("doctor", **unset).stdout
    broken = {
        "ORCH_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        "ORCH_CLIO__ACCESS_TOKEN": "wrong",
    }
    done = cli("doctor", "--json", **broken)
    assert done.exit_code == 1
    found = {row["check"]: row for row in json.loads(done.stdout)["findings"]}
    assert found["database"]["level"] == "problem"
    assert found["mail"]["level"] == "ok"
    assert "Traceback" not in done.output


def test_deliveries_are_listed_and_taken_again(cli, filled):
    firm, _ = filled
    with firm.rt.uow() as work:
        for number in (1, 2):
            work.receipts.add(
                source=SOURCE, digest=f"d{number}", body=b"{}", kind="task", object_id=7, event="updated", status="stored"
            )  # fmt: skip
    listed = cli.json("webhooks", "deliveries", "--kind", "task")
    assert [row["object_id"] for row in listed] == [7, 7]
    assert "body" not in listed[0]
    tried = cli.json("webhooks", "replay", "--since", "2026-01-01", "--dry-run")
    assert (tried["objects"], tried["dry_run"]) == ({"task": 1}, True)
    with firm.rt.read() as work:
        assert work.dirty.summary()["task"]["waiting"] == 0
    assert cli.json("webhooks", "replay", listed[0]["id"])["objects"] == {"task": 1}
    with firm.rt.read() as work:
        assert work.dirty.summary()["task"]["waiting"] == 1
    assert "There is no delivery 999" in cli("webhooks", "replay", 999).stderr
    assert cli("webhooks", "replay").exit_code == 2
    assert cli("webhooks", "deliveries", "--kind", "cat").exit_code == 2


def test_the_health_of_each_subscription_is_shown(cli):
    rows = json.loads(cli("webhooks", "health", "--json").stdout)
    assert {row["model"] for row in rows} >= {"bill", "clio_payments_payment"}
    assert all(
        {"state", "expires_at", "delivered_at", "refused", "found_by_sweep", "troubles"} <= set(row) for row in rows
    )
    assert "Only by sweep" in cli("webhooks", "health").stdout


def test_the_health_of_subscriptions_says_what_to_do_about_the_way_to_them(cli, filled):
    firm, _ = filled
    said = "https://firm.example answers 410: Clio switches a webhook off for that. Mend the proxy."
    with firm.rt.uow() as work:
        work.exceptions.open("public_address", "clio", said)
    done = cli("webhooks", "health")
    with firm.rt.uow() as work:
        work.exceptions.close("public_address", "clio")
    assert done.exit_code == 1
    assert " ".join(done.stdout.split()).count(said) == 1
