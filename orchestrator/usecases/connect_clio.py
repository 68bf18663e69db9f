"""A person agrees in a browser → a token of the firm's own account, and everything that waited for it goes on."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from orchestrator.domain.accounts import Connection, KnownAccount
from orchestrator.domain.reasons import WAITED_FOR
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.ports import Token

PROVIDER = "clio"
ANSWER_WITHIN = timedelta(minutes=10)
"""Clio's code lives so long (API notes §7)."""

STOPS = (
    "no time is approved, no bill asked for, no link made, no message sent and no payment noticed until the firm connects again",
    "webhooks stop, and links that clients hold already go on working at Clio",
    "nothing here is deleted: work waits, and goes on after `orchestrator connect clio`",
)


class Login(Protocol):
    """The conversation by which a person connects the firm."""

    def authorize_url(self, state: str) -> str: ...
    def exchange(self, code: str, check: Callable[[str], None] | None = None) -> Token: ...
    def deauthorize(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to connect; only an answer that names `state` belongs to it."""

    state: str
    url: str


class Declined(Rejected):
    """The person said no."""


def begin(rt: Runtime, login: Login) -> Attempt:
    """Expect an answer in the next ten minutes; an older attempt is over."""
    state = rt.cipher.nonce()
    with rt.uow(quietly=True) as work:
        work.connections.begin(_digest(state))
    return Attempt(state, login.authorize_url(state))


def take_answer(rt: Runtime, *, state: str, code: str | None) -> bool:
    """Keep what a browser brought; False when it answers no attempt of ours, or too late, or a second time."""
    sealed = rt.cipher.seal(code) if code is not None else None
    with rt.uow(quietly=True) as work:
        return work.connections.answer(_digest(state), code=sealed, since=work.now - ANSWER_WITHIN)


def answer_to(rt: Runtime, attempt: Attempt) -> str | None:
    """The code once it has come, None before; `Declined` when the person said no."""
    with rt.read() as work:
        row = work.connections.attempt(_digest(attempt.state))
    if row is None:
        raise Rejected("Another attempt to connect was begun since: run the command again.", reason="connect_over")
    if row["declined"]:
        raise Declined("Clio was told to decline: nothing is connected.", reason="connect_over")
    return rt.cipher.open(row["code"]) if row["code"] is not None else None


def finish(
    rt: Runtime, login: Login, code: str, *, by: str, who: Callable[[str], Connection], attempt: Attempt | None = None
) -> dict[str, Any]:
    """Turn a code into the firm's connection, refused before it is stored when it is of another account (F48)."""
    found: list[Connection] = []

    def check(access_token: str) -> None:
        found.append(who(access_token))
        with rt.read() as work:
            known = work.connections.known(PROVIDER)
        if known is not None and known.account_id != found[0].account_id:
            raise Rejected(_other(known, found[0]), reason="wrong_account")

    token = login.exchange(code, check)
    [connection] = found
    with rt.uow() as work:
        work.connections.remember(
            PROVIDER, connection, host=_host(rt), proof=_digest(f"Bearer {token.access_token}"), anew=True
        )
        if attempt is not None:
            work.connections.end(_digest(attempt.state))
        waited = work.jobs.resume(WAITED_FOR)
        work.exceptions.close_all(WAITED_FOR, PROVIDER)
        # What the new user may see and what the account allows may differ from before.
        work.jobs.add("account.read", "connected", work.now.isoformat())
        work.jobs.add("webhooks.upkeep", "connected", work.now.isoformat())
        work.audit.line("clio.connected", "account", connection.account_id, actor=by, user_id=connection.user_id)
    return {"account_id": connection.account_id, "account_name": connection.account_name,
            "user_id": connection.user_id, "user_name": connection.user_name, "resumed": waited}  # fmt: skip


def disconnect(rt: Runtime, login: Login, *, by: str) -> None:
    """Tell Clio that the connection is over and forget its token; the account itself stays remembered (F48)."""
    login.deauthorize()
    with rt.uow() as work:
        work.audit.line("clio.disconnected", "account", PROVIDER, actor=by)


def show_connection(rt: Runtime, token: Token | None, *, ready: bool) -> dict[str, Any]:
    """Who we are at Clio and since when, and what the connection lacks; no secret is among it."""
    with rt.read() as work:
        known = work.connections.known(PROVIDER)
        missing = work.exceptions.standing(WAITED_FOR, PROVIDER)
    works = ready or (token is not None and not token.revoked)
    return {
        "connected": works and not {"reconnect", "wrong_account"} & set(missing),
        "how": "ready token" if ready else "signed in" if token is not None else None,
        "account_id": known.account_id if known else None,
        "account_name": known.account_name if known else None,
        "user_id": known.user_id if known else None,
        "user_name": known.user_name if known else None,
        "host": known.host if known else _host(rt),
        "connected_at": known.connected_at if known else None,
        "checked_at": known.checked_at if known else None,
        "token_expires_at": token.expires_at if token and works else None,
        "renews_itself": bool(token and works and token.refresh_token),
        "waits_for": missing,
    }


def _host(rt: Runtime) -> str:
    return urlsplit(rt.clio_url).hostname or ""


def _other(known: KnownAccount, found: Connection) -> str:
    return (
        f"That is Clio account {found.account_id} ({found.account_name}); this database holds account {known.account_id} "
        f"({known.account_name}). Nothing was changed: sign in as a user of that account, or give the other firm a "
        "database of its own."
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
