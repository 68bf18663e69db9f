"""W7 on the rail `lawpay_page`: what comes back is compared with what was asked; the rest is as on Clio's own rail."""

from contextlib import suppress
from dataclasses import replace

import pytest

from orchestrator.domain.draws import Denied
from orchestrator.domain.gateway import TransactionStatus, TransactionType
from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import Rail
from orchestrator.domain.movements import MovementKind, MovementStatus, Source
from orchestrator.engine.points import Point
from orchestrator.storage.gateway import to_transaction
from orchestrator.usecases import sync_bills
from orchestrator.usecases.choose_rail import less_paid_elsewhere, record_key
from orchestrator.usecases.plan_draws import consider
from orchestrator.usecases.poll_lawpay import Reading, apply
from orchestrator.usecases.reconcile import account_named, reconcile
from orchestrator.usecases.resolve_exception import resolve_exception
from orchestrator.usecases.show_payments import show_payment, show_payments
from orchestrator.usecases.show_runs import show_run
from tests.firm import Died, dying_at, open_firm
from tests.lawpay import lawpay_settings, questions

PAGE = Rail.LAWPAY_PAGE


@pytest.fixture
def firm(at_lawpay):
    return at_lawpay()


def page_of(firm, bill):
    with firm.rt.read() as work:
        return work.links.of_bill(bill["id"])[-1]


def seen(firm):
    firm.later(minutes=6)
    firm.later(minutes=2)


def pay(firm, page, **facts):
    """The client pays on the page, and the worker has heard of it."""
    paid = firm.sandbox.act("lawpay_pay", page=page["url"], **facts)
    seen(firm)
    return paid


def paid(firm, **facts):
    """A bill whose page was paid by card, captured at midnight, and the worker has seen it."""
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill), **facts)
    firm.later(days=4 if facts.get("method") == "echeck" else 1)
    return bill, payment


def row(firm, payment):
    with firm.rt.read() as work:
        return work.gateway.get(payment["id"])


def books(firm, payment):
    with firm.rt.read() as work:
        totals: dict[str, int] = {}
        for line in work.journal.entries_of(work.gateway.get(payment["id"])["number"], rail=PAGE):
            totals[line["account"]] = totals.get(line["account"], 0) + line["amount_cents"]
        return totals


def moved(firm):
    """What reconciliation is told of LawPay, by its id there."""
    with firm.rt.read() as work:
        return {one.external_id: one for one in work.movements.current(source=Source.LAWPAY)}


def silence(firm, bill):
    with firm.rt.read() as work:
        return work.mirror.bill_rows([bill["id"]])[bill["id"]]["silence"]


def tasks(firm, word):
    return [task for task in firm.effects("task.created") if word in task["name"]]


def notes(firm, word):
    return [note for note in firm.effects("note.created") if word in note["subject"]]


def test_a_card_payment_is_a_promise_until_midnight_and_money_after_it(firm):
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill))
    assert row(firm, payment)["status"] == "AUTHORIZED"
    assert page_of(firm, bill)["state"] == "used"
    assert silence(firm, bill) == "payment_under_way"
    assert books(firm, payment) == {}
    firm.later(days=1)
    assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    [note] = notes(firm, "Payment received")
    assert payment["id"] in note["detail"]
    firm.check()


def test_one_task_asks_for_it_to_be_recorded_and_the_bill_keeps_silent_until_it_is(firm):
    bill, payment = paid(firm)
    [task] = tasks(firm, "Record the LawPay payment")
    assert bill["number"] in task["name"]
    assert "600.00 USD" in task["name"]
    assert silence(firm, bill) == "payment_to_record"
    for _ in range(3):
        firm.later(hours=6)
    assert len(tasks(firm, "Record the LawPay payment")) == 1
    assert len(firm.mails()) == 1
    firm.sandbox.act("record_payment", id=bill["id"])
    firm.later(minutes=16)
    assert silence(firm, bill) == "nothing_open"
    assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    assert questions(firm) == {}
    firm.check()


def test_T5_what_came_in_above_what_is_open_by_now_is_told_to_be_the_client_s(firm):
    bill = firm.mailed_bill()
    pay(firm, page_of(firm, bill))
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100.01)
    firm.later(minutes=16)
    firm.later(days=1)
    [task] = tasks(firm, "Record the LawPay payment")
    assert "Only 499.99 USD are open on the bill now: 100.01 USD are the client's" in task["description"]
    firm.check()


