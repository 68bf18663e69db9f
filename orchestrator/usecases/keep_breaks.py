"""The newest run of an account decides which breaks stand: new ones ask for a person, those it no longer sees are settled."""

from collections.abc import Sequence
from datetime import timedelta

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.breaks import BREAKS
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work

SAID = ("fingerprint", "kind", "money_cents", "cause", "reference", "matter_id", "candidates", "movement_ids", "since")

MOST_LINES = 200
"""Audit lines that one run writes about breaks."""


def keep_breaks(rt: Runtime, work: Work, run: Row, account: FirmAccount) -> None:
    """Bring an account's breaks to what its newest run says; each has a cause and a date of cure from the start (T43)."""
    today = rt.clock().astimezone(account.zone).date()
    owner = next(iter(rt.settings.trust.reviewers), None)
    standing = work.breaks.known(account.key)
    seen: set[str] = set()
    opened: list[tuple[int, str]] = []
    for page in work.differences.in_pages(run["id"]):
        # What only follows from another asks for nobody: it is looked at with its root.
        said = [{name: row[name] for name in SAID} | {"run_id": run["id"]} for row in page if row["root"] is None]
        seen |= {row["fingerprint"] for row in said} & standing.keys()
        new = [
            row | {
                "account": account.key, "currency": account.currency, "owner": owner,
                "cure_by": today + timedelta(days=BREAKS[row["kind"]].cure_days),
            }
            for row in said
            if row["fingerprint"] not in standing
        ]  # fmt: skip
        added = work.breaks.add(new)
        work.exceptions.open_new(
            [
                {
                    "kind": f"break_{row['kind']}", "key": ident, "summary": f"{account.key}: {row['cause']}.",
                    "subject": ("break", ident), "money_cents": row["money_cents"],
                }
                for ident, row in zip(added, new, strict=True)
                if BREAKS[row["kind"]].asks
            ]
        )  # fmt: skip
        opened += [(ident, row["kind"]) for ident, row in zip(added, new, strict=True)]
        work.breaks.again(
            [row | {"break_id": standing[row["fingerprint"]]} for row in said if row["fingerprint"] in standing]
        )
    _say(work, "opened", run, opened)
    over = work.breaks.by_id([ident for fingerprint, ident in standing.items() if fingerprint not in seen])
    work.breaks.settle([row["id"] for row in over])
    for row in over:
        work.exceptions.close(f"break_{row['kind']}", row["id"])
    _say(work, "settled", run, [(row["id"], row["kind"]) for row in over])


def _say(work: Work, what: str, run: Row, breaks: Sequence[tuple[int, str]]) -> None:
    """A line for each break, by id and kind, as long as a person could read them; the run itself has all."""
    for ident, kind in breaks[:MOST_LINES]:
        work.audit.line(f"break_{what}", "break", ident, kind=kind, run=run["id"])
    if len(breaks) > MOST_LINES:
        ids = [ident for ident, _ in breaks[MOST_LINES:]]
        work.audit.line(f"breaks_{what}", "run", run["id"], first=min(ids), last=max(ids), count=len(ids))
