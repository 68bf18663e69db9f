"""Clio's webhooks: handshake, signed deliveries, five more attempts in sandbox time, expiry."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from orchestrator.sandbox.clio.fields import encoded, plan, shown
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Payment
from orchestrator.sandbox.firm.things import Thing, User, Webhook
from orchestrator.sandbox.post_office import PostOffice
from orchestrator.sandbox.refusal import Refusal, unprocessable

RETRIES = tuple(timedelta(minutes=minutes) for minutes in (2, 4, 8, 16, 32))
SHORTEST_LIFE, LONGEST_LIFE = timedelta(days=3), timedelta(days=31)

MODELS = {"activity", "bill", "calendar_entry", "communication", "contact", "document", "folder", "matter", "task"}
MODEL_OF = {"payment": "clio_payments_payment"}


@dataclass(frozen=True)
class Parcel:
    """One delivery: the bytes that are signed, and where they go."""

    webhook: Webhook
    event: str
    ident: int
    body: bytes


class Courier:
    """Hears every change in the books and carries it to the subscribers, without ever holding anyone up."""

    def __init__(self, books: Books, faults: Faults) -> None:
        self.books = books
        self._office: PostOffice[Parcel] = PostOffice(
            faults, "webhook", carry=self._carry, lose=partial(self._note, "webhook.lost", why="dropped"),
            catch_up=books.clock.catch_up,
        )  # fmt: skip
        books.listeners.append(self.heard)

    # -- what subscribers ask -------------------------------------------------------------------------------------

    def subscribe(
        self,
        *,
        url: str,
        fields: str,
        model: str,
        events: list[str] | None,
        expires_at: datetime | None,
        user: User | None,
    ) -> Webhook:
        """Create a pending webhook and shake hands at once."""
        webhook = Webhook(
            url=address(url),
            fields=fields,
            model=model,
            events=events or ["created", "updated", "deleted"],
            expires_at=self._expiry(expires_at),
            shared_secret=self.books.token(64),
            user=user,
        )
        self._check_fields(webhook.model, fields)
        self.books.add(webhook)
        self._journal("webhook.created", webhook)
        self._watch_expiry(webhook)
        self._office.start(self._shake_hands(webhook))
        return webhook

    def change(self, webhook: Webhook, given: dict[str, Any]) -> None:
        """Apply a PATCH; a new URL needs a new handshake, a new expiry wakes an expired webhook."""
        moved = "url" in given and given["url"] != webhook.url
        if "expires_at" in given:
            expired = webhook.expires_at <= self.books.clock.now()
            webhook.expires_at = self._expiry(given["expires_at"])
            self._watch_expiry(webhook)
            if expired and webhook.status == "suspended":
                webhook.status = "enabled"
        if "fields" in given:
            self._check_fields(webhook.model, given["fields"])
            webhook.fields = given["fields"]
        if given.get("events"):
            webhook.events = given["events"]
        if moved:
            webhook.url = address(given["url"])
            webhook.shared_secret = self.books.token(64)
            webhook.status = "pending"
            self._office.start(self._shake_hands(webhook))
        self.books.touch(webhook)
        self._journal("webhook.patched", webhook)

    def remove(self, webhook: Webhook) -> None:
        self.books.remove(webhook)
        self._journal("webhook.deleted", webhook)

    def activate(self, webhook: Webhook, secret: str | None) -> None:
        """The delayed answer to the handshake."""
        if secret is None or not hmac.compare_digest(secret, webhook.shared_secret):
            raise unprocessable("X-Hook-Secret does not match this webhook.")
        self._enable(webhook)

    # -- what happens in the books --------------------------------------------------------------------------------

    def heard(self, event: str, thing: Thing) -> None:
        """Pack and send one delivery to each subscriber that wants this event of this record."""
        model = MODEL_OF.get(thing.table, thing.table)
        if model not in MODELS and thing.table not in MODEL_OF:
            return
        if isinstance(thing, Payment) and thing.clio_payments_link.by == "stranger":
            return
        for webhook in list(self.books.table(Webhook).values()):
            if webhook.model == model and self._wants(webhook, event, thing):
                self._office.hand_in(self._pack(webhook, event, thing))

    def _wants(self, webhook: Webhook, event: str, thing: Thing) -> bool:
        if webhook.status != "enabled" or webhook.expires_at <= self.books.clock.now():
            return False
        watched = json.dumps(shown(thing, plan(thing.table, webhook.fields)), sort_keys=True)
        # The first event of a record fires whatever changed; later ones only when a watched field did.
        changed = webhook.seen.get(thing.id) != watched
        webhook.seen[thing.id] = watched
        return event in webhook.events and (event != "updated" or changed)

    def _pack(self, webhook: Webhook, event: str, thing: Thing) -> Parcel:
        known = {} if thing.table == "payment" else {"etag": thing.etag}
        data = {"id": thing.id, **known, **shown(thing, plan(thing.table, webhook.fields))}
        body = encoded({"data": data, "meta": {"event": event, "webhook_id": webhook.id}})
        return Parcel(webhook, event, thing.id, body)

    # -- the wire -------------------------------------------------------------------------------------------------

    async def settle(self) -> int:
        """Wait until nothing is on its way; returns how many deliveries that took."""
        return await self._office.settle()

    async def close(self) -> None:
        """Drop what is on its way and let go of the connections."""
        await self._office.close()

    async def _shake_hands(self, webhook: Webhook) -> None:
        secret = webhook.shared_secret
        body = encoded({"data": {"id": webhook.id}})
        answer = await self._office.post(webhook.url, body, {"X-Hook-Secret": secret})
        accepted = answer is not None and answer.status_code == 200 and answer.headers.get("X-Hook-Secret") == secret
        self._journal("webhook.handshake", webhook, accepted=accepted)
        if accepted and secret == webhook.shared_secret and not webhook.gone:
            self._enable(webhook)

    async def _carry(self, parcel: Parcel) -> None:
        await self._attempt(parcel, 0, self.books.clock.now())

    async def _attempt(self, parcel: Parcel, tried: int, due: datetime) -> None:
        webhook = parcel.webhook
        if webhook.gone or webhook.status == "suspended":
            return
        signature = hmac.new(webhook.shared_secret.encode(), parcel.body, hashlib.sha256).hexdigest()
        answer = await self._office.post(webhook.url, parcel.body, {"X-Hook-Signature": signature})
        status = answer.status_code if answer is not None else 0
        if status == 410:
            self._set_status(webhook, "suspended")
        if 200 <= status < 400 or status == 410:
            self._note("webhook.delivered", parcel, status=status, attempt=tried + 1)
        elif tried < len(RETRIES):
            again = due + RETRIES[tried]
            self.books.clock.at(again, lambda: self._office.start(self._attempt(parcel, tried + 1, again)))
            self._note("webhook.failed", parcel, status=status, attempt=tried + 1)
        else:
            self._note("webhook.lost", parcel, why="retries", status=status)

    # -- its own state --------------------------------------------------------------------------------------------

    def _expiry(self, asked: datetime | None) -> datetime:
        now = self.books.clock.now()
        if asked is None:
            return now + SHORTEST_LIFE
        moment = asked if asked.tzinfo else asked.replace(tzinfo=now.tzinfo)
        if not now < moment <= now + LONGEST_LIFE + timedelta(minutes=1):
            raise unprocessable("expires_at must lie within the next 31 days.")
        return moment

    def _watch_expiry(self, webhook: Webhook) -> None:
        self.books.clock.at(webhook.expires_at, partial(self._expire, webhook, webhook.expires_at))

    def _expire(self, webhook: Webhook, expected: datetime) -> None:
        if not webhook.gone and webhook.expires_at == expected:
            self._set_status(webhook, "suspended")
            self._journal("webhook.expired", webhook)

    def _enable(self, webhook: Webhook) -> None:
        self._set_status(webhook, "enabled")

    def _set_status(self, webhook: Webhook, status: str) -> None:
        if webhook.status != status:
            webhook.status = status
            self.books.touch(webhook)

    def _check_fields(self, model: str, fields: str) -> None:
        table = {"clio_payments_payment": "payment"}.get(model, model)
        try:
            plan(table, fields)
        except Refusal as refusal:
            raise unprocessable(f"fields: {refusal.message}") from None

    def _journal(self, kind: str, webhook: Webhook, **facts: object) -> None:
        self.books.journal.add(kind, webhook.id, model=webhook.model, url=webhook.url, status=webhook.status, **facts)

    def _note(self, kind: str, parcel: Parcel, **facts: object) -> None:
        self.books.journal.add(kind, parcel.webhook.id, event=parcel.event, object_id=parcel.ident, **facts)


def address(url: str) -> str:
    """An https address; plain http only on this machine, where the sandbox has no certificate to show."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return url
    raise unprocessable("url must use https.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
