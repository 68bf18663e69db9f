"""Trust requests: made here; they become bills of kind trust, whose lines carry the note they were asked with."""

from decimal import Decimal

from orchestrator.sandbox.clio import bodies
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.clio.fields import encoded, plan, shown
from orchestrator.sandbox.firm import bills
from orchestrator.sandbox.firm.things import Facts, Matter
from orchestrator.sandbox.refusal import unprocessable


def create_trust_request(call: Call) -> Reply:
    """The answer is of the request, whose number is not the bill's; as at Clio, nothing lists requests themselves."""
    given = call.read(bodies.NewTrustRequest)
    if given.trust_type != "matter" or len(given.matter or []) != 1:
        raise unprocessable("matter: one matter is required for a matter level request.")
    [own] = given.matter or []
    matter = call.books.get(Matter, own.id)
    if matter.client.id != given.client_id:
        raise unprocessable("client_id is not the matter's client.")
    if given.trust_amount <= 0 or Decimal(own.trust_amount) != given.trust_amount:
        raise unprocessable("trust_amount is not the sum of the matters' amounts.")
    bill = bills.request_money(call.books, matter, given.trust_amount, kind="trust_kind")
    bill.lines[0].note = own.note or given.note
    bill.issued_at, bill.due_at = given.issue_date, given.due_date
    if given.approved:
        bills.approve(call.books, bill, issued_at=given.issue_date, due_at=given.due_date)
    call.books.journal.add(
        "trust_request.created", bill.id, by="app", matter_id=matter.id, amount=float(given.trust_amount), note=own.note
    )
    request: Facts = {
        "id": bill.id + 50_000_000, "etag": bill.etag, "created_at": bill.created_at, "updated_at": bill.updated_at,
    }  # fmt: skip
    return Reply(201, encoded({"data": shown(request, plan("trust_request", call.param("fields")))}))
