"""Who we are at Clio: connecting by OAuth, and a token that is renewed once, by one worker, before it is needed."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import structlog
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.clients.http import ApiClient, Credentials
from orchestrator.clients.meaning import Refused
from orchestrator.domain.accounts import Connection, KnownAccount
from orchestrator.errors import NeedsConnection, OrchestratorError, OutcomeUnknown, Stale, Transient
from orchestrator.ports import AccountMemory, Clock, Token, TokenVault

log = structlog.get_logger()

REGIONS = {
    "us": "https://app.clio.com",
    "ca": "https://ca.app.clio.com",
    "eu": "https://eu.app.clio.com",
    "au": "https://au.app.clio.com",
}
"""Apps, tokens and data do not cross regions."""

RECONNECT = (
    "Clio no longer accepts our sign-in: connect the firm again with `orchestrator connect clio`. "
    "Work waits; nothing is lost."
)
ASK_AGAIN_SECONDS = 60.0
_ENDED = {"invalid_grant", "invalid_client", "unauthorized_client"}


@dataclass(frozen=True, slots=True)
class ReadyToken:
    """A token handed over in the settings; it cannot be renewed by us."""

    access_token: str = field(repr=False)

    def authorization(self) -> str:
        return f"Bearer {self.access_token}"

    def refused(self, authorization: str) -> NeedsConnection:  # noqa: ARG002
        return NeedsConnection(
            "Clio refuses the token of ORCH_CLIO__ACCESS_TOKEN: give a new one, or connect the firm.",
            retry_after=ASK_AGAIN_SECONDS,
            notice="reconnect",
        )


class _Grant(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: str = Field(min_length=1)
    refresh_token: str | None = None
    expires_in: float | None = None


@dataclass(frozen=True, slots=True)
class App:
    """This installation as registered with Clio; `redirect_uri` must stand on the app's list exactly as it is here."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


