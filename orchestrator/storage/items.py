"""Movements as the rules see them, read in whole groups."""

from collections.abc import Callable
from datetime import date
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa

from orchestrator.domain.matching import Item
from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import movements

Sorted = TypeVar("Sorted", bound=tuple[Any, ...])

COMPARED = ("source", "external_id", "amount_cents", "on", "kind", "status", "reference", "matter_id", "client_id",
            "bill_id", "parent")  # fmt: skip
"""What a rule sees of a movement, in the order of `Item`."""


class Items(Repository):
    """Queries whose rows are an `Item`'s."""

    def items(self, statement: sa.Select[Any]) -> list[Item]:
        return list(map(item, self.tuples(statement)))


def rights() -> sa.Select[Any]:
    """Movements as items of the right side, in a group of nobody's yet."""
    return sa.select(
        sa.literal_column("''"), sa.literal_column("1"), movements.c.id, *(movements.c[name] for name in COMPARED)
    )


def item(row: tuple[Any, ...]) -> Item:
    """A row of the driver's, in the order of `Item`."""
    key, right, ident, source, name, cents, on, *rest = row
    return Item(key, right, ident, source, name, cents, day_of(on), *rest)


def whole(read: Callable[[int], list[Sorted]], key: Callable[[Sorted], Any], size: int) -> tuple[list[Sorted], Any]:
    """The next whole groups of rows that come sorted by a key, and the last key; None when these were the last.

    What comes last may go on beyond what was read.
    """
    while True:
        rows = read(size)
        if len(rows) < size:
            return rows, None
        last, count = key(rows[-1]), size - 1
        while count and key(rows[count - 1]) == last:
            count -= 1
        if count:
            return rows[:count], key(rows[count - 1])
        size *= 2


def day_of(on: Any) -> date:
    """A day as the driver has it: text on SQLite."""
    return date.fromisoformat(on) if isinstance(on, str) else on


first = itemgetter(0)
