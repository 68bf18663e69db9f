"""What the journal notes of a contact: whatever decides whether the firm can write to one."""

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.things import Contact


def note_contact(books: Books, contact: Contact) -> None:
    """To be called whenever one was made or changed."""
    books.journal.add(
        "contact.moved",
        contact.id,
        email=contact.primary_email_address or "",
        redacted=contact.redacted,
        reminders_enabled=contact.reminders_enabled,
    )
