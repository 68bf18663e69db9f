"""W9: trust money pays its own matter's bill: proposed, promised, noticed, authorised by a person, posted, seen."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.trust import BankLine, Ledger, LedgerKind, LineKind
from orchestrator.errors import Rejected
from orchestrator.sandbox.client import SandboxRefused
from orchestrator.usecases.authorise_draw import authorise_by_hand, decline
from orchestrator.usecases.hold_trust import claim, dispute, release
from orchestrator.usecases.propose_draw import propose_draw
from orchestrator.usecases.set_aside import assign_to_firm, set_aside
from orchestrator.usecases.sync_ledger import LedgerLines
from tests.firm import open_firm
from tests.storage.test_trust_ledgers import a_line
from tests.trust import apply_in_clio, authorise, authorised, deposit, draws, judged, notice, trust_settings


@pytest.fixture
def bank(sandbox, database_url):
    """The tiny firm with a trust account, connected and at rest; settings may differ."""
    opened = []

    def open_(**said):
        context = open_firm(sandbox, database_url, environment={"trust": trust_settings(sandbox, **said)})
        firm = context.__enter__()
        opened.append(context)
        firm.work()
        return firm

    yield open_
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture
def firm(bank):
    return bank()


def billed(firm, dollars=600, **facts):
    bill = firm.issued_bill(dollars=dollars, **facts)
    firm.later(minutes=16)
    return bill


def asked(firm):
    """The tasks by which a person was asked to authorise a draw."""
    return [task for task in firm.effects("task.created") if "Authorise" in task["name"] and "trust" in task["name"]]


def available(firm):
    with firm.rt.read() as work:
        [row] = [row for row in work.trust.ledgers() if row["kind"] == "matter"]
        return work.trust.funds(row, today=firm.rt.local_date(work.now)).available_cents


def lines(firm, ident):
    with firm.rt.read() as work:
        return [(row["action"], row["actor"]) for row in work.audit.about("draw", ident)]


# ── the whole way ──


def test_a_bill_is_paid_from_its_matter_s_trust_money_and_no_link_is_made(firm):
    deposit(firm, 1000)
    bill = billed(firm, 600)
    [draw] = draws(firm)
    assert (draw["state"], draw["amount_cents"], draw["bill_id"]) == ("proposed", 60_000, bill["id"])
    assert available(firm) == 40_000
    assert firm.links() == []
    [task] = asked(firm)
    assert f"Authorise 600.00 USD from trust for bill {bill['number']}" in task["name"]
    authorised(firm, draw["id"])
    apply_in_clio(firm, draw)
    [draw] = draws(firm)
    assert draw["state"] == "posted"
    assert draw["line_id"] is not None
    assert firm.links() == []
    with firm.rt.uow() as work:
        assert work.trust.reconciled(draw["id"])
    actions = [
        ("draw.proposed", "worker"),
        ("draw.noticed", "iris"),
        ("draw.authorised", "Ada Quill"),
        ("draw.posted", "worker"),
    ]
    assert lines(firm, draw["id"]) == actions
    assert firm.exceptions() == {}
    judged(firm)


def test_a_link_asks_only_for_what_trust_money_does_not_pay(firm):
    deposit(firm, 250)
    billed(firm, 600)
    firm.later(minutes=2)
    assert [draw["amount_cents"] for draw in draws(firm)] == [25_000]
    [link] = firm.links()
    assert link["amount"] == 350
    [mail] = firm.mails()
    assert "$350.00" in mail["text"]
    judged(firm)


def test_a_declined_draw_frees_the_rest_for_the_link_and_is_not_proposed_again(firm):
    deposit(firm, 1000)
    bill = billed(firm, 600)
    [draw] = draws(firm)
    decline(firm.rt, draw["id"], by="Ada Quill", why="the client wants to pay by card", dry_run=False)
    firm.later(minutes=16)
    assert [link["amount"] for link in firm.links()] == [600]
    assert available(firm) == 100_000
    firm.later(days=1)
    assert [draw["state"] for draw in draws(firm)] == ["declined"]
    propose_draw(firm.rt, bill["id"], by="iris", dry_run=False)
    firm.later(minutes=16)
    assert [draw["state"] for draw in draws(firm)] == ["declined", "proposed"]
    judged(firm)


def test_without_trust_first_nothing_is_proposed_by_itself(bank):
    firm = bank(trust_first=False)
    deposit(firm, 1000)
    bill = billed(firm, 600)
    assert draws(firm) == []
    assert [link["amount"] for link in firm.links()] == [600]
    assert propose_draw(firm.rt, bill["id"], by="iris", dry_run=True)["amount_cents"] == 60_000
    assert draws(firm) == []


def test_a_void_bill_gives_its_promise_back(firm):
    deposit(firm, 1000)
    bill = billed(firm, 600)
    firm.sandbox.act("void_bill", id=bill["id"])
    firm.later(minutes=16)
    assert [(draw["state"], draw["reason"]) for draw in draws(firm)] == [("withdrawn", "bill_gone")]
    assert available(firm) == 100_000
    judged(firm)


# ── how much ──


@pytest.mark.parametrize(("held", "billed_", "expected"), [(1000, 600, 60_000), (250, 600, 25_000), (0.01, 600, 1)])
def test_T17_a_draw_is_the_smaller_of_what_is_open_and_what_is_free(firm, held, billed_, expected):
    deposit(firm, held)
    billed(firm, billed_)
    assert [draw["amount_cents"] for draw in draws(firm)] == [expected]


def test_T17_two_bills_of_a_matter_share_its_money_and_never_a_dollar_of_it(firm):
    deposit(firm, 1000)
    billed(firm, 700)
    billed(firm, 600)
    firm.later(minutes=2)
    assert [draw["amount_cents"] for draw in draws(firm)] == [70_000, 30_000]
    assert available(firm) == 0
    assert [link["amount"] for link in firm.links()] == [300]
    judged(firm)


def test_T9_money_of_another_matter_of_the_same_client_pays_nothing(firm):
    other = firm.sandbox.act("create_matter", client_id=firm.ids["contacts"]["bo"], description="Another matter")
    deposit(firm, 1000, matter_id=other["id"])
    billed(firm, 600)
    assert draws(firm) == []
    assert [link["amount"] for link in firm.links()] == [600]
    judged(firm)


def test_T13_a_deposit_that_has_not_cleared_pays_nothing_until_it_has(firm):
    deposit(firm, 1000, clear=False)
    billed(firm, 600)
    assert draws(firm) == []
    firm.later(days=11)
    billed(firm, 100)
    assert sum(draw["amount_cents"] for draw in draws(firm)) == 10_000


def test_T10_money_set_aside_for_a_purpose_pays_no_fee(firm):
    deposit(firm, 1000)
    set_aside(
        firm.rt, firm.matter(), amount_cents=70_000, account=None, back=False, why="last-bill deposit", by="Ada Quill",
        dry_run=False,
    )  # fmt: skip
    billed(firm, 600)
    assert [draw["amount_cents"] for draw in draws(firm)] == [30_000]
    with pytest.raises(Rejected):
        set_aside(
            firm.rt, firm.matter(), amount_cents=1, account=None, back=False, why="promised already", by="Ada Quill",
            dry_run=False,
        )  # fmt: skip
    judged(firm)


# ── who and when ──


def test_T18_without_a_delivered_notice_nothing_is_authorised(firm):
    deposit(firm, 1000)
    billed(firm, 600)
    [draw] = draws(firm)
    with pytest.raises(Rejected, match="not been told") as refusal:
        authorise(firm, draw["id"])
    assert refusal.value.reason == "trust_notice_missing"
    notice(firm, draw["id"], delivered_at=None)
    with pytest.raises(Rejected, match="did not arrive"):
        authorise(firm, draw["id"])
    assert draws(firm)[0]["state"] == "proposed"


def test_T18_the_profile_s_days_pass_between_notice_and_draw(bank):
    firm = bank(jurisdiction="wisconsin")
    deposit(firm, 1000)
    billed(firm, 600)
    [draw] = draws(firm)
    said = notice(firm, draw["id"])
    assert said["draw_from"] > firm.rt.local_date(firm.rt.clock())
    with pytest.raises(Rejected) as refusal:
        authorise(firm, draw["id"])
    assert refusal.value.reason == "trust_notice_waiting"
    firm.later(days=(said["draw_from"] - firm.rt.local_date(firm.rt.clock())).days)
    assert authorise(firm, draw["id"])["state"] == "authorised"


def test_T18_a_notice_from_the_future_is_no_notice(firm):
    deposit(firm, 1000)
    billed(firm, 600)
    with pytest.raises(Rejected, match="future"):
        notice(firm, draws(firm)[0]["id"], delivered_at=firm.rt.clock() + timedelta(hours=1))


def test_T19_only_a_person_on_the_list_authorises(firm):
    deposit(firm, 1000)
    billed(firm, 600)
    [draw] = draws(firm)
    notice(firm, draw["id"])
    with pytest.raises(Rejected) as refusal:
        authorise(firm, draw["id"], by="worker")
    assert refusal.value.reason == "trust_not_signatory"
    assert authorise_by_hand(firm.rt, draw["id"], by="ada quill", dry_run=True)["state"] == "authorised"
    assert draws(firm)[0]["state"] == "proposed"
    assert authorise(firm, draw["id"])["authorised_by"] == "Ada Quill"


def test_T19_a_signatory_authorises_by_completing_the_clio_task(firm):
    deposit(firm, 1000)
    billed(firm, 600)
    [draw] = draws(firm)
    notice(firm, draw["id"])
    [task] = asked(firm)
    firm.sandbox.act("complete_task", id=task["id"])
    firm.later(minutes=16)
    assert [(one["state"], one["authorised_by"]) for one in draws(firm)] == [("authorised", "Ada Quill")]
    judged(firm)


@pytest.mark.parametrize(
    ("noticed", "listed", "expected"),
    [(True, False, "trust_not_signatory"), (False, True, "trust_notice_missing")],
)
def test_T19_a_task_completed_by_whom_or_when_it_must_not_becomes_an_exception(bank, noticed, listed, expected):
    firm = bank(**({} if listed else {"signatories": ["Nora Harbor"]}))
    deposit(firm, 1000)
    billed(firm, 600)
    if noticed:
        notice(firm, draws(firm)[0]["id"])
    [task] = asked(firm)
    firm.sandbox.act("complete_task", id=task["id"])
    firm.later(minutes=16)
    assert draws(firm)[0]["state"] == "proposed"
    assert firm.exceptions() == {expected: 1}
    judged(firm)


def test_T19_money_that_left_without_authority_is_told_and_not_hidden(firm):
    deposit(firm, 1000)
    bill = billed(firm, 600)
    firm.sandbox.act("apply_trust", id=bill["id"], amount=600)
    firm.later(minutes=16)
    assert firm.exceptions() == {"trust_draw_unauthorised": 1}
    assert [draw["state"] for draw in draws(firm)] == ["withdrawn"]
    assert available(firm) == 40_000
    judged(firm)


def test_T19_another_amount_than_the_authorised_one_is_told(firm):
    deposit(firm, 1000)
    billed(firm, 600)
    [draw] = draws(firm)
    authorised(firm, draw["id"])
    apply_in_clio(firm, draw, dollars=599.99)
    assert firm.exceptions() == {"trust_draw_amount_differs": 1}
    assert draws(firm)[0]["state"] == "withdrawn"
    judged(firm)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"jurisdiction": None}, "trust_profile_unknown"),
        ({"jurisdiction": "atlantis"}, "trust_profile_unknown"),
        ({"confirmed_by": None}, "trust_profile_unconfirmed"),
        ({"signatories": []}, "trust_no_signatory"),
    ],
    ids=str,
)
def test_T25_each_thing_that_is_missing_denies_every_draw(bank, said, reason):
    firm = bank(**said)
    deposit(firm, 1000)
    bill = billed(firm, 600)
    assert draws(firm) == []
    with pytest.raises(Rejected) as refusal:
        propose_draw(firm.rt, bill["id"], by="iris", dry_run=False)
    assert refusal.value.reason == reason
    firm.later(minutes=2)
    assert [link["amount"] for link in firm.links()] == [600]


def test_T25_without_a_signed_period_inside_its_deadline_nothing_is_drawn(firm):
    deposit(firm, 1000)
    firm.later(days=60)
    bill = billed(firm, 600)
    assert draws(firm) == []
    with pytest.raises(Rejected) as refusal:
        propose_draw(firm.rt, bill["id"], by="iris", dry_run=False)
    assert refusal.value.reason == "trust_unreconciled"


def test_T25_an_open_shortage_denies_every_draw_of_the_account(firm):
    deposit(firm, 1000)
    with firm.rt.uow() as work:
        shortage(work)
    bill = billed(firm, 600)
    assert draws(firm) == []
    with pytest.raises(Rejected) as refusal:
        propose_draw(firm.rt, bill["id"], by="iris", dry_run=False)
    assert refusal.value.reason == "trust_shortage"


def shortage(work):
    """A return in another matter's ledger, of money that was used before."""
    other = Ledger("iolta", LedgerKind.MATTER, 77, 78)
    work.trust.post(replace(a_line(-5_000, 9_001), ledger=other, kind=LineKind.RETURN), currency="USD")