def test_a_payment_that_was_recorded_before_we_heard_of_it_needs_no_task(firm):
    bill = firm.mailed_bill()
    page = page_of(firm, bill)
    firm.sandbox.act("lawpay_pay", page=page["url"])
    firm.sandbox.act("record_payment", id=bill["id"])
    firm.later(days=1)
    seen(firm)
    assert tasks(firm, "Record the LawPay payment") == []
    assert questions(firm) == {}
    with firm.rt.read() as work:
        assert work.journal.held() == 60_000
    firm.check()


def test_an_echeck_comes_into_the_account_that_stands_beside_the_card_one(firm):
    _bill, payment = paid(firm, method="echeck")
    assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    assert row(firm, payment)["account"] == "operating"
    assert len(tasks(firm, "Record the LawPay payment")) == 1
    firm.check()


def test_F66_an_echeck_that_is_returned_late_reverses_everything_and_leaves_its_deposit_in_the_record(firm):
    _bill, payment = paid(firm, method="echeck")
    firm.later(days=20)
    firm.sandbox.act("lawpay_return_echeck", id=payment["id"])
    seen(firm)
    assert books(firm, payment) == {"bank:operating": 0, "receivable": 0}
    assert len(notes(firm, "Payment reversed")) == 1
    assert len(tasks(firm, "Take back the LawPay payment")) == 1
    assert questions(firm) == {"payment_reversed": 1}
    there = moved(firm)
    assert there[payment["id"]].status is MovementStatus.SETTLED
    back = there[f"{payment['id']}:return"]
    assert (back.kind, back.amount_cents, back.parent) == (MovementKind.RETURN, -60_000, payment["id"])
    assert len(firm.mails()) == 1
    firm.check()


def test_F66_a_return_that_came_between_two_polls_is_still_a_return(firm):
    bill = firm.mailed_bill()
    payment = firm.sandbox.act("lawpay_pay", page=page_of(firm, bill)["url"], method="echeck")
    firm.sandbox.clock_advance(4 * 86_400)
    firm.sandbox.act("lawpay_return_echeck", id=payment["id"])
    firm.work()
    firm.later(minutes=6)
    assert set(moved(firm)) == {payment["id"], f"{payment['id']}:return"}
    assert books(firm, payment) == {}
    firm.check()


def test_an_echeck_that_fails_before_it_completes_leads_to_a_fresh_page_and_a_revised_message(firm):
    bill = firm.mailed_bill()
    first = page_of(firm, bill)
    payment = pay(firm, first, method="echeck")
    firm.sandbox.act("lawpay_return_echeck", id=payment["id"])
    seen(firm)
    firm.later(minutes=2)
    second = page_of(firm, bill)
    assert (second["state"], second["cycle"]) == ("live", 2)
    assert second["reference"] != first["reference"]
    assert len(firm.mails()) == 2
    assert books(firm, payment) == {}
    assert moved(firm)[payment["id"]].status is MovementStatus.FAILED
    firm.check()


def test_a_voided_payment_is_asked_for_again(firm):
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill))
    firm.sandbox.act("lawpay_void", id=payment["id"])
    seen(firm)
    firm.later(minutes=2)
    assert page_of(firm, bill)["state"] == "live"
    assert len(firm.mails()) == 2
    assert moved(firm)[payment["id"]].status is MovementStatus.VOIDED
    firm.check()


def test_a_refund_is_a_transaction_of_its_own_and_reverses_the_payment(firm):
    bill, payment = paid(firm)
    refund = firm.sandbox.act("lawpay_refund", id=payment["id"])
    seen(firm)
    assert books(firm, payment) == {"bank:operating": 0, "receivable": 0}
    there = moved(firm)[refund["id"]]
    assert (there.kind, there.amount_cents, there.parent) == (MovementKind.REFUND, -60_000, payment["id"])
    assert questions(firm) == {"payment_reversed": 1}
    assert len(tasks(firm, "Take back the LawPay payment")) == 1
    assert silence(firm, bill) == "payment_reversed"
    firm.check()


