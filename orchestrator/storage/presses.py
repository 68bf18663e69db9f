"""Buttons of ours at Clio, the people who may press them, and what they pressed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import custom_actions, people, presses, sign_ins


class Presses(Repository):
    # ── buttons ──

    def buttons(self) -> dict[str, sa.RowMapping]:
        """What we know to stand at Clio, by place."""
        return {row["place"]: row for row in self.rows(sa.select(custom_actions).order_by(custom_actions.c.place))}

    def made(self, place: str, *, clio_id: int, url: str) -> None:
        """This button stands at Clio and leads to `url`."""
        values = {"clio_id": clio_id, "url": url, "updated_at": self.now}
        statement = self.insert(custom_actions).values(place=place, **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["place"], set_=values))

    def removed(self, clio_id: int) -> None:
        self.change(sa.delete(custom_actions).where(custom_actions.c.clio_id == clio_id))

    # ── people ──

    def person(self, user_id: int) -> sa.RowMapping | None:
        return self.one(sa.select(people).where(people.c.user_id == user_id))

    def signed_in(self, user_id: int, name: str) -> None:
        values = {"name": name, "signed_in_at": self.now}
        statement = self.insert(people).values(user_id=user_id, **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))

    def begin_sign_in(self, state: str, *, forget: datetime) -> None:
        """Expect an answer under the digest `state`; those made before `forget` are over."""
        self.change(sa.delete(sign_ins).where(sign_ins.c.made_at < forget))
        self.connection.execute(sa.insert(sign_ins).values(state=state, made_at=self.now))

    def end_sign_in(self, state: str, *, since: datetime) -> bool:
        """Take the one answer to a sign-in begun after `since`; False when there is none under way."""
        return self.change(sa.delete(sign_ins).where(sign_ins.c.state == state, sign_ins.c.made_at >= since)) == 1

    # ── presses ──

    def seen(self, nonce: str) -> bool:
        """Whether a press of this nonce's digest was confirmed before."""
        return self.one(sa.select(presses.c.id).where(presses.c.nonce == nonce)) is not None

    def opened(self, *, nonce: str, **facts: Any) -> int | None:
        """Keep a press that Clio confirmed; None when its nonce is there already."""
        statement = self.insert(presses).values(nonce=nonce, opened_at=self.now, **facts)
        added = self.connection.execute(statement.on_conflict_do_nothing().returning(presses.c.id)).first()
        return None if added is None else int(added[0])

    def get(self, press_id: int) -> sa.RowMapping | None:
        return self.one(sa.select(presses).where(presses.c.id == press_id))

    def use(self, press_id: int) -> bool:
        """Answer a press; True for exactly one caller."""
        unused = sa.update(presses).where(presses.c.id == press_id, presses.c.used_at.is_(None))
        return self.change(unused.values(used_at=self.now)) == 1

    def answered(self, press_id: int, result: Mapping[str, Any]) -> None:
        self.change(sa.update(presses).where(presses.c.id == press_id).values(result=result))

    def forget(self, *, before: datetime) -> None:
        """Drop presses opened before this moment: Clio takes no nonce so old."""
        self.change(sa.delete(presses).where(presses.c.opened_at < before))
