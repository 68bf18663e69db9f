"""Column types and the database's own clock, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC moment; a naive one is refused, because its zone would be a guess."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = sa.JSON(none_as_null=True)
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

Ordered = sa.String(200).with_variant(postgresql.VARCHAR(200, collation="C"), "postgresql")
"""Text that both databases sort as Python does, by code point, so that sorted streams can be merged."""


class real_now(FunctionElement[float]):  # noqa: N801  it reads like SQL's now()
    """Unix seconds on the database's own clock, whatever the worker's clock says: leases and pauses use nothing else (F60)."""

    type = sa.Double()
    inherit_cache = True


@compiles(real_now, "sqlite")
def _sqlite(element: real_now, compiler: Any, **kw: Any) -> str:  # noqa: ARG001
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(real_now, "postgresql")
def _postgresql(element: real_now, compiler: Any, **kw: Any) -> str:  # noqa: ARG001
    # clock_timestamp moves inside a transaction; now() would stand still and stretch every lease.
    return "extract(epoch from clock_timestamp())::double precision"