def test_two_partial_refunds_are_two_reversals(firm):
    _, payment = paid(firm)
    for cents in (10_000, 5_001):
        firm.sandbox.act("lawpay_refund", id=payment["id"], amount_cents=cents)
        seen(firm)
    assert books(firm, payment) == {"bank:operating": 44_999, "receivable": -44_999}
    assert sorted(note["detail"].split()[0] for note in notes(firm, "Payment reversed")) == ["100.00", "50.01"]
    assert len(tasks(firm, "Take back the LawPay payment")) == 2
    firm.check()


def test_a_payment_that_is_recorded_before_the_task_is_made_needs_none(firm):
    bill = firm.mailed_bill()
    payment = firm.sandbox.act("lawpay_pay", page=page_of(firm, bill)["url"])
    firm.sandbox.clock_advance(86_400)
    firm.tick()
    while not firm.jobs("task.create"):
        for job_id in firm.bells():
            firm.work_only(job_id)
    firm.sandbox.act("record_payment", id=bill["id"])
    with firm.rt.uow() as work:
        work.dirty.mark(Kind.BILL, [bill["id"]])
        [job] = work.jobs.listed(topic="sync.bill", states=["ready"], limit=1)
    firm.work_only(job["id"])
    firm.work()
    assert tasks(firm, "Record the LawPay payment") == []
    assert [job["reason"] for job in firm.jobs("task.create")][:1] == ["payment_recorded"]
    assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    firm.check()


def test_both_rails_stand_in_one_list(firm):
    bill, payment = paid(firm)
    refund = firm.sandbox.act("lawpay_refund", id=payment["id"], amount_cents=100)
    seen(firm)
    back, came = show_payments(firm.rt, state=None, limit=10)
    assert (came["rail"], came["lawpay_id"], came["booked_cents"], came["reversed_cents"]) == (
        "lawpay_page", payment["id"], 59_900, 100,
    )  # fmt: skip
    assert came["bill_numbers"] == [bill["number"]]
    assert (back["lawpay_id"], back["type"], back["amount_cents"]) == (refund["id"], "refund", -100)
    shown = show_payment(firm.rt, came["id"])
    assert shown == show_payment(firm.rt, payment["id"])
    assert [one["amount_cents"] for one in shown["reversed_by"]] == [100]
    assert sum(line["amount_cents"] for line in shown["journal"]) == 0
    assert show_payment(firm.rt, "L999") is None


# ── what is not as it was asked ──


@pytest.mark.parametrize("cents", [59_999, 60_001, 30_000])
def test_F65_an_edited_amount_is_a_person_s_and_is_booked_nowhere(firm, cents):
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill), amount_cents=cents)
    firm.later(days=1)
    assert questions(firm) == {"lawpay_amount_differs": 1}
    assert books(firm, payment) == {}
    assert tasks(firm, "LawPay") == []
    assert silence(firm, bill) == "payment_in_question"
    assert len(firm.mails()) == 1
    firm.check()


def test_F65_after_a_person_recorded_what_came_the_rest_is_asked_for(firm):
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill), amount_cents=50_000)
    firm.later(days=1)
    firm.sandbox.act("record_payment", id=bill["id"], amount=500)
    with firm.rt.uow() as work:
        [asked] = work.exceptions.listed(kind="lawpay_amount_differs")
        assert work.exceptions.resolve(asked["id"])
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert (page_of(firm, bill)["state"], page_of(firm, bill)["amount_cents"]) == ("live", 10_000)
    assert len(firm.mails()) == 2
    # Whatever LawPay says of the same payment later, the same question is not asked twice.
    firm.sandbox.act("lawpay_refund", id=payment["id"], amount_cents=1)
    seen(firm)
    assert "lawpay_amount_differs" not in questions(firm)
    firm.check()


@pytest.mark.parametrize(
    "edit", [lambda text: text[:-1] + "?", lambda text: f"{text} for March", lambda text: text[4:]]
)
def test_an_edited_reference_is_a_person_s_who_is_shown_what_it_may_be(firm, edit):
    bill = firm.mailed_bill()
    page = page_of(firm, bill)
    payment = pay(firm, page, reference=edit(page["reference"]))
    firm.later(days=1)
    assert questions(firm) == {"lawpay_reference_edited": 1}
    with firm.rt.read() as work:
        [asked] = work.exceptions.listed(kind="lawpay_reference_edited")
    assert bill["number"] in asked["summary"]
    assert books(firm, payment) == {}
    assert silence(firm, bill) == "payment_in_question"
    firm.check()


