"""What is written about matters, contacts, tasks, notes and communications."""

from datetime import datetime
from typing import Any

from orchestrator.sandbox.clio import bodies
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.clio.references import resolved
from orchestrator.sandbox.firm import matters
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.contacts import note_contact
from orchestrator.sandbox.firm.things import (
    Communication,
    Contact,
    CustomField,
    Facts,
    Matter,
    MatterStage,
    Note,
    Task,
    User,
)
from orchestrator.sandbox.refusal import Refusal, unprocessable


def change_matter(call: Call) -> Reply:
    matter = call.to_change(Matter)
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
    contact = call.to_change(Contact)
    if contact.redacted:
        raise unprocessable("You do not have permission to change this contact.")
    given = call.read(bodies.ContactChange).given()
    emails: list[bodies.EmailLine] = given.pop("email_addresses", None) or []
    for name, value in given.items():
        setattr(contact, name, value)
    if emails:
        chosen = next((email for email in emails if email.default_email), emails[0])
        contact.primary_email_address = chosen.address
    call.books.touch(contact)
    note_contact(call.books, contact)
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
    task = call.to_change(Task)
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
    note = call.to_change(Note)
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
    record = call.to_change(Communication)
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
