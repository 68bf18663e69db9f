"""W4, W5: a bill appeared or changed → its mirror, the request it answers, and the one link it should have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.activities import Activity
from orchestrator.domain.bills import GONE, TRANSITIONS, UNISSUED, Bill, BillKind, BillState
from orchestrator.domain.kinds import Kind
from orchestrator.domain.matters import Matter
from orchestrator.domain.silence import LOUD
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import Page, PracticeManagement
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.answer_requests import answer_requests
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.mark_matter import mark_matters
from orchestrator.usecases.match_lawpay import judge
from orchestrator.usecases.move_bill import move_along
from orchestrator.usecases.readdress import readdress
from orchestrator.usecases.replenish import replenish
from orchestrator.usecases.write_note import write_note


@dataclass(frozen=True, slots=True)
class Reading:
    """Bills as they were from `read_at` on, with the matters and entries that decide about them."""

    bills: Sequence[Bill]
    matters: Sequence[Matter]
    entries: Sequence[Activity]
    read_at: datetime


class Bills:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[Bill]:
        return practice.bills.by_ids(ids)

    def changed(self, practice: PracticeManagement, since: datetime, at: str | None) -> Iterator[Page[Bill]]:
        return practice.bills.changed(since, at)

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[Bill]) -> Reading:
        """Read, in batches, the matters we do not know and the entries of requests these bills may answer."""
        read_at = rt.clock()
        matter_ids = {matter_id for bill in read for matter_id in bill.matter_ids}
        with rt.read() as work:
            # Whether a matter is closed decides only for a firm that says so; otherwise what we know of one will do.
            known = set() if rt.settings.links.hold_closed else work.mirror.matters(matter_ids).keys()
            unknown = sorted(matter_ids - known)
            rows = work.mirror.bill_rows([bill.id for bill in read])
            matched = {bill_id for bill_id, row in rows.items() if row["request_id"] is not None}
            unmatched = {matter_id for bill in read if bill.id not in matched for matter_id in bill.matter_ids}
            asked = sorted({entry for request in work.billing.asked_of(unmatched) for entry in request["entry_ids"]})
        return Reading(
            bills=read,
            matters=practice.matters.by_ids(unknown) if unknown else (),
            entries=practice.activities.by_ids(asked) if asked else (),
            read_at=read_at,
        )

    def apply(self, rt: Runtime, work: Work, reading: Reading) -> None:
        """Keep the bills, then let each fact have its consequence; every one of them is keyed, so repeating this is harmless."""
        before = work.mirror.bill_rows([bill.id for bill in reading.bills])
        work.mirror.put_matters(reading.matters)
        work.mirror.put_entries(reading.entries)
        work.mirror.put_bills(reading.bills, read_at=reading.read_at)
        ids = [bill.id for bill in reading.bills]
        answer_requests(work, {matter_id for bill in reading.bills for matter_id in bill.matter_ids})
        now = work.mirror.bills(ids)
        for bill in now.values():
            self._follow(rt, work, before.get(bill.id), bill)
        replenish(
            rt, work, {ident for bill in now.values() if bill.kind is BillKind.TRUST for ident in bill.matter_ids}
        )
        ask_for_payment(rt, work, ids)
        readdress(rt, work, now, before)

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:
        work.mirror.bill_gone(ids, read_at=work.now)
        for bill in work.mirror.bills(ids).values():
            self._ask_about_payments(rt, work, bill)
            self._withdraw_request(work, bill)
            self._out_of_the_way(work, bill)
            work.exceptions.close_all(LOUD, f"bill:{bill.id}")
            if bill.kind is BillKind.TRUST:
                replenish(rt, work, bill.matter_ids)
        ask_for_payment(rt, work, ids)

    def news(self, work: Work, read: Sequence[Bill]) -> int:
        known = work.mirror.bill_rows([bill.id for bill in read])
        return sum(bill.id not in known or known[bill.id]["updated_at"] < bill.updated_at for bill in read)

    def _follow(self, rt: Runtime, work: Work, before: Row | None, bill: Bill) -> None:
        was = before["state"] if before is not None else None
        # What was there before we first looked is history: it is mirrored, not annotated.
        history = before is None and work.dirty.watermark(Kind.BILL) is None
        if was is not None and was != bill.state and bill.state in GONE | {BillState.PAID}:
            work.exceptions.close_all(LOUD, f"bill:{bill.id}")
        if before is not None and before["updated_at"] < bill.updated_at:
            self._look_at_payments(work, bill)
        if was != bill.state and bill.state in GONE:
            self._ask_about_payments(rt, work, bill)
        if bill.kind is not BillKind.REVENUE:
            return
        if was != bill.state:
            # Facts are never refused; one that Clio's own ladder does not lead to is worth finding again.
            expected = was is None or bill.state in TRANSITIONS[BillState(was)]
            work.audit.line("bill.seen", "bill", bill.id, state=bill.state, before=was, expected=expected)
        if (
            bill.state is BillState.AWAITING_PAYMENT
            and was not in (BillState.AWAITING_PAYMENT, BillState.PAID)
            and not history
        ):
            write_note(rt, work, "bill_issued", bill)
        if was in UNISSUED and bill.state not in UNISSUED:
            self._out_of_the_way(work, bill)
        if bill.state in GONE:
            self._withdraw_request(work, bill)
        if not history:
            mark_matters(rt, work, bill, was=was)
        move_along(rt, work, bill)

    @staticmethod
    def _ask_about_payments(rt: Runtime, work: Work, bill: Bill) -> None:
        """What was paid at LawPay for a bill that is void now is a person's, before the next bill asks for it again."""
        for charge in work.gateway.of_bill(bill.id):
            judge(rt, work, charge["id"], {bill.id: bill})

    @staticmethod
    def _look_at_payments(work: Work, bill: Bill) -> None:
        """No payment state says "refunded": the bill is how we learn to look, of a bill or of a deposit (API notes §10).

        Its paid figure need not have fallen, for a cheque may have come in its place before we looked again; and a payment
        may have come through a link that is not ours.
        """
        links = [row["clio_id"] for row in work.links.of_bill(bill.id) if row["clio_id"]]
        through = {row["id"] for row in work.mirror.payments_of_links(links)}
        work.dirty.mark(Kind.PAYMENT, through | work.journal.payments_of_bill(bill.id))

    @staticmethod
    def _out_of_the_way(work: Work, bill: Bill) -> None:
        """The draft that stood before the next bill is finished or deleted: nobody is wanted for it any more."""
        work.exceptions.close("duplicate_bill_request", f"bill:{bill.id}")

    @staticmethod
    def _withdraw_request(work: Work, bill: Bill) -> None:
        row = work.mirror.bill_rows([bill.id]).get(bill.id)
        request = work.billing.get(row["request_id"]) if row and row["request_id"] else None
        if request is not None and request["state"] == "billed":
            work.billing.move(request["id"], "withdrawn")
            work.audit.line("request.withdrawn", "request", request["id"], bill_id=bill.id)
