"""F57: two links of ours for one balance, after a restore that nothing outside tells of: one stays, and it is the client's."""

import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest

from orchestrator.engine.schedule import Beat
from tests.firm import Firm
from tests.recovery.past import Past, to_its_end


class Snapshot(Past):
    """A whole machine put back: the mark outside the database is as old as the database is."""

    @contextmanager
    def firm(self, **how):
        with super().firm(**how) as firm:
            rt = replace(firm.rt, marks=())
            yield Firm(rt, firm.sandbox, Beat(rt))

    def restore(self):
        shutil.copy(self.file, self.url.removeprefix("sqlite:///"))


@pytest.fixture
def machine(sandbox, database_url, tmp_path):
    return Snapshot(sandbox, database_url, tmp_path)


def live(firm):
    return [link.id for link in firm.rt.practice(1).active_links()]


def test_F57_a_machine_put_back_finds_the_link_of_a_bill_that_it_never_knew(machine):
    with machine.firm() as firm:
        firm.work()
        machine.take()
        firm.mailed_bill()
        links, mails = firm.links(), firm.mails()
    machine.restore()
    with machine.firm() as firm:
        to_its_end(firm)
        assert (firm.links(), firm.mails()) == (links, mails)
        assert firm.exceptions() == {}
        firm.check()


def only(firm, *topics):
    """Do what is due of these topics, and nothing else."""
    firm.tick()
    while todo := [job for job in firm.jobs(None, "ready") if job["topic"] in topics]:
        ran = [firm.work_only(job["id"]) for job in todo]
        if not any(ran):
            break


def about_to_ask(firm):
    """A bill whose link is to be made now."""
    firm.work()
    bill = firm.issued_bill()
    firm.sandbox.clock_advance(16 * 60)
    only(firm, "sweep", "sync.bill")
    assert len(firm.jobs("link.create", "ready")) == 1
    return bill


def ended(firm):
    """The links that the worker had ended."""
    return [link["id"] for link in firm.effects("link.expired") if link["why"] == "request"]


def test_F57_a_machine_put_back_makes_no_link_before_it_has_looked_whether_it_had_made_it(machine):
    with machine.firm() as firm:
        about_to_ask(firm)
        machine.take()
        firm.work()
        firm.later(minutes=2)
        firm.later(minutes=31)
        links, mails = firm.links(), firm.mails()
        assert (len(links), len(mails)) == (1, 1)
    machine.restore()
    with machine.firm() as firm:
        only(firm, "link.create")
        assert live(firm) == [links[0]["id"]]
        to_its_end(firm)
        assert (firm.links(), firm.mails()) == (links, mails)
        assert firm.exceptions() == {}
        firm.check()


def made_and_mailed(firm):
    """What a copy from before it knows nothing of, and may do again if it is only minutes old."""
    firm.work()
    firm.later(minutes=2)
    assert len(firm.mails()) == 1


def test_F57_of_two_links_that_were_both_mailed_the_newer_stays(machine):
    with machine.firm() as firm:
        bill = about_to_ask(firm)
        machine.take()
        made_and_mailed(firm)
    machine.restore()
    with machine.firm() as firm:
        only(firm, "link.create", "message.send", "communication.log")
        firm.sandbox.clock_advance(60)
        only(firm, "link.create", "message.send", "communication.log")
        first, second = firm.links()
        assert len(firm.mails()) == 2
        to_its_end(firm)
        assert (live(firm), ended(firm)) == ([second["id"]], [first["id"]])
        assert (len(firm.links()), len(firm.mails())) == (2, 2)
        with firm.rt.read() as work:
            assert [(row["clio_id"], row["state"]) for row in work.links.of_bill(bill["id"])] == [
                (second["id"], "live")
            ]
        assert firm.exceptions() == {}


def test_F57_the_link_that_the_client_holds_stays_and_a_newer_one_that_nobody_was_sent_ends(machine):
    with machine.firm() as firm:
        bill = about_to_ask(firm)
        machine.take()
        made_and_mailed(firm)
        mails = firm.mails()
    machine.restore()
    with machine.firm() as firm:
        only(firm, "link.create")
        first, second = firm.links()
        assert live(firm) == [first["id"], second["id"]]
        firm.sandbox.fault("smtp", "refuse", times=None)
        firm.later(minutes=16)
        firm.sandbox.clear_faults()
        to_its_end(firm)
        assert (live(firm), ended(firm)) == ([first["id"]], [second["id"]])
        assert (len(firm.links()), firm.mails()) == (2, mails)
        with firm.rt.read() as work:
            assert [(row["clio_id"], row["url"]) for row in work.links.of_bill(bill["id"])] == [
                (first["id"], first["url"])
            ]
        assert firm.exceptions() == {}


def test_F57_of_two_links_for_all_that_a_client_owes_the_one_they_hold_stays(sandbox, database_url, tmp_path):
    machine = Snapshot(sandbox, database_url, tmp_path, links={"several": "contact"})
    with machine.firm() as firm:
        firm.work()
        firm.issued_bill(dollars=300)
        about_to_ask(firm)
        machine.take()
        made_and_mailed(firm)
        mails = firm.mails()
    machine.restore()
    with machine.firm() as firm:
        only(firm, "link.create")
        first, second = firm.links()
        assert [first["contact_id"], first["amount"]] == [second["contact_id"], second["amount"]]
        firm.sandbox.fault("smtp", "refuse", times=None)
        firm.later(minutes=16)
        firm.sandbox.clear_faults()
        to_its_end(firm)
        assert (live(firm), ended(firm)) == ([first["id"]], [second["id"]])
        assert (len(firm.links()), firm.mails()) == (2, mails)
        assert firm.exceptions() == {}


def test_F57_a_link_that_is_paid_before_its_end_is_honoured(machine):
    with machine.firm() as firm:
        bill = about_to_ask(firm)
        machine.take()
        made_and_mailed(firm)
    machine.restore()
    with machine.firm() as firm:
        only(firm, "link.create")
        first = firm.links()[0]
        firm.sandbox.fault("PATCH /clio_payments/links/{id}", "drop_before", times=None)
        for _ in range(3):
            firm.later(minutes=6)
        assert firm.jobs("link.revoke")
        firm.sandbox.act("pay_link", link_id=first["id"], method="card", settle_after_seconds=0)
        firm.sandbox.clear_faults()
        to_its_end(firm)
        with firm.rt.read() as work:
            assert work.journal.held() == 60_000
            assert work.mirror.bills([bill["id"]])[bill["id"]].state == "paid"
        assert (live(firm), len(firm.mails())) == ([], 2)
        assert firm.exceptions() == {}
