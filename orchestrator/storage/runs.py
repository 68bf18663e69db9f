"""Reconciliation runs: which there are, how far each came, and what their result depends on (T42)."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import bills, differences, draws, matches, matter_references, periods, runs, unmatched


class Runs(Repository):
    def begin(self, **values: Any) -> int:
        given = values | {"began_at": self.now, "state": "running", "steps": 0, "counts": {}}
        return int(self.connection.execute(sa.insert(runs).values(**given).returning(runs.c.id)).scalar_one())

    def get(self, run_id: int) -> Row | None:
        return self.one(sa.select(runs).where(runs.c.id == run_id))

    def of_inputs(self, account: str, opened_on: date, cut_off: date, digest: str) -> Row | None:
        """The run that has decided about exactly this, or is at it."""
        same = sa.and_(runs.c.account == account, runs.c.opened_on == opened_on, runs.c.cut_off == cut_off)
        return self.one(sa.select(runs).where(same, runs.c.inputs_digest == digest, runs.c.state != "abandoned"))

    def versions(self, account: str, opened_on: date, cut_off: date) -> list[Row]:
        """Every version of one window, oldest first; what came to the same as the one before it is none."""
        same = sa.and_(runs.c.account == account, runs.c.opened_on == opened_on, runs.c.cut_off == cut_off)
        return self.rows(sa.select(runs).where(same, runs.c.state != "same").order_by(runs.c.version))

    def alike_before(self, run: Row, digest: str) -> Row | None:
        """The finished version before this run, if it came to this very result."""
        versions = self.versions(run["account"], run["opened_on"], run["cut_off"])
        finished = [row for row in versions if row["state"] == "finished"]
        return finished[-1] if finished and finished[-1]["digest"] == digest else None

    def forget(self, run_id: int) -> None:
        """Drop what a run found: another version says all of it."""
        for table in (matches, unmatched, differences):
            self.change(sa.delete(table).where(table.c.run_id == run_id))

    def abandon(self, account: str, opened_on: date, cut_off: date) -> None:
        """What was killed and knows less than is known by now is never gone on with."""
        same = sa.and_(runs.c.account == account, runs.c.opened_on == opened_on, runs.c.cut_off == cut_off)
        self.change(sa.update(runs).where(same, runs.c.state == "running").values(state="abandoned"))

    def step(self, run: Row, **values: Any) -> bool:
        """Keep how far the run came; False when another worker went on with it meanwhile."""
        mine = sa.update(runs).where(runs.c.id == run["id"], runs.c.steps == run["steps"], runs.c.state == "running")
        return self.change(mine.values(steps=run["steps"] + 1, **values)) == 1

    def listed(self, *, account: str | None = None, limit: int = 200) -> list[Row]:
        """The newest runs first, without those that only said what was said already."""
        chosen = sa.select(runs).where(runs.c.state != "same").order_by(runs.c.id.desc()).limit(limit)
        return self.rows(chosen.where(runs.c.account == account) if account else chosen)

    def newest(self, account: str) -> Row | None:
        """The last finished run of an account, by cut-off and version."""
        mine = sa.select(runs).where(runs.c.account == account, runs.c.state == "finished")
        return self.one(mine.order_by(runs.c.cut_off.desc(), runs.c.id.desc()).limit(1))

    def superseded(self, before: datetime) -> list[Row]:
        """Runs that were over before a moment, that nobody can sign any more, and that have matches still or never lost any.

        A newer version of the same days has come to its end, or its days are signed by another; or it was abandoned. The
        newest finished run of an account is none of them, and a signed one never is.
        """
        newer, other = runs.alias("newer"), periods.alias("other")
        days = sa.and_(*(newer.c[name] == runs.c[name] for name in ("account", "opened_on", "cut_off")))
        version = sa.exists().where(days, newer.c.version > runs.c.version, newer.c.state == "finished")
        locked = sa.exists().where(other.c.account == runs.c.account, other.c.closed_on >= runs.c.cut_off)
        over = sa.or_(runs.c.state == "abandoned", sa.and_(runs.c.state == "finished", sa.or_(version, locked)))
        finished = sa.select(sa.func.max(newer.c.id)).where(newer.c.state == "finished").group_by(newer.c.account)
        kept = sa.or_(runs.c.id.in_(sa.select(periods.c.run_id)), runs.c.id.in_(finished))
        some = sa.or_(runs.c.pruned_at.is_(None), sa.exists().where(matches.c.run_id == runs.c.id))
        old = sa.func.coalesce(runs.c.finished_at, runs.c.began_at) < before
        return self.rows(sa.select(runs).where(over, old, some, sa.not_(kept)).order_by(runs.c.id))

    def prune(self, run_id: int) -> bool:
        """Say of a run that its matches are let go; False when that was said before."""
        mine = sa.update(runs).where(runs.c.id == run_id, runs.c.pruned_at.is_(None))
        return self.change(mine.values(pruned_at=self.now)) == 1

    def known_draws(self) -> list[int]:
        """A state of the draws: how many there are, and how many were authorised and are over."""
        over = sa.case((draws.c.state.in_(["posted", "reconciled", "declined", "withdrawn"]), 1))
        chosen = sa.select(sa.func.count(), sa.func.count(draws.c.authorised_at), sa.func.count(over))
        return [int(figure) for figure in self.connection.execute(chosen.select_from(draws)).one()]

    def known_references(self) -> list[int]:
        """A state of the lookup table, and of the bills whose numbers it understands: none of the figures ever goes back."""
        lines = sa.select(
            sa.func.coalesce(sa.func.max(matter_references.c.id), 0), sa.func.count(matter_references.c.withdrawn_at)
        )
        numbers = sa.select(sa.func.coalesce(sa.func.max(bills.c.id), 0), sa.func.count())
        return [
            int(figure)
            for chosen in (lines, numbers.select_from(bills))
            for figure in self.connection.execute(chosen).one()
        ]
