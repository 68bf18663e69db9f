import json
import os
import subprocess
import sys

import pytest

from orchestrator.telemetry import spans, trace
from tests.firm import CONFIG

PROGRAM = """
import json, sys
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
api.set_tracer_provider(provider)

from datetime import datetime, UTC
from orchestrator.api.app import heard
from orchestrator.clients.clio.webhooks import signed, verify
from orchestrator.sandbox import running_sandbox
from orchestrator.usecases.receive_webhook import Knock, receive
from tests.firm import START, open_firm

with running_sandbox("tiny", now=START, frozen=True, rate_limit=100_000) as sandbox, open_firm(sandbox, sys.argv[1]) as firm:
    from dataclasses import replace
    from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS
    firm.rt = replace(firm.rt, subscriptions=SUBSCRIPTIONS)
    firm.work()
    with firm.rt.uow() as work:
        work.subscriptions.put("bill", path_token="p", state="enabled", webhook_id=1, secret=firm.rt.cipher.seal("shh"), url="x")
    bill = firm.issued_bill()
    kept.clear()
    body = json.dumps({"data": {"id": bill["id"]}, "meta": {"event": "updated", "webhook_id": 1}}).encode()
    [status] = receive(firm.rt, [Knock("p", body, (signed(body, "shh"),), None)], verify=verify, parse=heard)
    assert status == 200
    firm.later(minutes=2)
print(json.dumps([
    {"name": one.name, "trace": f"{one.context.trace_id:032x}", "id": one.context.span_id, "parent": one.parent and one.parent.span_id,
     "facts": dict(one.attributes)} for one in kept.get_finished_spans()
]))
"""


def run(program, *args, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program, *args], cwd=CONFIG.parent, env=os.environ | environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_delivery_its_jobs_and_their_calls_are_one_trace(database_url):
    found = json.loads(run(PROGRAM, database_url, OTEL_TRACES_EXPORTER="otlp").splitlines()[-1])
    [received] = [one for one in found if one["name"] == "webhook.received"]
    chain = [one for one in found if one["trace"] == received["trace"]]
    jobs = {one["name"]: one for one in chain if one["name"].startswith("job ")}
    assert {"job sync.bill", "job link.create", "job message.send"} <= jobs.keys()
    posts = [one for one in chain if one["name"] == "POST Clio"]
    [made] = [one for one in posts if one["facts"]["orchestrator.path"].endswith("/clio_payments/links.json")]
    assert made["parent"] == jobs["job link.create"]["id"]
    assert made["facts"]["orchestrator.status"] == 201
    assert {jobs["job sync.bill"]["parent"], received["parent"]} == {int(received["trace"][:16], 16)}
    assert any(one["name"] == "SMTP" and one["parent"] == jobs["job message.send"]["id"] for one in chain)
    assert "bo@clients.test" not in json.dumps(found)


OFF = """
import sys
from orchestrator.telemetry import spans
import workflows.processes
with spans.span("x"):
    pass
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "redis"))))
"""


def test_nothing_of_it_nor_of_redis_is_imported_by_a_worker_that_has_neither():
    assert run(OFF) == "[]\n"


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_the_standard_variables_decide(variables, asked, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert spans.wanted() is asked


def test_a_trace_id_is_one_that_others_understand():
    assert len(trace.begun_by("delivery", 1)) == 32
    assert int(trace.begun_by("delivery", 1)[:16], 16) > 0
