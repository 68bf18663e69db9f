"""W8: what a person says of a bill, a matter or a client that Clio has no place for: nothing is sent until it is over."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from orchestrator.domain.reasons import meaning
from orchestrator.domain.silence import REASON_OF, Hold, HoldKind, Subject
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.stop_reminders import UNSUBSCRIBED, exception_key
from orchestrator.usecases.trial import trial

WHERE = {
    Subject.BILL: "`orchestrator bills list` shows numbers and ids",
    Subject.MATTER: "`orchestrator matters show NUMBER` shows the id of a matter",
    Subject.CLIENT: "give Clio's id of a contact who is client of a bill or matter",
}


def hold(
    rt: Runtime, subject: Subject, ident: int, kind: HoldKind, *, until: date | None, why: str, by: str, dry_run: bool
) -> dict[str, Any]:
    """From now on nothing is sent about these bills, up to the end of `until` (the office's date) or until it is released.

    A second hold of a kind stands beside the first, and the later end counts.
    """
    with trial(rt, dry_run=dry_run) as work:
        _require_known(work, subject, ident)
        if until is not None and until < rt.local_date(work.now):
            raise Rejected(f"{until} is over: name a day that is still to come.")
        if kind is HoldKind.PROMISE and until is None:
            raise Rejected("A promise has a day: name it with --until.")
        hold_id = work.holds.add(subject, ident, kind, until=until, why=why, by=by)
        work.audit.line(
            "reminders.held", subject, ident, actor=by, hold=hold_id, kind=kind,
            until=until.isoformat() if until is not None else None,
        )  # fmt: skip
        held = work.holds.get(hold_id)
        assert held is not None
        return told(held, rt.local_date(work.now)) | {"dry_run": dry_run, "bills": _bills(work, subject, ident)}


def release(rt: Runtime, hold_id: int, *, why: str, by: str, dry_run: bool) -> dict[str, Any]:
    """End a hold; its bills are judged again on the next business day, and what was missed meanwhile comes once."""
    with trial(rt, dry_run=dry_run) as work:
        held = work.holds.get(hold_id)
        if held is None or not work.holds.end(held, why=why, by=by):
            said = "There is no hold" if held is None else "Nothing is left to release of hold"
            raise Rejected(f"{said} {hold_id}: `orchestrator reminders holds` shows those that stand.")
        subject = Subject(held["subject_kind"])
        work.audit.line("reminders.released", subject, held["subject_id"], actor=by, hold=hold_id, kind=held["kind"])
        if subject is Subject.CLIENT and held["kind"] == HoldKind.DO_NOT_CONTACT:
            work.exceptions.close(UNSUBSCRIBED, exception_key(held["subject_id"]))
        bills = _bills(work, subject, held["subject_id"])
        return told(held, rt.local_date(work.now)) | {"dry_run": dry_run, "bills": bills}


def show_holds(rt: Runtime, *, limit: int) -> list[dict[str, Any]]:
    """The holds that nobody has ended, the newest first; one whose last day is over says so."""
    with rt.read() as work:
        today = rt.local_date(work.now)
        return [told(row, today) for row in work.holds.listed(limit=limit)]


def told(row: Row, today: date) -> dict[str, Any]:
    """A hold in the words of its table; `over` when its last day has passed."""
    return {
        "hold": row["id"], "subject": row["subject_kind"], "id": row["subject_id"], "kind": row["kind"], "until": row["until"],
        "over": not Hold(HoldKind(row["kind"]), row["until"]).stands(today), "why": row["why"], "by": row["made_by"],
        "since": row["made_at"], "meaning": meaning(REASON_OF[HoldKind(row["kind"])]),
    }  # fmt: skip


def _require_known(work: Work, subject: Subject, ident: int) -> None:
    known: Mapping[Subject, Any] = {
        Subject.BILL: lambda: work.mirror.bills([ident]),
        Subject.MATTER: lambda: work.mirror.matters([ident]),
        Subject.CLIENT: lambda: (
            work.mirror.open_bill_ids_of_clients([ident]) or work.mirror.matter_ids_of_clients([ident])
        ),
    }
    if not known[subject]():
        raise Rejected(f"There is no {subject} {ident} here: {WHERE[subject]}.")


def _bills(work: Work, subject: Subject, ident: int) -> list[int]:
    """The unpaid bills that a hold on this silences now."""
    if subject is Subject.BILL:
        return [ident]
    if subject is Subject.MATTER:
        return sorted(work.mirror.open_bill_ids_of_matter(ident))
    return sorted(work.mirror.open_bill_ids_of_clients([ident]))