class ClioLogin:
    """Credentials from a vault, kept fresh; thread-safe, and safe beside other workers of the firm (F44).

    `api` speaks to the same base address without credentials and without a pacer: token requests are not budgeted.
    A token is renewed `early` before its end, or in the last tenth of the life we saw of it if that is shorter; and once
    after a 401. A token answer is stored before it is used; its refresh token replaces ours only if it names one.
    """

    def __init__(
        self,
        vault: TokenVault,
        api: ApiClient,
        app: App,
        *,
        clock: Clock,
        early: timedelta = timedelta(minutes=5),
        refresh_seconds: float = 15.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vault, self._api, self._app = vault, api, app
        self._clock, self._early = clock, early
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._first_seen: tuple[int, datetime] | None = None
        self._renewed_after_401: float | None = None

    def authorize_url(self, state: str) -> str:
        """Where a person of the firm agrees; `state` must come back unchanged (checked by the caller)."""
        wanted = {
            "response_type": "code",
            "client_id": self._app.client_id,
            "redirect_uri": self._app.redirect_uri,
            "state": state,
            "redirect_on_decline": "true",
        }
        return f"{self._api.base_url}/oauth/authorize?{urlencode(wanted)}"

    def exchange(self, code: str, check: Callable[[str], None] | None = None) -> Token:
        """Turn the code that came back (valid ten minutes) into a stored token; `Refused` when Clio does not know it.

        `check` is shown the token before it is stored: what it refuses is handed back to Clio and replaces nothing (F48).
        """
        grant = self._ask(grant_type="authorization_code", code=code, redirect_uri=self._app.redirect_uri)
        if check is not None:
            try:
                check(grant.access_token)
            except OrchestratorError:
                with contextlib.suppress(OrchestratorError):
                    self._tell_over(grant.access_token)
                raise
        return self._store(grant, self._vault.current())

    def _tell_over(self, access_token: str) -> None:
        self._api.tell("POST", "/oauth/deauthorize", form={"token": access_token}, bearer=access_token)

    def deauthorize(self) -> None:
        """Tell Clio that this connection is over, and forget it here even if Clio no longer knows it."""
        token = self._vault.current()
        if token is None:
            return
        try:
            self._tell_over(token.access_token)
        except Refused as gone:
            log.info("clio.deauthorize_refused", status=gone.status)
        self._vault.forget(token.version)

    def access_token(self) -> str:
        """The token to use now, renewed if its end is near; `NeedsConnection` when there is none that works."""
        token = self._vault.current()
        if token is None:
            raise NeedsConnection(
                "Clio is not connected yet: run `orchestrator connect clio`.",
                retry_after=ASK_AGAIN_SECONDS,
                notice="reconnect",
            )
        if token.revoked:
            raise _reconnect()
        now = self._clock()
        if token.expires_at is None or token.refresh_token is None or token.expires_at - now > self._margin(token, now):
            return token.access_token
        try:
            return self._refresh(token).access_token
        except NeedsConnection:
            # Early is early: while the old token is still good, nobody waits for whoever renews it.
            newest = self._vault.current()
            if now < token.expires_at and newest is not None and not newest.revoked:
                return newest.access_token
            raise

    def authorization(self) -> str:
        return f"Bearer {self.access_token()}"

    def refused(self, authorization: str) -> OrchestratorError:
        token = self._vault.current()
        if token is None or token.revoked:
            return _reconnect()
        if authorization != f"Bearer {token.access_token}":
            return NeedsConnection("Clio refused a token that has been renewed meanwhile.", retry_after=0)
        if token.refresh_token is None or self._just_renewed():
            return NeedsConnection(
                "Clio refuses even a fresh token: check that region and app match the firm's account.",
                retry_after=ASK_AGAIN_SECONDS,
                notice="reconnect",
            )
        try:
            self._refresh(token)
        except OrchestratorError as error:
            return error
        self._renewed_after_401 = self._monotonic()
        return NeedsConnection("Clio refused our token; it has been renewed.", retry_after=0)

    def _margin(self, token: Token, now: datetime) -> timedelta:
        """How long before its end a token is renewed; never so long that a short-lived one is renewed at every call."""
        if self._first_seen is None or self._first_seen[0] != token.version:
            self._first_seen = (token.version, now)
        life = (token.expires_at or now) - self._first_seen[1]
        return min(self._early, life / 10)

    def _just_renewed(self) -> bool:
        """Whether we renewed after a 401 moments ago: doing so again would go in circles, also between workers (F48)."""
        return (
            self._renewed_after_401 is not None and self._monotonic() - self._renewed_after_401 < 2 * ASK_AGAIN_SECONDS
        )

    def _refresh(self, token: Token) -> Token:
        """A newer token than `token`, renewed here or by another worker; `NeedsConnection` while another is at it."""
        if not self._vault.begin_refresh(token.version, self._refresh_seconds):
            newest = self._vault.current()
            if newest is not None and newest.version > token.version and not newest.revoked:
                return newest
            raise NeedsConnection("Another worker is renewing Clio's token.", retry_after=1)
        try:
            grant = self._ask(grant_type="refresh_token", refresh_token=token.refresh_token or "")
        except Refused as refusal:
            if refusal.type not in _ENDED:
                raise NeedsConnection(
                    f"Clio did not renew the token: {refusal}", retry_after=ASK_AGAIN_SECONDS
                ) from None
            log.warning("clio.connection_ended", why=refusal.type)
            self._vault.revoke(token.version)
            raise _reconnect() from None
        except (Transient, OutcomeUnknown) as error:
            # If the answer was lost after Clio rotated the token, the next try says invalid_grant (F45).
            raise NeedsConnection(f"Clio's token could not be renewed now: {error}", retry_after=5) from None
        return self._store(grant, token)

    def _ask(self, **form: str) -> _Grant:
        secret = {"client_id": self._app.client_id, "client_secret": self._app.client_secret}
        return self._api.request("POST", "/oauth/token", _grant, form={**secret, **form})

    def _store(self, grant: _Grant, before: Token | None) -> Token:
        lifetime = grant.expires_in
        token = Token(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token or (before.refresh_token if before else None),
            expires_at=None if lifetime is None else self._clock() + timedelta(seconds=lifetime),
            version=(before.version if before else 0) + 1,
        )
        try:
            self._vault.store(token)
        except Stale:
            # Someone stored a newer one while we asked; theirs is the one that every worker sees.
            return self._vault.current() or token
        return token


def _reconnect() -> NeedsConnection:
    return NeedsConnection(RECONNECT, retry_after=ASK_AGAIN_SECONDS, notice="reconnect")


class OwnAccount:
    """Credentials that are shown to belong to the firm's own account before anything is asked or sent with them (F48).

    The account is remembered from the first connection. A token is checked once, by one call, for all processes.
    """

    def __init__(
        self, credentials: Credentials, memory: AccountMemory, who: Callable[[Credentials], Connection], *, host: str
    ) -> None:
        self._inner, self._memory, self._who, self._host = credentials, memory, who, host
        self._lock = threading.Lock()
        self._checked: str | None = None

    def authorization(self) -> str:
        header = self._inner.authorization()
        if header != self._checked:
            with self._lock:
                if header != self._checked:
                    self._check(header)
                    self._checked = header
        return header

    def refused(self, authorization: str) -> OrchestratorError:
        return self._inner.refused(authorization)

    def _check(self, header: str) -> None:
        proof = hashlib.sha256(header.encode()).hexdigest()
        known = self._memory.known()
        if known is not None and (known.proof, known.host) == (proof, self._host):
            return
        if known is not None and known.host != self._host:
            raise NeedsConnection(other_host(known, self._host), retry_after=ASK_AGAIN_SECONDS, notice="wrong_account")
        found = self._who(_Once(header, self._inner))
        if known is not None and known.account_id != found.account_id:
            raise NeedsConnection(other_account(known, found), retry_after=ASK_AGAIN_SECONDS, notice="wrong_account")
        self._memory.remember(found, host=self._host, proof=proof)


@dataclass(frozen=True, slots=True)
class _Once:
    """Exactly this header, whatever is newer."""

    header: str = field(repr=False)
    inner: Credentials

    def authorization(self) -> str:
        return self.header

    def refused(self, authorization: str) -> OrchestratorError:
        return self.inner.refused(authorization)


def other_account(known: KnownAccount, found: Connection) -> str:
    """The sentence for a token of another firm."""
    return (
        f"This database holds Clio account {known.account_id} ({known.account_name}), and the token is of account "
        f"{found.account_id}: nothing is read or sent with it."
    )


def other_host(known: KnownAccount, host: str) -> str:
    """The sentence for settings that lead to another region."""
    return f"This database holds an account at {known.host}, and the settings lead to {host}: nothing is read or sent."


def _grant(answer: Any) -> _Grant:
    return _Grant.model_validate(answer)


def credentials(ready_token: str | None, login: ClioLogin | None) -> Credentials:
    """A ready token wins over a connection; with neither, the sentence names what is missing."""
    if ready_token:
        return ReadyToken(ready_token)
    if login is None:
        raise NeedsConnection("Neither ORCH_CLIO__ACCESS_TOKEN nor ORCH_CLIO__CLIENT_ID and _SECRET are set.")
    return login