# ── disputes and claims ──


def test_T26_what_is_in_dispute_stays_and_the_rest_is_drawn(firm):
    deposit(firm, 1000)
    bill = billed(firm, 600)
    said = dispute(firm.rt, bill["id"], amount_cents=20_000, why="the hearing on Monday", by="iris", dry_run=False)
    firm.later(minutes=16)
    assert [(draw["state"], draw["amount_cents"]) for draw in draws(firm)] == [
        ("withdrawn", 60_000),
        ("proposed", 40_000),
    ]
    release(firm.rt, said["hold"], why="settled with the client", by="iris", dry_run=False)
    firm.later(minutes=16)
    assert available(firm) == 60_000
    judged(firm)


def test_T26_a_dispute_withdraws_even_an_authorised_draw(firm):
    deposit(firm, 1000)
    bill = billed(firm, 600)
    authorised(firm, draws(firm)[0]["id"])
    dispute(firm.rt, bill["id"], amount_cents=None, why="all of it", by="iris", dry_run=False)
    assert [(draw["state"], draw["reason"]) for draw in draws(firm)] == [("withdrawn", "trust_disputed")]
    firm.work()
    judged(firm)


def test_T27_a_dispute_after_the_draw_moves_nothing_and_says_what_the_profile_says(firm):
    deposit(firm, 1000)
    bill = billed(firm, 600)
    [draw] = draws(firm)
    authorised(firm, draw["id"])
    apply_in_clio(firm, draw)
    said = dispute(firm.rt, bill["id"], amount_cents=None, why="too late", by="iris", dry_run=False)
    assert said["drawn_before"] == [draw["id"]]
    assert "a person decides" in said["then"]
    assert draws(firm)[0]["state"] == "posted"
    assert available(firm) == 40_000


