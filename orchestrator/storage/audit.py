"""Audit lines: who did what to which thing and why, written and chained in the transaction that did it (T47)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.audit_chain import GENESIS, Line, line_hash, plain
from orchestrator.storage.repository import CHUNK, ONE_WRITER, Repository
from orchestrator.storage.tables import audit

WORKER = "worker"

_NEXT = sa.text("SELECT nextval(pg_get_serial_sequence('audit', 'seq'))")
_ADD = sa.insert(audit)
_LAST = sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
_UNSEALED = sa.select(audit).where(audit.c.hash.is_(None)).order_by(audit.c.seq)


class Audit(Repository):
    _head: tuple[int, str] | None = None

    def line(self, action: str, subject_kind: str, subject_id: object, *, actor: str = WORKER, **facts: Any) -> None:
        """Append one line to the chain; facts are ids, codes and amounts, never names or addresses."""
        seq, prev = self._open()
        said = Line(
            self._after(seq), self.now, actor, action, subject_kind, str(subject_id), plain(facts)
        )  # fmt: skip
        self._head = said.seq, line_hash(said, prev)
        values = {name: getattr(said, name) for name in SAID}
        self.connection.execute(_ADD, values | {"prev": prev, "hash": self._head[1]})

    def _open(self) -> tuple[int, str]:
        """The line that the next one follows; nobody else appends until this transaction ends."""
        if self._head is None:
            if self.connection.dialect.name == "postgresql":
                # Had already by all but what goes beside the firm's one writer; and before the look, never with it.
                self.connection.execute(ONE_WRITER)
            self._seal()
            last = self.one(_LAST)
            self._head = (last["seq"], last["hash"]) if last is not None else (0, GENESIS)
        return self._head

    def _after(self, seq: int) -> int:
        # A version that does not chain yet counts with the sequence, and must not meet a number of ours.
        if self.connection.dialect.name == "postgresql":
            return int(self.connection.execute(_NEXT).scalar_one())
        return seq + 1

    def _seal(self) -> None:
        """Chain what an older version appended beside us since the last line of ours (docs/adr/0009)."""
        open_ = self.rows(_UNSEALED)
        if not open_:
            return
        before = sa.select(audit.c.hash).where(audit.c.hash.is_not(None), audit.c.seq < open_[0]["seq"])
        prev = self.connection.execute(before.order_by(audit.c.seq.desc()).limit(1)).scalar_one_or_none() or GENESIS
        for row in open_:
            sealed = line_hash(to_line(row), prev)
            self.change(sa.update(audit).where(audit.c.seq == row["seq"]).values(prev=prev, hash=sealed))
            prev = sealed

    def about(self, subject_kind: str, subject_id: object) -> list[sa.RowMapping]:
        """Every line about one thing, oldest first."""
        chosen = sa.select(audit).where(audit.c.subject_kind == subject_kind, audit.c.subject_id == str(subject_id))
        return self.rows(chosen.order_by(audit.c.seq))

    def lines(self, *, after: int = 0, until: int | None = None) -> Iterator[Line]:
        """The chain in order, read piece by piece: of any length, in the same memory."""
        while True:
            chosen = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(CHUNK)
            rows = self.rows(chosen if until is None else chosen.where(audit.c.seq <= until))
            yield from map(to_line, rows)
            if len(rows) < CHUNK:
                return
            after = rows[-1]["seq"]

    def head(self) -> tuple[int, str] | None:
        """The newest chained line; None when there is none."""
        last = sa.select(audit.c.seq, audit.c.hash).where(audit.c.hash.is_not(None))
        row = self.one(last.order_by(audit.c.seq.desc()).limit(1))
        return (row["seq"], row["hash"]) if row is not None else None

    def last_at(self) -> datetime | None:
        """When the newest line says that it was written."""
        last = sa.select(audit.c.at).order_by(audit.c.seq.desc()).limit(1)
        found: datetime | None = self.connection.execute(last).scalar_one_or_none()
        return found

    def hash_at(self, seq: int) -> str | None:
        """The hash of one line; None when there is no such line."""
        found: str | None = self.connection.execute(
            sa.select(audit.c.hash).where(audit.c.seq == seq)
        ).scalar_one_or_none()
        return found

    def listed(
        self, *, subject: tuple[str, str] | None = None, actor: str | None = None, action: str | None = None,
        since: datetime | None = None, limit: int = 200,
    ) -> list[sa.RowMapping]:  # fmt: skip
        """The newest lines first; `action` may be the beginning of one, as in `link.`."""
        chosen = sa.select(audit)
        if subject:
            chosen = chosen.where(audit.c.subject_kind == subject[0], audit.c.subject_id == subject[1])
        if actor:
            chosen = chosen.where(audit.c.actor == actor)
        if action:
            chosen = chosen.where(audit.c.action.startswith(action, autoescape=True))
        if since:
            chosen = chosen.where(audit.c.at >= since)
        return self.rows(chosen.order_by(audit.c.seq.desc()).limit(limit))


SAID = ("seq", "at", "actor", "action", "subject_kind", "subject_id", "facts")


def to_line(row: sa.RowMapping) -> Line:
    return Line(**{name: row[name] for name in (*SAID, "prev", "hash")})
