"""Every effect exactly once, whatever becomes of the worker, the wire or the answer; judged by the sandbox's own record."""

import time
from contextvars import Context

import pytest

from orchestrator.engine.effects import Effect, perform
from orchestrator.engine.points import Point
from orchestrator.engine.run import run
from orchestrator.errors import Rejected, Stale
from orchestrator.ports import Token
from orchestrator.storage.jobs import JobState
from orchestrator.storage.vault import DatabaseVault
from orchestrator.usecases.create_link import CreateLink
from tests.engine.forwarder import forwarding
from tests.firm import Died, dying_at, open_firm
from workflows.book import BOOK

LINKS = "POST /clio_payments/links"
SEARCH = "GET /clio_payments/links"


def calls(firm, path):
    return firm.sandbox.counts()["calls"].get(path, 0)


def link_job(firm):
    [job] = firm.jobs("link.create")
    return job


def one_link_one_mail(firm):
    """The end of every story here: the client has one message with one working link."""
    [link] = firm.links()
    [mail] = firm.mails()
    assert link["url"] in mail["text"]
    assert link_job(firm)["state"] == JobState.DONE
    firm.check()
    assert firm.sandbox.oracle()["missing"] == []


@pytest.mark.parametrize("point", [Point.EFFECT_ANSWERED, Point.EFFECT_RECORDING])
def test_F01_a_link_whose_answer_died_with_its_worker_is_adopted(sandbox, database_url, point):
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        firm.issued_bill()
    with open_firm(sandbox, database_url, passing=dying_at(point)) as firm, pytest.raises(Died):
        # The first recording is the sweep's; the link's own follows it.
        firm.later(minutes=16)
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        assert link_job(firm)["state"] == JobState.SENT
        searched = calls(firm, SEARCH)
        firm.later(minutes=2)
        assert calls(firm, SEARCH) == searched + 1
        assert calls(firm, LINKS) == 1
        assert link_job(firm)["evidence"] == {"adopted": True}
        firm.later(minutes=2)
        one_link_one_mail(firm)


@pytest.mark.parametrize(
    ("number", "fault", "params"),
    [
        ("F02", "status_after", {"code": 502}),
        ("F03", "create_later", {"after_seconds": 40}),
        ("F06", "lose_answer", {}),
        ("F07", "truncate", {}),
        ("F07", "empty", {}),
        ("F07", "html", {}),
    ],
)
def test_F02_F03_F06_F07_a_link_whose_answer_was_no_answer_is_adopted(firm, number, fault, params):
    firm.issued_bill()
    firm.sandbox.fault(LINKS, fault, **params)
    firm.later(minutes=16)
    assert link_job(firm)["state"] == JobState.SENT
    firm.later(minutes=2)
    firm.later(minutes=2)
    assert calls(firm, LINKS) == 1, number
    one_link_one_mail(firm)


def test_F03_a_late_creation_whose_worker_died_as_well_is_waited_for(sandbox, database_url):
    """The lease ends long before the remote's worst case: who takes over must not search before it either."""
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        firm.issued_bill()
    sandbox.fault(LINKS, "create_later", after_seconds=40)
    with open_firm(sandbox, database_url, passing=dying_at(Point.VERDICT_REACHED)) as firm, pytest.raises(Died):
        firm.later(minutes=16)
    with open_firm(sandbox, database_url) as firm:
        searched = calls(firm, SEARCH)
        firm.work()
        assert calls(firm, SEARCH) == searched
        firm.later(minutes=2)
        firm.later(minutes=2)
        assert calls(firm, LINKS) == 1
        one_link_one_mail(firm)


def test_F03_without_the_settling_wait_a_late_creation_becomes_a_second_link(sandbox, database_url):
    """The proof that the wait is what prevents it: take it away and the oracle sees the duplicate."""
    with open_firm(sandbox, database_url, environment={"engine": {"settle_seconds": 0}}) as firm:
        firm.work()
        bill = firm.issued_bill()
        sandbox.fault(LINKS, "create_later", after_seconds=40)
        firm.later(minutes=16)
        firm.later(minutes=2)
        assert len(firm.links()) == 2
        assert sandbox.oracle()["duplicate_links"] == [bill["id"]]


def test_F04_what_a_complete_search_does_not_find_is_sent_once_more(firm):
    firm.issued_bill()
    firm.sandbox.fault(LINKS, "drop_before")
    firm.later(minutes=16)
    assert link_job(firm)["state"] == JobState.SENT
    firm.later(minutes=2)
    firm.later(minutes=2)
    assert calls(firm, LINKS) == 2
    one_link_one_mail(firm)


