"""Clio's book beside our client ledgers, draws and signed days: what no bank and no processor could tell (T36, T19, T41)."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from orchestrator.domain import matching
from orchestrator.domain.breaks import TRANSIT_DAYS
from orchestrator.domain.matching import Difference
from orchestrator.domain.three_way import Line, apart
from orchestrator.usecases.reconcile_ground import Ground

LINES = 50_000
"""Rows of the book, or of the client ledgers, that are held against each other in one step: the database alone looks at them."""


class Ledgers(Ground):
    """The steps that look at ledgers alone."""

    def _foreign(self, _after: None) -> None:
        for row in self._work.around.foreign(self._window):
            cause = f"it is in {row['currency']}, the account in {self._account.currency}"
            said = Difference(
                "currency_mismatch", (), abs(row["amount_cents"]), cause, row["reference"], row["matter_id"]
            )
            self._say(said, row["on"], [row["id"]], f"{row['source']}:{row['external_id']}")

    def _in_ledgers(self, after: str | None) -> str | None:
        """Lines of Clio's book that our client ledgers do not have like it (T36)."""
        if after is None and not self._work.three_way.posts(self._cut):
            self._say_unposted()
            return None
        names, end = self._work.three_way.book_apart(self._cut, after or "", LINES)
        self._place["apart"] = self._place.get("apart", False) or bool(names)
        self._say_apart(self._work.three_way.lines(self._cut, names))
        return end

    def _in_book(self, after: int | None) -> int | None:
        """Lines of our client ledgers that Clio's book does not have (T36); none, if all of the book are there and as many."""
        if after is None and not self._place.get("apart", False) and self._work.three_way.as_many(self._cut):
            return None
        names, end = self._work.three_way.ledgers_apart(self._cut, after or 0, LINES)
        self._say_apart(self._work.three_way.lines(self._cut, names))
        return end

    def _halves(self, _after: None) -> None:
        """Lines of ours that moved money inside the account and lost their other half."""
        self._say_apart(self._work.three_way.halves(self._cut))

    def _say_apart(self, lines: Iterable[Line]) -> None:
        for line in lines:
            said = apart(line)
            if said is not None:
                ids = [line.movement_id] if line.movement_id is not None else []
                self._say(said, line.on, ids, f"line:{line.name}")

    def _say_unposted(self) -> None:
        """An account that posts nothing has one reason for it, not one for each line."""
        book = self._work.figures.book_cents(self._account.key, self._run["cut_off"], self._window.upto)
        if book:
            cause = f"Clio's book comes to {matching.dollars(book)}, and no line of it is in any client ledger"
            self._say(Difference("missing_in_ledgers", (), abs(book), cause), self._run["cut_off"], [], "every line")

    def _negative(self, _after: None) -> None:
        """Every ledger below zero is a break of its own, whatever the totals say (T36)."""
        if not self._account.is_trust:
            return
        for row in self._work.three_way.ledgers(self._cut):
            if row["cents"] < 0:
                whose = f"client {row['client_id'] or '-'}, matter {row['matter_id'] or '-'}"
                cause = f"the {row['ledger'].replace('_', ' ')} ledger of {whose} is {matching.dollars(row['cents'])}"
                said = Difference("negative_ledger", (), -row["cents"], cause, matter_id=row["matter_id"] or None)
                self._say(said, self._run["cut_off"], [], f"{row['ledger']}:{row['client_id']}:{row['matter_id']}")

    def _draws(self, _after: None) -> None:
        """Trust money out for a bill without an authorised draw, and authorised draws without a ledger line (T19, T24)."""
        if not self._account.is_trust or not self._rt.settings.trust.signatories:
            return
        # What happened before anybody looked here was authorised elsewhere, or was not.
        watched = self._work.around.watched_since(self._account.key)
        since = watched.astimezone(self._account.zone).date() if watched is not None else self._run["cut_off"]
        for row in self._work.around.draw_lines(self._window):
            if row["draw_id"] is None and row["on"] >= since:
                said = Difference(
                    "unauthorised_draw", (), abs(row["amount_cents"]), "Clio's ledger shows a draw that nobody authorised",
                    row["reference"], row["matter_id"],
                )  # fmt: skip
                self._say(said, row["on"], [row["id"]], f"{row['source']}:{row['external_id']}")
        late = datetime.combine(self._run["cut_off"] - timedelta(days=TRANSIT_DAYS), time(), self._account.zone)
        for row in self._work.around.draws_waiting(self._account.key, late):
            day = row["authorised_at"].astimezone(self._account.zone).date()
            cause = f"draw {row['id']} was authorised on {day} and stands in no ledger"
            said = Difference("draw_not_posted", (), row["amount_cents"], cause, matter_id=row["matter_id"])
            self._say(said, day, [], f"draw:{row['id']}")

    def _after_lock(self, _after: None) -> None:
        """What was changed in the ledger of a signed period since it was signed."""
        if self._window.locked_upto is None:
            return
        for row in self._work.around.changed_since(self._window):
            cause = f"the ledger line of {row['on']} was changed after its period was signed"
            money = abs(row["amount_cents"] - row["was_cents"])
            said = Difference("changed_after_lock", (), money, cause, row["reference"], row["matter_id"])
            self._say(said, row["on"], [row["id"]], f"{row['source']}:{row['external_id']}:{row['version']}")
