"""W2 under the signal `custom_action`: a button pressed in Clio → a page that shows what it would approve → the approval.

Opening the page approves nothing (F80). What the address says is worth nothing before Clio has confirmed the nonce with the
token of the user it names; a nonce counts once, and only the browser that opened the page can answer it, once.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from orchestrator.domain.custom_actions import PRESS_LIFE, Record, Subject, record_of
from orchestrator.domain.money import Money
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import NeedsConnection, NeedsReview, Rejected, Shut
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.approve_time import APPROVED, approve_entries, why_not
from orchestrator.usecases.keep_buttons import wanted

SIGNAL = "custom_action"
MOST = 2000
"""Entries on one page."""
LONGEST = 512


@dataclass(frozen=True, slots=True)
class Line:
    """One entry on a page; `why` says why it is not, or was not, approved."""

    id: int
    on: date
    amount: str
    hours: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that may be answered, by whoever holds `secret`, until `until`."""

    press_id: int
    secret: str
    form_token: str
    person: str
    matter: str
    ready: tuple[Line, ...]
    held: tuple[Line, ...]
    total: str


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a press."""

    person: str
    matter: str
    approved: tuple[Line, ...]
    refused: tuple[Line, ...]
    total: str
    at: datetime


class SignInNeeded(Rejected):
    """The person is not known to us yet: nothing in the address is believed instead."""


def open_press(rt: Runtime, *, nonce: str, user_id: str, subject_url: str) -> Asked:
    """The page for a press that Clio confirms; `Rejected` with the reason why there is none."""
    record, user = _believable(rt, nonce, user_id, subject_url)
    assert rt.people is not None
    with rt.read() as work:
        if work.presses.seen(_digest(nonce)):
            raise Rejected("This press was opened before.", reason="press_replayed")
    if not rt.people.signed_in(user):
        raise SignInNeeded("This user has not signed in here.", reason="press_sign_in")
    try:
        seen = rt.people.pressed(user, record, nonce)
    except NeedsConnection as over:
        raise SignInNeeded("This user's sign-in is over.", reason="press_sign_in") from over
    except (Rejected, Shut, NeedsReview) as refusal:
        hidden = getattr(refusal, "reason", "") == "clio_not_found"
        raise Rejected(str(refusal), reason="press_not_visible" if hidden else "press_unconfirmed") from refusal
    secret = rt.cipher.nonce()
    with rt.uow() as work:
        name = _name(work, user)
        entries = _entries(work, record, seen.matter_id)
        press_id = work.presses.opened(
            nonce=_digest(nonce), user_id=user, user_name=name, subject_kind=record.kind, subject_id=record.id,
            matter_id=seen.matter_id, secret=_digest(secret), shown={str(row["id"]): row["digest"] for row in entries},
        )  # fmt: skip
        if press_id is None:
            raise Rejected("This press was opened before.", reason="press_replayed")
        held = _why(work, why_not(work, rt, [row["id"] for row in entries]))
        ready = [row for row in entries if row["id"] not in held]
        return Asked(
            press_id=press_id, secret=secret, form_token=_form_token(secret), person=name,
            matter=_matter(work, seen.matter_id), ready=tuple(_line(rt, row, None) for row in ready),
            held=tuple(_line(rt, row, held[row["id"]]) for row in entries if row["id"] in held), total=_total(rt, ready),
        )  # fmt: skip


def answer_press(rt: Runtime, *, press_id: int, secret: str, form_token: str) -> Done:
    """Approve what the page showed, as far as it still stands; answered again, the same result and nothing more (F81)."""
    with rt.uow() as work:
        press = work.presses.get(press_id)
        if press is None or not _theirs(press, secret, form_token):
            raise Rejected("This answer does not come from the page we showed.", reason="press_stranger")
        if press["used_at"] is None and work.now - press["opened_at"] > PRESS_LIFE:
            raise Rejected("The page was open for too long.", reason="press_over")
        if work.presses.use(press_id):
            work.presses.answered(press_id, _approve(rt, work, press))
        now = work.presses.get(press_id)
        assert now is not None
        return _done(rt, work, now)


def forget_presses(work: Work) -> None:
    """Drop what was pressed long ago: who approved what stands in the approvals and in the audit chain."""
    work.presses.forget(before=work.now - timedelta(days=30))


def _approve(rt: Runtime, work: Work, press: Row) -> dict[str, Any]:
    shown: Mapping[str, str] = press["shown"]
    now = {row["id"]: row for row in work.mirror.entries([int(ident) for ident in shown])}
    same = [int(ident) for ident, digest in shown.items() if int(ident) in now and now[int(ident)]["digest"] == digest]
    by = f"clio-user:{press['user_id']}"
    refused = approve_entries(work, rt, same, by=by, signal=SIGNAL)
    changed = {int(ident): "it changed since the page was opened" for ident in shown if int(ident) not in same}
    why = _why(work, refused) | changed
    approved = [ident for ident in same if ident not in refused]
    kind, ident = press["subject_kind"], press["subject_id"]
    work.audit.line(
        "approval.pressed", kind, ident, actor=by, press=press["id"], approved=len(approved), refused=len(why)
    )
    return {"approved": approved, "refused": {str(ident): said for ident, said in why.items()}}


def _done(rt: Runtime, work: Work, press: Row) -> Done:
    result = press["result"]
    refused = {int(ident): said for ident, said in result["refused"].items()}
    rows = {row["id"]: row for row in work.mirror.entries([*result["approved"], *refused])}
    approved = [rows[ident] for ident in result["approved"] if ident in rows]
    return Done(
        person=press["user_name"], matter=_matter(work, press["matter_id"]),
        approved=tuple(_line(rt, row, None) for row in approved),
        refused=tuple(_line(rt, rows[ident], said) for ident, said in refused.items() if ident in rows),
        total=_total(rt, approved), at=press["used_at"].astimezone(rt.settings.firm.zone),
    )  # fmt: skip


def _believable(rt: Runtime, nonce: str, user_id: str, subject_url: str) -> tuple[Record, int]:
    """What an address may at least be; whether it is true is Clio's to say."""
    if not wanted(rt) or rt.people is None:
        raise Rejected("The firm does not approve by this button.", reason="button_unwanted")
    record = record_of(subject_url, rt.clio_url)
    number = user_id.isascii() and user_id.isdigit() and len(user_id) <= 18  # noqa: PLR2004  what fits a bigint
    if record is None or not number or not 0 < len(nonce) <= LONGEST:
        raise Rejected("This address was not opened by the button in Clio.", reason="press_malformed")
    return record, int(user_id)