def test_T28_a_chargeback_freezes_the_bill_s_draws_until_a_person_clears_it(firm):
    bill = billed(firm, 600)
    firm.later(minutes=2)
    [link] = firm.links()
    paid = firm.sandbox.act("pay_link", link_id=link["id"], method="card", settle_after_seconds=0)
    firm.later(minutes=16)
    firm.sandbox.act("chargeback_payment", id=paid["id"])
    deposit(firm, 1000)
    firm.later(minutes=16)
    # The bill may be read before the payment that explains it: what was proposed in between asked nobody and is gone.
    assert {draw["state"] for draw in draws(firm)} <= {"withdrawn"}
    assert asked(firm) == []
    with pytest.raises(Rejected) as refusal:
        propose_draw(firm.rt, bill["id"], by="iris", dry_run=False)
    assert refusal.value.reason == "payment_reversed"
    judged(firm)


def test_F66_trust_money_never_covers_a_chargeback(firm):
    deposit(firm, 1000)
    with firm.rt.read() as work:
        before = work.trust.total("iolta")
    bill = billed(firm, 1600)
    firm.later(minutes=2)
    paid = firm.sandbox.act("pay_link", link_id=firm.links()[-1]["id"], method="card", settle_after_seconds=0)
    firm.later(minutes=16)
    [draw] = draws(firm)
    firm.sandbox.act("chargeback_payment", id=paid["id"])
    firm.later(minutes=16)
    assert draw["bill_id"] == bill["id"]
    assert [(one["state"], one["reason"]) for one in draws(firm)] == [("withdrawn", "payment_reversed")]
    with firm.rt.read() as work:
        assert work.trust.total("iolta") == before
    judged(firm)


