"""Webhook subscriptions: what we want, what Clio has, and what upkeep does about the difference."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.domain.kinds import Kind


@dataclass(frozen=True, slots=True)
class RemoteWebhook:
    id: int
    etag: str
    url: str
    model: str
    status: str
    events: frozenset[str]
    fields: str
    expires_at: datetime | None
    shared_secret: str | None


@dataclass(frozen=True, slots=True)
class WebhookAsk:
    url: str
    model: str
    events: tuple[str, ...]
    fields: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Subscription:
    """One row of what we want to be told: the model's events, the fields that fire them, and the kind they make dirty."""

    model: str
    events: tuple[str, ...]
    fields: str
    kind: Kind


LIFE = timedelta(days=30)
"""How long a subscription is asked for; Clio allows 31 days (API notes §6)."""

HALF_LIFE = LIFE / 2
TELL_AFTER = timedelta(minutes=10)
"""A handshake that has not come by now is a person's to look into."""

TRY_AGAIN = timedelta(minutes=30)
LONGEST_TRY = timedelta(hours=6)
READ_BACK = timedelta(days=1)
OVERLAP = timedelta(hours=2)
"""How long a replaced address is still served: Clio gives up a delivery after about 62 minutes (API notes §6)."""


class Deed(StrEnum):
    """What upkeep does about one subscription."""

    KEEP = "keep"
    WAIT = "wait"
    CREATE = "create"
    CONFIRM = "confirm"
    RENEW = "renew"


class Renewal(StrEnum):
    """How far the renewal of the present end has come."""

    NONE = "none"
    UNDER_WAY = "under_way"
    IN_VAIN = "in_vain"


@dataclass(frozen=True, slots=True)
class Standing:
    """Our side of a subscription: whether a secret was `offered`, and how many addresses were tried in vain before this."""

    enabled: bool
    offered: bool
    outdated: bool
    asked_at: datetime
    tries: int
    renewal: Renewal


@dataclass(frozen=True, slots=True)
class Upkeep:
    """`why` names the cause of a creation; `unconfirmed` and `unrenewed` ask for a person."""

    deed: Deed
    why: str = ""
    unconfirmed: bool = False
    unrenewed: bool = False


def upkeep(ours: Standing | None, theirs: RemoteWebhook | None, now: datetime) -> Upkeep:
    """What to do about one subscription now, and whether a person must be told."""
    if ours is None or ours.outdated:
        return Upkeep(Deed.CREATE, "wanted" if ours is None else "changed")
    return (_enabled if ours.enabled else _pending)(ours, theirs, now)


def _enabled(ours: Standing, theirs: RemoteWebhook | None, now: datetime) -> Upkeep:
    if theirs is None:
        return Upkeep(Deed.CREATE, "lost")
    left = LIFE if theirs.expires_at is None else theirs.expires_at - now
    if theirs.status != "enabled" or left <= timedelta(0):
        return Upkeep(Deed.CREATE, "expired" if theirs.status == "enabled" else theirs.status)
    if left >= HALF_LIFE:
        return Upkeep(Deed.KEEP)
    if ours.renewal is Renewal.IN_VAIN:
        # A fresh one beside it costs two calls; waiting for the end would cost what nobody tells us until a sweep does.
        return Upkeep(Deed.CREATE, "not_renewed", unrenewed=True)
    return Upkeep(Deed.RENEW if ours.renewal is Renewal.NONE else Deed.WAIT)


def _pending(ours: Standing, theirs: RemoteWebhook | None, now: datetime) -> Upkeep:
    """Clio shakes hands once: an address that was not reached then stays pending for ever, so a new one is tried."""
    waited = now - ours.asked_at
    late = waited >= TELL_AFTER
    patience = min(LONGEST_TRY, TRY_AGAIN * 2 ** min(ours.tries, 8))
    if ours.offered and theirs is not None and theirs.status == "enabled":
        # Hands were shaken, and only reading it back failed so far: what is there need not be made again.
        patience = READ_BACK
    if waited >= patience:
        return Upkeep(Deed.CREATE, "unconfirmed", unconfirmed=True)
    return Upkeep(Deed.WAIT if theirs is None else Deed.CONFIRM, unconfirmed=late)
