"""Our payment links, and both quotas as reservations over their rows (DESIGN §7, link budget)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.ids import effect_key
from orchestrator.domain.links import LINK_TRANSITIONS, RENEWALS, RENEWED, Bringer, LinkState, Rail
from orchestrator.domain.quota import WINDOW, Use
from orchestrator.errors import Stale
from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import link_budget, link_parts, links

PER_USER = 50
"""Links active, and links created in 24 h, that Clio allows for each user of the account (API notes §10)."""

ALIVE = (LinkState.WAITING, LinkState.RESERVED, LinkState.LIVE)


_COUNTED = links.c.rail == Rail.CLIO_PAYMENTS
"""Clio limits its own links; a payment page is an address and costs nothing."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of both quotas now; `frees_at` is when the next creation leaves the 24-hour window."""

    limit: int
    active: int
    created: int
    shut_until: datetime | None
    frees_at: datetime | None

    def room(self, now: datetime) -> int:
        """How many links may be made now."""
        if self.shut_until is not None and self.shut_until > now:
            return 0
        return max(0, self.limit - max(self.active, self.created))


class Links(Repository):
    def want(
        self, *, bill_id: int, rail: Rail, amount_cents: int, currency: str, account_id: int, account: str | None = None,
        brought_by: Bringer = Bringer.MESSAGE, client_id: int | None = None, parts: Mapping[int, int] | None = None,
    ) -> bool:  # fmt: skip
        """One more link for a bill that has none alive; on Clio's rail it waits for its share of the quotas.

        With `parts`, cents by bill, it is one link for several bills of this client, none of which has one alive.
        """
        last = self.connection.execute(
            sa.select(sa.func.max(links.c.cycle)).where(links.c.bill_id == bill_id)
        ).scalar_one()
        cycle = (last or 0) + 1
        while self.keyed([key := effect_key("link", bill_id, cycle, amount_cents, currency)]):
            cycle += 1  # a restored database knows of a link by its key alone, and not whose it was (F57)
        added = self.add_once(
            links,
            bill_id=bill_id,
            cycle=cycle,
            rail=rail,
            state=LinkState.WAITING if rail == Rail.CLIO_PAYMENTS else LinkState.RESERVED,
            amount_cents=amount_cents,
            currency=currency,
            account_id=account_id,
            account=account,
            brought_by=brought_by,
            client_id=client_id,
            key=key,
            created_at=self.now,
            updated_at=self.now,
        )
        if added and parts:
            link_id = self.connection.execute(sa.select(links.c.id).where(links.c.key == key)).scalar_one()
            rows = [{"link_id": link_id, "bill_id": one, "amount_cents": cents} for one, cents in parts.items()]
            self.connection.execute(sa.insert(link_parts), rows)
        return added

    def alive(self, bill_ids: Collection[int]) -> dict[int, sa.RowMapping]:
        """The one link of each of these bills that is not over, one for several bills under each of them."""
        chosen = sa.select(links).where(links.c.bill_id.in_(bill_ids), links.c.state.in_(ALIVE))
        found = {row["bill_id"]: row for row in self.rows(chosen)}
        shared = sa.select(link_parts.c.bill_id.label("part_of"), links).join(links, links.c.id == link_parts.c.link_id)
        for row in self.rows(shared.where(link_parts.c.bill_id.in_(bill_ids), links.c.state.in_(ALIVE))):
            found[row["part_of"]] = row
        return found

    def adrift(self, client_ids: Collection[int]) -> list[sa.RowMapping]:
        """Live links for all that one of these clients owes, of which nothing says what that was."""
        known = sa.select(link_parts.c.link_id).where(link_parts.c.link_id == links.c.id).exists()
        theirs = sa.and_(links.c.client_id.in_(client_ids), links.c.state == LinkState.LIVE)
        return self.rows(sa.select(links).where(theirs, ~known))

    def parts(self, link: sa.RowMapping) -> dict[int, int]:
        """What a link collects, in cents by bill."""
        return self.parts_of([link])[link["id"]]

    def parts_of(self, rows: Iterable[sa.RowMapping]) -> dict[int, dict[int, int]]:
        """What each of these links collects, by its id."""
        found: dict[int, dict[int, int]] = {}
        shared = []
        for link in rows:
            found[link["id"]] = {link["bill_id"]: link["amount_cents"]} if link["client_id"] is None else {}
            shared += [link["id"]] if link["client_id"] is not None else []
        theirs = sa.select(link_parts).where(link_parts.c.link_id.in_(shared)).order_by(link_parts.c.bill_id)
        for part in self.rows(theirs) if shared else ():
            found[part["link_id"]][part["bill_id"]] = part["amount_cents"]
        return found

    def get(self, link_id: int) -> sa.RowMapping | None:
        return self.with_id(links, link_id)

    def by_clio_ids(self, clio_ids: Collection[int]) -> dict[int, sa.RowMapping]:
        return {row["clio_id"]: row for row in self.rows(sa.select(links).where(links.c.clio_id.in_(clio_ids)))}

    def live(self) -> set[int]:
        """Our links that are live at Clio, by the numbers they have there."""
        mine = sa.and_(links.c.state == LinkState.LIVE, links.c.clio_id.is_not(None))
        return set(self.connection.execute(sa.select(links.c.clio_id).where(mine)).scalars())

    def referred_to(self, reference_key: str) -> sa.RowMapping | None:
        """The payment page that this part of a reference names."""
        return self.one(sa.select(links).where(links.c.reference_key == reference_key).order_by(links.c.id).limit(1))

    def any_page(self, account: str | None) -> bool:
        """Whether somebody was ever sent to a page of this account."""
        mine = sa.select(links.c.id).where(links.c.reference_key.is_not(None), links.c.account == account)
        return self.one(mine.limit(1)) is not None

    def of_bill(self, bill_id: int) -> list[sa.RowMapping]:
        """Every link that asked for this bill, alone or among others, oldest first."""
        shared = sa.select(link_parts.c.link_id).where(link_parts.c.bill_id == bill_id)
        mine = sa.select(links).where(sa.or_(links.c.bill_id == bill_id, links.c.id.in_(shared)))
        return self.rows(mine.order_by(links.c.id))

    def last_of(self, bill_id: int) -> sa.RowMapping | None:
        """The latest link that asked for this bill, over or not."""
        return next(reversed(self.of_bill(bill_id)), None)

    def move(self, link: sa.RowMapping, state: LinkState, **values: Any) -> None:
        """Along `LINK_TRANSITIONS` only; a link that has moved meanwhile raises `Stale`."""
        if state not in LINK_TRANSITIONS[LinkState(link["state"])]:
            raise Stale(f"Link {link['id']} is {link['state']}: it cannot become {state}.")
        moved = sa.update(links).where(links.c.id == link["id"], links.c.state == link["state"])
        if self.change(moved.values(state=state, updated_at=self.now, **values)) != 1:
            raise Stale(f"Link {link['id']} moved while we looked.")

    def claim(self, link: sa.RowMapping, transaction_id: str) -> None:
        """The first payment made on a page is the one it was for; a page that is over already stays over."""
        if link["state"] == LinkState.LIVE:
            self.move(link, LinkState.USED, used_by=transaction_id)
        else:
            self.change(sa.update(links).where(links.c.id == link["id"]).values(used_by=transaction_id))

    def adopt(self, *, bill_id: int, cycle: int | None, key: str, **facts: Any) -> sa.RowMapping:
        """The row of a link that exists, whatever this database thought of it: by its key, else a new one (F57).

        Of a cycle that nothing names, or that another link has taken, it becomes the next.
        """
        known = self.one(sa.select(links).where(links.c.key == key))
        if known is not None:
            self.change(sa.update(links).where(links.c.id == known["id"]).values(**facts, updated_at=self.now))
        else:
            taken = {row["cycle"] for row in self.of_bill(bill_id) if row["bill_id"] == bill_id}
            cycle = cycle if cycle is not None and cycle not in taken else max(taken, default=0) + 1
            self.add_once(
                links, bill_id=bill_id, cycle=cycle, key=key, **facts, created_at=self.now, updated_at=self.now
            )
        return self.connection.execute(sa.select(links).where(links.c.key == key)).mappings().one()

    def withdraw(self, link: sa.RowMapping, *, reason: str) -> None:
        """End a link that was never made, reserved or not: another of the same bill exists (F57)."""
        ended = {"state": LinkState.WITHDRAWN, "reason": reason, "reserved_at": None, "updated_at": self.now}
        self.change(sa.update(links).where(links.c.id == link["id"], links.c.clio_id.is_(None)).values(**ended))

    def keyed(self, keys: Iterable[str | None]) -> dict[str, sa.RowMapping]:
        """The rows of those of these keys that we know."""
        wanted = sorted({key for key in keys if key is not None})
        return {row["key"]: row for row in self.rows(sa.select(links).where(links.c.key.in_(wanted)))}

    def note(self, link_id: int, *, reason: str) -> None:
        """Why a link that is still alive is to end."""
        self.change(sa.update(links).where(links.c.id == link_id).values(reason=reason))

    def any_waiting(self) -> bool:
        return self.one(sa.select(links.c.id).where(links.c.state == LinkState.WAITING).limit(1)) is not None

    def waiting(self, *, most: int | None = None) -> list[sa.RowMapping]:
        """Links without a reservation: new bills before reminders, the highest amount first; no more than `most`, if given."""
        chosen = sa.select(links).where(links.c.state == LinkState.WAITING)
        later = sa.case((links.c.brought_by == Bringer.REMINDER, 1), else_=0)
        return self.rows(chosen.order_by(later, links.c.amount_cents.desc(), links.c.id).limit(most))

    def left_waiting(self) -> tuple[int, int]:
        """How many links are without a reservation, and for how many cents in all."""
        chosen = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(links.c.amount_cents), 0))
        many, cents = self.connection.execute(chosen.where(links.c.state == LinkState.WAITING)).one()
        return int(many), int(cents)

    def spoken_for(self) -> int:
        """How many links will want room before any other may: those that wait, and those that are being renewed."""
        renewing = sa.and_(links.c.state == LinkState.LIVE, links.c.reason.in_(RENEWALS))
        chosen = sa.select(sa.func.count()).where(sa.or_(links.c.state == LinkState.WAITING, renewing))
        return int(self.connection.execute(chosen).scalar_one())

    def ending_before(self, moment: datetime, *, limit: int) -> list[sa.RowMapping]:
        """Links at Clio that are live, end by then, and are not being replaced already; the highest amount first."""
        mine = sa.and_(_COUNTED, links.c.state == LinkState.LIVE, links.c.expires_at > self.now)
        ending = sa.and_(mine, links.c.expires_at <= moment, links.c.reason.is_distinct_from(RENEWED))
        return self.rows(sa.select(links).where(ending).order_by(links.c.amount_cents.desc(), links.c.id).limit(limit))

    def overdue(self) -> list[sa.RowMapping]:
        """Links that we call live although their time is over."""
        return self.rows(sa.select(links).where(links.c.state == LinkState.LIVE, links.c.expires_at <= self.now))

    def listed(self, *, states: Collection[str] = (), limit: int | None = 200) -> list[sa.RowMapping]:
        chosen = sa.select(links).order_by(links.c.id.desc()).limit(limit)
        return self.rows(chosen.where(links.c.state.in_(states)) if states else chosen)

    # ── the budget ──

    def lock_budget(self) -> Budget | None:
        """The budget, locked until this transaction ends; None before the account's users were counted."""
        row = self.one(sa.select(link_budget).with_for_update())
        return self._budget(row) if row is not None else None

    def budget(self) -> Budget | None:
        row = self.one(sa.select(link_budget))
        return self._budget(row) if row is not None else None

    def is_shut(self) -> bool:
        """Whether Clio said no a short time ago, and no link is made yet."""
        shut = sa.select(link_budget.c.id).where(link_budget.c.shut_until > self.now)
        return self.connection.execute(shut).first() is not None

    def use(self) -> tuple[sa.RowMapping, Use] | None:
        """The account's row of the budget, and everything that holds room with the moment it lets go; None before a count."""
        row = self.one(sa.select(link_budget))
        if row is None:
            return None
        recent = sa.and_(links.c.reserved_at > self.now - WINDOW, links.c.state != LinkState.REFUSED)
        made = self.connection.execute(sa.select(links.c.reserved_at).where(recent)).scalars()
        held = sa.select(links.c.expires_at).where(_COUNTED, links.c.state.in_([LinkState.RESERVED, LinkState.LIVE]))
        ends = list(self.connection.execute(held).scalars())
        known = [moment for moment in ends if moment is not None]
        # Of links that are not ours we know the number only: the newest of them may have been made when they were counted.
        foreign = [row["counted_at"] + WINDOW] * row["foreign_created"]
        return row, Use(
            limit=PER_USER * row["users"],
            leaving_window=[*(moment + WINDOW for moment in made), *foreign],
            ending=known,
            stuck=len(ends) - len(known) + row["foreign_active"],
            shut_until=row["shut_until"],
        )

    def counted(self, *, users: int, foreign_active: int, foreign_created: int) -> None:
        """What the account allows and what links that are not ours use of it, as read from Clio."""
        values = {
            "users": users,
            "foreign_active": foreign_active,
            "foreign_created": foreign_created,
            "counted_at": self.now,
        }
        statement = self.insert(link_budget).values(id=1, **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def recount(self, *, foreign_active: int) -> bool:
        """How many links of others are active now; whether that is more than were known."""
        row = self.one(sa.select(link_budget.c.foreign_active))
        if row is None or row["foreign_active"] == foreign_active:
            return False
        self.change(sa.update(link_budget).values(foreign_active=foreign_active))
        return bool(foreign_active > row["foreign_active"])

    def shut(self, until: datetime) -> None:
        """Clio said no: no link is made before this moment, whatever we count."""
        self.change(sa.update(link_budget).values(shut_until=until))

    def reopen(self) -> None:
        """A link was made: a refusal whose time is over is forgotten."""
        self.change(sa.update(link_budget).where(link_budget.c.shut_until <= self.now).values(shut_until=None))

    def counts(self) -> dict[str, int]:
        """Our links by state."""
        return self.tally(links.c.state)

    def _budget(self, row: sa.RowMapping) -> Budget:
        held = sa.select(sa.func.count()).where(_COUNTED, links.c.state.in_([LinkState.RESERVED, LinkState.LIVE]))
        recent = sa.and_(links.c.reserved_at > self.now - WINDOW, links.c.state != LinkState.REFUSED)
        made = sa.select(sa.func.count(), sa.func.min(links.c.reserved_at)).where(recent)
        active = self.connection.execute(held).scalar_one()
        created, oldest = self.connection.execute(made).one()
        return Budget(
            limit=PER_USER * row["users"],
            active=active + row["foreign_active"],
            created=created + row["foreign_created"],
            shut_until=row["shut_until"],
            frees_at=oldest + WINDOW if oldest is not None else None,
        )
