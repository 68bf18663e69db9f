"""One transaction at a time, opened here and committed here: the only commit in the project (style rule 11)."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.ports import Clock
from orchestrator.storage.approvals import Approvals
from orchestrator.storage.around import Around
from orchestrator.storage.audit import Audit
from orchestrator.storage.bank_files import BankFiles
from orchestrator.storage.billing import Billing
from orchestrator.storage.bounces import Bounces
from orchestrator.storage.breaks import Breaks
from orchestrator.storage.clients import Clients
from orchestrator.storage.connections import Connections
from orchestrator.storage.dialects import COMPILED
from orchestrator.storage.differences import Differences
from orchestrator.storage.dirty import DirtyMarks
from orchestrator.storage.draws import Draws
from orchestrator.storage.evidence import Evidence
from orchestrator.storage.exceptions import Exceptions
from orchestrator.storage.figures import Figures
from orchestrator.storage.gateway import Gateway
from orchestrator.storage.holds import Holds
from orchestrator.storage.imagined import Imagined
from orchestrator.storage.jobs import Jobs
from orchestrator.storage.journal import Journal
from orchestrator.storage.lineage import Lineage
from orchestrator.storage.links import Links
from orchestrator.storage.looks import Looks
from orchestrator.storage.matches import Matches
from orchestrator.storage.messages import Messages
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.movements import Movements
from orchestrator.storage.periods import Periods
from orchestrator.storage.pool import Pool
from orchestrator.storage.presses import Presses
from orchestrator.storage.pulses import Pulses
from orchestrator.storage.receipts import Receipts
from orchestrator.storage.references import References
from orchestrator.storage.reminders import Reminders
from orchestrator.storage.repository import ONE_WRITER
from orchestrator.storage.retainers import Retainers
from orchestrator.storage.runs import Runs
from orchestrator.storage.subscriptions import Subscriptions
from orchestrator.storage.tasks import Tasks
from orchestrator.storage.three_way import ThreeWay
from orchestrator.storage.trust import Trust
from orchestrator.telemetry.counters import DATABASE_WAIT_SECONDS

DatabaseTrouble: tuple[type[sa.exc.DBAPIError], ...] = (
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,
)
"""The database was away, full, read-only or took another's side in a deadlock: nothing about the work itself is wrong."""