@pytest.mark.parametrize("reference", ["", "Retainer for Ferris", "ORC-1-2-AAAAAAAAAAAA-A"])
def test_F18_a_payment_under_a_reference_we_never_gave_is_a_person_s(firm, reference):
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill), reference=reference)
    firm.later(days=1)
    [kind] = questions(firm)
    assert kind in {"lawpay_reference_unknown", "lawpay_reference_edited"}
    assert books(firm, payment) == {}
    assert page_of(firm, bill)["state"] == "live"
    assert moved(firm)[payment["id"]].reference == reference
    firm.check()


def test_F18_what_was_there_before_we_first_looked_is_history_and_no_question(sandbox, at_lawpay, database_url):
    firm = at_lawpay()
    firm.later(days=1)
    page = firm.ids["lawpay_accounts"]["operating"]["page"]
    firm.sandbox.act("lawpay_pay", page=page, amount_cents=5_000, reference="old")
    with open_firm(sandbox, f"{database_url}-2", environment=_settings(firm)) as later:
        sandbox.clock_advance(60)
        later.work()
        assert questions(later) == {}
        assert [one.amount_cents for one in moved(later).values()] == [5_000]


def _settings(firm):
    settings = firm.rt.settings
    return {
        "lawpay": settings.lawpay.model_dump(),
        "trust": {"accounts": [account.model_dump() for account in settings.trust.accounts]},
        "links": {"rail": "lawpay_page"},
    }


def test_T5_a_page_that_is_paid_twice_pays_its_bill_once_and_the_second_is_held_for_the_client(firm):
    bill = firm.mailed_bill()
    page = page_of(firm, bill)
    first, second = pay(firm, page), pay(firm, page)
    firm.later(days=1)
    assert books(firm, first) == {"bank:operating": 60_000, "receivable": -60_000}
    assert books(firm, second) == {"bank:operating": 60_000, "unallocated": -60_000}
    assert questions(firm) == {"lawpay_paid_twice": 1}
    assert len(tasks(firm, "Record the LawPay payment")) == 1
    firm.check()


def test_a_second_payment_is_the_first_once_that_came_back(firm):
    bill = firm.mailed_bill()
    page = page_of(firm, bill)
    first = pay(firm, page, method="echeck")
    second = pay(firm, page)
    firm.later(days=1)
    assert books(firm, second) == {"bank:operating": 60_000, "unallocated": -60_000}
    firm.sandbox.act("lawpay_return_echeck", id=first["id"])
    seen(firm)
    assert books(firm, second) == {"bank:operating": 60_000, "receivable": -60_000, "unallocated": 0}
    assert questions(firm) == {}
    assert len(tasks(firm, "Record the LawPay payment")) == 1
    assert silence(firm, bill) == "payment_to_record"
    assert len(firm.mails()) == 1
    firm.check()


def cheque_first(firm):
    """The bill is paid by cheque, and then on its page."""
    bill = firm.mailed_bill()
    page = page_of(firm, bill)
    firm.sandbox.act("record_payment", id=bill["id"])
    firm.sandbox.clock_advance(1200)
    payment = firm.sandbox.act("lawpay_pay", page=page["url"])
    seen(firm)
    firm.later(days=1)
    return bill, payment


def reconciled(firm):
    """What a night says of the operating account: breaks, matches, and how many exceptions it opened."""
    run = reconcile(firm.rt, account_named(firm.rt, "operating"))
    shown = show_run(firm.rt, run["id"])
    told = sum(times for kind, times in firm.exceptions().items() if kind.startswith("break_unapplied"))
    return [one["kind"] for one in shown["breaks"]], shown["matches"], told


