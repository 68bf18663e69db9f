"""Slices of a bill's life: how it begins, what becomes of it, and when. Each is a row; a schedule draws one to three."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any

from orchestrator.sandbox.client import SandboxRefused
from tests.crash.stage import Life

Later = Callable[[], Any] | None
Fate = Callable[[Life, int], Later]
"""What people do about a bill now; what they do some time after that, if anything."""


class When(IntEnum):
    """Before our worker saw the bill; while its message waits; when the client has it."""

    EARLY = 0
    BETWEEN = 1
    LATE = 2


def waits(_life: Life, _bill: int) -> Later:
    return None


def voided(life: Life, bill: int) -> Later:
    life.sandbox.act("void_bill", id=bill)
    return None


def credited(life: Life, bill: int) -> Later:
    life.sandbox.act("credit_bill", id=bill, amount=50)
    return None


def settled_by_cheque(life: Life, bill: int) -> Later:
    life.sandbox.act("record_payment", id=bill)
    return None


def partly_paid_by_cheque(life: Life, bill: int) -> Later:
    life.sandbox.act("record_payment", id=bill, amount=40)
    return None


def cheque_bounces(life: Life, bill: int) -> Later:
    life.sandbox.act("record_payment", id=bill)
    return lambda: life.sandbox.act("delete_payment", id=bill)


def reopened(life: Life, bill: int) -> Later:
    life.sandbox.act("reopen_bill", id=bill)
    return lambda: life.sandbox.act("approve_bill", id=bill)


def _pay(life: Life, bill: int, **how: Any) -> int:
    if life.live_link(bill) is None:
        life.rest()
    link = life.live_link(bill)
    if link is None:
        raise SandboxRefused(f"Bill {bill} has no link to pay: somebody settled or voided it first.")
    payment = int(life.sandbox.act("pay_link", link_id=link, **how)["id"])
    life.payments.append(payment)
    return payment


def paid(life: Life, bill: int) -> Later:
    _pay(life, bill, method="card", settle_after_seconds=0)
    return None


def paid_slowly(life: Life, bill: int) -> Later:
    _pay(life, bill, method="echeck", settle_after_seconds=600)
    return None


def falls_through(life: Life, bill: int) -> Later:
    _pay(life, bill, method="echeck", settle_after_seconds=600, final_state="failed")
    return None


def sent_back(life: Life, bill: int, *, why: str, amount: int | None = None) -> Later:
    payment = _pay(life, bill, method="card", settle_after_seconds=0)
    return lambda: life.sandbox.act(f"{why}_payment", id=payment, **({"amount": amount} if amount else {}))


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    fate: Fate
    when: tuple[When, ...] = (When.LATE,)


ANY_TIME = tuple(When)
STORIES = (
    Story("waits", waits),
    Story("voided", voided, ANY_TIME),
    Story("credited", credited, ANY_TIME),
    Story("settled by cheque", settled_by_cheque, ANY_TIME),
    Story("partly paid by cheque", partly_paid_by_cheque, ANY_TIME),
    Story("cheque bounces", cheque_bounces, (When.LATE,)),
    Story("reopened", reopened, ANY_TIME),
    Story("paid", paid, (When.BETWEEN, When.LATE, When.LATE)),
    Story("paid slowly", paid_slowly),
    Story("falls through", falls_through),
    Story("refunded", partial(sent_back, why="refund")),
    Story("partly refunded", partial(sent_back, why="refund", amount=30)),
    Story("charged back", partial(sent_back, why="chargeback")),
)
