"""Somebody takes an exception on, or nobody has it any more."""

from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.usecases.trial import trial


def assign_exception(rt: Runtime, exception_id: int, *, to: str | None, by: str, dry_run: bool) -> str | None:
    """Give one open exception to `to`, or to nobody; returns who had it before, `Rejected` says why not."""
    with trial(rt, dry_run=dry_run) as work:
        row = work.exceptions.get(exception_id)
        if row is None:
            raise Rejected(f"There is no exception {exception_id}.")
        if row["state"] != "open":
            raise Rejected(f"Exception {exception_id} is {row['state']} already: nobody need look at it.")
        work.exceptions.assign(exception_id, to)
        if row["subject_kind"] == "break":
            # The break's owner is who stands in the reports (T43): one queue, one answer.
            work.breaks.look_after(row["subject_id"], owner=to)
        work.audit.line("exception.assigned", "exception", exception_id, actor=by, to=to, before=row["owner"])
    before: str | None = row["owner"]
    return before