def test_T29_a_third_party_s_claim_takes_money_from_the_draws(firm):
    deposit(firm, 1000)
    billed(firm, 600)
    said = claim(
        firm.rt, firm.matter(), amount_cents=90_000, account=None, why="lien of 2 March", by="iris", dry_run=False
    )
    firm.later(minutes=16)
    assert [(draw["state"], draw["amount_cents"]) for draw in draws(firm)] == [
        ("withdrawn", 60_000),
        ("proposed", 10_000),
    ]
    assert available(firm) == 0
    release(firm.rt, said["hold"], why="lien released", by="iris", dry_run=False)
    assert available(firm) == 90_000
    judged(firm)


# ── what the bank does ──


def test_T11_money_without_an_owner_waits_in_suspense_and_is_drawn_by_nobody(firm):
    with firm.rt.uow() as work:
        line = ownerless(firm, work)
    assert firm.exceptions() == {"trust_owner_unknown": 1}
    billed(firm, 600)
    assert draws(firm) == []
    with pytest.raises(Rejected, match="signatories"):
        assign_to_firm(firm.rt, line, why="bank charges", by="iris", dry_run=False)
    assign_to_firm(firm.rt, line, why="bank charges", by="Ada Quill", dry_run=False)
    assert firm.exceptions() == {}
    judged(firm)


