"""Our copy of what Clio told us. A row only moves forward: an older reading never replaces a newer one (F17)."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.accounts import AccountClass, BankAccount
from orchestrator.domain.activities import Activity
from orchestrator.domain.bills import Bill, BillKind, BillState
from orchestrator.domain.contacts import Client, EmailProblem
from orchestrator.domain.matters import BillingMethod, Matter, MatterStatus
from orchestrator.domain.payments import UNDER_WAY, Payment, PaymentState
from orchestrator.domain.references import normalise
from orchestrator.storage.repository import Repository, excluded
from orchestrator.storage.tables import accounts, bill_matters, bills, entries, matters, payments


def _client_columns(client: Client | None) -> dict[str, Any]:
    return {
        "client_id": client.id if client else None,
        "client_name": client.name if client else None,
        "client_email": client.email if client else None,
        "client_email_problem": client.email_problem if client else None,
    }


def _client(row: sa.RowMapping) -> Client | None:
    if row["client_id"] is None:
        return None
    problem = row["client_email_problem"]
    return Client(row["client_id"], row["client_name"], row["client_email"], EmailProblem(problem) if problem else None)


def _fields(row: sa.RowMapping, shape: type, **converted: Any) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(shape)} - converted.keys()
    return {name: row[name] for name in names if name in row} | converted


def to_matter(row: sa.RowMapping) -> Matter:
    return Matter(
        **_fields(
            row, Matter, status=MatterStatus(row["status"]), billing_method=BillingMethod(row["billing_method"]),
            client=_client(row),
        )
    )  # fmt: skip


def to_bill(row: sa.RowMapping) -> Bill:
    return Bill(
        **_fields(
            row, Bill, state=BillState(row["state"]), kind=BillKind(row["kind"]), client=_client(row),
            matter_ids=tuple(row["matter_ids"]), next_states=frozenset(row["next_states"]),
        )
    )  # fmt: skip


def to_account(row: sa.RowMapping) -> BankAccount:
    kind = row["account_class"]
    return BankAccount(**_fields(row, BankAccount, account_class=AccountClass(kind) if kind else None))


class Mirror(Repository):
    # ── time entries ──

    def put_entries(self, read: Iterable[Activity]) -> None:
        """Keep these readings; `changed_at` restarts only when a value that an approval covers has changed."""
        for entry in read:
            values = dataclasses.asdict(entry) | {"digest": entry.digest}
            if entry.quantity_seconds is not None:
                values["quantity_seconds"] = format(entry.quantity_seconds.normalize(), "f")
            statement = self.insert(entries).values(**values, changed_at=entry.updated_at, gone=False)
            new = excluded(entries)
            kept = {
                **{name: new[name] for name in values if name != "id"},
                "gone": False,
                "changed_at": sa.case((entries.c.digest == new.digest, entries.c.changed_at), else_=new.changed_at),
            }
            self.connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["id"], set_=kept, where=new.updated_at >= entries.c.updated_at
                )
            )

    def entry_gone(self, ids: Collection[int]) -> None:
        self.change(sa.update(entries).where(entries.c.id.in_(ids)).values(gone=True))

    def entries(self, ids: Collection[int]) -> list[sa.RowMapping]:
        return self.rows(sa.select(entries).where(entries.c.id.in_(ids)))

    def entries_on_bills(self, bill_ids: Collection[int]) -> list[sa.RowMapping]:
        return self.rows(sa.select(entries).where(entries.c.bill_id.in_(bill_ids), entries.c.gone.is_(False)))

    # ── matters ──

    def put_matters(self, read: Iterable[Matter]) -> None:
        for matter in read:
            values = {
                field.name: getattr(matter, field.name)
                for field in dataclasses.fields(matter)
                if field.name != "client"
            } | _client_columns(matter.client)
            self._forward(matters, values)

    def matters(self, ids: Collection[int]) -> dict[int, Matter]:
        return {row["id"]: to_matter(row) for row in self.by_ids(matters, ids)}

    def known_matters(self, ids: Collection[int]) -> set[int]:
        """Those of these ids that are matters of ours."""
        return {row["id"] for row in self.among(sa.select(matters.c.id), matters.c.id, ids)}

    def matter_ids_of_clients(self, client_ids: Collection[int]) -> list[int]:
        return list(
            self.connection.execute(sa.select(matters.c.id).where(matters.c.client_id.in_(client_ids))).scalars()
        )

    # ── bills ──

    def put_bills(self, read: Iterable[Bill], *, read_at: datetime) -> None:
        """Keep these readings; `read_at` is the firm's moment at which the reading began."""
        for bill in read:
            values = {
                field.name: getattr(bill, field.name) for field in dataclasses.fields(bill) if field.name != "client"
            } | _client_columns(bill.client)
            values |= {"matter_ids": list(bill.matter_ids), "next_states": sorted(bill.next_states), "read_at": read_at}
            values["number_normalised"] = normalise(bill.number)
            # Clio's moments are whole seconds: within one, the reading that began later is the newer.
            self._forward(bills, values, bills.c.read_at <= read_at)
            for matter_id in bill.matter_ids:
                self.add_once(bill_matters, bill_id=bill.id, matter_id=matter_id)

    def bill_states_of_matter(self, matter_id: int) -> set[str]:
        """The states of all revenue bills of a matter."""
        joined = sa.select(bills.c.state).join(bill_matters, bill_matters.c.bill_id == bills.c.id)
        mine = joined.where(bill_matters.c.matter_id == matter_id, bills.c.kind == BillKind.REVENUE)
        return set(self.connection.execute(mine.distinct()).scalars())

    def bill_gone(self, ids: Collection[int], *, read_at: datetime) -> None:
        """Bills that Clio no longer shows count as deleted (drafts are; issued ones become void instead)."""
        gone = sa.update(bills).where(bills.c.id.in_(ids), bills.c.state.not_in([BillState.VOID, BillState.DELETED]))
        self.change(gone.values(state=BillState.DELETED, balance_cents=0, pending_cents=0, read_at=read_at))

    def bills(self, ids: Collection[int]) -> dict[int, Bill]:
        return {row["id"]: to_bill(row) for row in self.by_ids(bills, ids)}

    def bill_rows(self, ids: Collection[int]) -> dict[int, sa.RowMapping]:
        return {row["id"]: row for row in self.by_ids(bills, ids)}

    def bills_called(self, named: str) -> list[sa.RowMapping]:
        """The bills with this id or number; where no number is written just so, those whose number differs in form only."""
        if not (form := normalise(named)):
            return []
        known = sa.select(bills).order_by(bills.c.id)
        exact = self.rows(known.where(sa.or_(sa.cast(bills.c.id, sa.String) == named, bills.c.number == named)))
        return exact or self.rows(known.where(bills.c.number_normalised == form))

    def listed_bills(self, *, states: Collection[str] = (), limit: int = 200) -> list[sa.RowMapping]:
        chosen = sa.select(bills).order_by(bills.c.id.desc()).limit(limit)
        return self.rows(chosen.where(bills.c.state.in_(states)) if states else chosen)

    def open_bills_after(self, bill_id: int, limit: int) -> list[sa.RowMapping]:
        """Issued revenue bills with something open, in the order of their ids, from the one after this."""
        owed = sa.and_(bills.c.state == BillState.AWAITING_PAYMENT, bills.c.balance_cents > 0)
        chosen = sa.select(bills).where(owed, bills.c.kind == BillKind.REVENUE, bills.c.id > bill_id)
        return self.rows(chosen.order_by(bills.c.id).limit(limit))

    def open_bill_ids_of_clients(self, client_ids: Collection[int]) -> list[int]:
        chosen = sa.select(bills.c.id).where(
            bills.c.client_id.in_(client_ids), bills.c.state.not_in([BillState.PAID, BillState.VOID, BillState.DELETED])
        )
        return list(self.connection.execute(chosen).scalars())

    def anybody_at(self, email: str) -> bool:
        """Whether the client of some unpaid bill is written to at this address."""
        theirs = sa.and_(bills.c.client_email == email, bills.c.state == BillState.AWAITING_PAYMENT)
        return self.one(sa.select(bills.c.id).where(theirs).limit(1)) is not None

    def oldest_reading(self) -> datetime | None:
        """When the unpaid bill was read that was not read for the longest."""
        unpaid = sa.select(sa.func.min(bills.c.read_at)).where(bills.c.state == BillState.AWAITING_PAYMENT)
        found: datetime | None = self.connection.execute(unpaid).scalar_one()
        return found

    def open_bill_ids_of_matter(self, matter_id: int) -> list[int]:
        joined = sa.select(bills.c.id).join(bill_matters, bill_matters.c.bill_id == bills.c.id)
        over = [BillState.PAID, BillState.VOID, BillState.DELETED]
        mine = joined.where(bill_matters.c.matter_id == matter_id, bills.c.state.not_in(over))
        return list(self.connection.execute(mine).scalars())

    def open_matter_ids(self) -> list[int]:
        """Every matter that is open."""
        chosen = sa.select(matters.c.id).where(matters.c.status == MatterStatus.OPEN).order_by(matters.c.id)
        return list(self.connection.execute(chosen).scalars())

    def trust_bill_ids_of_matter(self, matter_id: int) -> list[int]:
        """Every request for a deposit on this matter, the newest first."""
        own = sa.select(bill_matters.c.bill_id).where(bill_matters.c.matter_id == matter_id)
        chosen = sa.select(bills.c.id).where(bills.c.id.in_(own), bills.c.kind == BillKind.TRUST)
        return list(self.connection.execute(chosen.order_by(bills.c.id.desc())).scalars())

    def silence(self, bill_id: int, reason: str | None) -> bool:
        """Why no link is asked for, or None when that reason has gone; True when it was another before."""
        other = sa.and_(bills.c.id == bill_id, bills.c.silence.is_distinct_from(reason))
        return self.change(sa.update(bills).where(other).values(silence=reason)) == 1

    def silenced(self, reasons: Collection[str]) -> list[int]:
        """Issued bills for which no link is asked for one of these reasons."""
        issued = bills.c.state == BillState.AWAITING_PAYMENT
        return list(
            self.connection.execute(sa.select(bills.c.id).where(issued, bills.c.silence.in_(reasons))).scalars()
        )

    def bill_answers(self, bill_id: int, request_id: int) -> None:
        self.change(sa.update(bills).where(bills.c.id == bill_id).values(request_id=request_id))

    # ── payments ──

    def put_payments(self, read: Iterable[Payment]) -> None:
        for payment in read:
            values = {
                field.name: getattr(payment, field.name)
                for field in dataclasses.fields(payment)
                if field.name != "allocations"
            }
            values |= {"bill_ids": list(payment.bill_ids), "matter_ids": list(payment.matter_ids)}
            self._forward(payments, values, booked_cents=0)

    def payments(self, ids: Collection[int]) -> dict[int, sa.RowMapping]:
        return {row["id"]: row for row in self.by_ids(payments, ids)}

    def listed_payments(self, *, states: Collection[str] = (), limit: int = 200) -> list[sa.RowMapping]:
        """The newest payments first, of these states."""
        chosen = sa.select(payments).order_by(payments.c.created_at.desc(), payments.c.id.desc()).limit(limit)
        return self.rows(chosen.where(payments.c.state.in_(states)) if states else chosen)

    def payments_after(self, after: int, account_ids: Collection[int], limit: int) -> list[sa.RowMapping]:
        """The next payments into these accounts, by id."""
        chosen = sa.select(payments).where(payments.c.id > after, payments.c.account_id.in_(account_ids))
        return self.rows(chosen.order_by(payments.c.id).limit(limit))

    def payments_of_links(self, link_ids: Collection[int]) -> list[sa.RowMapping]:
        return self.rows(sa.select(payments).where(payments.c.link_id.in_(link_ids)))

    def payments_of_lines(self, line_ids: Collection[int]) -> dict[int, int]:
        """The payment that left each of these ledger lines, by line."""
        return {row["line_id"]: row["id"] for row in self.among(sa.select(payments), payments.c.line_id, line_ids)}

    def payments_under_way(self) -> list[int]:
        """Payments that have not come to an end, or whose money no bill has taken yet."""
        open_ = [*UNDER_WAY, PaymentState.COMPLETED_REQUIRING_ALLOCATION]
        return list(self.connection.execute(sa.select(payments.c.id).where(payments.c.state.in_(open_))).scalars())

    def payment_counts(self) -> dict[str, int]:
        """Payments by state."""
        return self.tally(payments.c.state)

    def booked(self, payment_id: int, cents: int) -> None:
        self.change(sa.update(payments).where(payments.c.id == payment_id).values(booked_cents=cents))

    # ── bank accounts ──

    def put_accounts(self, read: Sequence[BankAccount]) -> None:
        """Replace the list of open accounts by this one."""
        self.connection.execute(sa.delete(accounts))
        if read:
            self.connection.execute(sa.insert(accounts), [dataclasses.asdict(account) for account in read])

    def accounts(self) -> list[BankAccount]:
        return [to_account(row) for row in self.rows(sa.select(accounts).order_by(accounts.c.id))]

    # ── shared ──

    def _forward(self, table: sa.Table, values: dict[str, Any], *also: sa.ColumnElement[bool], **only_new: Any) -> None:
        statement = self.insert(table).values(**values, **only_new)
        new = excluded(table)
        newer = sa.or_(
            new.updated_at > table.c.updated_at, sa.and_(new.updated_at == table.c.updated_at, *also)
        )  # fmt: skip
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"], set_={name: new[name] for name in values if name != "id"}, where=newer
            )
        )
