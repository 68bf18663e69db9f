"""W12: a link whose time is over is over with us too, and what a link held of the quotas comes back."""

import pytest

from orchestrator.storage.tables import links
from tests.journeys.test_w8_reminders import FIRST, SECOND, at, letters, owed, to


@pytest.fixture
def short(opened):
    """Links that live for two days."""
    return opened(links={"days": 2})


def states(firm, bill):
    with firm.rt.read() as work:
        return [(row["state"], row["reason"]) for row in work.links.of_bill(bill["id"])]


def test_a_link_that_ran_out_is_closed_and_not_silently_remade(short):
    bill = short.mailed_bill()
    short.later(days=3)
    short.later(hours=1)
    assert [state for state, _ in states(short, bill)] == ["expired"]
    assert len(short.links()) == len(short.mails()) == 1
    with short.rt.read() as work:
        assert work.mirror.bill_rows([bill["id"]])[bill["id"]]["silence"] == "link_over"
    short.check()


def test_a_link_that_ran_out_gives_its_place_back(short):
    short.mailed_bill()
    with short.rt.read() as work:
        before = work.links.budget()
    short.later(days=3)
    with short.rt.read() as work:
        after = work.links.budget()
    assert (before.active, before.created) == (1, 1)
    assert (after.active, after.created) == (0, 0)


def test_a_link_that_a_person_expired_is_not_silently_remade(firm):
    import httpx  # noqa: PLC0415

    bill = firm.mailed_bill()
    [link] = firm.links()
    path = f"{firm.sandbox.clio_base_url}/api/v4/clio_payments/links/{link['id']}.json"
    bearer = {"Authorization": f"Bearer {firm.sandbox.access_token}"}
    assert httpx.patch(path, json={"data": {"expired": True}}, headers=bearer).status_code == 200
    firm.later(minutes=15)
    firm.later(hours=1)
    assert [state for state, _ in states(firm, bill)] == ["expired"]
    assert len(firm.mails()) == 1
    firm.check()


def test_links_of_others_count_against_the_quotas(firm):
    for dollars in range(1, 4):
        bill = firm.issued_bill(dollars=dollars)
        firm.sandbox.act("create_link_by_hand", bill_id=bill["id"])
    firm.later(hours=12)
    with firm.rt.read() as work:
        budget = work.links.budget()
    assert budget.limit == 50
    assert budget.active == 6


def test_a_link_of_others_counts_from_the_next_sweep_on(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("create_link_by_hand", bill_id=bill["id"], amount="1.00")
    firm.later(minutes=15)
    with firm.rt.read() as work:
        assert work.links.budget().active == 2


def test_a_link_that_ended_without_a_word_is_found_by_comparing_the_whole_list(firm):
    """An older reading of ours that a restored Clio contradicts, say: no change of it is listed any more."""
    bill = firm.mailed_bill()
    with firm.rt.uow() as work:
        [row] = work.links.of_bill(bill["id"])
    firm.sandbox.act("void_bill", id=bill["id"])
    firm.later(minutes=15)
    with firm.rt.uow() as work:
        work.connection.execute(links.update().where(links.c.id == row["id"]).values(state="live"))
    firm.later(minutes=15)
    assert [state for state, _ in states(firm, bill)] == ["expired"]


def test_a_user_who_left_takes_fifty_links_of_the_quota_along(opened, tiny):
    tiny["users"].append({"key": "bea", "name": "Bea", "email": "bea@solo.test"})
    firm = opened(tiny)
    with firm.rt.read() as work:
        assert work.links.budget().limit == 100
    firm.sandbox.act("edit_user", id=firm.ids["users"]["bea"], enabled=False)
    firm.later(hours=12)
    with firm.rt.read() as work:
        assert work.links.budget().limit == 50


@pytest.mark.parametrize(("day", "step", "waits"), [(FIRST, "overdue-7", False), (SECOND, "overdue-21", True)])
def test_without_room_only_the_letter_that_is_to_bring_a_link_waits_for_it_and_either_says_how_else_to_pay(
    short, day, step, waits
):
    firm = short
    bill = owed(firm)
    other = firm.issued_bill(dollars=5, due_at="2026-06-01")
    to(firm, day, hour=5)  # its link is made now
    for _ in range(49):
        firm.sandbox.act("create_link_by_hand", id=other["id"], amount="0.01")
    firm.later(minutes=15)
    for hour in (15, 19):
        at(firm, day, hour=hour)
        assert letters(firm) == ([] if waits else [{bill["id"]: step}])
    with firm.rt.read() as work:
        assert len(work.exceptions.listed(kind="link_quota")) == 1
        assert [link["amount_cents"] for link in work.links.waiting()] == [60_000]
    at(firm, day, hour=20, minute=59)
    assert letters(firm) == [{bill["id"]: step}]
    assert "You can pay by check or bank transfer" in firm.mails()[-1]["text"]
    assert "/pay/" not in firm.mails()[-1]["text"]
    firm.check()
