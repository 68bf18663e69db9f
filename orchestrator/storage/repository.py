"""What every set of queries starts from."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

Insert = sqlite.Insert | postgresql.Insert
ONE_WRITER = sa.text("SELECT pg_advisory_xact_lock(4077235002)")
"""PostgreSQL: a firm's facts are written by one transaction at a time, as on SQLite, so no two can wait for each other.

Its work is bounded by fifty requests a minute to Clio, not by this; claims, bells and webhook receipts go beside it.
"""

Row = sa.RowMapping
"""One row as a mapping from column name to value."""

CHUNK = 500
"""Rows or ids in one statement: well under SQLite's and PostgreSQL's limits on bound values."""


@cache
def excluded(table: sa.Table) -> ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]:
    """What an upsert would have inserted, the same words in both dialects: made once, as every column has to be."""
    return sqlite.insert(table).excluded


# Asked with every job: built once, because building a statement costs more than running it.


@cache
def _adding(table: sa.Table, dialect: str) -> sa.Executable:
    return _insert(table, dialect).on_conflict_do_nothing().returning(sa.literal(1))


@cache
def _by_id(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(table.c.id == sa.bindparam("ident"))


@cache
def _by_ids(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(table.c.id.in_(sa.bindparam("ids", expanding=True)))


def _insert(table: sa.Table, dialect: str) -> Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


class Repository:
    """Queries on one open connection; `now` is the firm's clock at the transaction's opening."""

    def __init__(self, connection: sa.Connection, now: Callable[[], datetime]) -> None:
        self.connection = connection
        self._now = now

    @property
    def now(self) -> datetime:
        return self._now()

    def insert(self, table: sa.Table) -> Insert:
        """An INSERT that understands ON CONFLICT in this connection's dialect."""
        return _insert(table, self.connection.dialect.name)

    def add_once(self, table: sa.Table, **values: Any) -> bool:
        """Insert a row unless a unique constraint says it is there already; True when it was inserted."""
        # The row itself says so: after an INSERT psycopg's row count is not kept, and -1 would read as "it was there".
        return self.connection.execute(_adding(table, self.connection.dialect.name), values).first() is not None

    def with_id(self, table: sa.Table, ident: int) -> Row | None:
        return self.connection.execute(_by_id(table), {"ident": ident}).mappings().one_or_none()

    def by_ids(self, table: sa.Table, ids: Collection[int]) -> list[Row]:
        """The rows of these ids, whatever their number."""
        found: list[Row] = []
        for part in parts(ids):
            found += self.connection.execute(_by_ids(table), {"ids": part}).mappings()
        return found

    def rows(self, statement: sa.Select[Any]) -> list[sa.RowMapping]:
        return list(self.connection.execute(statement).mappings())

    def among(self, statement: sa.Select[Any], column: sa.ColumnElement[Any], values: Iterable[Any]) -> list[Row]:
        """The rows of a statement whose column is one of these values, however many they are."""
        return [row for part in parts(values) for row in self.rows(statement.where(column.in_(part)))]

    @property
    def hole(self) -> str:
        """Where a value goes in a statement that is handed to the driver as it is."""
        return "?" if self.connection.dialect.paramstyle == "qmark" else "%s"

    def tuples(self, statement: sa.Select[Any], **given: Any) -> list[tuple[Any, ...]]:
        """The rows as the driver has them, days as text on SQLite: for tens of thousands, cheaper read than wrapped."""
        result = self.connection.execute(statement, given)
        assert result.cursor is not None
        found = list(result.cursor.fetchall())
        result.close()
        return found

    def add_all(
        self, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], **same: int | str
    ) -> None:
        """Insert rows handed to the driver as they are, for tens of thousands; nothing is filled in or converted.

        What is the same in all of them stands in the statement: words of our own, never of anybody else's.
        """
        if rows:
            named = ", ".join(f'"{name}"' for name in (*same, *columns))
            said = (f"'{value}'" if isinstance(value, str) else str(value) for value in same.values())
            values = ", ".join((*said, *([self.hole] * len(columns))))
            into = f"INSERT INTO {table.name} ({named}) VALUES ({values})"  # noqa: S608  names of our own tables
            self.connection.exec_driver_sql(into, list(rows))

    def one(self, statement: sa.Select[Any]) -> sa.RowMapping | None:
        return self.connection.execute(statement).mappings().one_or_none()

    def tally(self, column: sa.Column[Any], *where: sa.ColumnElement[bool]) -> dict[str, int]:
        """How many rows there are of each value of a column."""
        counted = sa.select(column, sa.func.count()).where(*where).group_by(column).order_by(column)
        return {value: count for value, count in self.connection.execute(counted)}  # noqa: C416  a result is no mapping

    def change(self, statement: sa.Update | sa.Delete) -> int:
        """How many rows the statement changed."""
        return self.connection.execute(statement).rowcount


def parts(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Distinct values in order, in pieces for one IN each; the last of several is filled up with what it ends with.

    A statement is kept prepared for each number of values: thousands of them, each of its own length, would stand in memory.
    """
    wanted = sorted(set(values))
    for start in range(0, len(wanted), size):
        part = wanted[start : start + size]
        yield part + part[-1:] * (size - len(part)) if start else part
