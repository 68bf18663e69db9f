"""A process that is killed in the middle of a reconciliation: another goes on, and comes to the same end (F10, T42)."""

import os
import signal
from multiprocessing import get_context

import pytest

from orchestrator.usecases.reconcile import account_named, begin, go_on
from tests.reconciling import END, bank, clio, lawpay, office

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.reconciling"])
KILLED = -signal.SIGKILL


def seen(firm):
    """Something for every phase to do: matches of several rules, breaks, items on their way."""
    firm.knows(M1=5, M2=6)
    firm.sees(
        *(lawpay(f"ch_{n}", 1000 + n, 2, "M1") for n in range(12)),
        *(clio(n, 1000 + n, 2, parent=f"ch_{n}") for n in range(10)),
        bank("b1", sum(1000 + n for n in range(12)), 3),
        lawpay("ch_20", 700, 5, "nobody"), lawpay("ch_21", 800, 5, "M2"), clio(21, 800, 6, 6), bank("b2", 700, 7),
        clio(22, 350, 9), clio(23, 450, 9, 6), bank("b3", 800, 10), clio(24, -60, 12), clio(25, 90, 31),
    )  # fmt: skip
    firm.sees_unposted(clio(26, 77, 20))
    firm.statement(13_000)


def reconcile_until(url, steps, inside):
    """The whole life of a process: it goes on with the run, and is killed after so many steps, or inside the next."""

    def passing(*_):
        nonlocal steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with office(url) as firm:
        account = account_named(firm.rt, "iolta")
        at = {"each": passing} if inside else {"say": passing}
        go_on(firm.rt, begin(firm.rt, account, cut_off=END).run_id, **at)


def lived(url, steps, inside):
    process = PROCESSES.Process(target=reconcile_until, args=(url, steps, inside))
    process.start()
    process.join(60)
    return process.exitcode


def killed_again_and_again(url, stride):
    """A run that was killed inside a step and after it, every so many steps, and the same run in one go; returns deaths and steps."""
    with office(url) as firm:
        seen(firm)
        whole = firm.run()["run"]
        with firm.rt.uow() as work:
            for again in ("UPDATE runs SET state = 'abandoned'", "DELETE FROM breaks", "DELETE FROM exceptions"):
                work.connection.exec_driver_sql(again)
        begun = begin(firm.rt, account_named(firm.rt, "iolta"), cut_off=END)
        assert begun.new
        deaths = 0
        while True:
            inside = lived(url, stride - 1, inside=True)
            after = lived(url, 0, inside=False)
            assert {inside, after} <= {KILLED, 0}
            deaths += (inside, after).count(KILLED)
            with firm.rt.read() as work:
                run = work.runs.get(begun.run_id)
            if run["state"] == "finished":
                break
        with firm.rt.read() as work:
            runs = work.runs.listed()
            standing = [row["fingerprint"] for row in work.breaks.standing()]
            said = [row["fingerprint"] for row in work.differences.of_run(run["id"])]
            finished = [line for line in work.audit.about("run", run["id"]) if line["action"] == "run_finished"]
    assert len(runs) == 2
    assert sorted(standing) == sorted(said)
    assert len(finished) == 1
    assert run["digest"] == whole["digest"]
    return deaths, run["steps"]


def test_F10_T42_a_killed_reconciliation_goes_on_to_the_same_digest(either_url):
    deaths, _ = killed_again_and_again(either_url, 9)
    assert deaths >= 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_F10_T42_a_reconciliation_killed_inside_and_after_each_of_its_steps_comes_to_the_same_digest(either_url):
    deaths, steps = killed_again_and_again(either_url, 1)
    assert deaths == 2 * steps
