"""W13: every subscription exists, is confirmed, and is renewed long before it ends."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from orchestrator.domain.topics import Urgency
from orchestrator.domain.webhooks import RemoteWebhook, Subscription, WebhookAsk
from orchestrator.engine.effects import Effect, Intent, Unneeded, step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Transient
from orchestrator.storage.jobs import Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work

LIFE = timedelta(days=30)
"""Clio allows 31 days (API notes §6)."""

HALF_LIFE = LIFE / 2
PATIENCE = timedelta(minutes=10)
CONFIRM_TRIES = 5


def keep_webhooks(job: Job, rt: Runtime) -> None:
    """Compare what Clio has with what we want, and create, replace or renew each subscription as needed."""
    remote = {webhook.url: webhook for webhook in rt.practice(Urgency(job.urgency)).webhooks()}
    with step(rt, job) as work:
        for wanted in rt.subscriptions:
            _keep(rt, work, wanted, remote)


def _keep(rt: Runtime, work: Work, wanted: Subscription, remote: dict[str, RemoteWebhook]) -> None:
    row = work.subscriptions.get(wanted.model)
    theirs = remote.get(row["url"]) if row is not None else None
    if row is None or _outdated(rt, row, wanted):
        _create(rt, work, wanted, "wanted")
    elif theirs is None or theirs.status == "suspended" or (theirs.expires_at and theirs.expires_at <= work.now):
        if row["state"] == "enabled" or row["updated_at"] < work.now - PATIENCE:
            _create(rt, work, wanted, "lost" if theirs is None else theirs.status)
    elif row["state"] == "pending":
        work.jobs.add("webhook.confirm", wanted.model, theirs.id, work.now.isoformat(), model=wanted.model)
        if row["updated_at"] < work.now - PATIENCE:
            _unconfirmed(work, wanted.model)
    elif theirs.expires_at is not None and theirs.expires_at - work.now < HALF_LIFE:
        work.jobs.add("webhook.renew", wanted.model, theirs.id, theirs.expires_at.isoformat(), model=wanted.model)


def _outdated(rt: Runtime, row: Row, wanted: Subscription) -> bool:
    moved = not row["url"].startswith(rt.settings.public_address + "/")
    return moved or row["fields"] != wanted.fields or row["events"] != ",".join(wanted.events)


def _create(rt: Runtime, work: Work, wanted: Subscription, why: str) -> None:
    token = secrets.token_urlsafe(32)
    before = work.subscriptions.get(wanted.model)
    work.subscriptions.put(
        wanted.model, path_token=token, state="pending", url=f"{rt.settings.public_address}/webhooks/clio/{token}",
        events=",".join(wanted.events), fields=wanted.fields, webhook_id=None, etag=None, expires_at=None, offered=[],
        secret=None, previous_secret=before["secret"] if before else None,
    )  # fmt: skip
    work.jobs.add("webhook.create", wanted.model, token, model=wanted.model)
    work.audit.line("webhook.wanted", "webhook", wanted.model, why=why)


def _unconfirmed(work: Work, model: str) -> None:
    work.exceptions.open(
        "webhook_unconfirmed", model, f"The {model} webhook has been waiting for Clio's handshake for ten minutes."
    )


class CreateWebhook(Effect[RemoteWebhook]):
    """One subscription at Clio, found again by its unguessable address."""

    def look(self) -> Intent | Unneeded:
        with self.rt.read() as work:
            row = work.subscriptions.get(self.job.payload["model"])
        if row is None or row["state"] != "pending" or not self.job.key.endswith(row["path_token"]):
            return Unneeded("link_over")
        return {"model": row["model"], "url": row["url"], "events": row["events"], "fields": row["fields"]}

    def send(self, intent: Intent) -> RemoteWebhook:
        ask = WebhookAsk(
            url=intent["url"], model=intent["model"], events=tuple(intent["events"].split(",")), fields=intent["fields"],
            expires_at=self.rt.clock() + LIFE,
        )  # fmt: skip
        return self.rt.practice(Urgency(self.job.urgency)).create_webhook(ask)

    def search(self, intent: Intent) -> Sequence[RemoteWebhook]:
        return [webhook for webhook in self.rt.practice(Urgency.MONEY).webhooks() if webhook.url == intent["url"]]

    def record(self, work: Work, intent: Intent, made: RemoteWebhook) -> None:
        known = {"webhook_id": made.id, "etag": made.etag, "expires_at": made.expires_at}
        work.subscriptions.put(intent["model"], **known)
        work.jobs.add("webhook.confirm", intent["model"], made.id, model=intent["model"])
        work.audit.line("webhook.created", "webhook", intent["model"], clio_id=made.id)


class RenewWebhook(Effect[RemoteWebhook]):
    """A later end for one subscription."""

    def look(self) -> Intent | Unneeded:
        theirs = self._theirs()
        if theirs is None or theirs.expires_at is None or theirs.expires_at - self.rt.clock() >= HALF_LIFE:
            return Unneeded("link_over")
        return {"webhook_id": theirs.id, "etag": theirs.etag}

    def send(self, intent: Intent) -> RemoteWebhook:
        practice = self.rt.practice(Urgency(self.job.urgency))
        return practice.renew_webhook(intent["webhook_id"], intent["etag"], self.rt.clock() + LIFE)

    def search(self, intent: Intent) -> Sequence[RemoteWebhook]:  # noqa: ARG002
        theirs = self._theirs()
        renewed = (
            theirs is not None and theirs.expires_at is not None and theirs.expires_at - self.rt.clock() >= HALF_LIFE
        )
        return [theirs] if renewed and theirs is not None else []

    def record(self, work: Work, intent: Intent, made: RemoteWebhook) -> None:  # noqa: ARG002
        work.subscriptions.put(self.job.payload["model"], etag=made.etag, expires_at=made.expires_at)

    def _theirs(self) -> RemoteWebhook | None:
        with self.rt.read() as work:
            row = work.subscriptions.get(self.job.payload["model"])
        webhooks = self.rt.practice(Urgency(self.job.urgency)).webhooks()
        return next((webhook for webhook in webhooks if row is not None and webhook.url == row["url"]), None)


def confirm_webhook(job: Job, rt: Runtime) -> None:
    """Read the webhooks back, all pending ones at once: only a secret that the API itself names is believed (F23)."""
    model = job.payload["model"]
    with rt.read() as work:
        pending = {row["url"]: row for row in work.subscriptions.all() if row["state"] == "pending"}
    remote = rt.practice(Urgency(job.urgency)).webhooks() if model in {row["model"] for row in pending.values()} else []
    confirmed = {
        row["model"]: (theirs, secret)
        for theirs in remote
        if (row := pending.get(theirs.url)) is not None and (secret := _confirmed(rt, row, theirs)) is not None
    }
    if remote and model not in confirmed and job.attempts < CONFIRM_TRIES:
        raise Transient(f"The {model} webhook is not confirmed yet.", retry_after=0.2 * 3**job.attempts)
    with step(rt, job) as work:
        for confirmed_model, (theirs, secret) in confirmed.items():
            _enable(rt, work, confirmed_model, theirs, secret)


def _enable(rt: Runtime, work: Work, model: str, theirs: RemoteWebhook, secret: str) -> None:
    row = work.subscriptions.get(model)
    if row is None or row["state"] != "pending" or row["url"] != theirs.url:
        return
    work.subscriptions.put(
        model, state="enabled", secret=rt.cipher.seal(secret), offered=[], webhook_id=theirs.id, etag=theirs.etag,
        expires_at=theirs.expires_at,
    )  # fmt: skip
    work.exceptions.close("webhook_unconfirmed", model)
    work.audit.line("webhook.confirmed", "webhook", model, clio_id=theirs.id)


def _confirmed(rt: Runtime, row: Row, theirs: RemoteWebhook) -> str | None:
    if theirs.status != "enabled":
        return None
    offered = [rt.cipher.open(sealed.encode()) for sealed in row["offered"]]
    if theirs.shared_secret is not None:
        return theirs.shared_secret if theirs.shared_secret in offered else None
    return offered[0] if len(offered) == 1 else None
