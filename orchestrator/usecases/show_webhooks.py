"""Webhook subscriptions: what we want, what we know, and what Clio has. Paths and secrets stay where they are."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orchestrator.domain.kinds import Kind
from orchestrator.domain.reasons import advice, meaning
from orchestrator.domain.topics import Urgency
from orchestrator.domain.webhooks import TELL_AFTER, Subscription
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import LIVE
from orchestrator.storage.repository import Row
from orchestrator.usecases.keep_webhooks import planned
from orchestrator.usecases.read_health import DEAF_AFTER_SECONDS
from orchestrator.usecases.receive_webhook import LAWPAY


def show_webhooks(rt: Runtime) -> list[dict[str, Any]]:
    """Every wanted subscription with our state of it; `missing` when there is none yet."""
    with rt.read() as work:
        known = {row["model"]: row for row in work.subscriptions.all()}
    return [_shown(wanted, known.get(wanted.model)) for wanted in rt.subscriptions]


def _shown(wanted: Subscription, row: Row | None) -> dict[str, Any]:
    return {
        "model": wanted.model,
        "events": list(wanted.events),
        "state": row["state"] if row else "missing",
        "webhook_id": row["webhook_id"] if row else None,
        "expires_at": row["expires_at"] if row else None,
        "updated_at": row["updated_at"] if row else None,
    }


def compare_webhooks(rt: Runtime) -> list[dict[str, Any]]:
    """The same beside what Clio has now: what upkeep `would` do about each, and why. Reads Clio, changes nothing."""
    remote = {webhook.url: webhook for webhook in rt.practice(Urgency.INTERACTIVE).webhooks()}
    compared = []
    with rt.read() as work:
        known = {row["model"]: row for row in work.subscriptions.all()}
        for wanted in rt.subscriptions:
            row = known.get(wanted.model)
            theirs = remote.get(row["url"]) if row else None
            plan = planned(rt, work, wanted, row, theirs)
            would = {"at_clio": theirs.status if theirs else None, "would": plan.deed.value, "why": plan.why or None}
            compared.append(_shown(wanted, row) | would)
    return compared


def show_health(rt: Runtime) -> list[dict[str, Any]]:
    """How each subscription fares: its state and end, what it delivered, what was refused, and what only sweeps found.

    One is `webhook_unheard` when a sweep found what it had not told, and nothing was delivered since; `public_address` when
    the way to all of them is wrong.
    """
    with rt.read() as work:
        known = {row["model"]: row for row in work.subscriptions.all()}
        sweeps, told = work.dirty.summary(), work.receipts.by_kind()
        astray = ["public_address"] if work.exceptions.is_open("public_address", "clio") else []
        troubles = {
            wanted.model: [*work.exceptions.standing(TROUBLES, wanted.model), *astray] for wanted in rt.subscriptions
        }
        now = work.now
    for wanted in rt.subscriptions:
        if _unheard(known.get(wanted.model), sweeps[_swept_with(wanted.kind)]["found_at"], now):
            troubles[wanted.model].append("webhook_unheard")
    return [
        _shown(wanted, row := known.get(wanted.model))
        | {
            "waiting_seconds": _waiting(row, now),
            "tries": row["tries"] if row else 0,
            "delivered_at": row["delivered_at"] if row else None,
            "deliveries": told.get(wanted.kind, 0),
            "refused": row["refused"] if row else 0,
            "refused_at": row["refused_at"] if row else None,
            "replaced_address_served": bool(row and row["previous_path_token"]),
            "found_by_sweep": sweeps[_swept_with(wanted.kind)]["found_by_sweep"],
            "found_at": sweeps[_swept_with(wanted.kind)]["found_at"],
            "troubles": troubles.get(wanted.model, []),
        }
        for wanted in rt.subscriptions
    ]


def remedies(rt: Runtime, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """For each trouble of `show_health` what it means and what to do, in the exception's own words where it has some."""
    with rt.read() as work:
        own = {row["kind"]: row["summary"] for row in work.exceptions.listed(kind="public_address")}
    codes = dict.fromkeys(code for row in rows for code in row["troubles"])
    return [f"{code}: {own[code] if code in own else f'{meaning(code)}. {advice(code)}'}" for code in codes]


def show_lawpay(rt: Runtime) -> dict[str, Any]:
    """LawPay's bell: the secret address to enter there, what rang, and how far its list of events was read."""
    with rt.read() as work:
        feed, rung = work.gateway.feed(), work.receipts.of(LAWPAY)
    known = feed if rt.gateway is not None else None
    token = known["path_token"] if known is not None else None
    return {
        "configured": rt.gateway is not None,
        "address": f"{rt.settings.public_address}/webhooks/lawpay/{token}" if token is not None else None,
        "deliveries": rung,
        "rung_at": known["rung_at"] if known is not None else None,
        "read_to": known["watermark"] if known is not None else None,
        "polled_at": known["polled_at"] if known is not None else None,
    }


def show_mail(rt: Runtime) -> dict[str, Any]:
    """The mail relay's webhook: the secret address to enter there, and how far the mailbox of bounces was read."""
    with rt.read() as work:
        box = work.bounces.box()
        told = [row["source"] for row in work.bounces.listed()]
    hooked = rt.bounce_hook is not None
    return {
        "relay": rt.settings.mail.bounce_hook,
        "address": f"{rt.settings.public_address}/webhooks/mail/{box['path_token']}" if hooked and box else None,
        "mailbox": rt.returns is not None,
        "read_at": box["read_at"] if box else None,
        "told_by_webhook": told.count("webhook"),
        "told_by_mailbox": told.count("imap"),
    }


TROUBLES = ("webhook_unconfirmed", "webhook_unrenewed", "webhook_signatures")


def _swept_with(kind: Kind) -> Kind:
    """A payment is swept through its link (API notes §6)."""
    return Kind.LINK if kind is Kind.PAYMENT else kind


def _unheard(row: Row | None, found_at: datetime | None, now: datetime) -> bool:
    """Whether a sweep was the last to tell: what Clio sends a few minutes late is not meant."""
    if row is None or row["state"] != "enabled" or found_at is None:
        return False
    heard = max(filter(None, (row["delivered_at"], row["confirmed_at"])), default=None)
    return (heard is None or found_at > heard) and now - found_at >= TELL_AFTER


def _waiting(row: Row | None, now: datetime) -> float | None:
    """Seconds since this address has been waiting for its handshake."""
    if row is None or row["state"] == "enabled":
        return None
    asked: datetime = row["asked_at"] or row["updated_at"]
    return (now - asked).total_seconds()


def ask_for_upkeep(rt: Runtime, *, by: str) -> int:
    """One upkeep of the webhooks now, whatever the clock says; returns the id of its job."""
    with rt.uow() as work:
        work.jobs.add("webhooks.upkeep", "asked", work.now.isoformat())
        work.audit.line("webhooks.asked", "webhook", "all", actor=by)
        return int(work.jobs.listed(topic="webhooks.upkeep", limit=1)[0]["id"])


def working(rt: Runtime) -> bool:
    """Whether a worker has answered the heartbeat of late."""
    with rt.read() as work:
        heartbeat = work.pulses.ages().get("heartbeat")
    return heartbeat is not None and heartbeat["age_seconds"] <= DEAF_AFTER_SECONDS


def at_rest(rt: Runtime, job_id: int) -> bool:
    """Whether this upkeep is over, and no subscription it asked for is still being made."""
    with rt.read() as work:
        job = work.jobs.get(job_id)
        pending = any(row["state"] == "pending" for row in work.subscriptions.all())
    return job is not None and job["state"] not in LIVE and not pending
