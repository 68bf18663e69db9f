"""The opt-in ledger write: off, refused for bills, authorised by name, made once whatever becomes of the answer."""

from datetime import date

import pytest

from orchestrator.errors import Rejected
from orchestrator.usecases.enter_line import enter_line
from tests.firm import open_firm
from tests.trust import deposit, judged, trust_settings


@pytest.fixture
def bank(sandbox, database_url):
    contexts = []

    def open_(**said):
        context = open_firm(sandbox, database_url, environment={"trust": trust_settings(sandbox, **said)})
        contexts.append(context)
        firm = context.__enter__()
        firm.work()
        deposit(firm, 1000)
        return firm

    yield open_
    for context in contexts:
        context.__exit__(None, None, None)


def enter(firm, **said):
    facts = {
        "account": "iolta", "matter_id": firm.matter(), "amount_cents": -20_000, "on": date(2026, 3, 13),
        "purpose": "client_expense", "reference": "CHK-88", "why": "court fee", "by": "Ada Quill", "dry_run": False,
    }  # fmt: skip
    return enter_line(firm.rt, **(facts | said))


def held(firm):
    with firm.rt.read() as work:
        return work.trust.total("iolta")


def test_it_is_off_unless_the_firm_switched_it_on(bank):
    with pytest.raises(Rejected, match="switch on") as refusal:
        enter(bank())
    assert refusal.value.reason == "trust_ledger_write_refused"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"purpose": "earned_undisputed_fee"}, "trust_ledger_write_refused"),
        ({"purpose": "office_rent"}, "trust_purpose_unknown"),
        ({"by": "Iris Vale"}, "trust_not_signatory"),
        ({"amount_cents": -100_001}, "trust_balance_short"),
        ({"account": "operating"}, "account_class_disagrees"),
        ({"matter_id": 99}, "trust_matter_unknown"),
    ],
    ids=str,
)
def test_T21_what_must_not_be_entered_is_refused_with_its_reason(bank, said, reason):
    firm = bank(ledger_writes=True)
    with pytest.raises(Rejected) as refusal:
        enter(firm, **said)
    assert refusal.value.reason == reason
    assert firm.jobs("ledger.enter") == []


@pytest.mark.parametrize("fault", [None, "lose_answer", "status_after"])
def test_a_line_is_entered_once_and_posted_when_it_is_read_back(bank, fault):
    firm = bank(ledger_writes=True)
    if fault is not None:
        firm.sandbox.fault("POST /bank_transactions", fault)
    enter(firm)
    enter(firm)
    firm.work()
    firm.later(minutes=16)
    firm.later(minutes=16)
    assert held(firm) == 80_000
    with firm.rt.read() as work:
        [ledger] = work.trust.ledgers()
        kinds = [(line["kind"], line["amount_cents"]) for line in work.trust.lines_of(ledger["id"])]
    assert kinds == [("deposit", 100_000), ("disbursement", -20_000)]
    judged(firm)


def test_a_dry_run_of_it_enters_nothing(bank):
    firm = bank(ledger_writes=True)
    assert enter(firm, dry_run=True)["amount_cents"] == -20_000
    firm.later(minutes=16)
    assert held(firm) == 100_000
