"""What one engine has compiled, every engine of its kind may use.

A process has an engine for each of its firms, which all say the same few hundred statements: compiling them is the dearest
part of a firm's first minute, and keeping them once for each firm most of its memory.
"""

from sqlalchemy import util
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.default import DefaultDialect

COMPILED: util.LRUCache[object, object] = util.LRUCache(1000)
"""For `compiled_cache`, in which the dialect is part of each key."""


class _AnyOfItsKind(DefaultDialect):
    """Equal to those of its kind that talk to the same version of a server."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.server_version_info == other.server_version_info

    def __hash__(self) -> int:
        return hash(type(self))


class SQLite(_AnyOfItsKind, SQLiteDialect_pysqlite):
    supports_statement_cache = True


class PostgreSQL(_AnyOfItsKind, PGDialect_psycopg):
    supports_statement_cache = True


for name, kind in {"sqlite": SQLite, "postgresql": PostgreSQL, "postgresql.psycopg": PostgreSQL}.items():
    registry.register(name, __name__, kind.__name__)
