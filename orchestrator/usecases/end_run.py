"""The end of a run: its three-way statement, its digest, and the breaks brought up to date (T35, T42)."""

import hashlib
from collections import Counter
from datetime import timedelta
from typing import Any

from orchestrator.domain.three_way import Statement
from orchestrator.usecases.keep_breaks import keep_breaks
from orchestrator.usecases.reconcile_ground import Ground


class Ending(Ground):
    """The last step."""

    def _ending(self) -> dict[str, Any]:
        """The three-way statement, the digest, and the breaks brought up to date."""
        run_id, cut_off, upto = self._run["id"], self._run["cut_off"], self._window.upto
        book = self._work.figures.book_cents(self._account.key, cut_off, upto)
        on_the_way, going_out = self._work.pool.open_sum(run_id)
        before = Statement(**self._before["statement"]) if self._before is not None else None
        statement = Statement(
            bank_cents=self._bank_figure(),
            bank_until=min(cut_off, self._bank["ends_on"]).isoformat() if self._bank is not None else None,
            deposits_cents=on_the_way,
            withdrawals_cents=-going_out,
            book_cents=book,
            # Whose the firm's own money is needs no ledger.
            ledgers_cents=self._work.three_way.cents(self._cut) if self._account.is_trust else book,
            opening_cents=before.book_cents if before is not None else None,
            corrected_cents=self._corrected(before),
        )
        found = self._work.differences.fingerprints(run_id)
        kinds = Counter(kind for _, kind, root in found if root is None)
        digest = hashlib.sha256(self._place["chain"].encode())
        for fingerprint, _, _ in found:
            digest.update(fingerprint.encode())
        digest.update(repr(statement.told()).encode())
        counts = {
            "matches": dict(sorted(self._place["rules"].items())),
            "breaks": dict(sorted(kinds.items())),
            "outstanding": self._work.pool.count_of(run_id, "outstanding"),
        }
        alike = self._work.runs.alike_before(self._run, digest.hexdigest())
        if self._is_newest():
            keep_breaks(self._rt, self._work, alike or self._run, self._account)
            if self._account.is_trust:
                self._reconcile_draws()
        ended = {"finished_at": self._work.now, "digest": digest.hexdigest()}
        if alike is not None:
            # More is known and says the same: no new version of it, and nothing to keep twice (T42).
            self._work.runs.forget(run_id)
            self._work.audit.line(
                "run_confirmed", "run", alike["id"], digest=alike["digest"], inputs=self._run["inputs_digest"]
            )
            return ended | {"state": "same", "version": -run_id, "place": {"same_as": alike["id"]}}
        self._work.audit.line("run_finished", "run", run_id, digest=digest.hexdigest(), breaks=sum(kinds.values()))
        return ended | {"state": "finished", "statement": statement.told(), "counts": counts}

    def _bank_figure(self) -> int | None:
        """What the bank itself says it held at the cut-off; never the ledger's word or the processor's (T38)."""
        if self._bank is None:
            return None
        later = self._work.figures.bank_cents(
            self._account.key, self._run["cut_off"], self._bank["ends_on"], self._window.upto
        )
        return int(self._bank["closing_cents"]) - later

    def _corrected(self, before: Statement | None) -> int:
        """By how much the book of the signed period came to differ since: its corrections stand in this one (T12, T41)."""
        if before is None:
            return 0
        closed = self._run["opened_on"] - timedelta(days=1)
        return self._work.figures.book_cents(self._account.key, closed, self._window.upto) - before.book_cents

    def _is_newest(self) -> bool:
        newest = self._work.runs.newest(self._account.key)
        return newest is None or self._run["cut_off"] >= newest["cut_off"]

    def _reconcile_draws(self) -> None:
        """A posted draw is reconciled when no source contradicts its line, and the bank has told of it."""
        if self._bank is None:
            return
        told = self._bank["ends_on"]
        posted = [(line, draw) for line, day, draw in self._work.around.posted_draws(self._window) if day <= told]
        alone = self._work.pool.alone(self._run["id"], [line for line, _ in posted])
        for line, draw in posted:
            if line not in alone and self._work.trust.reconciled(draw):
                self._work.audit.line("draw_reconciled", "draw", draw, run=self._run["id"])
