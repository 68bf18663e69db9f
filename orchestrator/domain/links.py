"""Payment links: one URL that collects one balance, on one rail."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.ids import effect_key

OURS = re.compile(r"/thanks/([0-9a-f]{64})/?$")
"""The end of a return address that carries our key, wherever our public address was at the time."""

CYCLES = 200
"""Links of one bill among which a forgotten one is looked for by its key."""


class Rail(StrEnum):
    """Whose page takes the money."""

    CLIO_PAYMENTS = "clio_payments"
    LAWPAY_PAGE = "lawpay_page"


class Bringer(StrEnum):
    """What brings a link to the client: a message of its own, or the reminder that waits for it."""

    MESSAGE = "message"
    REMINDER = "reminder"


RENEWED = "link_renewed"
FOR_REMINDER = "link_for_reminder"
RENEWALS = (RENEWED, FOR_REMINDER)
"""Why a link that fits its bill is ended all the same: another that lives longer takes its place."""


@dataclass(frozen=True, slots=True)
class RemoteLink:
    """A link as the rail knows it; `redirect_url` carries our key when the link is ours (W5)."""

    id: int
    etag: str
    active: bool
    amount_cents: int | None
    currency: str
    url: str | None
    redirect_url: str | None
    bill_id: int | None
    payment_id: int | None
    created_at: datetime
    expires_at: datetime | None
    contact_id: int | None = None
    """The client, where the link is for all of their open bills; then it names no bill."""


def key_of(link: RemoteLink) -> str | None:
    """The key of ours that a link carries, or None when it is somebody else's."""
    found = OURS.search(link.redirect_url or "")
    return found[1] if found else None


def cycle_of(link: RemoteLink) -> int | None:
    """Which link of its bill it was: its key says so, being made of these facts; None for a key from other facts."""
    key, bill_id, cents, currency = key_of(link), link.bill_id, link.amount_cents, link.currency
    return next((n for n in range(1, CYCLES + 1) if effect_key("link", bill_id, n, cents, currency) == key), None)


@dataclass(frozen=True, slots=True)
class LinkAsk:
    """What we ask the rail to make; `return_url` ends with our key, by which the link is found again after a lost answer.

    With `contact_id` it is for everything that this client owes, and `bill_id` only the first of it.
    """

    bill_id: int
    amount_cents: int
    currency: str
    account_id: int
    duration_seconds: int
    return_url: str
    email: str | None
    contact_id: int | None = None


class LinkState(StrEnum):
    """The life of our own link row.

    WAITING holds no quota; RESERVED holds one of each; LIVE is in the client's hands; the rest are over.
    """

    WAITING = "waiting"
    RESERVED = "reserved"
    LIVE = "live"
    USED = "used"
    EXPIRED = "expired"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


LINK_TRANSITIONS: dict[LinkState, set[LinkState]] = {
    LinkState.WAITING: {LinkState.RESERVED, LinkState.WITHDRAWN},
    LinkState.RESERVED: {LinkState.LIVE, LinkState.WAITING, LinkState.REFUSED, LinkState.WITHDRAWN},
    LinkState.LIVE: {LinkState.USED, LinkState.EXPIRED},
    LinkState.USED: set(),
    LinkState.EXPIRED: set(),
    # A person had the cause removed and the job retried: another link takes its place.
    LinkState.REFUSED: {LinkState.WITHDRAWN},
    LinkState.WITHDRAWN: set(),
}
