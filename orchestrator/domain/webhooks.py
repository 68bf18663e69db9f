"""Webhook subscriptions, and what one delivery says: "look at this object", nothing more."""

from dataclasses import dataclass
from datetime import datetime

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
