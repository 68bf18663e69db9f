"""What people do, and a great deal of it at once."""

import json
import signal
import subprocess
import sys

import pytest

from orchestrator.sandbox import SandboxClient


def test_an_unknown_act_names_those_there_are(clio):
    with pytest.raises(Exception, match="choose from log_time"):
        clio.sandbox.act("dance")


@pytest.mark.parametrize(
    ("verb", "facts", "words"),
    [
        ("log_time", {}, "log_time needs matter_id"),
        ("approve_bill", {"id": 1}, "Bill 1 was not found"),
        ("create_matter", {"client": "maya", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_act_is_refused_in_words(clio, verb, facts, words):
    with pytest.raises(Exception, match=words):
        clio.sandbox.act(verb, **facts)


def test_a_thousand_bills_are_made_in_one_act(enter):
    clio = enter("tiny")
    made = clio.sandbox.act("bulk", bills=1000, clients=20)
    assert len(set(made["bill_ids"])) == 1000
    answer = clio.ask("GET", "/bills", state="awaiting_payment", limit=1)
    assert answer.json()["meta"]["records"] == 1000


def test_open_links_can_be_paid_all_at_once(clio):
    for bill in clio.sandbox.act("bulk", bills=5)["bill_ids"]:
        clio.link({"id": bill, "balance": 250.0})
    assert len(clio.sandbox.act("bulk", pay_links=500)["payment_ids"]) == 5
    assert [bill["balance"] for bill in clio.get("/bills", "balance", state="paid")] == [0.0] * 5


def test_a_person_can_complete_a_task(clio):
    user = {"id": clio.names["users"]["harbor"], "type": "User"}
    task = clio.ask("POST", "/tasks", {"name": "Bill it", "description": "d", "assignee": user}).json()["data"]
    clio.sandbox.act("complete_task", id=task["id"])
    assert clio.get("/tasks", "status,completed_at", query="bill it") == [
        {"status": "complete", "completed_at": "2026-03-02T15:00:00Z"}
    ]


def test_a_stage_belongs_to_its_practice_area(clio):
    matter = clio.matter("brandt-deed")
    clio.sandbox.act("set_stage", matter_id=matter, stage="Signed")
    assert clio.get(f"/matters/{matter}", "matter_stage{name}") == {"matter_stage": {"name": "Signed"}}
    with pytest.raises(Exception, match="no stage Trial"):
        clio.sandbox.act("set_stage", matter_id=matter, stage="Trial")


def test_a_communication_is_found_by_its_property(clio):
    for number in ("1", "2"):
        data = {"subject": "s", "body": "b", "type": "EmailCommunication", "received_at": "2026-03-02T15:00:00Z"}
        clio.ask("POST", "/communications", {**data, "external_properties": [{"name": "key", "value": number}]})
    found = clio.get(
        "/communications", "external_properties{value}", external_property_name="key", external_property_value="2"
    )
    assert found == [{"external_properties": [{"value": "2"}]}]


SERVE = """
import json
from dataclasses import asdict
from orchestrator.sandbox import serve_forever
serve_forever("tiny", on_ready=lambda addresses: print(json.dumps(asdict(addresses)), flush=True))
"""


def test_a_served_sandbox_ends_quietly_when_told():
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as serving:
        addresses = json.loads(serving.stdout.readline())
        with SandboxClient(addresses["url"]) as sandbox:
            assert sandbox.state()["access_token"] == addresses["access_token"]
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(timeout=10) == 0
        assert serving.stderr.read() == b""
