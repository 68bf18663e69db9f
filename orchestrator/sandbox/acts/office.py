"""The office: matters, contacts, tasks and users."""

from orchestrator.sandbox.acts.facts import Act
from orchestrator.sandbox.firm import matters
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.contacts import note_contact
from orchestrator.sandbox.firm.things import Contact, CustomField, Facts, Matter, MatterStage, Task, User
from orchestrator.sandbox.founding import open_case
from orchestrator.sandbox.refusal import unprocessable
from orchestrator.sandbox.scenario import Case


def create_matter(books: Books, facts: Facts) -> Matter:
    """Open a matter for a client given by `client_id` or by scenario name; other facts as in a scenario's matter."""
    facts = dict(facts)
    contacts = books.keys["contacts"]
    if "client_id" in facts:
        ident = books.get(Contact, facts.pop("client_id")).id
        facts["client"] = next((key for key, value in contacts.items() if value == ident), str(ident))
        contacts.setdefault(facts["client"], ident)
    facts.setdefault("key", f"matter-{len(books.table(Matter)) + 1}")
    facts.setdefault("description", "A new matter")
    facts.setdefault("attorney", next(iter(books.keys["users"])))
    return open_case(books, Case.model_validate(facts))


def create_contact(books: Books, facts: Facts) -> Contact:
    contact = Contact(name=str(facts["name"]), type=facts.get("type", "Person"))
    contact.primary_email_address = facts.get("email") or None
    books.add(contact)
    note_contact(books, contact)
    return contact


def matter_status(status: str) -> Act:
    def act(books: Books, facts: Facts) -> Matter:
        matter = books.get(Matter, facts.get("id", facts.get("matter_id")))
        matters.set_status(books, matter, status)
        return matter

    return act


def set_stage(books: Books, facts: Facts) -> Matter:
    """Move a matter to a stage named in its own practice area."""
    matter = books.get(Matter, facts["matter_id"])
    stages = books.table(MatterStage).values()
    own = (stage for stage in stages if stage.practice_area is matter.practice_area)
    stage = next((stage for stage in own if stage.name == facts["stage"]), None)
    if stage is None:
        raise unprocessable(f"There is no stage {facts['stage']} for this matter.")
    matters.set_stage(books, matter, stage)
    return matter


def set_custom_field(books: Books, facts: Facts) -> Matter | Contact:
    """Fill a custom field of a matter (`matter_id`) or of a contact (`contact_id`); no value takes it off."""
    kind: type[Matter | Contact] = Contact if "contact_id" in facts else Matter
    parent = kind.__name__
    owner: Matter | Contact = books.get(kind, facts[f"{parent.lower()}_id"])
    custom = matters.custom_field(books, str(facts["name"]), parent)
    matters.custom_value(books, owner.custom_field_values, custom, facts.get("value"))
    books.touch(owner)
    return owner


def create_custom_field(books: Books, facts: Facts) -> CustomField:
    """Add a custom field to the firm's matters, or with `parent` Contact to its contacts."""
    kind, parent = str(facts.get("type", "text_line")), str(facts.get("parent", "Matter"))
    return books.add(CustomField(name=str(facts["name"]), field_type=kind, parent_type=parent))


def edit_matter(books: Books, facts: Facts) -> Matter:
    """Renumber a matter or give it another client or attorney."""
    matter = books.get(Matter, facts["id"])
    for name in ("display_number", "custom_number", "client_reference", "description", "billable"):
        if name in facts:
            setattr(matter, name, facts[name])
    if "client_id" in facts:
        matter.client = books.get(Contact, facts["client_id"])
    if "attorney_id" in facts:
        matter.responsible_attorney = books.get(User, facts["attorney_id"])
    books.touch(matter)
    return matter


def edit_contact(books: Books, facts: Facts) -> Contact:
    contact = books.get(Contact, facts["id"])
    if "email" in facts:
        contact.primary_email_address = facts["email"] or None
    for name in ("name", "redacted", "reminders_enabled"):
        if name in facts:
            setattr(contact, name, facts[name])
    books.touch(contact)
    note_contact(books, contact)
    return contact


def complete_task(books: Books, facts: Facts) -> Task:
    task = books.get(Task, facts["id"])
    task.status = "complete"
    task.completed_at = books.clock.now()
    books.touch(task)
    return task


def edit_user(books: Books, facts: Facts) -> User:
    """Enable or disable a user; both link quotas follow."""
    user = books.get(User, facts["id"])
    user.enabled = bool(facts.get("enabled", user.enabled))
    books.touch(user)
    return user


def hide_matter(books: Books, facts: Facts) -> Matter:
    """Take a matter, with all that belongs to it, out of a user's sight."""
    matter = books.get(Matter, facts["matter_id"])
    matter.hidden_from.add(books.get(User, facts["user_id"]).id)
    return matter


def return_mail(books: Books, facts: Facts) -> Facts:
    """Somebody's mail server sends an accepted message (`id`) back; who hears of it, and how, is not Clio's business."""
    sent = next((mail for mail in reversed(books.journal.entries) if mail["id"] == facts["id"]), None)
    if sent is None or sent["kind"] != "mail.accepted":
        raise unprocessable(f"No message {facts['id']} was accepted.")
    books.journal.add("mail.returned", sent["id"], to=sent["to"], bill=sent["bill"], step=sent["step"])
    return {"id": sent["id"]}
