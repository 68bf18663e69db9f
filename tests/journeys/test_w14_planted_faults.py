"""W14: every fault that can be planted in a firm's trust money is found, by its name, by the real worker."""

from datetime import timedelta

import httpx
import pytest

from orchestrator.sandbox.acts.planting import FAULTS
from orchestrator.usecases.import_statement import import_statement
from orchestrator.usecases.reconcile import account_named, reconcile
from orchestrator.usecases.show_runs import show_run
from tests.firm import START, open_firm

ACCOUNTS = ("trust", "operating")
FIRST_DAY = "2026-03-01"


def profile(names):
    accounts = [
        {
            "key": key,
            "account_class": key,
            "clio_id": names["lawpay_accounts"][key]["clio_id"],
            "lawpay_ids": [names["lawpay_accounts"][key][kind] for kind in ("card", "echeck")],
            "bank_id": names["bank"][key]["bank_id"],
            "time_zone": "America/New_York",
        }
        for key in ACCOUNTS
    ]
    signatories = [{"name": "Nora Harbor", "clio_user_id": names["users"]["harbor"]}]
    trust = {"accounts": accounts, "jurisdiction": "california", "confirmed_by": "Nora", "signatories": signatories}
    lawpay = {"base_url": names["lawpay_base_url"], "secret_key": names["lawpay_secret_key"]}
    return {"trust": trust, "lawpay": lawpay}


@pytest.fixture
def firm(sandbox, database_url):
    """The small firm, with Clio, LawPay and its bank."""
    names = sandbox.reset("small-firm", now=START.isoformat(), frozen=True, rate_limit=100_000)
    with open_firm(sandbox, database_url, environment=profile(names)) as firm:
        firm.work()
        yield firm


def breaks(firm):
    """Import both accounts' statements up to yesterday, compare them, and tell what was found."""
    day = firm.rt.local_date(firm.rt.clock()) - timedelta(days=1)
    found = []
    for key in ACCOUNTS:
        account = account_named(firm.rt, key)
        said = httpx.get(
            f"{firm.sandbox.state()['bank'][key]['statement']}.ofx",
            params={"from": FIRST_DAY, "to": day.isoformat()},
            trust_env=False,
        )
        import_statement(firm.rt, account, said.content, name=f"{key}.ofx", by="test")
        run = show_run(firm.rt, reconcile(firm.rt, account, cut_off=day)["id"])
        found += [(one["kind"], one["money_cents"]) for one in run["breaks"]]
    return found


def plant(firm, name, place):
    """A fault of its own amount, in a matter of its own that holds an amount of its own."""
    held = f"{1000 + place * 7.13:.2f}"
    matter = firm.sandbox.act("create_matter", client="maya", attorney="harbor", description="Fault", trust=held)
    firm.later(days=1)
    firm.sandbox.act("plant_fault", name=name, matter_id=matter["id"], amount_cents=10_000 + place * 137)
    firm.later(days=1)


def moneys(planted):
    """What a break about it may be worth: its amount, the fee of it, or the cents by which it differs."""
    amount = planted["amount_cents"]
    return {amount, round(amount * 0.0295) + 20, 100}


@pytest.mark.slow
def test_F65_every_planted_fault_is_found_by_its_name(firm):
    # The one that must grow stale first, the one that must not yet be stale late.
    for place, name in enumerate(reversed(FAULTS)):
        plant(firm, name, place)
    firm.later(days=5)
    firm.later(days=4)
    early = breaks(firm)
    firm.later(days=30)
    found = {*early, *breaks(firm)}
    planted = firm.sandbox.oracle()["planted"]
    assert [one["name"] for one in planted] == list(reversed(FAULTS))
    missed = {
        one["name"] for one in planted if not {(one["expects"], cents) for cents in moneys(one)} & found
    }  # fmt: skip
    assert missed == set()
    # Whatever else it upsets stands under it: one fault asks for a person once.
    with firm.rt.read() as work:
        newest = work.runs.newest("trust")
    assert sum(newest["counts"]["breaks"].values()) == len(planted)
    assert firm.sandbox.oracle()["trust_violations"] == []


def test_a_firm_without_faults_has_no_breaks(firm):
    """Cards, eChecks, cheques, a draw by way of LawPay: told to Clio in the morning after, as people do."""
    matter = firm.sandbox.act("create_matter", client="maya", attorney="harbor", description="Clean", trust="1234.56")
    for amount, method in ((50_000, "card"), (30_001, "echeck"), (20_002, "card")):
        one = firm.sandbox.act(
            "lawpay_pay", page="trust", amount_cents=amount, method=method, reference="no matter of ours"
        )
        firm.later(days=4)
        firm.sandbox.act("link_lawpay_payment", id=one["id"], matter_id=matter["id"])
        firm.sandbox.act("record_bank_fees")
    firm.sandbox.act("disburse_trust", matter_id=matter["id"], amount="77.77", payee="Court clerk")
    firm.later(days=9)
    assert breaks(firm) == []
