"""Every POST, PATCH, PUT and DELETE Clio documents and the worker may meet, one small function each."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestrator.sandbox.clio import bodies
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.firm import bills, links, matters, work
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Activity, Bill, LineItem, Link
from orchestrator.sandbox.firm.things import (
    Communication,
    Contact,
    CustomField,
    Facts,
    Matter,
    MatterStage,
    Note,
    PracticeArea,
    Task,
    Thing,
    User,
)
from orchestrator.sandbox.refusal import Refusal, unprocessable

Write = Callable[[Call], Reply]
GONE = Reply(204)

REFERENCES: dict[str, type[Thing]] = {
    "matter": Matter,
    "user": User,
    "contact": Contact,
    "practice_area": PracticeArea,
    "responsible_attorney": User,
    "originating_attorney": User,
    "responsible_staff": User,
}


def resolved(books: Books, given: dict[str, Any]) -> dict[str, Any]:
    """What the caller sent, with references turned into the records they name; a wrong one is a 404."""
    return {
        name: books.get(REFERENCES[name], value.id) if isinstance(value, bodies.Ref) else value
        for name, value in given.items()
    }


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
    entry = call.books.get(Activity, call.id)
    call.require_match(entry)
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
    bill = call.books.get(Bill, call.id)
    call.require_match(bill)
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
    line = call.books.get(LineItem, call.id)
    call.require_match(line)
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


def change_matter(call: Call) -> Reply:
    matter = call.books.get(Matter, call.id)
    call.require_match(matter)
    given = call.read(bodies.MatterChange).given()
    fields = sorted(given)
    values: list[bodies.CustomValue] = given.pop("custom_field_values", None) or []
    stage = given.pop("matter_stage", None)
    status = given.pop("status", None)
    changed = _set_custom(call.books, matter.custom_field_values, values)
    for name, value in resolved(call.books, given).items():
        setattr(matter, name, value)
    if stage is not None:
        matters.set_stage(call.books, matter, call.books.get(MatterStage, stage.id))
    if given or values:
        call.books.touch(matter)
    if status is not None:
        matters.set_status(call.books, matter, status)
    call.books.journal.add("matter.patched", matter.id, by="app", fields=fields, custom=changed)
    return call.show(matter)


def change_contact(call: Call) -> Reply:
    contact = call.books.get(Contact, call.id)
    if contact.redacted:
        raise unprocessable("You do not have permission to change this contact.")
    call.require_match(contact)
    given = call.read(bodies.ContactChange).given()
    emails: list[bodies.EmailLine] = given.pop("email_addresses", None) or []
    for name, value in given.items():
        setattr(contact, name, value)
    if emails:
        chosen = next((email for email in emails if email.default_email), emails[0])
        contact.primary_email_address = chosen.address
    call.books.touch(contact)
    call.books.journal.add("contact.patched", contact.id, by="app", fields=sorted(given))
    return call.show(contact)


def _set_custom(books: Books, values: list[Facts], given: list[bodies.CustomValue]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for change in given:
        held = next((entry for entry in values if change.id is not None and entry["id"] == change.id), None)
        if held is None and change.custom_field is None:
            raise unprocessable("custom_field_values needs the id of a value or of a custom field.")
        ident = change.custom_field.id if change.custom_field else held and held["custom_field"].id
        custom = books.get(CustomField, ident)
        matters.custom_value(books, values, custom, None if change.destroy else change.value)
        changed[custom.name] = None if change.destroy else change.value
    return changed


def create_task(call: Call) -> Reply:
    given = call.read(bodies.NewTask).given()
    task = Task(
        assigner=call.user,
        assignee=_party(call.books, given.pop("assignee"), "assignee"),
        **_task_facts(call.books, given),
    )
    call.books.add(task)
    _finish(call.books, task)
    call.books.journal.add(
        "task.created",
        task.id,
        by="app",
        name=task.name,
        description=task.description,
        priority=task.priority,
        assignee_id=task.assignee["id"],
        matter_id=task.matter.id if task.matter else None,
    )
    return call.show(task, 201)


def change_task(call: Call) -> Reply:
    task = call.books.get(Task, call.id)
    call.require_match(task)
    given = call.read(bodies.TaskChange).given()
    fields = sorted(given)
    if given.get("assignee") is not None:
        task.assignee = _party(call.books, given.pop("assignee"), "assignee")
    for name, value in _task_facts(call.books, given).items():
        setattr(task, name, value)
    _finish(call.books, task)
    call.books.touch(task)
    call.books.journal.add("task.patched", task.id, by="app", fields=fields, status=task.status)
    return call.show(task)


def _task_facts(books: Books, given: dict[str, Any]) -> dict[str, Any]:
    facts = {name: value for name, value in resolved(books, given).items() if value is not None}
    if isinstance(facts.get("due_at"), datetime):
        facts["due_at"] = facts["due_at"].date()
    return facts


def _finish(books: Books, task: Task) -> None:
    done = task.status == "complete"
    if done != (task.completed_at is not None):
        task.completed_at = books.clock.now() if done else None


def _party(books: Books, party: bodies.Party, role: str) -> Facts:
    """A user or contact as a participant; a hidden one cannot be addressed."""
    found: User | Contact = books.get(User, party.id) if party.type == "User" else books.get(Contact, party.id)
    if isinstance(found, Contact) and found.redacted:
        raise Refusal(404, f"{role} {party.id} was not found or is not visible.")
    return {
        "id": found.id,
        "etag": found.etag,
        "type": "User" if isinstance(found, User) else found.type,
        "name": found.name,
        "identifier": found.name,
        "initials": found.initials,
        "enabled": True,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def create_note(call: Call) -> Reply:
    given = call.read(bodies.NewNote)
    owner = given.matter if given.type == "Matter" else given.contact
    if owner is None:
        raise unprocessable(f"{given.type.lower()}: Field required")
    facts = resolved(call.books, {given.type.lower(): owner})
    note = Note(
        type=given.type,
        subject=given.subject,
        detail=given.detail,
        date=given.date or call.books.today(),
        author=call.user,
        detail_text_type=given.detail_text_type or "plain_text",
        **facts,
    )
    call.books.add(note)
    ident = {f"{given.type.lower()}_id": owner.id}
    call.books.journal.add("note.created", note.id, by="app", subject=note.subject, detail=note.detail, **ident)
    return call.show(note, 201)


def change_note(call: Call) -> Reply:
    note = call.books.get(Note, call.id)
    call.require_match(note)
    for name, value in call.read(bodies.NoteChange).given().items():
        setattr(note, name, value)
    call.books.touch(note)
    call.books.journal.add("note.patched", note.id, by="app")
    return call.show(note)


def create_communication(call: Call) -> Reply:
    given = call.read(bodies.NewCommunication)
    record = Communication(
        subject=given.subject,
        body=given.body,
        type=given.type,
        received_at=_aware(given.received_at, call.books),
        user=call.user,
        matter=call.books.get(Matter, given.matter.id) if given.matter else None,
        senders=[_party(call.books, party, "sender") for party in given.senders or ()],
        receivers=[_party(call.books, party, "receiver") for party in given.receivers or ()],
        external_properties=_properties(call.books, given.external_properties or []),
    )
    call.books.add(record)
    call.books.journal.add(
        "communication.created",
        record.id,
        by="app",
        subject=record.subject,
        matter_id=record.matter.id if record.matter else None,
        external_properties={entry["name"]: entry["value"] for entry in record.external_properties},
    )
    return call.show(record, 201)


def change_communication(call: Call) -> Reply:
    record = call.books.get(Communication, call.id)
    call.require_match(record)
    given = call.read(bodies.CommunicationChange).given()
    for name in ("senders", "receivers"):
        if given.get(name) is not None:
            given[name] = [_party(call.books, party, name) for party in given[name]]
    if given.get("external_properties") is not None:
        given["external_properties"] = _properties(call.books, given["external_properties"])
    if given.get("received_at") is not None:
        given["received_at"] = _aware(given["received_at"], call.books)
    for name, value in resolved(call.books, given).items():
        setattr(record, name, value)
    call.books.touch(record)
    call.books.journal.add("communication.patched", record.id, by="app", fields=sorted(given))
    return call.show(record)


def _properties(books: Books, given: list[bodies.Property]) -> list[Facts]:
    kept = [entry for entry in given if not entry.destroy]
    if len(kept) > 5:
        raise unprocessable("external_properties takes at most 5 properties.")
    now = books.clock.now()
    return [
        {
            "id": entry.id or books.random.randrange(10**8, 10**9),
            "etag": f'"{books.token(32)}"',
            "name": entry.name,
            "value": entry.value,
            "created_at": now,
            "updated_at": now,
        }
        for entry in kept
    ]


def _aware(moment: datetime, books: Books) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=books.clock.now().tzinfo)


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
    link = call.books.get(Link, call.id)
    call.require_match(link)
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
    ("PATCH", "/matters/{id}"): change_matter,
    ("PATCH", "/contacts/{id}"): change_contact,
    ("POST", "/tasks"): create_task,
    ("PATCH", "/tasks/{id}"): change_task,
    ("DELETE", "/tasks/{id}"): remove(Task, "task.deleted"),
    ("POST", "/notes"): create_note,
    ("PATCH", "/notes/{id}"): change_note,
    ("DELETE", "/notes/{id}"): remove(Note, "note.deleted"),
    ("POST", "/communications"): create_communication,
    ("PATCH", "/communications/{id}"): change_communication,
    ("DELETE", "/communications/{id}"): remove(Communication, "communication.deleted"),
    ("POST", "/clio_payments/links"): create_link,
    ("PATCH", "/clio_payments/links/{id}"): expire_link,
}
