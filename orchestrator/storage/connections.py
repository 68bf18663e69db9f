"""Whose data the database holds, and the attempts to connect that are under way."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.accounts import Connection, KnownAccount
from orchestrator.errors import Stale
from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import authorisations, connections

NAMES = tuple(KnownAccount.__slots__)


class Connections(Repository):
    def known(self, name: str) -> KnownAccount | None:
        """The account remembered for this provider."""
        row = self.one(sa.select(connections).where(connections.c.name == name))
        return KnownAccount(**{part: row[part] for part in NAMES}) if row else None

    def remember(self, name: str, found: Connection, *, host: str, proof: str, anew: bool = False) -> None:
        """Keep who we are; another account than the one remembered is `Stale`. `anew` when a person has just connected."""
        values: dict[str, Any] = {
            "account_name": found.account_name,
            "user_id": found.user_id,
            "user_name": found.user_name,
            "host": host,
            "proof": proof,
            "checked_at": self.now,
        }
        first = {"name": name, "account_id": found.account_id, "connected_at": self.now, **values}
        if self.add_once(connections, **first):
            return
        same = sa.and_(connections.c.name == name, connections.c.account_id == found.account_id)
        since = {"connected_at": self.now} if anew else {}
        if self.change(sa.update(connections).where(same).values(**values, **since)) != 1:
            raise Stale("This database belongs to another account.")

    def begin(self, state: str) -> None:
        """Expect an answer under the digest `state`; every older attempt is forgotten."""
        self.change(sa.delete(authorisations))
        self.connection.execute(sa.insert(authorisations).values(state=state, made_at=self.now, declined=False))

    def attempt(self, state: str) -> sa.RowMapping | None:
        return self.one(sa.select(authorisations).where(authorisations.c.state == state))

    def answer(self, state: str, *, code: bytes | None, since: datetime) -> bool:
        """Keep the answer to an attempt begun after `since` that has none yet; None means declined."""
        open_ = sa.and_(
            authorisations.c.state == state,
            authorisations.c.made_at >= since,
            authorisations.c.code.is_(None),
            authorisations.c.declined.is_(False),
        )
        return self.change(sa.update(authorisations).where(open_).values(code=code, declined=code is None)) == 1

    def end(self, state: str) -> None:
        """Forget an attempt and its code."""
        self.change(sa.delete(authorisations).where(authorisations.c.state == state))
