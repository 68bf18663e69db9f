"""What LawPay told us: its events once each, its transactions as they are now, its accounts, and how far we have read."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.gateway import (
    CAME_TO_NOTHING,
    COMPLETED_EVENT,
    ON_ITS_WAY,
    GatewayAccount,
    GatewayEvent,
    Method,
    Transaction,
    TransactionStatus,
    TransactionType,
)
from orchestrator.storage.jobs import Jobs
from orchestrator.storage.repository import Repository, Row, excluded
from orchestrator.storage.tables import lawpay_accounts, lawpay_events, lawpay_feed, lawpay_transactions, links

POLL = "lawpay.poll"


def to_transaction(row: Row) -> Transaction:
    names = {field.name for field in dataclasses.fields(Transaction)}
    known = {name: row[name] for name in names}
    return Transaction(
        **known
        | {
            "type": TransactionType(row["type"]),
            "status": TransactionStatus(row["status"]),
            "method": Method(row["method"]),
        }
    )


class Gateway(Repository):
    # ── how far we have read ──

    def open_feed(self, path_token: Callable[[], str]) -> Row:
        """The one row of the feed, made by whoever comes first."""
        feed = self.feed()
        if feed is None:
            self.add_once(lawpay_feed, id=1, generation=1, began_at=self.now, path_token=path_token())
            feed = self.feed()
        assert feed is not None
        return feed

    def feed(self) -> Row | None:
        return self.one(sa.select(lawpay_feed))

    def begin_poll(self) -> None:
        """From here on whoever rings asks for another poll: this one may have read past what they saw."""
        self.change(sa.update(lawpay_feed).values(generation=lawpay_feed.c.generation + 1))

    def ring(self) -> None:
        """Ask for one poll, however many ask before it begins."""
        # Written against `begin_poll`: either that poll reads what we saw, or we see the next generation.
        heard = sa.update(lawpay_feed).values(rung_at=self.now).returning(lawpay_feed.c.generation)
        Jobs(self.connection, self._now).add(POLL, "bell", self.connection.execute(heard).scalar_one(), bell=True)

    def read_to(self, moment: datetime) -> None:
        """Move the watermark, never back, in the commit that holds what was read (F43)."""
        behind = sa.or_(lawpay_feed.c.watermark.is_(None), lawpay_feed.c.watermark < moment)
        self.change(sa.update(lawpay_feed).where(behind).values(watermark=moment))

    def polled(self) -> None:
        """The list was read to its end."""
        self.change(sa.update(lawpay_feed).values(polled_at=self.now))

    # ── events ──

    def known_events(self, ids: Collection[str]) -> set[str]:
        return set(self.connection.execute(sa.select(lawpay_events.c.id).where(lawpay_events.c.id.in_(ids))).scalars())

    def add_events(self, events: Iterable[GatewayEvent]) -> None:
        for event in events:
            self.add_once(lawpay_events, **dataclasses.asdict(event), seen_at=self.now)

    def completed_event(self, transaction_id: str) -> datetime | None:
        """When an event first called this transaction completed, whatever became of it since."""
        mine = sa.and_(lawpay_events.c.transaction_id == transaction_id, lawpay_events.c.type == COMPLETED_EVENT)
        moment: datetime | None = self.connection.execute(
            sa.select(lawpay_events.c.created_at).where(mine).order_by(lawpay_events.c.created_at).limit(1)
        ).scalar_one_or_none()
        return moment

    # ── transactions ──

    def put(self, seen: Transaction, *, account: str | None, read_at: datetime) -> Row | None:
        """Keep this reading and return its row; None when a newer one is kept already (F17).

        `read_at` is the firm's moment at which the reading began.
        """
        values = dataclasses.asdict(seen) | {"account": account, "read_at": read_at}
        statement = self.insert(lawpay_transactions).values(**values, matched=False, deviations=[])
        new, old = excluded(lawpay_transactions), lawpay_transactions.c
        newer = sa.or_(
            new.modified_at > old.modified_at, sa.and_(new.modified_at == old.modified_at, new.read_at >= old.read_at)
        )
        kept = {name: new[name] for name in values if name != "id"}
        moved = statement.on_conflict_do_update(index_elements=["id"], set_=kept, where=newer).returning(old.number)
        if self.connection.execute(moved).first() is None:
            return None
        return self.get(seen.id)

    def note(self, transaction_id: str, **values: Any) -> None:
        """What we concluded about a transaction."""
        self.change(sa.update(lawpay_transactions).where(lawpay_transactions.c.id == transaction_id).values(**values))

    def get(self, transaction_id: str) -> Row | None:
        return self.one(sa.select(lawpay_transactions).where(lawpay_transactions.c.id == transaction_id))

    def numbered(self, number: int) -> Row | None:
        return self.one(sa.select(lawpay_transactions).where(lawpay_transactions.c.number == number))

    def refunds_of(self, charge_id: str) -> list[Transaction]:
        """The refunds we know of this charge, voided and failed ones included."""
        mine = sa.select(lawpay_transactions).where(lawpay_transactions.c.charge_id == charge_id)
        return [to_transaction(row) for row in self.rows(mine.order_by(lawpay_transactions.c.number))]

    def under(self, reference: str) -> list[str]:
        """Charges under exactly this reference that lead to no page of ours."""
        mine = sa.and_(lawpay_transactions.c.reference == reference, lawpay_transactions.c.link_id.is_(None))
        return list(self.connection.execute(sa.select(lawpay_transactions.c.id).where(mine)).scalars())

    def of_link(self, link_id: int) -> list[Row]:
        mine = sa.select(lawpay_transactions).where(lawpay_transactions.c.link_id == link_id)
        return self.rows(mine.order_by(lawpay_transactions.c.number))

    def of_bill(self, bill_id: int) -> list[Row]:
        """The charges that a reference ties to this bill, each with what was paid of the bill when it was asked for."""
        return self.of_bills([bill_id]).get(bill_id, [])

    def of_bills(self, bill_ids: Collection[int]) -> dict[int, list[Row]]:
        """The same for many bills at once; those without a charge are left out."""
        joined = sa.select(lawpay_transactions, links.c.paid_before_cents, links.c.bill_id.label("of_bill")).join(
            links, links.c.id == lawpay_transactions.c.link_id
        )
        found: dict[int, list[Row]] = {}
        for row in self.among(joined.order_by(lawpay_transactions.c.number), links.c.bill_id, bill_ids):
            found.setdefault(row["of_bill"], []).append(row)
        return found

    def unplaced(self, account_ids: Collection[str]) -> list[Row]:
        """Transactions on these of the gateway's accounts that belong to no configured account yet."""
        mine = sa.and_(lawpay_transactions.c.account.is_(None), lawpay_transactions.c.account_id.in_(account_ids))
        return self.rows(sa.select(lawpay_transactions).where(mine).order_by(lawpay_transactions.c.number))

    def on_their_way(self, *, before: datetime) -> list[str]:
        """Transactions that were last read before this moment and had not come to an end."""
        under_way = lawpay_transactions.c.status.in_(sorted(ON_ITS_WAY))
        chosen = sa.select(lawpay_transactions.c.id).where(under_way, lawpay_transactions.c.read_at < before)
        return list(self.connection.execute(chosen.order_by(lawpay_transactions.c.number)).scalars())

    def unmatched(self, *, beside: Collection[str] | None = None) -> list[Row]:
        """Charges with money in them that name a link and are not what it asked for; `beside` others of the same link alone."""
        strange = sa.and_(
            lawpay_transactions.c.link_id.is_not(None),
            lawpay_transactions.c.matched.is_(False),
            lawpay_transactions.c.status.not_in(sorted(CAME_TO_NOTHING)),
        )
        chosen = sa.select(lawpay_transactions).where(strange).order_by(lawpay_transactions.c.number)
        if beside is not None:
            of_link = sa.select(lawpay_transactions.c.link_id).where(lawpay_transactions.c.id.in_(beside))
            chosen = chosen.where(
                lawpay_transactions.c.link_id.in_(of_link), lawpay_transactions.c.id.not_in(list(beside))
            )
        return self.rows(chosen)

    def listed(self, *, states: Collection[str] = (), limit: int = 200) -> list[Row]:
        """The newest transactions first, of these statuses."""
        newest = (lawpay_transactions.c.created_at.desc(), lawpay_transactions.c.number.desc())
        chosen = sa.select(lawpay_transactions).order_by(*newest).limit(limit)
        return self.rows(chosen.where(lawpay_transactions.c.status.in_(states)) if states else chosen)

    # ── accounts ──

    def put_accounts(self, read: Sequence[GatewayAccount]) -> None:
        """Replace the list of the gateway's accounts by this one."""
        self.connection.execute(sa.delete(lawpay_accounts))
        if read:
            self.connection.execute(sa.insert(lawpay_accounts), [dataclasses.asdict(account) for account in read])
        self.change(sa.update(lawpay_feed).values(accounts_read_at=self.now))

    def accounts(self) -> dict[str, GatewayAccount]:
        rows = self.rows(sa.select(lawpay_accounts).order_by(lawpay_accounts.c.id))
        return {row["id"]: GatewayAccount(**{**row, "takes": Method(row["takes"])}) for row in rows}
