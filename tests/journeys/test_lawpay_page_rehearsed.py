"""A dry run of the rail of pages: the address is made, the message only imagined, and LawPay hears nothing but questions."""

import pytest

from orchestrator.bootstrap import begin
from orchestrator.usecases.show_would import show_would
from tests.firm import START, open_firm
from tests.lawpay import lawpay_settings, with_lawpay


@pytest.fixture
def firm(sandbox, tiny, database_url):
    sandbox.reset(with_lawpay(tiny), seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    settings = lawpay_settings(sandbox.state())
    with open_firm(sandbox, database_url, environment={**settings, "dry_run": True}) as firm:
        begin(firm.rt)
        firm.work()
        yield firm


def test_a_dry_run_follows_the_rail_of_pages_and_sends_nothing(firm, sandbox):
    bill = firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    acts = {act["verb"]: act["would"] for act in show_would(firm.rt, limit=100)["acts"]}
    assert set(acts) == {"create_note", "send_message", "log_email"}
    with firm.rt.read() as work:
        [page] = work.links.of_bill(bill["id"])
    assert page["state"] == "live"
    sandbox.act("lawpay_pay", page=page["url"])
    firm.later(days=1)
    firm.later(minutes=6)
    # What the client pays on such a page is real, and seen; what a person would be asked is imagined.
    assert any("Record the LawPay payment" in act["would"] for act in show_would(firm.rt, limit=100)["acts"])
    assert firm.mails() == []
    assert [call for call in sandbox.counts()["calls"] if not call.startswith("GET ")] == []
    assert {asked["method"] for asked in sandbox.lawpay_requests()} == {"GET"}