def test_F63_T5_what_is_paid_after_a_cheque_is_held_for_the_client_and_told_once(firm):
    bill, payment = cheque_first(firm)
    assert books(firm, payment) == {"bank:operating": 60_000, "unallocated": -60_000}
    shown = show_payment(firm.rt, payment["id"])
    assert (shown["payment"]["booked_cents"], shown["payment"]["deviations"]) == (60_000, ["lawpay_bill_settled"])
    assert shown["allocations"] == [{"bill_id": None, "bill_number": None, "amount_cents": 60_000}]
    assert [line["action"] for line in shown["audit"]] == ["payment_received"]
    for _ in range(2):
        firm.later(days=1)
        breaks, _, told = reconciled(firm)
        assert (breaks.count("unapplied_payment"), breaks.count("missing_in_clio"), told) == (1, 0, 0)
    assert questions(firm) == {"lawpay_bill_settled": 1}
    assert tasks(firm, "LawPay") == notes(firm, "Payment received") == []
    assert silence(firm, bill) == "nothing_open"
    firm.check()


def test_F63_the_refund_of_what_was_too_much_settles_everything(firm):
    _, payment = cheque_first(firm)
    firm.later(days=1)
    reconciled(firm)
    firm.sandbox.act("lawpay_refund", id=payment["id"])
    seen(firm)
    assert books(firm, payment) == {"bank:operating": 0, "unallocated": 0}
    assert questions(firm) == {}
    assert tasks(firm, "LawPay") == notes(firm, "Payment reversed") == []
    firm.later(days=2)
    breaks, matches, _ = reconciled(firm)
    assert "unapplied_payment" not in breaks
    assert "missing_in_clio" not in breaks
    assert matches["processor.went_back"] == 2
    firm.check()


def test_F63_part_of_what_was_too_much_goes_back_and_the_rest_stays_held(firm):
    _, payment = cheque_first(firm)
    firm.sandbox.act("lawpay_refund", id=payment["id"], amount_cents=25_000)
    seen(firm)
    assert books(firm, payment) == {"bank:operating": 35_000, "unallocated": -35_000}
    assert questions(firm) == {"lawpay_bill_settled": 1}
    firm.later(days=1)
    run = reconcile(firm.rt, account_named(firm.rt, "operating"))
    [said] = [one for one in show_run(firm.rt, run["id"])["breaks"] if one["kind"] == "unapplied_payment"]
    assert (said["money_cents"], len(said["movements"])) == (35_000, 2)
    firm.check()


def test_F63_a_refund_that_comes_to_nothing_calls_for_a_person_again(firm):
    _, payment = cheque_first(firm)
    with firm.rt.read() as work:
        charge = to_transaction(work.gateway.get(payment["id"]))
        [asked] = work.exceptions.listed(kind="lawpay_bill_settled")
    refund = replace(
        charge, id="refund-1", type=TransactionType.REFUND, charge_id=payment["id"], status=TransactionStatus.PENDING
    )
    for status, cents in ((TransactionStatus.PENDING, 0), (TransactionStatus.FAILED, 60_000)):
        with firm.rt.uow() as work:
            now = replace(refund, status=status)
            apply(firm.rt, work, Reading([now], sync_bills.Bills().complete(firm.rt, None, ()), (), work.now))
        assert books(firm, payment) == {"bank:operating": cents, "unallocated": -cents}
        assert len(questions(firm)) == bool(cents)
    with firm.rt.read() as work:
        [again] = work.exceptions.listed(kind="lawpay_bill_settled")
    assert again["id"] != asked["id"]
    firm.check()


def test_two_payments_that_are_first_heard_of_together_are_one_and_a_question(firm):
    bill = firm.mailed_bill()
    url = page_of(firm, bill)["url"]
    for _ in range(2):
        firm.sandbox.act("lawpay_pay", page=url)
        firm.sandbox.clock_advance(1)
    seen(firm)
    firm.later(days=1)
    assert questions(firm) == {"lawpay_paid_twice": 1}
    with firm.rt.read() as work:
        assert work.journal.held() == 120_000
    firm.check()


def test_a_page_that_is_paid_after_a_newer_one_took_its_place_is_a_person_s(firm):
    bill = firm.mailed_bill()
    old = page_of(firm, bill)
    firm.sandbox.act("record_payment", id=bill["id"], amount=100)
    firm.later(minutes=16)
    firm.later(minutes=2)
    payment = pay(firm, old)
    firm.later(days=1)
    assert questions(firm) == {"lawpay_link_over": 1}
    assert books(firm, payment) == {"bank:operating": 60_000, "unallocated": -60_000}
    # While nobody knows what that money is for, the client is not asked for more.
    assert silence(firm, bill) == "payment_in_question"
    firm.check()


