"""`ports.People` at Clio: each person's own token, asked for one call at a time."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from orchestrator.clients.clio.auth import ClioLogin
from orchestrator.clients.clio.client import Clio
from orchestrator.clients.http import Credentials
from orchestrator.domain.accounts import Connection
from orchestrator.domain.custom_actions import Record
from orchestrator.errors import NeedsConnection, OrchestratorError, Stale
from orchestrator.ports import Seen, Token, TokenVault


@dataclass(frozen=True, slots=True)
class ClioPeople:
    """`own` is the user as whom the firm is connected, who needs no second sign-in; `firm` is Clio as that user.

    `login` makes the conversation of an app around a vault, None where a ready token stands in for the app; `speak` opens
    a Clio for one call with other credentials, outside the shared budget: every token has a budget of its own.
    """

    own: Callable[[], int | None]
    firm: Clio
    vault: Callable[[int], TokenVault]
    login: Callable[[TokenVault], ClioLogin | None]
    speak: Callable[[Credentials], AbstractContextManager[Clio]]

    def signed_in(self, user_id: int) -> bool:
        if user_id == self.own():
            return True
        token = self.vault(user_id).current()
        return token is not None and not token.revoked

    def pressed(self, user_id: int, record: Record, nonce: str) -> Seen:
        if user_id == self.own():
            return self.firm.pressed(record, nonce)
        login = self.login(self.vault(user_id))
        if login is None:
            raise NeedsConnection("This user has not signed in.", retry_after=0)
        with self.speak(login) as clio:
            return clio.pressed(record, nonce)

    def sign_in_url(self, state: str) -> str | None:
        login = self.login(_Hand())
        return login.authorize_url(state) if login is not None else None

    def sign_in(self, code: str, check: Callable[[Connection], None]) -> Connection:
        hand, found = _Hand(), list[Connection]()
        login = self.login(hand)
        if login is None:
            raise NeedsConnection("There is no app to sign in to.", retry_after=0)

        def looked(access_token: str) -> None:
            with self.speak(_Bearer(access_token)) as clio:
                found.append(clio.connection())
            check(found[0])

        token = login.exchange(code, looked)
        [person] = found
        vault = self.vault(person.user_id)
        before = vault.current()
        # A sign-in of the same person in the same moment is as good as this one.
        with contextlib.suppress(Stale):
            vault.store(replace(token, version=(before.version if before else 0) + 1))
        return person


@dataclass(frozen=True, slots=True)
class _Bearer:
    """A token that nobody keeps yet."""

    token: str

    def authorization(self) -> str:
        return f"Bearer {self.token}"

    def refused(self, authorization: str) -> OrchestratorError:  # noqa: ARG002
        return NeedsConnection("Clio refused the sign-in it has just given.", retry_after=0)


class _Hand:
    """`ports.TokenVault` that forgets: whose token it is must be known before it is kept."""

    def current(self) -> Token | None:
        return None

    def begin_refresh(self, version: int, seconds: float) -> bool:  # noqa: ARG002
        return False

    def store(self, token: Token) -> None:
        """Nothing is kept."""

    def revoke(self, version: int) -> None:
        """There is nothing to end."""

    def forget(self, version: int) -> None:
        """There is nothing to forget."""
