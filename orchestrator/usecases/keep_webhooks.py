"""W13: every subscription exists, is confirmed, is renewed long before it ends, and our public address leads to us."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from orchestrator.domain import front_door
from orchestrator.domain.front_door import DoorAnswer
from orchestrator.domain.kinds import SWEPT, Kind
from orchestrator.domain.topics import Urgency
from orchestrator.domain.webhooks import (
    HALF_LIFE,
    LIFE,
    OVERLAP,
    TELL_AFTER,
    Deed,
    RemoteWebhook,
    Renewal,
    Standing,
    Subscription,
    Upkeep,
    WebhookAsk,
    upkeep,
)
from orchestrator.engine.effects import Effect, Intent, Unneeded, step
from orchestrator.engine.runtime import Runtime
from orchestrator.engine.schedule import slot
from orchestrator.errors import Rejected, Transient
from orchestrator.storage.jobs import LIVE, Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.keep_buttons import see_to_buttons

CONFIRM_TRIES = 5
PATH = "/webhooks/clio/"


def keep_webhooks(job: Job, rt: Runtime) -> None:
    """Compare what Clio has with what we want, and create, replace or renew each subscription as needed."""
    found = rt.practice(Urgency(job.urgency)).webhooks()
    answer = rt.door() if rt.door is not None and rt.subscriptions else None
    with step(rt, job) as work:
        if answer is not None:
            _front_door(rt, work, answer)
        for wanted in rt.subscriptions:
            _keep(rt, work, wanted, found)
        see_to_buttons(rt, work, slot=job.key)
        again = _retire(rt, work, found)
        if again is not None:
            work.jobs.add("webhooks.upkeep", "again", slot(again, TELL_AFTER / 2), at=again)


def planned(rt: Runtime, work: Work, wanted: Subscription, row: Row | None, theirs: RemoteWebhook | None) -> Upkeep:
    """What upkeep would do about this subscription now."""
    return upkeep(_standing(rt, work, wanted, row, theirs), theirs, work.now)


def _standing(
    rt: Runtime, work: Work, wanted: Subscription, row: Row | None, theirs: RemoteWebhook | None
) -> Standing | None:
    if row is None:
        return None
    moved = not row["url"].startswith(rt.settings.public_address + "/")
    renewal = work.jobs.find("webhook.renew", *_end(wanted, theirs)) if theirs is not None else None
    begun = Renewal.UNDER_WAY if renewal is not None and renewal["state"] in LIVE else Renewal.IN_VAIN
    return Standing(
        enabled=row["state"] == "enabled",
        offered=bool(row["offered"]),
        outdated=moved or row["fields"] != wanted.fields or row["events"] != ",".join(wanted.events),
        asked_at=row["asked_at"] or row["updated_at"],
        tries=row["tries"],
        renewal=begun if renewal is not None else Renewal.NONE,
    )


def _end(wanted: Subscription, theirs: RemoteWebhook) -> tuple[object, ...]:
    """What names one renewal: this webhook and the end that it has now."""
    return wanted.model, theirs.id, theirs.expires_at.isoformat() if theirs.expires_at else None


def _keep(rt: Runtime, work: Work, wanted: Subscription, found: Sequence[RemoteWebhook]) -> None:
    row = work.subscriptions.get(wanted.model)
    theirs = next((webhook for webhook in found if row is not None and webhook.url == row["url"]), None)
    plan = planned(rt, work, wanted, row, theirs)
    if plan.unconfirmed:
        work.exceptions.open(
            "webhook_unconfirmed", wanted.model, f"Clio's handshake for the {wanted.model} webhook has not arrived."
        )
    if plan.unrenewed:
        work.exceptions.open(
            "webhook_unrenewed", wanted.model, f"Half the life of the {wanted.model} webhook is gone and Clio did not renew it."
        )  # fmt: skip
    match plan.deed:
        case Deed.CREATE:
            if theirs is not None and (
                stopped := work.jobs.abandon("webhook.renew", *_end(wanted, theirs), reason="webhook_replaced")
            ):
                work.exceptions.close_job(stopped)
            _create(rt, work, wanted, plan.why)
        case Deed.CONFIRM:
            assert theirs is not None
            work.jobs.add("webhook.confirm", wanted.model, theirs.id, work.now.isoformat(), model=wanted.model)
        case Deed.RENEW:
            assert theirs is not None
            work.jobs.add("webhook.renew", *_end(wanted, theirs), model=wanted.model)
        case Deed.KEEP:
            work.exceptions.close_all(("webhook_unconfirmed", "webhook_unrenewed"), wanted.model)


def _create(rt: Runtime, work: Work, wanted: Subscription, why: str) -> None:
    token = secrets.token_urlsafe(32)
    before = work.subscriptions.get(wanted.model)
    work.subscriptions.put(
        wanted.model, path_token=token, state="pending", url=f"{rt.settings.public_address}{PATH}{token}",
        events=",".join(wanted.events), fields=wanted.fields, webhook_id=None, etag=None, expires_at=None, offered=[],
        secret=None, asked_at=work.now, confirmed_at=None, **_replaced(before, why),
    )  # fmt: skip
    work.jobs.add("webhook.create", wanted.model, token, model=wanted.model)
    work.audit.line("webhook.wanted", "webhook", wanted.model, why=why)


def _replaced(before: Row | None, why: str) -> dict[str, object]:
    """The address that stays served: the last one that was confirmed, however many waited in vain since."""
    if before is None:
        return {}
    if before["state"] == "enabled":
        return {"previous_secret": before["secret"], "previous_path_token": before["path_token"], "tries": 0}
    return {"tries": before["tries"] + 1 if why == "unconfirmed" else before["tries"]}


def _retire(rt: Runtime, work: Work, found: Sequence[RemoteWebhook]) -> datetime | None:
    """Delete at Clio what is ours and used no more; returns when to look again, or None when all is at rest."""
    rows = work.subscriptions.all()
    kept = {row["path_token"] for row in rows}
    waiting = [row for row in rows if row["state"] == "pending"]
    again = [work.now + TELL_AFTER] if waiting else []
    for row in rows:
        if row["previous_path_token"] is None:
            continue
        over = row["confirmed_at"] + OVERLAP if row["confirmed_at"] is not None else None
        if over is not None and over <= work.now:
            work.subscriptions.put(row["model"], previous_path_token=None, previous_secret=None)
            continue
        kept.add(row["previous_path_token"])
        again += [over] if over is not None else []
    ours = {row["path_token"] for row in rows} | {row["previous_path_token"] for row in rows}
    for webhook in found:
        address, _, token = webhook.url.rpartition(PATH)
        if token not in kept and (token in ours or address == rt.settings.public_address):
            work.jobs.add("webhook.delete", webhook.id, webhook_id=webhook.id, model=webhook.model)
    return min(again, default=None)


def _front_door(rt: Runtime, work: Work, answer: DoorAnswer) -> None:
    found = front_door.fault_of(answer, rt.settings.public_address)
    if found is None:
        work.exceptions.close("public_address", "clio")
    elif found.certain:
        work.exceptions.open("public_address", "clio", found.said)


class CreateWebhook(Effect[RemoteWebhook]):
    """One subscription at Clio, found again by its unguessable address."""

    def look(self) -> Intent | Unneeded:
        with self.rt.read() as work:
            row = work.subscriptions.get(self.job.payload["model"])
        if row is None or row["state"] != "pending" or not self.job.key.endswith(row["path_token"]):
            return Unneeded("webhook_replaced")
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
        work.audit.line("webhook.created", "webhook", intent["model"], clio_id=made.id)
        row = work.subscriptions.get(intent["model"])
        if row is None or row["url"] != intent["url"]:
            # Another address was wanted meanwhile; upkeep finds this one at Clio and deletes it.
            return
        work.subscriptions.put(intent["model"], webhook_id=made.id, etag=made.etag, expires_at=made.expires_at)
        work.jobs.add("webhook.confirm", intent["model"], made.id, model=intent["model"])


class RenewWebhook(Effect[RemoteWebhook]):
    """A later end for one subscription."""

    sees_itself = True

    def look(self) -> Intent | Unneeded:
        theirs = self._theirs()
        if theirs is None or theirs.expires_at is None or theirs.expires_at - self.rt.clock() >= HALF_LIFE:
            return Unneeded("webhook_replaced")
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
        work.exceptions.close("webhook_unrenewed", self.job.payload["model"])
        work.audit.line("webhook.renewed", "webhook", self.job.payload["model"], clio_id=made.id)

    def refused(self, work: Work, refusal: Rejected) -> str | None:  # noqa: ARG002
        # A fresh subscription takes its place, and the administrator hears of it under `webhook_unrenewed`.
        work.jobs.add("webhooks.upkeep", "not renewed", self.job.id)
        return "webhook_replaced"

    def _theirs(self) -> RemoteWebhook | None:
        with self.rt.read() as work:
            row = work.subscriptions.get(self.job.payload["model"])
        webhooks = self.rt.practice(Urgency(self.job.urgency)).webhooks()
        return next((webhook for webhook in webhooks if row is not None and webhook.url == row["url"]), None)


class DeleteWebhook(Effect[int]):
    """The end, at Clio, of a subscription that another has replaced."""

    def look(self) -> Intent | Unneeded:
        there = self._there()
        return {"webhook_id": there[0]} if there else Unneeded("webhook_replaced")

    def send(self, intent: Intent) -> int:
        self.rt.practice(Urgency(self.job.urgency)).delete_webhook(intent["webhook_id"])
        return int(intent["webhook_id"])

    def search(self, intent: Intent) -> Sequence[int]:
        return [] if self._there() else [intent["webhook_id"]]

    def record(self, work: Work, intent: Intent, made: int) -> None:  # noqa: ARG002
        work.audit.line("webhook.deleted", "webhook", self.job.payload["model"], clio_id=made)

    def refused(self, work: Work, refusal: Rejected) -> str | None:  # noqa: ARG002
        return "webhook_replaced" if refusal.reason == "clio_not_found" else None

    def _there(self) -> list[int]:
        webhooks = self.rt.practice(Urgency(self.job.urgency)).webhooks()
        return [webhook.id for webhook in webhooks if webhook.id == self.job.payload["webhook_id"]]


def confirm_webhook(job: Job, rt: Runtime) -> None:
    """Read the webhooks back, all pending ones at once: only a secret that the API itself names is believed (F23)."""
    model = job.payload["model"]
    with rt.read() as work:
        pending = {row["url"]: row for row in work.subscriptions.all() if row["state"] == "pending"}
    asked = model in {row["model"] for row in pending.values()}
    remote = rt.practice(Urgency(job.urgency)).webhooks() if asked else []
    confirmed = {
        row["model"]: (theirs, secret)
        for theirs in remote
        if (row := pending.get(theirs.url)) is not None and (secret := _confirmed(rt, row, theirs)) is not None
    }
    if asked and model not in confirmed and job.attempts < CONFIRM_TRIES:
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
        expires_at=theirs.expires_at, confirmed_at=work.now, tries=0,
    )  # fmt: skip
    work.exceptions.close_all(("webhook_unconfirmed", "webhook_unrenewed"), model)
    work.audit.line("webhook.confirmed", "webhook", model, clio_id=theirs.id)
    if row["tries"] or row["previous_path_token"] is not None:
        _sweep_gap(rt, work, model, row["path_token"])


def _sweep_gap(rt: Runtime, work: Work, model: str, path_token: str) -> None:
    """Between two subscriptions nobody told us anything: look at once, and count what is found."""
    kind = next((wanted.kind for wanted in rt.subscriptions if wanted.model == model), None)
    swept = Kind.LINK if kind is Kind.PAYMENT else kind
    if swept in SWEPT:
        work.jobs.add("sweep", swept, "gap", path_token[:12], kind=swept)


def _confirmed(rt: Runtime, row: Row, theirs: RemoteWebhook) -> str | None:
    if theirs.status != "enabled":
        return None
    offered = [rt.cipher.open(sealed.encode()) for sealed in row["offered"]]
    if theirs.shared_secret is not None:
        return theirs.shared_secret if theirs.shared_secret in offered else None
    return offered[0] if len(offered) == 1 else None