def test_F12_a_page_that_was_paid_before_it_was_closed_is_honoured(firm):
    bill = firm.mailed_bill()
    old = page_of(firm, bill)
    paid_ = firm.sandbox.act("lawpay_pay", page=old["url"])
    firm.sandbox.act("record_payment", id=bill["id"], amount=100)
    firm.sandbox.clock_advance(1)
    firm.later(minutes=16)
    firm.later(days=1)
    assert books(firm, paid_) == {"bank:operating": 60_000, "receivable": -60_000}
    assert silence(firm, bill) == "payment_to_record"
    assert questions(firm) == {}
    firm.check()


def test_F68_a_bill_paid_into_trust_is_a_person_s_and_no_money_is_moved(firm):
    bill = firm.mailed_bill()
    page = page_of(firm, bill)
    trust = firm.ids["lawpay_accounts"]["trust"]["page"]
    payment = pay(firm, {"url": f"{trust}?{page['url'].partition('?')[2]}"})
    firm.later(days=1)
    assert questions(firm) == {"lawpay_wrong_account": 1}
    assert books(firm, payment) == {}
    assert moved(firm)[payment["id"]].account == "trust"
    firm.check()


def test_T1_an_account_that_nobody_configured_is_told_once_and_its_money_belongs_to_none(at_lawpay):
    firm = at_lawpay(only=("operating",))
    for cents in (100, 200):
        firm.sandbox.act(
            "lawpay_pay", page=firm.ids["lawpay_accounts"]["trust"]["page"], amount_cents=cents, reference="a"
        )
        seen(firm)
    assert [one.account for one in moved(firm).values()] == [None, None]
    assert questions(firm) == {"lawpay_account_unknown": 1}


def test_what_is_paid_where_nobody_was_sent_by_us_is_reconciliation_s(firm):
    """A firm takes its deposits on a page of its own: a movement, and no question of this rail."""
    firm.mailed_bill()
    door = firm.ids["lawpay_accounts"]["trust"]
    payment = firm.sandbox.act("lawpay_pay", page=door["page"], amount_cents=5_000, reference="retainer")
    seen(firm)
    assert moved(firm)[payment["id"]].account == "trust"
    assert questions(firm) == {}


# ── the feed ──


def test_F43_a_list_that_shifts_while_it_is_read_loses_nothing_and_counts_nothing_twice(firm):
    page = firm.ids["lawpay_accounts"]["operating"]["page"]
    for n in range(30):
        firm.sandbox.act("lawpay_pay", page=page, amount_cents=1_000 + n, reference=f"lot {n}")
        firm.sandbox.clock_advance(1)
    firm.sandbox.fault("GET /lawpay/v1/events", "shift_page", n=3, times=None)
    seen(firm)
    firm.later(days=1)
    there = moved(firm)
    assert sorted(one.amount_cents for one in there.values()) == [1_000 + n for n in range(30)]
    assert all(one.status is MovementStatus.SETTLED for one in there.values())


def test_F43_the_watermark_moves_only_with_what_was_read(at_lawpay, sandbox, database_url):
    firm = at_lawpay()
    before = mark(firm)
    firm.sandbox.act(
        "lawpay_pay", page=firm.ids["lawpay_accounts"]["operating"]["page"], amount_cents=100, reference="x"
    )
    firm.sandbox.fault("GET /lawpay/v1/transactions/{id}", "drop_before", times=3)
    firm.sandbox.clock_advance(400)
    firm.tick()
    for job_id in firm.bells():
        firm.work_only(job_id)
    assert mark(firm) == before
    firm.work()
    assert mark(firm) != before
    assert len(moved(firm)) == 1


def mark(firm):
    with firm.rt.read() as work:
        return work.gateway.feed()["watermark"]


