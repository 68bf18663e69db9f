"""Who may call, and how often: access tokens, their refresh, and the budget each token has per minute."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.things import User
from orchestrator.sandbox.refusal import Refusal

CODE_LIFE = timedelta(minutes=10)
READY_LIFE = timedelta(days=3650)


@dataclass
class Grant:
    """One access token: whose eyes it sees with, until when, and its calls in the running window."""

    user: User
    access_token: str
    refresh_token: str
    expires_at: datetime
    calls: int = 0
    window_ends: float = 0.0


@dataclass(frozen=True)
class Code:
    user: User
    redirect_uri: str
    expires_at: datetime


@dataclass(kw_only=True)
class TokenRules:
    """How tokens live in this scenario."""

    expires_in: int = 2_592_000
    rotate_refresh: bool = False
    ready_token_expires: bool = False
    rate_limit: int = 50
    window_seconds: float = 60.0


@dataclass
class Limit:
    """The announced budget after one call was counted, or refused."""

    limit: int
    remaining: int
    reset: int
    allowed: bool

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class OAuthError(Exception):
    """An answer in the OAuth shape: `error` is a word, not an object."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


@dataclass
class Tokens:
    """Every token ever given out and still good."""

    books: Books
    rules: TokenRules
    client_id: str = ""
    client_secret: str = ""
    grants: dict[str, Grant] = field(default_factory=dict)
    refreshes: dict[str, User] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client_id = self.books.token(40)
        self.client_secret = self.books.token(40)

    def ready(self, user: User) -> Grant:
        """The token a sandbox starts with; without a refresh to go with it, it outlives any demo by default."""
        grant = self.grant(user)
        if not self.rules.ready_token_expires:
            grant.expires_at += READY_LIFE
        return grant

    def grant(self, user: User, refresh_token: str | None = None) -> Grant:
        """A new access token, with the refresh token given or a new one."""
        expires_at = self.books.clock.now() + timedelta(seconds=self.rules.expires_in)
        grant = Grant(user, f"{user.id}-{self.books.token(40)}", refresh_token or self.books.token(40), expires_at)
        self.grants[grant.access_token] = grant
        self.refreshes[grant.refresh_token] = user
        return grant

    def admit(self, authorization: str | None) -> Grant:
        """The grant behind a bearer header, or one of the two 401 shapes."""
        if not authorization:
            raise Refusal(401, "You are not authorized to access this resource.")
        scheme, _, token = authorization.partition(" ")
        grant = self.grants.get(token.strip()) if scheme.lower() == "bearer" else None
        if grant is None:
            raise OAuthError(401, "invalid_token", "The access token is invalid.")
        if grant.expires_at <= self.books.clock.now():
            raise OAuthError(401, "invalid_token", "The access token expired.")
        return grant

    def count(self, grant: Grant, calls: int = 1) -> Limit:
        """Spend calls of the running window, which lasts in real time and opens with its first call."""
        now = time.time()
        if now >= grant.window_ends:
            grant.calls, grant.window_ends = 0, now + self.rules.window_seconds
        limit = self.rules.rate_limit
        allowed = grant.calls + calls <= limit
        if allowed:
            grant.calls += calls
        return Limit(limit, max(limit - grant.calls, 0), int(grant.window_ends) + 1, allowed)

    def seconds_left(self, grant: Grant) -> int:
        return max(1, int(grant.window_ends - time.time()) + 1)

    def code(self, user: User, redirect_uri: str) -> str:
        """A ten-minute code for the authorization answer."""
        word = self.books.token(32)
        self.codes[word] = Code(user, redirect_uri, self.books.clock.now() + CODE_LIFE)
        return word

    def exchange(self, word: str, redirect_uri: str) -> Grant:
        """Turn a code into tokens, once."""
        code = self.codes.pop(word, None)
        if code is None or code.expires_at <= self.books.clock.now() or code.redirect_uri != redirect_uri:
            raise OAuthError(400, "invalid_grant", "The authorization code is invalid, expired or already used.")
        return self.grant(code.user)

    def refresh(self, word: str) -> tuple[Grant, bool]:
        """A new access token for a refresh token; True when the refresh token was replaced as well."""
        user = self.refreshes.get(word)
        if user is None:
            raise OAuthError(400, "invalid_grant", "The refresh token is invalid or has been revoked.")
        if not self.rules.rotate_refresh:
            return self.grant(user, word), False
        del self.refreshes[word]
        return self.grant(user), True

    def revoke(self, access_token: str) -> None:
        """End an access token and the refresh token it came with."""
        grant = self.grants.pop(access_token, None)
        if grant is not None:
            self.refreshes.pop(grant.refresh_token, None)
