"""F57: of several links of ours that are live for one balance, the one that its client holds stays, and the others end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import RemoteLink, cycle_of, key_of
from orchestrator.engine.effects import Intent, Unneeded
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import PracticeManagement
from orchestrator.storage.messages import message_key, steps_of
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.expire_link import ExpireLink


class RevokeLink(ExpireLink):
    """The end of a live link of ours that has no row, or none any more."""

    def look(self) -> Intent | Unneeded:
        return self._see(self.job.payload["clio_id"])

    def _over(self, work: Work, seen: RemoteLink) -> None:
        """What was paid with it a moment before is honoured."""
        if not seen.active:
            work.audit.line(
                "link.revoked", "bill", self.job.payload["bill_id"], clio_id=seen.id, payment_id=seen.payment_id
            )
            work.dirty.mark(Kind.BILL, [self.job.payload["bill_id"]] if seen.bill_id is not None else [])
            work.dirty.mark(Kind.PAYMENT, [seen.payment_id] if seen.payment_id is not None else [])


def superfluous(rt: Runtime, practice: PracticeManagement, links: Iterable[RemoteLink]) -> set[int]:
    """Those of our active links that are to end: of each balance the newest stays that a message brought, else the newest.

    One whose row became another link, which is over by now, has had its successor.
    """
    balances: dict[int, list[RemoteLink]] = defaultdict(list)
    for link in links:
        if link.active and key_of(link) is not None:
            balances[-link.contact_id if link.contact_id is not None else link.bill_id or 0].append(link)
    with rt.read() as work:
        known = work.links.keyed(key_of(link) for rivals in balances.values() for link in rivals)
        left = work.messages.left_with([row["id"] for row in known.values()])
    here = {row["clio_id"] for row in known.values() if row["id"] in left}
    ended: set[int] = set()
    for rivals in balances.values():
        ids = {link.id for link in rivals}
        fit = [link for link in rivals if _of_its_row(known.get(str(key_of(link))), ids)]
        fit.sort(key=lambda link: (link.created_at, link.id))
        mailed = [link for link in fit if link.id in here] + _logged(practice, fit, known) if len(fit) > 1 else []
        kept = max(mailed or fit, key=lambda link: (link.created_at, link.id), default=None)
        ended |= ids - ({kept.id} if kept is not None else set())
    return ended


def _of_its_row(row: Row | None, rivals: set[int]) -> bool:
    return row is None or row["clio_id"] is None or row["clio_id"] in rivals


def _logged(practice: PracticeManagement, links: Sequence[RemoteLink], known: Mapping[str, Row]) -> list[RemoteLink]:
    """Those of these links whose message Clio has a communication of; of several under one key the oldest had the first."""
    logged = {str(key_of(link)): _communications(practice, link, known.get(str(key_of(link)))) for link in links}
    found = []
    for link in links:
        key = str(key_of(link))
        if logged[key]:
            logged[key] -= 1
            found.append(link)
    return found


def _communications(practice: PracticeManagement, link: RemoteLink, row: Row | None) -> int:
    """How many were logged of messages that brought a link of this key; only our own row says what one for several began with."""
    bill_id, cycle = (link.bill_id, cycle_of(link)) if row is None else (row["bill_id"], row["cycle"])
    if bill_id is None or cycle is None:
        return 0
    key = str(key_of(link))
    return sum(len(practice.communications_keyed(message_key(bill_id, step, key))) for step in steps_of(cycle))