def test_F17_an_older_reading_never_replaces_a_newer_one(firm):
    _bill, payment = paid(firm)
    assert row(firm, payment)["status"] == "COMPLETED"
    with firm.rt.uow() as work:
        now = to_transaction(work.gateway.get(payment["id"]))
        late = replace(now, status=TransactionStatus.PENDING, modified_at=now.created_at)
        assert work.gateway.put(late, account="operating", read_at=work.now) is None
    assert row(firm, payment)["status"] == "COMPLETED"


def test_F17_events_that_come_in_any_order_lead_to_the_same(firm):
    """Authorized, completed and a return are all read at once: the transaction itself says where it stands."""
    bill = firm.mailed_bill()
    payment = firm.sandbox.act("lawpay_pay", page=page_of(firm, bill)["url"])
    firm.sandbox.clock_advance(86_400)
    firm.work()
    firm.later(minutes=6)
    assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    firm.check()


def test_a_transaction_that_lawpay_does_not_know_holds_nothing_up(firm):
    page = firm.ids["lawpay_accounts"]["operating"]["page"]
    lost = firm.sandbox.act("lawpay_pay", page=page, amount_cents=100, reference="a")
    kept = firm.sandbox.act("lawpay_pay", page=page, amount_cents=200, reference="b")
    body = {"messages": [{"code": "resource_not_found", "level": "error"}]}
    firm.sandbox.fault("GET /lawpay/v1/transactions/{id}", "status", code=404, body=body)
    seen(firm)
    assert len({lost["id"], kept["id"]} & moved(firm).keys()) == 1
    assert questions(firm)["lawpay_not_found"] == 1
    [unread] = {lost["id"], kept["id"]} - moved(firm).keys()
    firm.sandbox.act("lawpay_refund", id=unread, amount_cents=50)
    seen(firm)
    assert unread in moved(firm)
    assert "lawpay_not_found" not in questions(firm)


def test_a_worker_that_dies_anywhere_in_a_poll_books_a_payment_once(at_lawpay, sandbox, database_url):
    firm = at_lawpay()
    bill = firm.mailed_bill()
    payment = firm.sandbox.act("lawpay_pay", page=page_of(firm, bill)["url"])
    firm.sandbox.clock_advance(86_400)
    for point in (Point.STEP_READ, Point.STEP_RECORDING, Point.STEP_RECORDED):
        opened = open_firm(sandbox, database_url, environment=_settings(firm), passing=dying_at(point))
        with suppress(Died), opened as dying:
            dying.later(minutes=5)
    firm.rest_pauses()
    firm.later(minutes=6)
    firm.later(minutes=2)
    assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    assert len(notes(firm, "Payment received")) == 1
    assert len(tasks(firm, "Record the LawPay payment")) == 1
    firm.check()


def test_a_payment_whose_last_event_was_lost_is_read_again_by_its_id(firm):
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill))
    firm.sandbox.fault("GET /lawpay/v1/events", "empty_data", times=None)
    firm.later(days=1)
    assert row(firm, payment)["status"] == "AUTHORIZED"
    firm.later(days=2)
    assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    firm.check()


def test_what_moved_on_an_account_belongs_to_it_once_somebody_configures_it(at_lawpay, sandbox, database_url):
    firm = at_lawpay(only=("operating",))
    door = firm.ids["lawpay_accounts"]["trust"]
    payment = firm.sandbox.act("lawpay_pay", page=door["page"], amount_cents=100, reference="a")
    seen(firm)
    assert questions(firm) == {"lawpay_account_unknown": 1}
    with open_firm(sandbox, database_url, environment=lawpay_settings(sandbox.state())) as again:
        seen(again)
        assert moved(again)[payment["id"]].account == "trust"
        assert questions(again) == {}


def test_a_cheque_beside_a_payment_that_nobody_recorded_does_not_hide_it(firm):
    """The bill's paid amount rose by more than the payment: only the task can say what was recorded."""
    bill = firm.issued_bill(dollars=1000)
    firm.sandbox.act("record_payment", id=bill["id"], amount=400)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert page_of(firm, bill)["amount_cents"] == 60_000
    paid_ = pay(firm, page_of(firm, bill))
    firm.later(days=1)
    firm.sandbox.act("record_payment", id=bill["id"], amount=590)
    firm.later(minutes=16)
    assert silence(firm, bill) == "payment_to_record"
    assert len(firm.mails()) == 1
    assert books(firm, paid_)["receivable"] == -60_000
    firm.check()


