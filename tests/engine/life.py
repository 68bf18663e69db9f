"""A short firm's life, played while its process dies at chosen points and Clio misbehaves: what F10's schedules are made of."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from orchestrator.api.app import heard
from orchestrator.clients.clio.webhooks import signed, verify
from orchestrator.engine.points import Point
from orchestrator.sandbox import SandboxHandle
from orchestrator.storage.jobs import JobState
from orchestrator.usecases.receive_webhook import Knock, receive
from tests.firm import Died, Firm, open_firm

SECRET = "of-the-hook"
MADE = {
    "task.create": "task.created",
    "note.create": "note.created",
    "link.create": "link.created",
    "communication.log": "communication.created",
    "message.send": "mail.accepted",
}
"""The effect that a finished job of each topic has outside, once."""

WEATHER = (
    ("lose_answer", {}),
    ("drop_before", {}),
    ("status_after", {"code": 502}),
    ("truncate", {}),
    ("empty", {}),
    ("html", {}),
    ("create_later", {"after_seconds": 40}),
    ("status", {"code": 503}),
    ("retry_after", {"value": 1}),
)
WRITES = ("POST /clio_payments/links", "POST /tasks", "POST /notes", "POST /communications", "PATCH /matters/{id}", "PATCH /clio_payments/links/{id}")  # fmt: skip
READS = ("GET /clio_payments/links", "GET /bills", "GET /activities", "GET /clio_payments/payments", "GET /notes")


@dataclass
class Deaths:
    """Dies at the passings `first` … `first + times - 1` of each point of the plan, and counts every passing of every point."""

    plan: Mapping[Point, tuple[int, int]] = field(default_factory=dict)
    always: tuple[tuple[Point, int], ...] = ()
    passed: Counter[Point] = field(default_factory=Counter)
    died: Counter[Point] = field(default_factory=Counter)

    def __call__(self, point: Point) -> None:
        self.passed[point] += 1
        nth = self.passed[point]
        first, times = self.plan.get(point, (1, 0))
        if first <= nth < first + times or (point, nth) in self.always:
            self.died[point] += 1
            raise Died(point)


class Life:
    """One firm from approved time to money in, through every restart that `deaths` makes necessary."""

    def __init__(self, sandbox: SandboxHandle, database_url: str, deaths: Deaths, stack: ExitStack) -> None:
        self.sandbox = sandbox
        self.deaths = deaths
        self.restarts = 0
        self._url = database_url
        self._stack = stack
        self._process = ExitStack()
        stack.callback(self._close)
        self.firm = self._start()

    def _close(self) -> None:
        self._process.close()

    def _work(self) -> None:
        self.firm.work()

    def _start(self) -> Firm:
        self._process.close()
        self._process = ExitStack()
        return self._process.enter_context(open_firm(self.sandbox, self._url, passing=self.deaths, subscribed=True))

    def surviving(self, doing: Any) -> Any:
        """Do it in as many processes as it takes."""
        while True:
            try:
                return doing()
            except Died:
                self.restarts += 1
                assert self.restarts < 60, "it never stops dying"
                self.firm = self._start()

    def work(self) -> None:
        self.surviving(self._work)

    def later(self, **span: float) -> None:
        self.sandbox.clock_advance(span.get("minutes", 0) * 60 + span.get("hours", 0) * 3600)
        self.work()

    def play(self) -> Firm:
        """Everything that can become of a bill, one of each."""
        firm = self.firm
        self.work()
        firm.log_time(dollars=150)
        self.later(minutes=16)
        self.later(hours=1)
        requested = self.sandbox.act("generate_bill", matter_id=firm.matter())
        self.sandbox.act("approve_bill", id=requested["id"])
        voided, credited, unlucky = (self.firm.issued_bill(dollars=dollars) for dollars in (200, 300, 400))
        self.later(minutes=16)
        self.later(minutes=2)
        self.rest()
        links = {link["bill_id"]: link["id"] for link in self.firm.links()}
        self.sandbox.act("void_bill", id=voided["id"])
        self.sandbox.act("credit_bill", id=credited["id"], amount=100)
        paid = self.sandbox.act("pay_link", link_id=links[requested["id"]], method="card", settle_after_seconds=0)
        self.sandbox.act(
            "pay_link", link_id=links[unlucky["id"]], method="echeck", settle_after_seconds=60, final_state="failed"
        )
        self.surviving(lambda: self.deliver(paid["id"]))
        self.work()
        self.later(minutes=16)
        self.later(minutes=2)
        self.rest()
        return self.firm

    def rest(self) -> None:
        """Let settling and sweeping come to their end, with a person who answers for mail whose fate is unknown."""
        for _ in range(12):
            self.later(minutes=3)
            self.later(minutes=16)
            if not self._answer_for_mail() and not self._unsettled():
                return
        raise AssertionError("the firm does not come to rest")

    def _unsettled(self) -> bool:
        passing = {"ready", "claimed", "sent"}
        return any(
            row["state"] in passing for topic in (*MADE, "link.expire", "matter.mark") for row in self.firm.jobs(topic)
        )

    def _answer_for_mail(self) -> bool:
        """What the runbook says: look in the relay's log for the Message-ID; if it is not there, send again."""
        arrived = {mail["message_id"] for mail in self.firm.mails()}
        resent = False
        for row in self.firm.jobs("message.send", JobState.PARKED):
            assert row["reason"] == "mail_outcome_unknown"
            if row["intent"]["message_id"] not in arrived:
                with self.firm.rt.uow() as work:
                    assert work.jobs.retry(row["id"], resend=True)
                    work.exceptions.close_job(row["id"])
                resent = True
        return resent

    def deliver(self, payment_id: int) -> None:
        """Clio tells of a payment, again and again until it is answered."""
        body = b'{"data":{"id":%d},"meta":{"event":"updated","webhook_id":7}}' % payment_id
        with self.firm.rt.uow() as work:
            model, cipher = "clio_payments_payment", self.firm.rt.cipher
            work.subscriptions.put(model, state="enabled", secret=cipher.seal(SECRET), offered=[])
            row = work.subscriptions.get(model)
        assert row is not None
        knock = Knock(row["path_token"], body, (signed(body, SECRET),), None)
        assert receive(self.firm.rt, [knock], verify=verify, parse=heard) == [200]

    def check(self) -> None:
        """Every effect once for every intent, nothing lost, nothing silent (I1–I5, I8, I9)."""
        firm = self.firm
        firm.check()
        verdict = self.sandbox.oracle()
        assert verdict["missing"] == []
        assert verdict["quota_breaches"] == 0
        for topic, kind in MADE.items():
            intended = [row for row in firm.jobs(topic) if row["state"] != JobState.REVOKED]
            over = {JobState.DONE, JobState.PARKED} if topic == "message.send" else {JobState.DONE}
            assert {row["state"] for row in intended} <= over, topic
            made = [effect for effect in firm.effects(kind) if effect.get("by", "app") == "app"]
            assert len(made) == len(intended), f"{len(made)} {kind} for {len(intended)} intents"
            assert intended, topic
        expired = [effect for effect in firm.effects("link.expired") if effect["why"] == "request"]
        assert len(expired) == len(firm.jobs("link.expire", JobState.DONE)) == 2
        with firm.rt.read() as work:
            assert work.journal.held() == 75_000
            assert work.billing.counts() == {"requested": 1, "issued": 4, "paid": 1}
        assert len(firm.links()) == 6
        assert len(firm.mails()) == 6


def bad_weather(sandbox: SandboxHandle, dice: random.Random, most: int) -> list[Any]:
    """Script up to `most` faults at places the life passes; returns what was scripted."""
    script = []
    for _ in range(dice.randint(0, most)):
        on = dice.choice(WRITES + READS)
        do, params = dice.choice(WEATHER)
        if do == "create_later" and not on.startswith("POST"):
            continue
        script.append(sandbox.fault(on, do, skip=dice.randint(0, 4), **params))
    if dice.random() < 0.5:
        mail = dice.choice(["drop_after_data", "reply", "refuse"])
        script.append(sandbox.fault("smtp", mail, skip=dice.randint(0, 3)))
    return script


def told(script: Sequence[Any]) -> str:
    return "; ".join(f"{one['on']} {one['do']} after {one['skip']}" for one in script) or "fair weather"
