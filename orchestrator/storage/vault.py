"""Secrets at rest, and the provider's token among them."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from orchestrator.domain.accounts import Connection, KnownAccount
from orchestrator.errors import Stale
from orchestrator.ports import Token
from orchestrator.settings import Misconfigured
from orchestrator.storage.tables import tokens
from orchestrator.storage.types import real_now
from orchestrator.storage.unit_of_work import UnitOfWork, Work


class Cipher:
    """Encrypts with the first key and reads with any: `ORCH_SECRET_KEY` may list several, newest first, separated by commas."""

    def __init__(self, keys: Sequence[str]) -> None:
        fernets = [Fernet(base64.urlsafe_b64encode(_derived(b"at rest", key))) for key in keys]
        self._newest, self._fernet = fernets[0], MultiFernet(fernets)
        self._proofs = [_derived(b"front door", key) for key in keys]
        self._paths = [_derived(b"path", key) for key in keys]

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """The text, or `Misconfigured` when none of the keys fits."""
        try:
            return self._fernet.decrypt(bytes(sealed)).decode()
        except InvalidToken as unfit:
            raise Misconfigured(
                "ORCH_SECRET_KEY does not open what is stored in this database: put the former key after the new one, "
                "separated by a comma."
            ) from unfit

    def outdated(self, sealed: bytes) -> bool:
        """Whether a former key sealed it: that key is needed for as long as anything is (F49)."""
        try:
            self._newest.decrypt(bytes(sealed))
        except InvalidToken:
            return True
        return False

    def rewrap(self, sealed: bytes) -> bytes:
        """The same text under the newest key."""
        return self.seal(self.open(sealed)) if self.outdated(sealed) else bytes(sealed)

    def path(self, purpose: str) -> str:
        """An unguessable part of an address, the same for as long as the newest key is."""
        return hmac.new(self._paths[0], purpose.encode(), hashlib.sha256).hexdigest()[:40]

    def leads_to(self, purpose: str, path: str) -> bool:
        """Whether `path` is that part, under any of our keys."""
        known = [hmac.new(key, purpose.encode(), hashlib.sha256).hexdigest()[:40] for key in self._paths]
        return any(hmac.compare_digest(one.encode(), path.encode("utf-8", "replace")) for one in known)

    @staticmethod
    def nonce() -> str:
        """A word that nobody has used before."""
        return secrets.token_urlsafe(16)

    def prove(self, nonce: str) -> str:
        """What only this installation can answer to `nonce`; of no use for anything else."""
        return hmac.new(self._proofs[0], nonce.encode(), hashlib.sha256).hexdigest()

    def proven(self, nonce: str, answer: str) -> bool:
        """Whether `answer` is this installation's, under any of its keys."""
        proofs = [hmac.new(key, nonce.encode(), hashlib.sha256).hexdigest() for key in self._proofs]
        return any(hmac.compare_digest(proof.encode(), answer.encode("utf-8", "replace")) for proof in proofs)


def _derived(purpose: bytes, key: str) -> bytes:
    return hashlib.sha256(b"orchestrator " + purpose + b"|" + key.encode()).digest()


SEALED = ("secret", "previous_secret")


def sealed_values(work: Work) -> Iterator[bytes]:
    """Everything this database holds under the key."""
    for row in work.connection.execute(sa.select(tokens)).mappings():
        yield from (bytes(row[name]) for name in ("access_token", "refresh_token") if row[name] is not None)
    for row in work.subscriptions.all():
        yield from (bytes(row[name]) for name in SEALED if row[name] is not None)
        yield from (offer.encode() for offer in row["offered"])


def rewrap(work: Work, cipher: Cipher) -> int:
    """Put what a former key sealed under the newest, so that the former can be dropped (F49); returns how many values."""
    moved = sum(cipher.outdated(value) for value in sealed_values(work))
    if not moved:
        return 0
    for row in work.connection.execute(sa.select(tokens)).mappings().all():
        sealed = {name: cipher.rewrap(row[name]) for name in ("access_token", "refresh_token") if row[name] is not None}
        # Only while it is still this token: one that was renewed meanwhile is under the newest key already.
        same = sa.and_(tokens.c.name == row["name"], tokens.c.version == row["version"])
        work.connection.execute(sa.update(tokens).where(same).values(**sealed))
    for row in work.subscriptions.all():
        values = {name: cipher.rewrap(row[name]) for name in SEALED if row[name] is not None}
        offers = [cipher.rewrap(offer.encode()).decode() for offer in row["offered"]]
        work.subscriptions.rewrap(row["model"], offered=offers, **values)
    return moved


class DatabaseVault:
    """One provider's token in the firm's database; implements `ports.TokenVault`."""

    def __init__(self, uow: UnitOfWork, cipher: Cipher, name: str) -> None:
        self._uow = uow
        self._cipher = cipher
        self._name = name

    def current(self) -> Token | None:
        with self._uow.read() as work:
            row = work.connection.execute(sa.select(tokens).where(tokens.c.name == self._name)).mappings().one_or_none()
        if row is None:
            return None
        return Token(
            access_token=self._cipher.open(row["access_token"]),
            refresh_token=self._cipher.open(row["refresh_token"]) if row["refresh_token"] else None,
            expires_at=row["expires_at"],
            version=row["version"],
            revoked=row["revoked"],
        )

    def begin_refresh(self, version: int, seconds: float) -> bool:
        free = sa.or_(tokens.c.refreshing_until.is_(None), tokens.c.refreshing_until <= real_now())
        mine = sa.and_(tokens.c.name == self._name, tokens.c.version == version, tokens.c.revoked.is_(False), free)
        with self._uow(beside=True) as work:
            return self._changed(work, sa.update(tokens).where(mine).values(refreshing_until=real_now() + seconds)) == 1

    def store(self, token: Token) -> None:
        values = {
            "version": token.version,
            "access_token": self._cipher.seal(token.access_token),
            "refresh_token": self._cipher.seal(token.refresh_token) if token.refresh_token else None,
            "expires_at": token.expires_at,
            "revoked": token.revoked,
            "refreshing_until": None,
        }
        with self._uow(beside=True) as work:
            newer = sa.and_(tokens.c.name == self._name, tokens.c.version < token.version)
            if self._changed(work, sa.update(tokens).where(newer).values(**values)) == 1:
                return
            if not work.audit.add_once(tokens, name=self._name, **values):
                raise Stale(f"A newer {self._name} token is stored already.")

    def revoke(self, version: int) -> None:
        mine = sa.and_(tokens.c.name == self._name, tokens.c.version == version)
        with self._uow(beside=True) as work:
            self._changed(work, sa.update(tokens).where(mine).values(revoked=True, refreshing_until=None))

    def forget(self, version: int) -> None:
        mine = sa.and_(tokens.c.name == self._name, tokens.c.version == version)
        gone = {"access_token": self._cipher.seal(""), "refresh_token": None, "expires_at": None}
        with self._uow() as work:
            self._changed(work, sa.update(tokens).where(mine).values(revoked=True, refreshing_until=None, **gone))

    @staticmethod
    def _changed(work: Work, statement: sa.Update) -> int:
        return work.connection.execute(statement).rowcount


class DatabaseMemory:
    """`ports.AccountMemory` in the firm's database."""

    def __init__(self, uow: UnitOfWork, name: str) -> None:
        self._uow, self._name = uow, name

    def known(self) -> KnownAccount | None:
        with self._uow.read() as work:
            return work.connections.known(self._name)

    def remember(self, found: Connection, *, host: str, proof: str) -> None:
        with self._uow(quietly=True) as work:
            work.connections.remember(self._name, found, host=host, proof=proof)