def _theirs(press: Row, secret: str, form_token: str) -> bool:
    """Both are compared, and in constant time, whatever the first says."""
    cookie = hmac.compare_digest(press["secret"], _digest(secret))
    form = hmac.compare_digest(_form_token(secret).encode(), form_token.encode("utf-8", "replace"))
    return cookie and form


def _form_token(secret: str) -> str:
    """What the form carries: made from the cookie's secret, so neither can stand in for the other."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _name(work: Work, user_id: int) -> str:
    person = work.presses.person(user_id)
    if person is not None:
        return str(person["name"])
    known = work.connections.known("clio")
    return known.user_name if known is not None and known.user_id == user_id else f"Clio user {user_id}"


def _matter(work: Work, matter_id: int | None) -> str:
    matter = work.mirror.matters([matter_id]).get(matter_id) if matter_id is not None else None
    return matter.display_number if matter is not None else "no matter"


def _entries(work: Work, record: Record, matter_id: int | None) -> list[Row]:
    """What the page is about: the one entry, or a matter's work that is on no bill."""
    if record.kind is Subject.ACTIVITY:
        # Its matter is asked of Clio as well: an entry that moved is not shown under the matter that it left.
        return [row for row in work.mirror.entries([record.id]) if row["matter_id"] == matter_id and not row["gone"]]
    return work.approvals.listed(matter_id=record.id, limit=MOST)


def _why(work: Work, refused: Mapping[int, str]) -> dict[int, str]:
    """The same reasons, with the name of whoever was first."""
    said = dict(refused)
    for ident, by in work.approvals.by_whom([ident for ident, why in refused.items() if why == APPROVED]).items():
        user = by.removeprefix("clio-user:")
        name = _name(work, int(user)) if user != by and user.isdigit() else by
        said[ident] = f"it was approved already by {name}"
    return said


def _line(rt: Runtime, row: Row, why: str | None) -> Line:
    cents, seconds = row["total_cents"], row["quantity_seconds"]
    amount = str(Money(cents, rt.currency)) if cents is not None else "hidden"
    hours = f"{float(seconds) / 3600:.2f}" if seconds is not None and row["type"] == "TimeEntry" else ""
    return Line(row["id"], row["worked_on"], amount, hours, why)


def _total(rt: Runtime, rows: Iterable[Row]) -> str:
    return str(Money(sum(row["total_cents"] or 0 for row in rows), rt.currency))
