"""A link changed at Clio → ours is used or over, and the payment made with it is read."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import LinkState, RemoteLink, key_of
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import Page, PracticeManagement
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import bills_of
from orchestrator.usecases.recover import notice_forgotten

MISSING = "link_missing"


class Links:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[RemoteLink]:
        return practice.links.by_ids(ids)

    def changed(self, practice: PracticeManagement, since: datetime, at: str | None) -> Iterator[Page[RemoteLink]]:
        return practice.links.changed(since, at)

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[RemoteLink]) -> Sequence[RemoteLink]:  # noqa: ARG002
        return read

    def apply(self, rt: Runtime, work: Work, reading: Sequence[RemoteLink]) -> None:
        """Close our rows of links that are no longer active; report a live one that somebody made by hand (F09)."""
        notice_forgotten(rt, work, reading)
        ours = work.links.by_clio_ids([link.id for link in reading])
        alive = work.links.alive([link.bill_id for link in reading if link.bill_id is not None])
        for link in reading:
            row = ours.get(link.id)
            if row is not None:
                close_link(work, row, link)
            elif not link.active:
                work.exceptions.close("foreign_link", link.id)
            elif link.bill_id in alive and key_of(link) is None:
                work.exceptions.open(
                    "foreign_link", link.id, f"Link {link.id} for bill {link.bill_id} is not ours.",
                    subject=("bill", link.bill_id),
                )  # fmt: skip
        if any(link.id not in ours and key_of(link) is None for link in reading):
            # Others' links take room of both quotas: counted again at most once an hour, however many there are.
            work.jobs.add("account.read", "others", f"{work.now:%Y-%m-%dT%H}")
        known = work.mirror.payments([link.payment_id for link in reading if link.payment_id is not None])
        work.dirty.mark(
            Kind.PAYMENT, [link.payment_id for link in reading if link.payment_id and link.payment_id not in known]
        )

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:  # noqa: ARG002
        """Clio deletes no links (API notes §10): whether one we cannot see any more still takes money only a person can say."""
        for row in work.links.by_clio_ids(ids).values():
            if row["state"] == LinkState.LIVE:
                work.exceptions.open(
                    MISSING, row["clio_id"], f"Clio no longer shows our link {row['clio_id']} for bill {row['bill_id']}.",
                    subject=("bill", row["bill_id"]), money_cents=row["amount_cents"],
                )  # fmt: skip

    def news(self, work: Work, read: Sequence[RemoteLink]) -> int:
        """Payments made with ours: of a link that ends otherwise no webhook tells."""
        ours = work.links.by_clio_ids([link.id for link in read if link.payment_id is not None])
        return sum(row["state"] == LinkState.LIVE for row in ours.values())


def close_link(work: Work, row: Row, link: RemoteLink) -> None:
    """Our row of a link that Clio no longer shows as active: used when a payment was made with it, else expired."""
    if link.active or row["state"] != LinkState.LIVE:
        return
    state = LinkState.USED if link.payment_id is not None else LinkState.EXPIRED
    work.links.move(row, state, etag=link.etag)
    work.audit.line(f"link.{state}", "link", row["id"], clio_id=link.id, payment_id=link.payment_id)
    work.dirty.mark(Kind.BILL, bills_of(work, row))