def test_F40_one_empty_answer_to_the_search_does_not_mean_that_nothing_was_made(firm):
    firm.issued_bill()
    firm.sandbox.fault(LINKS, "lose_answer")
    firm.sandbox.fault("GET /clio_payments/links", "empty_data", skip=1)  # the first reads are the sweep's
    firm.later(minutes=16)
    assert link_job(firm)["state"] == JobState.SENT
    firm.later(minutes=2)
    firm.later(minutes=2)
    assert calls(firm, LINKS) == 1
    one_link_one_mail(firm)


def test_F62_what_is_not_wanted_any_more_is_not_sent_once_more(firm):
    """The search shows that the first attempt made nothing; by then the bill is void."""
    bill = firm.issued_bill()
    firm.sandbox.fault(LINKS, "drop_before")
    firm.later(minutes=16)
    firm.sandbox.act("void_bill", id=bill["id"])
    firm.later(minutes=3)
    assert calls(firm, LINKS) == 1
    assert firm.links() == []
    assert link_job(firm)["state"] == JobState.REVOKED
    firm.check()


def test_F05_a_refused_connection_sent_nothing(sandbox, database_url):
    with forwarding(sandbox.clio_base_url) as door:
        tries = []

        def passing(point):
            if point is Point.EFFECT_MARKED_SENT:
                tries.append(point)
                if len(tries) == 1:
                    door.shut()
                if len(tries) == 3:
                    door.open()

        with open_firm(sandbox, database_url, environment={"clio": {"base_url": door.url}}) as firm:
            firm.work()
            firm.issued_bill()
        with open_firm(sandbox, database_url, environment={"clio": {"base_url": door.url}}, passing=passing) as firm:
            searched = calls(firm, SEARCH)
            firm.later(minutes=16)
            assert calls(firm, LINKS) == 1
            assert calls(firm, SEARCH) - searched == 1, "the sweep's own reading, and no search"
            firm.later(minutes=2)
            one_link_one_mail(firm)


def test_F09_ours_is_adopted_by_key_beside_one_made_by_hand(firm):
    bill = firm.issued_bill()
    firm.sandbox.fault(LINKS, "lose_answer")
    firm.later(minutes=16)
    foreign = firm.sandbox.act("create_link_by_hand", id=bill["id"])
    firm.later(minutes=2)
    firm.later(minutes=15)
    assert calls(firm, LINKS) == 1
    assert firm.exceptions() == {"foreign_link": 1}
    assert [link["id"] for link in firm.effects("link.expired")] == []
    assert foreign["id"] not in [link["id"] for link in firm.links()]
    one_link_one_mail(firm)


def test_F09_without_any_key_a_person_judges(sandbox, database_url):
    with open_firm(sandbox, database_url, environment={"clio": {"link_return_url": False}}) as firm:
        firm.work()
        firm.issued_bill()
        sandbox.fault(LINKS, "lose_answer")
        firm.later(minutes=16)
        firm.later(minutes=2)
        assert calls(firm, LINKS) == 1
        assert (link_job(firm)["state"], link_job(firm)["reason"]) == (JobState.PARKED, "search_ambiguous")
        assert firm.exceptions() == {"search_ambiguous": 1}
        firm.check()


@pytest.mark.parametrize("where", ["in the commit that marks it", "between marking and sending"])
def test_F11_a_worker_frozen_before_sending_wakes_and_sends_nothing(sandbox, database_url, where):
    short = {"engine": {"lease_seconds": 3}}
    with open_firm(sandbox, database_url) as other:
        other.work()
        other.issued_bill()
        frozen = []

        def freeze():
            frozen.append(where)
            time.sleep(1.6)
            other.work()
            other.later(minutes=2)

        def passing(point):
            if point is Point.EFFECT_MARKED_SENT and not frozen:
                freeze()

        def committed():
            if not frozen and other.jobs("link.create", JobState.SENT):
                freeze()

        with open_firm(sandbox, database_url, environment=short, passing=passing) as firm:
            if where.startswith("in"):
                firm.rt.uow.on_commit = committed
            firm.later(minutes=16)
            assert frozen
            assert calls(firm, LINKS) == 1
            firm.later(minutes=2)
            one_link_one_mail(firm)