def is_defect(trouble: BaseException) -> bool:
    """Whether SQLite means the statement itself (no such table, say): PostgreSQL has another class for that, SQLite a code.

    Called trouble, such a job would be tried for ever and never be a person's.
    """
    return getattr(getattr(trouble, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


IDLE_SECONDS = 10
LOCK_SECONDS = 20

MOST_CONNECTIONS = 16
CONNECT_SECONDS = 5
UNHEARD_MILLISECONDS = 15_000
"""What we sent and no machine acknowledged for so long was sent to nobody."""

RESTED_SECONDS = 1.0
"""A connection that was put back so short a time ago is not asked whether it is still there: a job takes one six times."""

PROCESSES_AT_ONCE = 32
"""So many may open one new SQLite file in the same moment."""


def connect(url: str, *, kept: int = 8) -> sa.Engine:
    """An engine for `sqlite:///…` (WAL, full sync, one writer at a time) or `postgresql://…` (read committed).

    It keeps up to `kept` idle connections, and opens more while they are needed.
    """
    pool: dict[str, Any] = {"pool_size": kept, "max_overflow": MOST_CONNECTIONS - kept}
    pool["execution_options"] = {"compiled_cache": COMPILED}
    if not url.startswith("sqlite"):
        # A process frozen inside a transaction would keep every other from its turn: the server ends it (F11, F56).
        patience = f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s -c lock_timeout={LOCK_SECONDS}s"
        told = {"options": patience, "connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": UNHEARD_MILLISECONDS}
        return _asking_whoever_rested(sa.create_engine(url, connect_args=told, **pool))
    database = sa.make_url(url).database
    if database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30}, **pool)

    @sa.event.listens_for(engine, "connect")
    def tune(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("busy_timeout=30000", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        _write_ahead(connection)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A deferred transaction that turns into a writer can fail at once with SQLITE_BUSY, whatever the timeout.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _asking_whoever_rested(engine: sa.Engine) -> sa.Engine:
    """Have a connection that rested tested before it is used: the server may have gone and come back meanwhile (F55)."""

    @sa.event.listens_for(engine, "checkin")
    def put_back(_connection: Any, record: Any) -> None:
        record.info["put_back"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("put_back", float("inf")) < RESTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as gone:
            raise sa.exc.InvalidatePoolError from gone

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL; of several that open a new file at once SQLite refuses all but one, whatever the timeout."""
    for _ in range(PROCESSES_AT_ONCE):
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
            return
        # To begin to write does wait for its turn: after it, whoever came first has switched.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    connection.execute("PRAGMA journal_mode=WAL")


class Work:
    """One open transaction: the repositories over one connection, and the firm's now at its opening."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self.connection = connection
        self._clock = clock

    @cached_property
    def now(self) -> datetime:
        """The firm's now, the same for everything this transaction writes."""
        return self._clock()

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.connection, lambda: self.now)

    @cached_property
    def dirty(self) -> DirtyMarks:
        return DirtyMarks(self.connection, lambda: self.now)

    @cached_property
    def receipts(self) -> Receipts:
        return Receipts(self.connection, lambda: self.now)

    @cached_property
    def mirror(self) -> Mirror:
        return Mirror(self.connection, lambda: self.now)

    @cached_property
    def clients(self) -> Clients:
        return Clients(self.connection, lambda: self.now)

    @cached_property
    def holds(self) -> Holds:
        return Holds(self.connection, lambda: self.now)

    @cached_property
    def approvals(self) -> Approvals:
        return Approvals(self.connection, lambda: self.now)

    @cached_property
    def presses(self) -> Presses:
        return Presses(self.connection, lambda: self.now)

    @cached_property
    def retainers(self) -> Retainers:
        return Retainers(self.connection, lambda: self.now)

    @cached_property
    def billing(self) -> Billing:
        return Billing(self.connection, lambda: self.now)

    @cached_property
    def tasks(self) -> Tasks:
        return Tasks(self.connection, lambda: self.now)

    @cached_property
    def links(self) -> Links:
        return Links(self.connection, lambda: self.now)

    @cached_property
    def messages(self) -> Messages:
        return Messages(self.connection, lambda: self.now)

    @cached_property
    def bounces(self) -> Bounces:
        return Bounces(self.connection, lambda: self.now)

    @cached_property
    def reminders(self) -> Reminders:
        return Reminders(self.connection, lambda: self.now)

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.connection, lambda: self.now)

    @cached_property
    def exceptions(self) -> Exceptions:
        return Exceptions(self.connection, lambda: self.now)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.connection, lambda: self.now)

    @cached_property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(self.connection, lambda: self.now)

    @cached_property
    def connections(self) -> Connections:
        return Connections(self.connection, lambda: self.now)

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(self.connection, lambda: self.now)

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence(self.connection, lambda: self.now)

    @cached_property
    def references(self) -> References:
        return References(self.connection, lambda: self.now)

    @cached_property
    def pulses(self) -> Pulses:
        return Pulses(self.connection, lambda: self.now)

    @cached_property
    def movements(self) -> Movements:
        return Movements(self.connection, lambda: self.now)

    @cached_property
    def bank_files(self) -> BankFiles:
        return BankFiles(self.connection, lambda: self.now)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self.connection, lambda: self.now)

    @cached_property
    def looks(self) -> Looks:
        return Looks(self.connection, lambda: self.now)

    @cached_property
    def pool(self) -> Pool:
        return Pool(self.connection, lambda: self.now)

    @cached_property
    def matches(self) -> Matches:
        return Matches(self.connection, lambda: self.now)

    @cached_property
    def differences(self) -> Differences:
        return Differences(self.connection, lambda: self.now)

    @cached_property
    def around(self) -> Around:
        return Around(self.connection, lambda: self.now)

    @cached_property
    def figures(self) -> Figures:
        return Figures(self.connection, lambda: self.now)

    @cached_property
    def periods(self) -> Periods:
        return Periods(self.connection, lambda: self.now)

    @cached_property
    def three_way(self) -> ThreeWay:
        return ThreeWay(self.connection, lambda: self.now)

    @cached_property
    def breaks(self) -> Breaks:
        return Breaks(self.connection, lambda: self.now)

    @cached_property
    def gateway(self) -> Gateway:
        return Gateway(self.connection, lambda: self.now)

    @cached_property
    def trust(self) -> Trust:
        return Trust(self.connection, lambda: self.now)

    @cached_property
    def draws(self) -> Draws:
        return Draws(self.connection, lambda: self.now)

    @cached_property
    def imagined(self) -> Imagined:
        return Imagined(self.connection, lambda: self.now)


class UnitOfWork:
    """Opens transactions on one firm's database; `on_commit` is called after each commit that may have made work."""

    def __init__(self, engine: sa.Engine, clock: Clock, on_commit: Callable[[], None] | None = None) -> None:
        self.engine = engine
        self.clock = clock
        self.on_commit = on_commit
        self._open = threading.local()
        # SQLite makes a second writer sleep and ask again; our own threads queue for their turn instead.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self._queues = engine.dialect.name == "postgresql"

    @contextmanager
    def __call__(self, *, quietly: bool = False, beside: bool = False) -> Iterator[Work]:
        """A writing transaction: committed when the block ends, rolled back when it raises.

        One that makes no work runs `quietly`: whoever rings for work must not be woken by having rung. One that locks no
        fact but its own rows may go `beside` the firm's one writer on PostgreSQL; SQLite has one in any case.
        """
        if getattr(self._open, "yes", False):
            raise RuntimeError("A transaction is open already: one opens once (style rule 11).")
        self._open.yes = True
        try:
            asked = time.monotonic()
            with self._turn, self.engine.begin() as connection:
                if self._queues and not beside:
                    connection.execute(ONE_WRITER)
                DATABASE_WAIT_SECONDS.labels(self.engine.dialect.name).observe(time.monotonic() - asked)
                yield Work(connection, self.clock)
        finally:
            self._open.yes = False
        if self.on_commit is not None and not quietly:
            self.on_commit()

    @contextmanager
    def read(self) -> Iterator[Work]:
        """A reading transaction: a consistent view that writes nothing."""
        with self.engine.connect().execution_options(reading=True) as connection:
            yield Work(connection, self.clock)

    @property
    def busy(self) -> bool:
        """Whether this thread holds a transaction open: the network must not be reached meanwhile."""
        return bool(getattr(self._open, "yes", False))
