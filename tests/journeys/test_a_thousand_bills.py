"""A firm of five users may make 250 links a day and have 250 alive: a thousand open bills are served over weeks."""

import tomllib
from itertools import count

import pytest

from tests.firm import CONFIG, START, open_firm

BILLS = 1000
QUOTA = 250


@pytest.fixture
def thousand(_sandbox_server, database_url):
    """The busy firm with a thousand issued bills, seen by the worker for the first time."""
    sandbox = _sandbox_server
    scenario = tomllib.loads((CONFIG / "sandbox" / "busy.toml").read_text("utf-8"))
    scenario["many"] |= {"clients": 500, "bills_per_matter": 2, "days_old": 0}
    sandbox.clear_faults()
    sandbox.reset(scenario, seed=7, now=START.isoformat(), frozen=True, rate_limit=1_000_000)
    quiet = {"notes": {"events": (), "paid_field": None}}
    with open_firm(sandbox, database_url, environment=quiet) as firm:
        yield firm


def people_act(firm, links):
    """Of seven clients with a link four pay, one's bill is voided, and two never answer."""
    for link in links:
        fate = link["bill_id"] % 7
        if fate < 4:
            firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
        elif fate == 4:
            firm.sandbox.act("void_bill", id=link["bill_id"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_bills_get_their_links_in_order_within_both_quotas_and_one_person_is_told_once(thousand):
    firm = thousand
    made = []
    for day in count():
        firm.work(most=5000)
        firm.later(minutes=2)
        fresh = firm.links()[len(made) :]
        made += fresh
        if len(made) == BILLS:
            break
        people_act(firm, fresh)
        # While nobody is served nothing happens but sweeps, until the first links are ninety days old.
        firm.later(hours=12 if fresh else 60)
        firm.later(hours=12 if fresh else 60)
        assert day < 50
    record = firm.sandbox.counts()
    assert record["peak_active_links"] == record["peak_links_in_24h"] == QUOTA
    assert firm.sandbox.oracle()["quota_breaches"] == 0
    assert len({link["bill_id"] for link in made}) == BILLS
    assert len(firm.mails()) == BILLS
    amounts = [link["amount"] for link in made]
    assert amounts == sorted(amounts, reverse=True)
    with firm.rt.read() as work:
        told = work.exceptions.listed(state=None, kind="link_quota")
    assert [row["state"] for row in told] == ["resolved"], "told once, and no longer"
    firm.check()