def test_F11_a_worker_frozen_between_its_last_look_and_the_wire_sends_nothing(sandbox, database_url):
    short = {"engine": {"lease_seconds": 3}}
    with open_firm(sandbox, database_url) as other, open_firm(sandbox, database_url, environment=short) as firm:
        frozen = []

        class Frozen(CreateLink):
            """Held up after everything was checked: in the limiter, or while a connection is opened."""

            def send(self, intent):
                frozen.append(intent)
                time.sleep(1.6)
                Context().run(other.work)  # another process's: nothing of this one's is known there
                Context().run(other.later, minutes=2)
                return super().send(intent)

        other.work()
        other.issued_bill()
        sandbox.clock_advance(16 * 60)
        book = BOOK | {"link.create": lambda job, rt: perform(Frozen(rt, job))}
        while not frozen:
            firm.tick()
            for job_id in firm.bells():
                run(firm.rt, book, job_id)
        assert calls(firm, LINKS) == 1
        other.later(minutes=2)
        one_link_one_mail(other)


@pytest.mark.parametrize("point", [Point.EFFECT_ANSWERED, Point.VERDICT_REACHED])
def test_F11_a_worker_frozen_after_sending_wakes_and_records_nothing(sandbox, database_url, point):
    with open_firm(sandbox, database_url) as other:
        other.work()
        other.issued_bill()
        if point is Point.VERDICT_REACHED:
            sandbox.fault(LINKS, "lose_answer")
        frozen = []

        def passing(passed):
            if passed is point and not frozen:
                frozen.append(link_job(other)["fence"])
                other.work()
                other.later(minutes=2)

        with open_firm(sandbox, database_url, passing=passing) as firm:
            firm.later(minutes=16)
            assert frozen
            assert link_job(firm)["evidence"] == {"adopted": True}
            assert link_job(firm)["fence"] > frozen[0]
            firm.later(minutes=2)
            assert calls(firm, LINKS) == 1
            one_link_one_mail(firm)


def test_F12_a_link_that_was_paid_a_moment_before_it_should_expire_is_honoured(sandbox, database_url):
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        bill = firm.mailed_bill()
        [link] = firm.links()
        sandbox.act("credit_bill", id=bill["id"], amount=100)

    def passing(point):
        if point is Point.EFFECT_MARKED_SENT and sandbox.effects("link.used") == []:
            sandbox.act("pay_link", link_id=link["id"], method="card", settle_after_seconds=0)

    with open_firm(sandbox, database_url, passing=passing) as firm:
        firm.later(minutes=16)
        firm.later(minutes=16)
        assert calls(firm, "PATCH /clio_payments/links/{id}") == 1
        assert firm.effects("link.expired") == []
        with firm.rt.read() as work:
            assert work.links.counts() == {"used": 1}
            assert work.journal.held() == 60_000
        assert "payment_unallocated" in firm.exceptions()
        firm.check()


def test_F13_a_search_that_fails_allows_no_new_attempt(firm):
    firm.issued_bill()
    firm.sandbox.fault(LINKS, "lose_answer")
    firm.later(minutes=16)
    firm.sandbox.fault(SEARCH, "status", code=500, times=3)
    firm.later(minutes=2)
    firm.later(minutes=2)
    assert calls(firm, LINKS) == 1
    one_link_one_mail(firm)


def test_F13_a_search_that_is_refused_is_no_refusal_of_the_effect(firm):
    firm.issued_bill()
    firm.sandbox.fault(LINKS, "lose_answer")
    firm.later(minutes=16)
    firm.sandbox.fault(SEARCH, "status", code=422)
    firm.later(minutes=2)
    job = link_job(firm)
    assert (job["state"], job["reason"]) == (JobState.PARKED, "clio_refused")
    firm.check()
    with firm.rt.uow() as work:
        assert work.jobs.retry(job["id"])
        work.exceptions.close_job(job["id"])
    firm.work()
    firm.later(minutes=2)
    assert calls(firm, LINKS) == 1
    one_link_one_mail(firm)


@pytest.fixture
def submitting(sandbox, database_url):
    """A firm that submits drafts itself, with a draft in Clio that answers its request and was not looked at yet."""
    with open_firm(sandbox, database_url, environment={"billing": {"submit_drafts": True}}) as firm:
        firm.work()
        firm.later(hours=1)
        [bill] = [sandbox.act("generate_bill", matter_id=firm.matter())]
        yield firm, bill


