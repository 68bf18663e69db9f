"""Trust ledgers: append-only lines, balances that the database keeps at zero or above, and what is promised of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.money import Money
from orchestrator.domain.trust import Ledger, LedgerKind, LineKind, Origin, Posting, complete
from orchestrator.errors import Rejected
from orchestrator.storage.draws import Draws
from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import trust_ledgers, trust_lines


@dataclass(frozen=True, slots=True)
class Funds:
    """What a ledger holds and how much of it is free for fees; `pending_cents` has not cleared (T13)."""

    ledger_id: int | None
    balance_cents: int = 0
    pending_cents: int = 0
    reserved_cents: int = 0
    claimed_cents: int = 0
    frozen: bool = False

    @property
    def available_cents(self) -> int:
        """Free to be promised: nothing of a frozen ledger is (T14)."""
        free = self.balance_cents - self.pending_cents - self.reserved_cents - self.claimed_cents
        return 0 if self.frozen else max(0, free)


NOTHING = Funds(None)


class Trust(Repository):
    # ── lines ──

    def post(self, posting: Posting, *, currency: str) -> Row | None:
        """Append one line and move its ledger's balance by exactly its amount; None when it is there already.

        A fact of Clio's books that leaves the ledger short of zero, or of what it promised, is posted and freezes it (T8);
        a line of ours that would is `Rejected`.
        """
        complete(posting, currency=currency)
        if self._posted(posting) is not None:
            return None
        ledger = self.ledger(posting.ledger, currency=currency)
        balance = self._move(ledger["id"], posting, currency=currency)
        values: dict[str, Any] = {
            "ledger_id": ledger["id"], "account": posting.ledger.account, "balance_cents": balance,
            "known_at": self.now,
        } | {name: getattr(posting, name) for name in COPIED}  # fmt: skip
        added = self.connection.execute(sa.insert(trust_lines).values(**values).returning(trust_lines))
        return added.mappings().one()

    def _move(self, ledger_id: int, posting: Posting, *, currency: str) -> int:
        after = trust_ledgers.c.balance_cents + posting.amount_cents
        moved = sa.update(trust_ledgers).where(trust_ledgers.c.id == ledger_id)
        values: dict[str, Any] = {"balance_cents": after, "moved_on": posting.on, "updated_at": self.now}
        if posting.origin is Origin.OURS:
            promised = trust_ledgers.c.reserved_cents + trust_ledgers.c.claimed_cents
            if posting.amount_cents < 0:
                moved = moved.where(sa.not_(trust_ledgers.c.frozen), after >= promised)
        else:
            short = sa.or_(after < 0, after < trust_ledgers.c.reserved_cents)
            values["frozen"] = sa.or_(trust_ledgers.c.frozen, short)
            values["frozen_by"] = sa.case(
                (sa.and_(sa.not_(trust_ledgers.c.frozen), short), f"short:{posting.external_id}"),
                else_=trust_ledgers.c.frozen_by,
            )
        found = self.connection.execute(moved.values(**values).returning(trust_ledgers.c.balance_cents)).first()
        if found is None:
            raise Rejected(
                f"The ledger does not have {Money(-posting.amount_cents, currency)} free, or is frozen.",
                reason="trust_balance_short",
            )
        return int(found[0])

    def reverse(
        self, line: Row, *, on: date, actor: str, why: str, told_at: datetime | None = None
    ) -> Row | None:  # fmt: skip
        """Take a posted line back by one that mirrors it, on the day it becomes known; the original stays (T12, T44).

        `told_at` is how old the word for it is, where its source still has the line.
        """
        ledger = self.ledger_by_id(line["ledger_id"])
        return self.post(
            Posting(
                ledger=_ledger(ledger), origin=Origin.CLIO, external_id=line["external_id"],
                version=-line["version"], kind=LineKind.CORRECTION, amount_cents=-line["amount_cents"],
                currency=line["currency"], on=on, effective_on=line["effective_on"], party=line["party"],
                purpose=line["purpose"], reference=line["reference"], bill_id=line["bill_id"], reverses=line["id"],
                actor=actor, why=why, told_at=told_at,
            ),
            currency=line["currency"],
        )  # fmt: skip

    def standing(self, external_ids: Collection[str]) -> dict[str, Row]:
        """The line that stands for each of these Clio lines now, the reversed ones left out."""
        return {row["external_id"]: row for row in self._clio(external_ids, standing=True)}

    def versions(self, external_ids: Collection[str]) -> dict[str, int]:
        """How many versions of each of these Clio lines were ever posted."""
        found: dict[str, int] = {}
        for row in self._clio(external_ids, standing=False):
            found[row["external_id"]] = max(found.get(row["external_id"], 0), row["version"])
        return found

    def told(self, external_ids: Collection[str]) -> dict[str, datetime]:
        """How old the newest word is that we have of each of these Clio lines, those taken back included."""
        found: dict[str, datetime] = {}
        for row in self._clio(external_ids, standing=False):
            if row["told_at"] is not None:
                found[row["external_id"]] = max(found.get(row["external_id"], row["told_at"]), row["told_at"])
        return found

    def deposited(self, ledger: Ledger, *, reference: str, cents: int) -> bool:
        """Whether a deposit of exactly this reference and amount stands in a ledger: money out under it is its return (T14)."""
        place = sa.and_(
            trust_ledgers.c.account == ledger.account, trust_ledgers.c.kind == ledger.kind,
            trust_ledgers.c.client_id == (ledger.client_id or 0), trust_ledgers.c.matter_id == (ledger.matter_id or 0),
        )  # fmt: skip
        joined = trust_lines.join(trust_ledgers, trust_ledgers.c.id == trust_lines.c.ledger_id)
        same = self._standing(sa.select(trust_lines.c.id).select_from(joined)).where(
            place, trust_lines.c.kind == LineKind.DEPOSIT, trust_lines.c.reference == reference,
            trust_lines.c.amount_cents == cents,
        )  # fmt: skip
        return self.connection.execute(same.limit(1)).first() is not None

    def clears_last(self, ledger_id: int) -> date | None:
        """The day on which the last deposit of a ledger clears."""
        last = sa.select(sa.func.max(trust_lines.c.clears_on)).where(trust_lines.c.ledger_id == ledger_id)
        found: date | None = self.connection.execute(last).scalar_one()
        return found

    def all_standing(self, account: str) -> dict[str, Row]:
        """Every Clio line that stands in an account, by Clio's id."""
        chosen = self._standing(sa.select(trust_lines)).where(
            trust_lines.c.account == account, trust_lines.c.origin == Origin.CLIO
        )
        return {row["external_id"]: row for row in self.rows(chosen)}

    def _clio(self, external_ids: Collection[str], *, standing: bool) -> list[Row]:
        chosen = sa.select(trust_lines).where(trust_lines.c.origin == Origin.CLIO)
        return self.among(self._standing(chosen) if standing else chosen, trust_lines.c.external_id, external_ids)

    @staticmethod
    def _standing(chosen: sa.Select[Any]) -> sa.Select[Any]:
        undone = trust_lines.alias("undone")
        taken_back = sa.exists().where(undone.c.reverses == trust_lines.c.id)
        return chosen.where(trust_lines.c.reverses.is_(None), sa.not_(taken_back))

    def _posted(self, posting: Posting) -> Row | None:
        same = sa.and_(
            trust_lines.c.origin == posting.origin,
            trust_lines.c.external_id == posting.external_id,
            trust_lines.c.version == posting.version,
        )
        return self.one(sa.select(trust_lines).where(same))

    def line(self, line_id: int) -> Row | None:
        return self.one(sa.select(trust_lines).where(trust_lines.c.id == line_id))

    def lines_of(self, ledger_id: int) -> list[Row]:
        """A ledger's card: every line in posting order."""
        mine = sa.select(trust_lines).where(trust_lines.c.ledger_id == ledger_id)
        return self.rows(mine.order_by(trust_lines.c.id))

    def draws_out(self, bill_id: int) -> list[Row]:
        """The standing lines by which money left a matter's ledger for this bill."""
        mine = sa.select(trust_lines).where(
            trust_lines.c.bill_id == bill_id, trust_lines.c.kind == LineKind.DRAW
        )  # fmt: skip
        return self.rows(self._standing(mine).order_by(trust_lines.c.id))

    # ── ledgers ──

    def ledger(self, ledger: Ledger, *, currency: str) -> Row:
        """The row of a ledger, made at its first use."""
        place = {
            "account": ledger.account, "kind": ledger.kind, "client_id": ledger.client_id or 0,
            "matter_id": ledger.matter_id or 0,
        }  # fmt: skip
        found = self._ledger_at(place)
        if found is None:
            self.add_once(
                trust_ledgers, **place, currency=currency, balance_cents=0, reserved_cents=0, claimed_cents=0, frozen=False,
                updated_at=self.now,
            )  # fmt: skip
            found = self._ledger_at(place)
        assert found is not None
        return found

    def _ledger_at(self, place: dict[str, Any]) -> Row | None:
        return self.one(
            sa.select(trust_ledgers).where(*(trust_ledgers.c[name] == value for name, value in place.items()))
        )

    def ledger_by_id(self, ledger_id: int) -> Row:
        found = self.one(sa.select(trust_ledgers).where(trust_ledgers.c.id == ledger_id))
        assert found is not None
        return found

    def ledgers(self, *, account: str | None = None, matter_id: int | None = None) -> list[Row]:
        """Ledgers of one account or matter, or all of them."""
        chosen = sa.select(trust_ledgers).order_by(
            trust_ledgers.c.account, trust_ledgers.c.kind, trust_ledgers.c.client_id, trust_ledgers.c.matter_id
        )
        if account is not None:
            chosen = chosen.where(trust_ledgers.c.account == account)
        if matter_id is not None:
            chosen = chosen.where(trust_ledgers.c.matter_id == matter_id)
        return self.rows(chosen)

    def ledgers_of(self, matter_ids: Collection[int]) -> list[Row]:
        """Every ledger of these matters."""
        return self.rows(sa.select(trust_ledgers).where(trust_ledgers.c.matter_id.in_(matter_ids)))

    def total(self, account: str) -> int:
        """The sum of an account's ledgers: what the book must show (T35)."""
        summed = sa.select(sa.func.coalesce(sa.func.sum(trust_ledgers.c.balance_cents), 0))
        return int(self.connection.execute(summed.where(trust_ledgers.c.account == account)).scalar_one())

    def balances(self, account: str, *, on: date, known_at: datetime | None = None) -> dict[int, int]:
        """Each ledger's balance at the end of a day: as known now, or as it was known at a moment (T44)."""
        summed = (
            sa.select(trust_lines.c.ledger_id, sa.func.sum(trust_lines.c.amount_cents))
            .where(trust_lines.c.account == account, trust_lines.c.effective_on <= on)
            .group_by(trust_lines.c.ledger_id)
            .order_by(trust_lines.c.ledger_id)
        )
        if known_at is not None:
            summed = summed.where(trust_lines.c.known_at <= known_at)
        return {int(ledger_id): int(cents) for ledger_id, cents in self.connection.execute(summed)}

    def shortages(self, account: str) -> list[Row]:
        """Ledgers below zero, which one bank-imposed line can cause and nothing else may."""
        return [row for row in self.ledgers(account=account) if row["balance_cents"] < 0]

    def freeze(self, ledger_id: int, *, by: str) -> bool:
        """Nothing more is promised or paid of it until a person releases it; False when it was frozen before."""
        frozen = sa.update(trust_ledgers).where(trust_ledgers.c.id == ledger_id, sa.not_(trust_ledgers.c.frozen))
        return self.change(frozen.values(frozen=True, frozen_by=by, updated_at=self.now)) == 1

    def thaw(self, ledger_id: int) -> None:
        """End a freeze; the database refuses it as long as the ledger is short: `Rejected`."""
        whole = sa.and_(
            trust_ledgers.c.balance_cents >= 0, trust_ledgers.c.reserved_cents <= trust_ledgers.c.balance_cents
        )
        thawed = sa.update(trust_ledgers).where(trust_ledgers.c.id == ledger_id, whole)
        if self.change(thawed.values(frozen=False, frozen_by=None, updated_at=self.now)) != 1:
            raise Rejected("The ledger is still short: restore the money first.", reason="trust_balance_short")

    # ── what may be promised ──

    def available(self, account: FirmAccount, client_id: int, matter_id: int) -> Funds:
        """What this matter's own ledger holds, and how much of it is free; no other ledger ever counts (T9)."""
        return self.available_to(account, [(client_id, matter_id)]).get((client_id, matter_id), NOTHING)

    def available_to(self, account: FirmAccount, owners: Collection[tuple[int, int]]) -> dict[tuple[int, int], Funds]:
        """The same for many (client, matter) at once; those without a ledger in this account are left out."""
        place = sa.and_(trust_ledgers.c.account == account.key, trust_ledgers.c.kind == LedgerKind.MATTER)
        matter_ids = {matter_id for _, matter_id in owners}
        rows = self.among(sa.select(trust_ledgers).where(place), trust_ledgers.c.matter_id, matter_ids)
        mine = {owner: row for row in rows if (owner := (row["client_id"], row["matter_id"])) in set(owners)}
        pending = self._pending([row["id"] for row in mine.values()], self.now.astimezone(account.zone).date())
        return {owner: _funds(row, pending.get(row["id"], 0)) for owner, row in mine.items()}

    def funds(self, ledger: Row, *, today: date) -> Funds:
        return _funds(ledger, self.pending(ledger["id"], today=today))

    def pending(self, ledger_id: int, *, today: date) -> int:
        """Deposits that have not cleared on this day (T13)."""
        return self._pending([ledger_id], today).get(ledger_id, 0)

    def _pending(self, ledger_ids: Collection[int], today: date) -> dict[int, int]:
        waiting = sa.select(trust_lines.c.ledger_id, sa.func.sum(trust_lines.c.amount_cents)).group_by(
            trust_lines.c.ledger_id
        )
        mine = sa.and_(trust_lines.c.ledger_id.in_(ledger_ids), trust_lines.c.clears_on > today)
        rows = self.connection.execute(self._standing(waiting).where(mine))
        return {int(ledger_id): int(cents) for ledger_id, cents in rows}

    def reserve(self, ledger_id: int, cents: int, *, today: date) -> bool:
        """Promise so much of a ledger, or nothing at all: two who ask at once never get the same dollar.

        The check and the promise are one statement; the table's own constraint would refuse a promise beyond the balance.
        """
        # Locked first: a deposit that posts meanwhile must not be counted before it is known to wait.
        self.one(sa.select(trust_ledgers.c.id).where(trust_ledgers.c.id == ledger_id).with_for_update())
        pending = self.pending(ledger_id, today=today)
        after = trust_ledgers.c.reserved_cents + cents
        free = trust_ledgers.c.balance_cents - trust_ledgers.c.claimed_cents - pending
        promised = sa.update(trust_ledgers).where(
            trust_ledgers.c.id == ledger_id, sa.not_(trust_ledgers.c.frozen), after <= free
        )
        return self.change(promised.values(reserved_cents=after, updated_at=self.now)) == 1

    def let_go(self, ledger_id: int, cents: int) -> None:
        """Give a promise back."""
        freed = trust_ledgers.c.reserved_cents - cents
        mine = sa.update(trust_ledgers).where(trust_ledgers.c.id == ledger_id)
        self.change(mine.values(reserved_cents=freed, updated_at=self.now))

    def claim(self, ledger_id: int, cents: int) -> None:
        """Hold so much more (or, below zero, less) of a ledger for a third party (T29)."""
        held = trust_ledgers.c.claimed_cents + cents
        mine = sa.update(trust_ledgers).where(trust_ledgers.c.id == ledger_id)
        self.change(mine.values(claimed_cents=held, updated_at=self.now))

    def reconciled(self, draw_id: int) -> bool:
        """All movements of this draw match; False when it is not posted (see `Draws.reconciled`)."""
        return Draws(self.connection, self._now).reconciled(draw_id)


COPIED = (
    "origin", "external_id", "version", "kind", "amount_cents", "currency", "on", "effective_on", "party", "purpose",
    "reference", "clears_on", "bill_id", "reverses", "actor", "authoriser", "why", "told_at",
)  # fmt: skip


def _funds(ledger: Row, pending_cents: int) -> Funds:
    return Funds(
        ledger_id=ledger["id"],
        balance_cents=ledger["balance_cents"],
        pending_cents=min(max(0, ledger["balance_cents"]), pending_cents),
        reserved_cents=ledger["reserved_cents"],
        claimed_cents=ledger["claimed_cents"],
        frozen=ledger["frozen"],
    )


def _ledger(row: Row) -> Ledger:
    return Ledger(row["account"], LedgerKind(row["kind"]), row["client_id"] or None, row["matter_id"] or None)
