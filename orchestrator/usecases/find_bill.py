"""What people call a bill, from a letter or a list, → the one bill that is meant."""

from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected


def find_bill(rt: Runtime, named: str) -> int:
    """Clio's id of the one bill with this number, however it is written, or with this id.

    `Rejected` when there is none, or when it may mean several: a bill is never guessed.
    """
    with rt.read() as work:
        found = work.mirror.bills_called(named)
    if not found:
        raise Rejected(
            f"There is no bill {named} here: `orchestrator bills list` shows numbers and ids.", reason="bill_gone"
        )
    if len(found) > 1:
        meant = ", ".join(f"number {row['number']} (id {row['id']})" for row in found)
        raise Rejected(f"{named} may be any of {len(found)} bills: {meant}. Give the id of the one you mean.")
    return int(found[0]["id"])
