"""The doctor finds what is wrong, says what to do, and is of use when half of it is broken."""

import time
from dataclasses import replace

import pytest

from orchestrator.domain.topics import Urgency
from orchestrator.probes import probes_of
from orchestrator.usecases.backfill_matters import backfill_matters
from orchestrator.usecases.doctor.abroad import webhooks
from orchestrator.usecases.doctor.examine import TABLE, examine
from orchestrator.usecases.doctor.findings import Check, Level, Patient, ok
from tests.firm import open_firm
from tests.servers import free_port


def examined(firm, **asked):
    return {
        check.name: found for check, found in examine(Patient(firm.rt.settings, firm.rt, probes_of(firm.rt)), **asked)
    }


def test_a_firm_that_works_has_no_problem_but_what_nobody_runs_here(firm):
    found = examined(firm)
    assert list(found) == [check.name for check in TABLE]
    wrong = {name: one.said for name, one in found.items() if one.level in {Level.PROBLEM, Level.SKIPPED}}
    assert set(wrong) <= {"processes", "public address"}, wrong
    assert all(one.do for one in found.values() if one.level in {Level.PROBLEM, Level.WARNING})
    assert "Account" in found["connection"].said
    assert "revision" in found["database"].said
    assert firm.sandbox.effects("link.created") == []
    assert firm.mails() == []


BROKEN = {
    "permissions": ("GET /bills", "status", 403, Level.PROBLEM, "denies reading bills"),
    "connection": ("GET /users/who_am_i", "status", 401, Level.PROBLEM, "refuses the token"),
    "bank accounts": ("GET /bank_accounts", "empty_data", None, Level.PROBLEM, "No operating account takes Clio"),
    "custom fields": ("GET /custom_fields", "empty_data", None, Level.PROBLEM, "no matter field 'Invoice Paid'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_at_clio_is_found_and_nothing_else_is_hidden(firm, name):
    on, fault, code, level, words = BROKEN[name]
    firm.sandbox.fault(on, fault, times=None, **({"code": code} if code else {}))
    found = examined(firm)
    assert (found[name].level, words in found[name].said) == (level, True), found[name]
    assert found[name].do
    assert found["mail"].level is Level.OK
    assert found["database"].level is Level.OK


def test_with_mail_and_clio_away_the_rest_is_still_looked_at(firm, database_url):
    nobody = f"127.0.0.1:{free_port()}"
    away = {"clio": {"base_url": f"http://{nobody}"}, "mail": {"url": f"smtp://{nobody}", "from": "billing@firm.test"}}
    with open_firm(firm.sandbox, database_url, environment=away) as alone:
        found = examined(alone)
    assert found["connection"].level is found["mail"].level is Level.PROBLEM
    assert {found[name].level for name in ("permissions", "bank accounts", "custom fields", "quota")} == {Level.SKIPPED}
    assert {found[name].level for name in ("database", "sweeps", "backlog", "exceptions")} <= {Level.OK, Level.WARNING}
    assert not any("Traceback" in one.said for one in found.values())


def test_a_check_that_hangs_is_left_behind(firm):
    slow = replace(probes_of(firm.rt), limiter=lambda: time.sleep(5))
    patient = Patient(firm.rt.settings, firm.rt, slow)
    found = {check.name: one for check, one in examine(patient, seconds=0.5) if check.name in {"limiter", "clocks"}}
    assert "No answer within" in found["limiter"].said
    assert found["clocks"].level is Level.OK


def test_F49_the_doctor_says_when_the_former_key_may_go(sandbox, database_url):
    with open_firm(sandbox, database_url, environment={"secret_key": "k1" * 16}) as firm:
        sealed = firm.rt.cipher.seal("s")
        with firm.rt.uow() as work:
            work.subscriptions.put(
                "bill", path_token="t", state="pending", url="http://127.0.0.1:8080/webhooks/clio/t", events="", fields="",
                secret=sealed,
            )  # fmt: skip
    with open_firm(sandbox, database_url, environment={"secret_key": f"{'k2' * 16},{'k1' * 16}"}) as firm:
        firm.tick()
        assert "1 stored secrets still need" in examined(firm)["key rotation"].said
        firm.work()
        assert "Drop all but the first key" in examined(firm)["key rotation"].do


def test_webhooks_of_which_clio_names_no_end_are_well(sandbox, database_url):
    with open_firm(sandbox, database_url, subscribed=True) as firm:
        with firm.rt.uow() as work:
            for wanted in firm.rt.subscriptions:
                work.subscriptions.put(
                    wanted.model, path_token=wanted.model, state="enabled", url=f"http://127.0.0.1/{wanted.model}", events="",
                    fields="", expires_at=None,
                )  # fmt: skip
        found = webhooks(Patient(firm.rt.settings, firm.rt, probes_of(firm.rt)))
    assert (found.level, "Clio names no end" in found.said) == (Level.OK, True)


def test_every_check_has_a_ground_that_comes_before_it():
    names = [check.name for check in TABLE]
    assert all(check.needs is None or names.index(check.needs) < place for place, check in enumerate(TABLE))
    assert Check("x", lambda _: ok("fine")).needs is None


def test_F82_the_doctor_finds_a_changed_record(firm):
    firm.mailed_bill()
    assert examined(firm)["audit"].level is Level.OK
    with firm.rt.uow() as work:
        work.connection.exec_driver_sql("UPDATE audit SET actor = 'nora' WHERE seq = 3")
    found = examined(firm)["audit"]
    assert (found.level, found.said) == (Level.PROBLEM, "The record was changed. Line 3 is not as it was written.")


def test_a_firm_with_trust_money_is_told_to_read_its_old_matters_once(sandbox, database_url):
    account = {"key": "iolta", "account_class": "trust", "clio_id": 1}
    with open_firm(sandbox, database_url, environment={"trust": {"accounts": [account]}}) as firm:
        assert examined(firm)["matter numbers"].do == "Run `orchestrator matters backfill`."
        backfill_matters(firm.rt, Urgency.SWEEPS, told=lambda _: None, turned=lambda _: None)
        assert examined(firm)["matter numbers"].said == "1 numbers and references name a matter."


@pytest.mark.parametrize(("named", "level"), [("Payment Plan", Level.PROBLEM), ("Do not contact", Level.OK)])
def test_a_field_that_should_hold_reminders_and_is_nowhere_is_found(sandbox, database_url, named, level):
    sandbox.act("create_custom_field", name="Do not contact", type="checkbox", parent="Contact")
    environment = {"reminders": {"fields": {"do_not_contact": named}}}
    with open_firm(sandbox, database_url, environment=environment) as firm:
        firm.work()
        found = examined(firm)["custom fields"]
    assert found.level is level
    assert (repr(named) in found.said) is (level is Level.PROBLEM)
