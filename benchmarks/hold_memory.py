"""P9: the most memory a firm's process ever takes, with a hundred times as many open bills and the same day's work."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from benchmarks.figure import Figure, Say
from benchmarks.house import QUIET, busy_firm, sandbox_of
from orchestrator.domain.ids import effect_key
from orchestrator.domain.kinds import SWEPT
from orchestrator.domain.links import LinkState, Rail
from orchestrator.domain.topics import Urgency
from orchestrator.sandbox import SandboxHandle
from orchestrator.storage.tables import bill_matters, bills, links, matters
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.read_standings import LISTS
from orchestrator.usecases.sync_bills import Bills
from tests.firm import Firm, open_firm
from tests.workflows.fleet import Fleet, a_fleet

GONE = ("granite", "lake", "moss")
"""Users who left: the two that stay are good for a hundred links that day, and as many messages."""

FEW, MANY = 1000, 100_000
ISSUED_THAT_DAY = 400
DUE = range(-45, 15, 3)
"""Days from today on which the open bills are due, an equal part on each."""

PATIENCE = 900.0
STEPS = (0.25, 1, 6, 18)
"""Hours in which the day goes by, each ended by all the work that it brought."""


def measure(quick: bool, say: Say) -> Figure:
    """Peak memory of `orchestrator up` over one day ÷ the same with a hundredth of the open bills."""
    many = 10_000 if quick else MANY
    few, lots = _day(FEW, say), _day(many, say)
    return Figure(
        value=lots["peak"] / few["peak"],
        baseline=few["peak"],
        n=many,
        limit="what a page of 200 objects takes in each of four threads; nothing is read whole",
        detail={"mb": {f"{FEW:,} bills": few, f"{many:,} bills": lots}},
    )


def _day(count: int, say: Say) -> dict[str, float]:
    """Megabytes of one process with so many open bills, at rest and at most, until the next day; some new ones are issued."""
    with (
        TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as folder,
        sandbox_of(busy_firm(clients=2)) as sandbox,
        a_fleet(
            sandbox, Path(folder), f"sqlite:///{folder}/firm.sqlite3", "memory://", ORCH_NOTES__EVENTS="[]",
            ORCH_APPROVAL__SIGNAL="operator",
        ) as fleet,
    ):  # fmt: skip
        say(f"{count:,} open bills")
        for user in GONE:
            sandbox.act("edit_user", id=sandbox.state()["users"][user], enabled=False)
        with open_firm(sandbox, fleet.database_url, environment=QUIET) as firm:
            firm.work()
            _seed(firm, count)
        fleet.start("up")
        fleet.until(fleet.ready, seconds=PATIENCE)
        fleet.until(fleet.enabled, seconds=PATIENCE)
        _settle(fleet)
        resting = _memory(fleet, "VmRSS")
        due = _day_ahead(sandbox, 30)
        sandbox.act("bulk", bills=ISSUED_THAT_DAY, clients=ISSUED_THAT_DAY, amount="600.00", due_at=due)
        for hours in STEPS:
            say(f"{count:,} open bills, {hours:g} hours go by")
            sandbox.clock_advance(hours * 3600)
            _settle(fleet)
        return {"at_rest": resting, "peak": _memory(fleet, "VmHWM")}


def _settle(fleet: Fleet) -> None:
    """Wait until every kind was swept since the present moment, and nothing is left to do."""
    now = fleet.sandbox.now()

    def at_rest() -> bool:
        with fleet.books() as work:
            marks = [work.dirty.watermark(kind) for kind in SWEPT]
            return all(mark is not None and mark >= now - timedelta(minutes=15) for mark in marks) and work.jobs.idle()

    fleet.until(at_rest, seconds=PATIENCE)


def _memory(fleet: Fleet, what: str) -> float:
    """Megabytes of our process, as the kernel counts them: `VmRSS` now, `VmHWM` at most so far."""
    status = Path(f"/proc/{fleet.running['up'].pid}/status").read_text("ascii")
    found = re.search(rf"^{what}:\s+(\d+) kB", status, flags=re.MULTILINE)
    assert found is not None
    return round(int(found[1]) / 1024, 1)


def _seed(firm: Firm, count: int) -> None:
    """Open bills at Clio and, as a worker leaves them, in our database: to have all of them read would take the longest."""
    sandbox = firm.sandbox
    for days in DUE:
        before = sandbox.state()
        size = count // len(DUE)
        due = _day_ahead(sandbox, days)
        made = sandbox.act("bulk", bills=size, clients=size // 2, amount="250.00", due_at=due)["bill_ids"]
        after = sandbox.state()
        homes = [_new(before, after, name) for name in ("matters", "contacts")]
        _copy(firm, made, list(zip(*homes, strict=True)))
    sandbox.clock_advance(2 * 3600)
    firm.rt.clock.ask_again()  # type: ignore[attr-defined]
    with firm.rt.uow() as work:
        for kind in SWEPT:
            work.dirty.swept(kind, up_to=work.now - timedelta(hours=1), found=0)
        for name, _, _ in LISTS:
            work.clients.was_read(name, at=work.now - timedelta(hours=1))


def _new(before: dict[str, Any], after: dict[str, Any], name: str) -> list[int]:
    return sorted(set(after[name].values()) - set(before[name].values()))


def _copy(firm: Firm, bill_ids: Sequence[int], homes: Sequence[tuple[int, int]]) -> None:
    """Rows for these bills and their matters; one of each is read from Clio, the others are like it."""
    practice, syncing = firm.rt.practice(Urgency.SWEEPS), Bills()
    reading = syncing.complete(firm.rt, practice, practice.bills.by_ids(bill_ids[:1]))
    with firm.rt.uow() as work:
        work.mirror.put_matters(reading.matters)
        work.mirror.put_bills(reading.bills, read_at=reading.read_at)
        bill, matter = (
            dict(work.connection.execute(sa.select(table).where(table.c.id == ident)).mappings().one())
            for table, ident in ((bills, bill_ids[0]), (matters, homes[0][0]))
        )
        placed = [(bill_id, *homes[place % len(homes)]) for place, bill_id in enumerate(bill_ids)]
        _insert(work, bill_matters, ({"bill_id": one, "matter_id": home} for one, home, _ in placed[1:]))
        _insert(work, matters, (matter | {"id": home, "client_id": client} for home, client in homes[1:]))
        _insert(
            work, bills,
            (bill | {"id": one, "number": str(one), "number_normalised": str(one), "matter_ids": [home], "client_id": client}
             for one, home, client in placed[1:]),
        )  # fmt: skip
        _insert(
            work, links,
            ({"bill_id": one, "cycle": 1, "rail": Rail.CLIO_PAYMENTS, "state": LinkState.WAITING, "amount_cents": 25_000,
              "currency": "USD", "account_id": 1, "key": effect_key("link", one, 1, 25_000, "USD"),
              "created_at": work.now, "updated_at": work.now} for one in bill_ids),
        )  # fmt: skip


def _insert(work: Work, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    work.connection.execute(sa.insert(table), list(rows))


def _day_ahead(sandbox: SandboxHandle, days: int) -> str:
    return (sandbox.now() + timedelta(days=days)).date().isoformat()
