"""Every POST, PATCH and DELETE the worker may send, listed in `WRITES`. Time, bills and links are here, the rest in `records`."""

from collections.abc import Callable
from decimal import Decimal

from orchestrator.sandbox.clio import actions, bodies, records
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.clio.references import resolved
from orchestrator.sandbox.clio.trust_requests import create_trust_request
from orchestrator.sandbox.firm import bills, ledger, links, work
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.ledger import How
from orchestrator.sandbox.firm.money import Activity, Bill, LineItem, Link
from orchestrator.sandbox.firm.things import (
    BankAccount,
    Communication,
    Contact,
    CustomAction,
    Matter,
    Note,
    Task,
    Thing,
    cents,
)
from orchestrator.sandbox.refusal import unprocessable

Write = Callable[[Call], Reply]
GONE = Reply(204)


def create_activity(call: Call) -> Reply:
    given = call.read(bodies.NewActivity)
    facts = resolved(call.books, given.given())
    user = facts.pop("user", call.user)
    entry = Activity(
        worked=facts.pop("quantity", None) or Decimal(0),
        rate=facts.pop("price", None) or (user.rate if user else Decimal(0)),
        user=user,
        **{name: value for name, value in facts.items() if value is not None},
    )
    call.books.add(entry)
    call.books.journal.add("activity.created", entry.id, by="app", type=entry.type)
    return call.show(entry, 201)


def change_activity(call: Call) -> Reply:
    entry = call.to_change(Activity)
    changes = call.read(bodies.ActivityChange).given()
    work.refuse_hidden(entry, changes)
    work.edit(call.books, entry, resolved(call.books, changes))
    call.books.journal.add("activity.patched", entry.id, by="app", fields=sorted(changes))
    return call.show(entry)


def delete_activity(call: Call) -> Reply:
    work.discard(call.books, call.books.get(Activity, call.id))
    call.books.journal.add("activity.deleted", call.id, by="app")
    return GONE


def change_bill(call: Call) -> Reply:
    """Header fields first, then the state, which must be one that is offered."""
    bill = call.to_change(Bill)
    given = call.read(bodies.BillChange).given()
    if not bill.can_update:
        raise unprocessable(f"Bill {bill.number} is {bill.state} and cannot be updated.")
    state = given.pop("state", None)
    if state is not None and state != bill.state and state not in bill.available_state_transitions:
        raise unprocessable(f"state cannot change from {bill.state} to {state}.")
    discount = given.pop("discount", None)
    if discount is not None:
        bill.discount = {**(bill.discount or {}), **discount.given()}
    for name, value in given.items():
        setattr(bill, name, value)
    if state is None or state == bill.state:
        bills.settle(call.books, bill)
    else:
        STEPS[state](call.books, bill)
    fields = sorted({*given, *(["state"] if state else []), *(["discount"] if discount else [])})
    call.books.journal.add("bill.patched", bill.id, by="app", fields=fields, state=bill.state)
    return call.show(bill)


STEPS: dict[str, Callable[[Books, Bill], None]] = {
    "awaiting_approval": bills.submit,
    "awaiting_payment": bills.approve,
    "void": bills.void,
    "deleted": bills.delete,
}


def delete_bill(call: Call) -> Reply:
    bill = call.books.get(Bill, call.id)
    bills.withdraw(call.books, bill)
    call.books.journal.add("bill.deleted", bill.id, by="app", state=bill.state)
    return GONE


def change_line_item(call: Call) -> Reply:
    """A line of an unissued bill; the quantity of an activity's line is taken and, as at Clio, not changed."""
    line = call.to_change(LineItem)
    given = call.read(bodies.LineItemChange)
    if line.bill.state not in {"draft", "awaiting_approval"}:
        raise unprocessable(f"Bill {line.bill.number} is {line.bill.state}; its lines cannot be changed.")
    for name in given.model_fields_set & {"note", "description", "date", "price"}:
        setattr(line, name, getattr(given, name))
    if "price" in given.model_fields_set:
        line.fixed = None
    if given.update_original_record and line.activity is not None:
        line.activity.note, line.activity.rate = line.note, line.price
        call.books.touch(line.activity)
    call.books.touch(line)
    bills.settle(call.books, line.bill)
    call.books.journal.add("line_item.patched", line.id, by="app", bill_id=line.bill.id)
    return call.show(line)


