"""The doctor looks at LawPay: the key, the accounts it opens, their class, and what nobody configured."""

import pytest

from orchestrator.probes import probes_of
from orchestrator.usecases.doctor.abroad import lawpay
from orchestrator.usecases.doctor.examine import examine
from orchestrator.usecases.doctor.findings import Level, Patient


def found(firm):
    patient = Patient(firm.rt.settings, firm.rt, probes_of(firm.rt))
    return next(one for check, one in examine(patient) if check.name == "LawPay")


def test_a_firm_without_lawpay_is_well(firm):
    assert lawpay(Patient(firm.rt.settings, firm.rt, None)).level is Level.OK


def test_accounts_that_agree_are_well(at_lawpay):
    assert found(at_lawpay()).level is Level.OK


@pytest.mark.parametrize(
    ("flags", "words"), [(("unknown", "true"), "does not say whether"), (("true", "true"), "not of the class")]
)
def test_T1_an_account_that_lawpay_calls_otherwise_is_a_problem(at_lawpay, flags, words):
    said = found(at_lawpay(flags=flags))
    assert said.level is Level.PROBLEM
    assert words in said.said
    assert said.do


def test_an_account_that_nobody_configured_is_a_warning(at_lawpay):
    said = found(at_lawpay(only=("operating",)))
    assert (said.level, "Nobody configured" in said.said) == (Level.WARNING, True)


def test_a_refused_key_says_which_setting_it_is(at_lawpay):
    firm = at_lawpay()
    firm.sandbox.fault("GET /lawpay/v1/merchant", "status", code=401, body={"messages": [{"code": "not_authorized"}]})
    said = found(firm)
    assert said.level is Level.PROBLEM
    assert "ORCH_LAWPAY__SECRET_KEY" in said.do
