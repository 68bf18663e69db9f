"""Clio's webhooks: what we subscribe to, whether a delivery is genuine, and what it says.

A delivery says "look at this object" and nothing more; its payload is never believed, so all we take from it is which.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.kinds import Kind
from orchestrator.domain.webhooks import Subscription

_LIFE = ("created", "updated", "deleted")
_SEEN = "id,etag,updated_at"
"""Enough to notice every change; no names and no addresses, because deliveries are stored as they came."""

SUBSCRIPTIONS = (
    Subscription("activity", _LIFE, f"{_SEEN},quantity,price,total,date,non_billable,no_charge,on_bill", Kind.ACTIVITY),
    Subscription("bill", _LIFE, f"{_SEEN},state,balance,pending,due_at", Kind.BILL),
    Subscription("matter", _LIFE, f"{_SEEN},status,display_number", Kind.MATTER),
    # Payments have neither an etag nor a deletion: without state and updated_at two deliveries would look the same.
    Subscription("clio_payments_payment", ("created", "updated"), "id,state,updated_at", Kind.PAYMENT),
    Subscription("task", _LIFE, f"{_SEEN},status,completed_at", Kind.TASK),
    Subscription("contact", ("updated", "deleted"), _SEEN, Kind.CONTACT),
)
BY_MODEL = {row.model: row for row in SUBSCRIPTIONS}

EVENTS = frozenset({*_LIFE, "matter_opened", "matter_pended", "matter_closed"})
"""Every event Clio documents, whether we ask for it or not."""


def verify(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether `signature` is the lowercase hex HMAC-SHA256 of the raw `body` under any of `secrets`; constant time (F20)."""
    given = signature.encode("utf-8", "replace")
    genuine = False
    for secret in secrets:
        # No early return: how many secrets there are, or which one fits, must not show in the time taken.
        genuine |= bool(secret) and hmac.compare_digest(signed(body, secret).encode(), given)
    return genuine


def signed(body: bytes, secret: str) -> str:
    """The signature Clio puts into `X-Hook-Signature`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A change somewhere; `digest` is equal for two deliveries of the same bytes, and only for those."""

    webhook_id: int
    event: str
    object_id: int
    digest: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """Clio asks whether we want this webhook; its secret comes in the `X-Hook-Secret` header."""

    webhook_id: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a delivery; `why` is a code that quotes nothing of the body (F25)."""

    why: str


def parse_delivery(body: bytes) -> Delivery | Handshake | Malformed:
    """What `body` says, whatever it is: any bytes at all give an answer, never an error."""
    try:
        return _parse(body)
    except _Bad as bad:
        return Malformed(str(bad))
    except RecursionError:
        return Malformed("too_deep")
    except ValueError:
        return Malformed("not_json")


def _parse(body: bytes) -> Delivery | Handshake:
    said = json.loads(body, object_pairs_hook=_once, parse_constant=_refuse)
    data = said.get("data") if isinstance(said, dict) else None
    if not isinstance(data, dict) or not _is_id(data.get("id")):
        raise _Bad("no_object")
    if "meta" not in said:
        return Handshake(data["id"])
    match said["meta"]:
        case {"event": str(event), "webhook_id": webhook_id} if _is_id(webhook_id):
            if event not in EVENTS:
                raise _Bad("unknown_event")
            return Delivery(webhook_id, event, data["id"], _digest(webhook_id, event, data["id"], body))
        case _:
            raise _Bad("no_event")


def _digest(webhook_id: int, event: str, object_id: int, body: bytes) -> str:
    facts = f"{webhook_id}|{event}|{object_id}|{hashlib.sha256(body).hexdigest()}"
    return hashlib.sha256(facts.encode()).hexdigest()


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**63


class _Bad(ValueError):
    """Its text is the code of `Malformed`."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Bad("duplicate_key")
    return found


def _refuse(name: str) -> Any:
    raise ValueError(name)