def test_once_recorded_a_payment_stays_so_whatever_is_paid_later(firm):
    bill, payment = paid(firm)
    firm.sandbox.act("record_payment", id=bill["id"])
    firm.later(minutes=16)
    with firm.rt.read() as work:
        assert work.tasks.get(record_key(payment["id"]))["complete"]
        assert "payment.recorded" in {
            line["action"] for line in work.audit.about("lawpay", row(firm, payment)["number"])
        }
    firm.check()


def drawable(firm, bill):
    """What trust money could still be drawn for, and why not."""
    with firm.rt.read() as work:
        known = work.mirror.bills([bill["id"]])[bill["id"]]
        return less_paid_elsewhere(work, known).open_cents, consider(firm.rt, work, known).decision


@pytest.mark.parametrize("cents", [60_000, 59_000])
def test_T8_trust_money_is_not_drawn_for_what_was_paid_at_lawpay(firm, cents):
    bill = firm.mailed_bill()
    assert drawable(firm, bill)[0] == 60_000
    pay(firm, page_of(firm, bill), amount_cents=cents)
    assert drawable(firm, bill)[0] == 60_000 - cents
    firm.later(days=1)
    assert drawable(firm, bill)[0] == 60_000 - cents
    if cents == 60_000:
        assert drawable(firm, bill)[1] == Denied("nothing_open")
    firm.check()


def test_while_a_long_poll_is_under_way_ticks_leave_it_to_it_and_a_ring_waits(firm):
    def polls(*states):
        return firm.jobs("lawpay.poll", *states)

    with firm.rt.uow() as work:
        work.jobs.add("lawpay.poll", "long")
        [long] = list(work.jobs.listed(topic="lawpay.poll", states=["ready"]))
        assert work.jobs.claim(long["id"], holder="elsewhere", lease_seconds=60) is not None
        work.jobs.add("lawpay.poll", "tick")
        work.gateway.ring()
    before = len(firm.sandbox.lawpay_requests())
    for row in polls("ready"):
        firm.work_only(row["id"])
    assert len(firm.sandbox.lawpay_requests()) == before
    [waiting] = polls("ready")
    assert waiting["payload"] == {"bell": True}
    assert waiting["attempts"] == 0
    firm.rest_pauses()
    firm.work()
    assert polls("ready") == []
    assert len(firm.sandbox.lawpay_requests()) > before
    firm.check()


# ── a bill that is void while its payment is under way ──


@pytest.fixture
def void(firm):
    """The client has paid; before the money is there, the bill is void, and its work is billed anew."""
    bill = firm.mailed_bill()
    payment = pay(firm, page_of(firm, bill))
    firm.sandbox.act("void_bill", id=bill["id"])
    again = firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    return payment, again


def test_F63_the_bill_that_takes_the_place_of_a_paid_and_void_one_is_not_asked_for_until_a_person_has_spoken(
    firm, void
):
    payment, again = void
    firm.later(days=1)
    assert len(firm.mails()) == 1
    assert silence(firm, again) == "payment_in_question"
    assert questions(firm) == {"lawpay_bill_gone": 1}
    assert books(firm, payment) == {"bank:operating": 60_000, "unallocated": -60_000}
    assert tasks(firm, "LawPay") == []
    assert drawable(firm, again)[0] == 0
    firm.sandbox.act("record_payment", id=again["id"])
    firm.later(minutes=16)
    with firm.rt.read() as work:
        [asked] = work.exceptions.listed(kind="lawpay_bill_gone")
    resolve_exception(firm.rt, asked["id"], by="iris", note="it is for the next bill")
    firm.later(minutes=16)
    assert len(firm.mails()) == 1
    assert questions(firm) == {}
    firm.check()


def test_F63_once_the_payment_of_a_void_bill_went_back_the_next_bill_is_asked_for(firm, void):
    payment, again = void
    firm.later(days=1)
    firm.sandbox.act("lawpay_refund", id=payment["id"])
    seen(firm)
    firm.later(minutes=2)
    assert questions(firm) == {}
    assert page_of(firm, again)["state"] == "live"
    assert len(firm.mails()) == 2
    firm.check()
