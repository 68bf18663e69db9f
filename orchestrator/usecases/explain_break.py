"""Every difference has an owner, a cause and a dated cure: a person says which (T43)."""

from datetime import date

from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.repository import Row


def explain_break(
    rt: Runtime, break_id: int, *, owner: str | None, why: str | None, cure_by: date | None, by: str, dry_run: bool = False
) -> Row:  # fmt: skip
    """Keep what was said; nothing that was found is edited by it. Returns the break as it was."""
    said = {name: value for name, value in (("owner", owner), ("why", why), ("cure_by", cure_by)) if value is not None}
    with rt.uow() as work:
        row = work.breaks.get(break_id)
        if row is None or row["state"] == "settled":
            raise Rejected(f"There is no open break {break_id}.", reason="break_unknown")
        if not dry_run and said:
            work.breaks.look_after(break_id, **said)
            if owner is not None:
                # One queue, one answer: who looks after a break has its exception too.
                for told in work.exceptions.listed(about=("break", break_id)):
                    work.exceptions.assign(told["id"], owner)
            facts = {"cure_by": cure_by.isoformat()} if cure_by is not None else {}
            work.audit.line("break_explained", "break", break_id, actor=by, said=sorted(said), **facts)
        return row
