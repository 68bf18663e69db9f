import re
import subprocess
import sys

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parsed

from orchestrator.telemetry.counters import COUNTERS
from orchestrator.usecases.read_metrics import FAMILIES
from tests.firm import CONFIG, open_firm, web
from tests.servers import free_port
from tests.test_architecture import page
from tests.workflows.fleet import CLEAN, a_fleet

TOKEN = "scrape-token-0123456789"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


def counted() -> dict[str, tuple[str, ...]]:
    """Every metric that exists, by name, with its labels."""
    own = {
        (f"{metric._name}_total" if metric._type == "counter" else metric._name): metric._labelnames
        for metric in COUNTERS._collector_to_names
    }
    return own | {name: ("firm", *family.labels) for name, family in FAMILIES.items()}


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parsed(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.values()))] = sample.value
    return found


def test_the_page_is_not_there_without_a_token_in_the_settings(sandbox, database_url):
    port = free_port()
    with open_firm(sandbox, database_url) as firm, web(firm, port) as url:
        assert httpx.get(f"{url}/metrics", headers=SHOWN, trust_env=False).status_code == 404


def test_a_running_firm_is_measured_from_its_database_and_its_counters(sandbox, database_url):
    port = free_port()
    with open_firm(sandbox, database_url, environment={"metrics": {"token": TOKEN}}) as firm, web(firm, port) as url:
        firm.work()
        firm.mailed_bill()
        assert httpx.get(f"{url}/metrics", trust_env=False).status_code == 401
        assert (
            httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}x"}, trust_env=False).status_code
            == 401
        )
        assert httpx.post(f"{url}/webhooks/clio/nowhere", content=b"{}", trust_env=False).status_code == 404
        answer = httpx.get(f"{url}/metrics", headers=SHOWN, trust_env=False)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    seen = samples(answer.text)
    assert seen["orchestrator_up"] == {("main",): 1}
    assert seen["orchestrator_messages"] == {("main", "sent"): 1}
    assert seen["orchestrator_links_limit"] == {("main",): 50}
    assert seen["orchestrator_links_active"] == {("main",): 1}
    assert seen["orchestrator_pulse_age_seconds"].keys() >= {
        ("beat", "main"),
        ("heartbeat", "main"),
        ("main", "sweep.bill"),
    }
    assert seen["orchestrator_verdicts_total"][("done", "link.create", "main")] >= 1
    assert seen["orchestrator_calls_total"][("200", "Clio", "GET", "main")] >= 1
    assert seen["orchestrator_budget_limit"][("Clio", "main")] == 100_000
    assert seen["orchestrator_webhook_deliveries_total"][("404", "main")] >= 1
    assert seen["orchestrator_webhook_ack_seconds_count"][("main",)] >= 1
    assert seen["orchestrator_database_wait_seconds_count"][("sqlite",)] >= 10
    assert set(seen) - {f"{name}{end}" for name in counted() for end in ("", "_bucket", "_count", "_sum")} == set()
    assert "Bo Ferris" not in answer.text
    assert "bo@clients.test" not in answer.text
    assert sandbox.access_token not in answer.text


def test_a_database_that_is_away_is_a_figure_and_hides_no_counter(sandbox, tmp_path):
    port = free_port()
    database = tmp_path / "firm.sqlite3"
    with (
        open_firm(sandbox, f"sqlite:///{database}", environment={"metrics": {"token": TOKEN}}) as firm,
        web(firm, port) as url,
    ):
        firm.rt.uow.engine.dispose()
        database.unlink()
        seen = samples(httpx.get(f"{url}/metrics", headers=SHOWN, trust_env=False).text)
    assert seen["orchestrator_up"] == {("main",): 0}
    assert "orchestrator_calls_total" in seen


def test_every_metric_is_documented_with_its_labels():
    rows = re.findall(r"^\| `(orchestrator_\w+)` \| ([^|]*) \|", page("observability.md"), flags=re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == counted()


def test_names_follow_the_conventions_and_labels_are_bounded():
    for name, labels in counted().items():
        assert re.fullmatch(r"orchestrator(_[a-z]+)+", name)
        assert set(labels) <= {
            "firm",
            "topic",
            "state",
            "kind",
            "part",
            "model",
            "verdict",
            "provider",
            "method",
            "status",
            "database",
        }


def alerts():
    return [
        rule
        for group in yaml.safe_load((CONFIG / "alerts.yml").read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_exist_and_points_to_its_runbook_entry(rule):
    asked = set(re.findall(r"orchestrator_\w+", rule["expr"]))
    assert asked
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} <= counted().keys()
    labels = set(re.findall(r'(\w+)\s*=~?\s*"', rule["expr"]))
    assert labels <= {label for name in asked for label in counted().get(name, ())}
    assert {"summary", "runbook"} <= rule["annotations"].keys()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert file == "docs/runbook.md"
    headings = re.findall(r"^### (.+)$", page("runbook.md"), flags=re.MULTILINE)
    assert anchor in {heading.lower().replace("`", "").replace(" ", "-") for heading in headings}


def test_metrics_beyond_this_machine_need_a_token(sandbox, database_url, redis_url, tmp_path):
    with a_fleet(sandbox, tmp_path, database_url, redis_url) as fleet:
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", "beat", "--metrics", f"0.0.0.0:{free_port()}"],
            cwd=CONFIG.parent, env=CLEAN | fleet.environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "ORCH_METRICS__TOKEN is missing: without it --metrics answers on 127.0.0.1 only.\n"


@pytest.mark.slow
def test_a_worker_sums_up_what_its_children_counted(sandbox, postgres_url, redis_url, tmp_path):
    ports = {"worker": free_port(), "beat": free_port()}
    with a_fleet(sandbox, tmp_path, postgres_url, redis_url, ORCH_METRICS__TOKEN=TOKEN) as fleet:
        fleet.start("serve")
        fleet.start("worker", "--concurrency", "2", "--metrics", f"127.0.0.1:{ports['worker']}")
        fleet.start("beat", "--metrics", f"127.0.0.1:{ports['beat']}")
        fleet.until(fleet.ready)
        fleet.until(fleet.enabled)
        fleet.issued_bill()
        fleet.until(sandbox.mail)
        read = {
            name: samples(httpx.get(f"http://127.0.0.1:{port}/metrics", headers=SHOWN, trust_env=False).text)
            for name, port in ports.items()
        }
        assert httpx.get(f"http://127.0.0.1:{ports['worker']}/metrics", trust_env=False).status_code == 401
        web_page = samples(httpx.get(f"{fleet.address}/metrics", headers=SHOWN, trust_env=False).text)
    assert read["worker"]["orchestrator_verdicts_total"][("done", "main", "message.send")] == 1
    assert read["worker"]["orchestrator_calls_total"][("201", "Clio", "POST", "main")] >= 2
    assert sum(read["beat"]["orchestrator_bells_total"].values()) >= 5
    assert web_page["orchestrator_messages"][("main", "sent")] == 1
    assert web_page["orchestrator_webhook_deliveries_total"][("200", "main")] >= 1