def ownerless(firm, work, cents=5_000, ident=70_001):
    """A line of Clio's ledger that names neither client nor matter, as an operator would have typed it."""
    now = firm.rt.clock()
    account = firm.ids["bank_accounts"]["trust"]
    seen = BankLine(
        id=ident, etag="e", account_id=account, amount_cents=cents, currency="USD", on=firm.rt.local_date(now),
        client_id=None, matter_id=None, bill_id=None, allocation_id=None, payment_type=None, description="",
        confirmation="", online=False, created_at=now, updated_at=now,
    )  # fmt: skip
    LedgerLines().apply(firm.rt, work, [seen])
    return work.trust.standing([str(ident)])[str(ident)]["id"]


def test_T6_more_of_the_firm_s_own_money_than_the_cap_is_refused(firm):
    with firm.rt.uow() as work:
        line = ownerless(firm, work, cents=20_001)
    with pytest.raises(Rejected) as refusal:
        assign_to_firm(firm.rt, line, why="bank charges", by="Ada Quill", dry_run=False)
    assert refusal.value.reason == "trust_firm_money"


def test_F67_T15_a_fee_taken_from_trust_is_told_at_once_and_no_client_pays_it(firm):
    deposit(firm, 1000)
    with firm.rt.uow() as work:
        ownerless(firm, work, cents=-2_500)
    assert firm.exceptions() == {"trust_fee_debited": 1, "trust_shortage": 1}
    assert available(firm) == 100_000
    judged(firm)


def test_T14_a_returned_deposit_freezes_the_ledger_until_a_person_releases_it(firm):
    deposit(firm, 1000)
    billed(firm, 300)
    with firm.rt.uow() as work:
        returned(firm, work, -100_000)
    assert firm.exceptions() == {"trust_return": 1}
    assert [draw["state"] for draw in draws(firm)] == ["withdrawn"]
    [ledger] = [row for row in ledgers(firm) if row["frozen"]]
    billed(firm, 100)
    assert {draw["state"] for draw in draws(firm)} == {"withdrawn"}
    release(firm.rt, f"ledger:{ledger['id']}", why="the client paid again", by="Ada Quill", dry_run=False)
    assert firm.exceptions() == {}
    judged(firm)


def test_T14_a_return_of_money_that_was_used_is_a_shortage_with_a_clock(firm):
    deposit(firm, 1000)
    billed(firm, 600)
    [draw] = draws(firm)
    authorised(firm, draw["id"])
    apply_in_clio(firm, draw)
    with firm.rt.uow() as work:
        returned(firm, work, -100_000)
    assert firm.exceptions() == {"trust_return": 1, "trust_shortage": 1}
    with firm.rt.read() as work:
        [told] = work.exceptions.listed(kind="trust_shortage")
    assert told["money_cents"] == 60_000
    assert "3 business days" in told["summary"]
    assert "Tell the bar" in told["summary"]
    [ledger] = [row for row in ledgers(firm) if row["frozen"]]
    with pytest.raises(Rejected, match="still short"):
        release(firm.rt, f"ledger:{ledger['id']}", why="never mind", by="Ada Quill", dry_run=False)
    judged(firm)


def ledgers(firm):
    with firm.rt.read() as work:
        return work.trust.ledgers()


def returned(firm, work, cents, ident=80_001):
    now, matter = firm.rt.clock(), firm.matter()
    client = work.mirror.matters([matter])[matter].client
    seen = BankLine(
        id=ident, etag="e", account_id=firm.ids["bank_accounts"]["trust"], amount_cents=cents, currency="USD",
        on=firm.rt.local_date(now), client_id=client.id, matter_id=matter, bill_id=None, allocation_id=None,
        payment_type=None, description="", confirmation="R01", online=True, created_at=now, updated_at=now,
    )  # fmt: skip
    LedgerLines().apply(firm.rt, work, [seen])


def test_a_refund_that_clio_refuses_moves_nothing(firm):
    with pytest.raises(SandboxRefused):
        firm.sandbox.act("deposit_trust", matter_id=firm.matter(), amount=-1)
    firm.later(minutes=16)
    assert ledgers(firm) == []