def create_bank_transaction(call: Call) -> Reply:
    """A ledger line that pays nothing and moves nothing at the bank. Clio does not say that it checks for money."""
    given = call.read(bodies.NewBankTransaction)
    account = call.books.get(BankAccount, given.bank_account.id)
    matter = call.books.get(Matter, given.matter.id) if given.matter else None
    client = call.books.get(Contact, given.client.id) if given.client else None
    words = How(real=False, by="app", confirmation=given.confirmation, description=given.description or "")
    owner = matter or client
    if owner is not None:
        ledger.hold(call.books, owner, account, cents(given.amount), imposed=True)
    line = ledger.post(call.books, account, cents(given.amount), words, matter=matter, client=client)
    line.date = given.date
    return call.show(line, 201)


def create_link(call: Call) -> Reply:
    given = call.read(bodies.NewLink)
    wish = links.Wish(
        subject_type=given.subject.type,
        subject_id=given.subject.id,
        currency=given.currency,
        duration=given.duration,
        destination_account_id=given.destination_account.id if given.destination_account else None,
        destination_contact_id=given.destination_contact.id if given.destination_contact else None,
        amount=given.amount,
        description=given.description,
        email_address=given.email_address,
        redirect_url=given.redirect_url,
        is_allocated_as_revenue=given.is_allocated_as_revenue,
    )
    return call.show(links.create(call.books, wish, user=call.user), 201)


def expire_link(call: Call) -> Reply:
    """The one change a link can take; expiring what is over already is not an error."""
    link = call.to_change(Link)
    if not call.read(bodies.LinkChange).expired:
        raise unprocessable("expired can only be set to true.")
    links.end(call.books, link, "request")
    return call.show(link)


def remove(kind: type[Thing], event: str) -> Write:
    """A plain DELETE of one kind of record."""

    def answer(call: Call) -> Reply:
        call.books.remove(call.books.get(kind, call.id))
        call.books.journal.add(event, call.id, by="app")
        return GONE

    return answer


WRITES: dict[tuple[str, str], Write] = {
    ("POST", "/activities"): create_activity,
    ("PATCH", "/activities/{id}"): change_activity,
    ("DELETE", "/activities/{id}"): delete_activity,
    ("PATCH", "/bills/{id}"): change_bill,
    ("DELETE", "/bills/{id}"): delete_bill,
    ("PATCH", "/line_items/{id}"): change_line_item,
    ("PATCH", "/matters/{id}"): records.change_matter,
    ("PATCH", "/contacts/{id}"): records.change_contact,
    ("POST", "/tasks"): records.create_task,
    ("PATCH", "/tasks/{id}"): records.change_task,
    ("DELETE", "/tasks/{id}"): remove(Task, "task.deleted"),
    ("POST", "/notes"): records.create_note,
    ("PATCH", "/notes/{id}"): records.change_note,
    ("DELETE", "/notes/{id}"): remove(Note, "note.deleted"),
    ("POST", "/communications"): records.create_communication,
    ("PATCH", "/communications/{id}"): records.change_communication,
    ("DELETE", "/communications/{id}"): remove(Communication, "communication.deleted"),
    ("POST", "/bank_transactions"): create_bank_transaction,
    ("POST", "/custom_actions"): actions.create_action,
    ("PATCH", "/custom_actions/{id}"): actions.change_action,
    ("DELETE", "/custom_actions/{id}"): remove(CustomAction, "custom_action.deleted"),
    ("POST", "/clio_payments/links"): create_link,
    ("POST", "/trust_requests"): create_trust_request,
    ("PATCH", "/clio_payments/links/{id}"): expire_link,
}
