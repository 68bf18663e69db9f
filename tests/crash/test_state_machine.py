"""A bill's life as a state machine: any order of people, time, deaths and faults; after every step the invariants hold."""

import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from orchestrator.engine.points import Point
from orchestrator.sandbox.client import SandboxRefused
from tests.crash.many import a_stage
from tests.crash.schedules import Outcome, judge
from tests.crash.stage import Stage
from tests.crash.trouble import ANSWERED, CALLS, LOST, Blow, Kind, Trouble


def bill_life(stage: Stage) -> type[RuleBasedStateMachine]:  # noqa: C901  a class of rules, none of them complex
    """The machine on this stage; every example begins on a firm as new."""

    class BillLife(RuleBasedStateMachine):
        @initialize()
        def a_firm(self):
            self.trouble = Trouble(blows=[])
            self._open = stage.life(self.trouble)
            self.life = self._open.__enter__()
            self.bills: list[int] = []

        def teardown(self):
            if not hasattr(self, "life"):
                return
            try:
                self.trouble.blows = ()
                stage.sandbox.clear_faults()
                self.life.rest()
                outcome = Outcome(0)
                judge(self.life, outcome, "")
                assert outcome.breaches == []
                assert sum(outcome.effects.values()) == sum(outcome.intents.values())
            finally:
                self._open.__exit__(None, None, None)

        # ── people ──

        def person(self, verb, **facts):
            # Clio refuses what does not go with the bill as it is, and so nothing happens.
            with suppress(SandboxRefused):
                return self.life.sandbox.act(verb, **facts)

        @rule(dollars=st.integers(10, 900))
        def log_time(self, dollars):
            self.person("log_time", matter_id=self.life.matter(), quantity_seconds=3600, price=dollars)

        @rule()
        def draft(self):
            made = self.person("generate_bill", matter_id=self.life.matter())
            if made is not None:
                self.bills.append(made["id"])

        @rule(dollars=st.integers(10, 900))
        def bill(self, dollars):
            self.bills.append(self.life.issued_bill(dollars))

        @rule(
            verb=st.sampled_from(["approve_bill", "void_bill", "reopen_bill", "delete_bill", "record_payment"]),
            place=st.integers(0, 9),
        )
        def decide(self, verb, place):
            if self.bills:
                self.person(verb, id=self.bills[place % len(self.bills)])

        @rule(amount=st.integers(1, 60), place=st.integers(0, 9))
        def credit(self, amount, place):
            if self.bills:
                self.person("credit_bill", id=self.bills[place % len(self.bills)], amount=amount)

        @rule(
            method=st.sampled_from(["card", "echeck"]),
            ends=st.sampled_from(["completed", "completed", "failed"]),
            place=st.integers(0, 9),
        )
        def pay(self, method, ends, place):
            if not self.bills:
                return
            link = self.life.live_link(self.bills[place % len(self.bills)])
            if link is not None:
                paid = self.person("pay_link", link_id=link, method=method, settle_after_seconds=300, final_state=ends)
                if paid is not None:
                    self.life.payments.append(paid["id"])

        @rule(why=st.sampled_from(["refund", "chargeback", "return"]), place=st.integers(0, 9))
        def goes_back(self, why, place):
            if self.life.payments:
                self.person(f"{why}_payment", id=self.life.payments[place % len(self.life.payments)])

        @rule(place=st.integers(0, 9))
        def webhook(self, place):
            if self.bills:
                self.life.tell("bill", self.bills[place % len(self.bills)])
            if self.life.payments:
                self.life.tell("clio_payments_payment", self.life.payments[place % len(self.life.payments)])

        # ── time and trouble ──

        @rule(minutes=st.sampled_from([1, 3, 16, 61]))
        def time_passes(self, minutes):
            self.life.later(minutes)

        @rule(point=st.sampled_from(list(Point)), nth=st.integers(1, 4))
        def death_is_coming(self, point, nth):
            self.trouble.blows = [Blow(Kind.DEATH, point, self.trouble.passed[point] + nth)]

        @rule()
        def restart(self):
            self.life.restart()

        @rule(on=st.sampled_from(list(CALLS.values())), fault=st.sampled_from([*LOST[:-1], *ANSWERED[:6]]))
        def the_wire_fails(self, on, fault):
            do, params = fault
            stage.sandbox.fault(on, do, **params)

        # ── what holds after every step ──

        @invariant()
        def nothing_is_there_twice(self):
            if not hasattr(self, "life"):
                return
            verdict = self.life.sandbox.oracle()
            assert verdict["duplicate_links"] == []
            assert verdict["duplicate_mails"] == []
            assert verdict["quota_breaches"] == 0
            with self.life.desk.read() as work:
                assert work.journal.balance() == 0
            self.life.stopped()

    return BillLife


@pytest.fixture(scope="module")
def stage():
    with a_stage(None) as stage:
        yield stage


def lived(stage, *, examples, steps):
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        bill_life(stage),
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=quiet, database=None,
            derandomize="ORCH_TEST_RANDOM" not in os.environ, print_blob=True,
        ),
    )  # fmt: skip


def test_any_order_of_acts_deaths_and_faults_leaves_each_effect_once(stage):
    lived(stage, examples=4, steps=10)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_any_order_of_acts_deaths_and_faults_leaves_each_effect_once_at_length(stage):
    lived(stage, examples=80, steps=25)
