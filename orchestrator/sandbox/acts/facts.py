"""Facts of an act read from JSON, and records described in full."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from orchestrator.sandbox.bank.book import Bank
from orchestrator.sandbox.clio.fields import SHAPES, Ask, plain, shown
from orchestrator.sandbox.clock import moment_of
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Bill
from orchestrator.sandbox.firm.things import Facts, Thing
from orchestrator.sandbox.lawpay.gateway import Gateway

Act = Callable[[Books, Facts], Any]


@dataclass(frozen=True)
class Parties:
    """Those between whom money moves."""

    books: Books
    gateway: Gateway
    bank: Bank
    faults: Faults


Dealing = Callable[[Parties, Facts], Any]
"""An act that does not end in Clio: LawPay or the bank has a part in it."""


def money(value: Any) -> Decimal:
    """An amount from JSON, whether text or number, without a float's tail."""
    return Decimal(str(value))


def day(value: Any) -> date | None:
    return None if value is None else moment_of(str(value)).date()


def described(thing: Thing) -> Facts:
    """A record in full, with the ids of what it leads to."""
    shape = SHAPES[thing.table]
    facts = shown(thing, tuple(Ask(name) for name in sorted(shape.plain)))
    for name in shape.one:
        value = getattr(thing, name, None)
        if isinstance(value, Thing):
            facts[name] = {"id": value.id}
        elif value is not None:
            facts[name] = {key: plain(item) for key, item in value.items() if not isinstance(item, Thing)}
    for name in shape.many:
        values = getattr(thing, name, None) or []
        facts[name] = [{"id": item.id} if isinstance(item, Thing) else {"id": item.get("id")} for item in values]
    return {name: value for name, value in facts.items() if value is not None}


def bill_of(books: Books, facts: Facts) -> Bill:
    """The bill that `id` or `bill_id` names."""
    return books.get(Bill, facts.get("id", facts.get("bill_id")))
