"""References in a body, turned into the records they name."""

from typing import Any

from orchestrator.sandbox.clio.bodies import Ref
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.things import Contact, Matter, PracticeArea, Thing, User

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
        name: books.get(REFERENCES[name], value.id) if isinstance(value, Ref) else value
        for name, value in given.items()
    }
