"""Any order of deposits, bills, draws, returns, disputes, transfers, deaths and re-runs keeps trust money where it belongs.

After every step: no ledger below zero by our doing, no matter's money in another's draw, promises covered, and in the end
the ledgers are Clio's book to the cent and reading everything again changes nothing.
"""

import os
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from orchestrator.domain.draws import PROMISED, DrawState
from orchestrator.domain.topics import Urgency
from orchestrator.domain.trust import Origin
from orchestrator.engine.points import Point
from orchestrator.errors import Rejected
from orchestrator.sandbox.client import SandboxRefused
from orchestrator.usecases.hold_trust import claim, dispute, release
from orchestrator.usecases.set_aside import set_aside
from orchestrator.usecases.sync_ledger import LedgerLines
from tests.firm import START, Died, open_firm
from tests.trust import authorise, notice, trust_settings

DOLLARS = st.integers(1, 900)
PLACE = st.integers(0, 9)
RARELY = st.sampled_from([False, False, False, True])


class Blow:
    """Dies at the nth passing of a point, once."""

    def __init__(self):
        self.point, self.left = None, 0

    def __call__(self, point):
        if point is self.point:
            self.left -= 1
            if self.left <= 0:
                self.point = None
                raise Died(point)


def trust_life(sandbox, database):  # noqa: C901  one class, many short rules
    """The machine's class, over one sandbox; `database` makes the address of a new one, which goes with its context."""

    class TrustLife(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            sandbox.clear_faults()
            sandbox.reset("tiny", seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
            self.stack, self.blow = ExitStack(), Blow()
            url = self.stack.enter_context(database())
            environment = {"trust": trust_settings(sandbox)}
            self.firm = self.stack.enter_context(open_firm(sandbox, url, passing=self.blow, environment=environment))
            self.firm.work()
            self.client = self.firm.ids["contacts"]["bo"]
            other = sandbox.act("create_matter", client_id=self.client, description="Another")["id"]
            self.matters = [self.firm.matter(), other]
            self.deposits, self.holds = [], []
            for dollars, matter in zip((1000, 400), self.matters, strict=True):
                self.person("deposit_trust", amount=dollars, matter_id=matter)
            self.live(60 * 24 * 11)

        def teardown(self):
            try:
                self.blow.point = None
                for _ in range(3):
                    self.live(16)
                self.live(24 * 60)
                self.live(16)
                self.ledgers_are_the_book()
                self.reading_again_changes_nothing()
                self.firm.check()
            finally:
                self.stack.close()

        # ── helpers ──

        def live(self, minutes):
            """Time passes and the firm works; when it dies it is started again."""
            self.firm.sandbox.clock_advance(60 * minutes)
            for _ in range(8):
                with suppress(Died):
                    self.firm.work()
                    return
                self.firm.rest_pauses()
            raise AssertionError("it dies again and again")

        def person(self, verb, **facts):
            with suppress(SandboxRefused):
                return sandbox.act(verb, **facts)

        def operator(self, act, *args, **facts):
            """What the rules refuse does not happen; whoever dies in it, is asked again later."""
            with suppress(Rejected, Died):
                return act(self.firm.rt, *args, **facts)

        def draws(self, *states):
            with self.firm.rt.read() as work:
                return work.draws.listed(states=states, limit=1000)

        def bills(self):
            with self.firm.rt.read() as work:
                return [row["id"] for row in reversed(work.mirror.listed_bills())]

        # ── money comes and goes ──

        @rule(dollars=DOLLARS, place=PLACE, for_client=RARELY)
        def deposit(self, dollars, place, for_client):
            owner = {"client_id": self.client} if for_client else {"matter_id": self.matters[place % 2]}
            made = self.person("deposit_trust", amount=dollars, confirmation=f"CHK-{len(self.deposits)}", **owner)
            if made:
                self.deposits.append(made["id"])

        @rule(place=PLACE)
        def goes_back(self, place):
            if self.deposits:
                self.person("record_return", id=self.deposits.pop(place % len(self.deposits)))

        @rule(dollars=DOLLARS, place=PLACE, verb=st.sampled_from(["between", "out", "assign"]))
        def moves(self, dollars, place, verb):
            one, other = self.matters if place % 2 else self.matters[::-1]
            if verb == "between":
                self.person("transfer_trust", from_matter_id=one, to_matter_id=other, amount=dollars)
            elif verb == "out":
                self.person("disburse_trust", matter_id=one, amount=dollars)
            else:
                self.person("assign_client_funds", matter_id=one, amount=dollars)

        # ── bills and draws ──

        @rule(dollars=DOLLARS, place=PLACE)
        def bill(self, dollars, place):
            self.firm.issued_bill(self.matters[place % 2], dollars=dollars)
            self.live(16)

        @rule(place=PLACE, differently=RARELY)
        def a_draw_goes_on(self, place, differently):
            """A signatory authorises a proposed draw; a person records an authorised one in Clio."""
            open_ = self.draws(DrawState.PROPOSED, DrawState.AUTHORISED)
            draw = open_[place % len(open_)] if open_ else None
            if draw is not None and draw["state"] == DrawState.PROPOSED:
                with suppress(Rejected, Died):
                    notice(self.firm, draw["id"])
                    authorise(self.firm, draw["id"])
            elif draw is not None:
                cents = draw["amount_cents"] - (1 if differently else 0)
                self.person("apply_trust", id=draw["bill_id"], amount=cents / 100)
                self.live(16)

        @rule(dollars=DOLLARS, place=PLACE, dies=st.sampled_from([None, *Point]))
        def billed_and_drawn(self, dollars, place, dies):
            """The usual way, with or without a death on it."""
            self.bill(dollars, place)
            self.blow.point, self.blow.left = dies, 2
            for _ in range(2):
                self.a_draw_goes_on(0, differently=False)

        @rule(place=PLACE, dollars=st.integers(1, 100))
        def apply_without_asking(self, place, dollars):
            if bills := self.bills():
                self.person("apply_trust", id=bills[place % len(bills)], amount=dollars)

        @rule(place=PLACE, verb=st.sampled_from(["void_bill", "record_payment"]))
        def ended_otherwise(self, place, verb):
            if bills := self.bills():
                self.person(verb, id=bills[place % len(bills)])

        # ── what is held ──

        @rule(place=PLACE, cents=st.integers(1, 90_000))
        def dispute(self, place, cents):
            if bills := self.bills():
                held = self.operator(
                    dispute, bills[place % len(bills)], amount_cents=cents, why="x", by="iris", dry_run=False
                )
                self.holds += [held["hold"]] if held else []

        @rule(place=PLACE, cents=st.integers(1, 90_000))
        def claim(self, place, cents):
            matter = self.matters[place % 2]
            held = self.operator(claim, matter, amount_cents=cents, account=None, why="x", by="iris", dry_run=False)
            self.holds += [held["hold"]] if held else []

        @rule(place=PLACE)
        def release(self, place):
            with self.firm.rt.read() as work:
                frozen = [f"ledger:{row['id']}" for row in work.trust.ledgers() if row["frozen"]]
            choice = self.holds + frozen
            if choice:
                what = choice[place % len(choice)]
                if self.operator(release, what, why="x", by="Ada Quill", dry_run=False) and what in self.holds:
                    self.holds.remove(what)

        @rule(place=PLACE, cents=st.integers(1, 90_000), back=st.booleans())
        def set_aside(self, place, cents, back):
            self.operator(
                set_aside, self.matters[place % 2], amount_cents=cents, account=None, back=back, why="x", by="Ada Quill",
                dry_run=False,
            )  # fmt: skip

        # ── time and trouble ──

        @rule(minutes=st.sampled_from([16, 16, 60 * 24, 60 * 24 * 11]))
        def time_passes(self, minutes):
            self.live(minutes)

        @rule(point=st.sampled_from(list(Point)), nth=st.integers(1, 4))
        def death_is_coming(self, point, nth):
            self.blow.point, self.blow.left = point, nth

        # ── what holds ──

        @invariant()
        def trust_money_is_where_it_belongs(self):
            with self.firm.rt.read() as work:
                promised = work.draws.promised_by_ledger()
                for row in work.trust.ledgers():
                    lines = work.trust.lines_of(row["id"])
                    assert row["balance_cents"] == sum(line["amount_cents"] for line in lines)
                    assert row["reserved_cents"] == promised.get(row["id"], 0)
                    assert row["frozen"] or 0 <= row["reserved_cents"] <= row["balance_cents"]
                    before = 0
                    for line in lines:
                        assert line["balance_cents"] == before + line["amount_cents"]
                        before = line["balance_cents"]
                        assert before >= 0 or line["origin"] == Origin.CLIO
                for draw in work.draws.listed(limit=1000):
                    bill = work.mirror.bills([draw["bill_id"]])[draw["bill_id"]]
                    ledger = work.trust.ledger_by_id(draw["ledger_id"])
                    assert bill.matter_ids == (ledger["matter_id"],)
                    assert (ledger["kind"], draw["amount_cents"] > 0) == ("matter", True)
                    assert (draw["authorised_by"] is None) or draw["noticed_at"] is not None
                    if draw["line_id"] is not None:
                        line = work.trust.line(draw["line_id"])
                        assert (line["ledger_id"], -line["amount_cents"]) == (draw["ledger_id"], draw["amount_cents"])
                    if draw["state"] in PROMISED:
                        assert draw["amount_cents"] <= bill.total_cents

        def ledgers_are_the_book(self):
            practice = self.firm.rt.practice(Urgency.MONEY)
            book = sum(line.amount_cents for line in practice.ledger_of(self.firm.ids["bank_accounts"]["trust"]))
            with self.firm.rt.read() as work:
                assert work.trust.total("iolta") == book

        def reading_again_changes_nothing(self):
            before = self.everything()
            lines = list(self.firm.rt.practice(Urgency.MONEY).ledger_of(self.firm.ids["bank_accounts"]["trust"]))
            with self.firm.rt.uow() as work:
                LedgerLines().apply(self.firm.rt, work, lines)
            self.firm.work()
            assert self.everything() == before

        def everything(self):
            with self.firm.rt.read() as work:
                ledgers = [tuple(row.values())[:12] for row in work.trust.ledgers()]
                lines = [line["id"] for row in work.trust.ledgers() for line in work.trust.lines_of(row["id"])]
                return ledgers, lines, [tuple(row.values()) for row in work.draws.listed(limit=1000)]

    return TrustLife


def lived(sandbox, database, *, examples, steps):
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        trust_life(sandbox, database),
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=quiet, database=None,
            derandomize="ORCH_TEST_RANDOM" not in os.environ, print_blob=True,
        ),
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """Makes a database of its own for each life, of either kind."""
    if request.param == "postgresql":
        return partial(on_a_server, request.getfixturevalue("postgres_server"))
    memory = Path("/dev/shm")
    return partial(in_a_file, memory if os.access(memory, os.W_OK) else tmp_path)


@contextmanager
def in_a_file(folder):
    with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
        yield f"sqlite:///{place}/firm.sqlite3"


@contextmanager
def on_a_server(server):
    name = f"trust_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(("database", "examples"), [("sqlite", 5), ("postgresql", 2)], indirect=["database"])
def test_any_order_of_acts_and_deaths_keeps_trust_money_where_it_belongs(sandbox, database, examples):
    lived(sandbox, database, examples=examples, steps=8)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_any_order_of_acts_and_deaths_keeps_trust_money_where_it_belongs_at_length(sandbox, database):
    lived(sandbox, database, examples=40, steps=25)
