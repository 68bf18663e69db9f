"""The newest run of an account decides which breaks stand: new ones ask for a person, those it no longer sees are settled."""

from collections.abc import Sequence
from datetime import timedelta

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.breaks import BREAKS
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work

SAID = ("fingerprint", "kind", "money_cents", "cause", "reference", "matter_id", "candidates", "movement_ids", "since")


def keep_breaks(rt: Runtime, work: Work, run: Row, account: FirmAccount, found: Sequence[Row]) -> None:
    """Bring an account's breaks to what its newest run says; each has a cause and a date of cure from the start (T43)."""
    today = rt.clock().astimezone(account.zone).date()
    owner = next(iter(rt.settings.trust.reviewers), None)
    standing = work.breaks.known(account.key)
    said = [{name: row[name] for name in SAID} | {"run_id": run["id"]} for row in found]
    new = [
        row | {
            "account": account.key, "currency": account.currency, "owner": owner,
            "cure_by": today + timedelta(days=BREAKS[row["kind"]].cure_days),
        }
        for row in said
        if row["fingerprint"] not in standing
    ]  # fmt: skip
    for row in work.breaks.add(new):
        kind = BREAKS[row["kind"]]
        work.exceptions.open(
            f"break_{row['kind']}", row["id"], f"{account.key}: {row['cause']}.".replace("..", "."),
            subject=("break", row["id"]), money_cents=row["money_cents"],
        )  # fmt: skip
        work.audit.line(
            "break_opened", "break", row["id"], kind=row["kind"], run=run["id"], severity=int(kind.severity)
        )
    again = [row | {"break_id": standing[row["fingerprint"]]["id"]} for row in said if row["fingerprint"] in standing]
    work.breaks.again(again)
    seen = {row["fingerprint"] for row in said}
    over = [row for fingerprint, row in standing.items() if fingerprint not in seen]
    work.breaks.settle([row["id"] for row in over])
    for row in over:
        work.exceptions.close(f"break_{row['kind']}", row["id"])
        work.audit.line("break_settled", "break", row["id"], kind=row["kind"], run=run["id"])
