"""The whole of W9 on both databases: every statement of it must mean the same on each."""

import pytest

from orchestrator.usecases.hold_trust import claim, dispute, release
from orchestrator.usecases.set_aside import set_aside
from orchestrator.usecases.show_trust import show_accounts, show_draws, show_holds, show_ledger, show_ledgers
from tests.databases import either_url
from tests.firm import open_firm
from tests.trust import apply_in_clio, authorised, deposit, draws, judged, trust_settings

__all__ = ["either_url"]


@pytest.fixture
def firm(sandbox, either_url):
    with open_firm(sandbox, either_url, environment={"trust": trust_settings(sandbox)}) as firm:
        firm.work()
        yield firm


def test_money_in_draw_correction_hold_and_return_are_the_same_on_both(firm):
    line = deposit(firm, 1000, confirmation="CHK-1")
    matter = firm.matter()
    bill = firm.issued_bill(dollars=600)
    firm.later(minutes=16)
    held = dispute(firm.rt, bill["id"], amount_cents=10_000, why="x", by="iris", dry_run=False)["hold"]
    claimed = claim(firm.rt, matter, amount_cents=5_000, account=None, why="x", by="iris", dry_run=False)["hold"]
    set_aside(
        firm.rt, matter, amount_cents=5_000, account="iolta", back=False, why="x", by="Ada Quill", dry_run=False
    )  # fmt: skip
    firm.later(minutes=16)
    draw = draws(firm)[-1]
    assert (draw["state"], draw["amount_cents"]) == ("proposed", 50_000)
    authorised(firm, draw["id"])
    apply_in_clio(firm, draw)
    assert draws(firm)[-1]["state"] == "posted"
    for what in (held, claimed):
        release(firm.rt, what, why="x", by="iris", dry_run=False)
    firm.sandbox.act("record_return", id=line["id"])
    firm.later(minutes=16)
    firm.later(days=1)
    assert {"trust_return", "trust_shortage"} <= firm.exceptions().keys()
    rows = {row["kind"]: row for row in show_ledgers(firm.rt)}
    assert (rows["matter"]["balance_cents"], rows["matter"]["frozen"]) == (-55_000, True)
    assert rows["restricted"]["balance_cents"] == 5_000
    assert show_accounts(firm.rt)["accounts"][0]["denied"] == "trust_shortage"
    assert [row["state"] for row in show_draws(firm.rt, state="posted")] == ["posted"]
    assert len(show_holds(firm.rt, everything=True)) == 2
    [card] = show_ledger(firm.rt, ledger_id=rows["matter"]["id"], matter_id=None, account=None)
    assert card["balance_then_cents"] == -55_000
    judged(firm)