def test_F39_a_412_is_read_again_rather_than_repeated(submitting):
    firm, _ = submitting
    firm.sandbox.fault("PATCH /bills/{id}", "stale_etag")
    read = calls(firm, "GET /bills/{id}")
    firm.later(minutes=16)
    assert calls(firm, "PATCH /bills/{id}") == 2
    assert calls(firm, "GET /bills/{id}") == read + 2
    assert [effect["state"] for effect in firm.effects("bill.patched")] == ["awaiting_approval"]
    firm.check()


def test_F39_a_bill_issued_by_a_person_meanwhile_is_left_as_it_is(submitting, database_url):
    firm, bill = submitting

    def passing(point):
        if point is Point.EFFECT_MARKED_SENT and calls(firm, "PATCH /bills/{id}") == 0:
            firm.sandbox.act("approve_bill", id=bill["id"])

    with open_firm(
        firm.sandbox, database_url, environment={"billing": {"submit_drafts": True}}, passing=passing
    ) as mine:
        mine.later(minutes=16)
        [job] = mine.jobs("bill.move")
        assert (job["state"], job["reason"]) == (JobState.REVOKED, "bill_changed")
        assert mine.effects("bill.patched") == []
        mine.later(minutes=15)
        mine.later(minutes=2)
        one_link_one_mail(mine)


def test_F47_a_token_that_expires_in_mid_batch_is_renewed_and_the_work_goes_on(sandbox, database_url):
    state = sandbox.state()
    app = {"access_token": None, "client_id": state["client_id"], "client_secret": state["client_secret"]}
    with open_firm(sandbox, database_url, environment={"secret_key": "k" * 32, "clio": app}) as firm:
        vault = DatabaseVault(firm.rt.uow, firm.rt.cipher, "clio")
        vault.store(Token(state["access_token"], state["refresh_token"], None, version=1))
        firm.work()
        firm.issued_bill(dollars=100)
        firm.issued_bill(dollars=200)
        sandbox.fault(LINKS, "revoke_token", skip=1)
        searched = calls(firm, SEARCH)
        firm.later(minutes=16)
        assert calls(firm, LINKS) == 3
        assert calls(firm, SEARCH) - searched == 1, "the sweep's own: 401 is an answer, nothing is searched"
        assert [job["attempts"] for job in firm.jobs("link.create", JobState.DONE)] == [1, 1]
        current = vault.current()
        assert current is not None
        assert current.version == 2
        firm.later(minutes=2)
        assert len(firm.mails()) == 2
        firm.check()


def test_F47_with_a_ready_token_the_work_waits_and_resumes(firm):
    firm.issued_bill()
    firm.sandbox.fault(LINKS, "status", code=401)
    firm.later(minutes=16)
    assert calls(firm, LINKS) == 2
    assert link_job(firm)["attempts"] == 1, "not the job's fault, so not counted"
    firm.later(minutes=2)
    one_link_one_mail(firm)


class Letterbox(Effect[int]):
    """An effect on a list: what was put in, what a search finds, and how recording it goes, as each test says."""

    outside: list[int]
    recording: list[Exception]

    def look(self):
        return {"number": self.job.id}

    def send(self, intent):
        self.outside.append(intent["number"])
        return intent["number"]

    def search(self, intent):
        return [number for number in self.outside if number == intent["number"]]

    def record(self, work, intent, made):
        if self.recording:
            raise self.recording.pop()


@pytest.mark.parametrize(
    "trouble", [Stale("It moved while we looked."), Rejected("A rule of ours.")], ids=["stale", "rejected"]
)
def test_what_happened_but_could_not_be_recorded_is_never_sent_again(firm, trouble):
    """A race inside our own database must not look like a request that never left."""

    class Mine(Letterbox):
        outside: list[int] = []  # noqa: RUF012
        recording = [trouble]  # noqa: RUF012

    book = {"note.create": lambda job, rt: perform(Mine(rt, job))}
    with firm.rt.uow() as work:
        assert work.jobs.add("note.create", "letterbox")
    [job] = firm.jobs("note.create")
    assert run(firm.rt, book, job["id"])
    [job] = firm.jobs("note.create")
    assert job["state"] == JobState.SENT
    firm.sandbox.clock_advance(120)
    time.sleep(0.03)
    assert run(firm.rt, book, job["id"])
    [job] = firm.jobs("note.create")
    assert (job["state"], job["evidence"]) == (JobState.DONE, {"adopted": True})
    assert Mine.outside == [job["id"]]
    firm.check()
