"""Time and expense entries: logged, edited and thrown away, as long as no bill has locked them."""

from typing import Any

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Activity
from orchestrator.sandbox.refusal import Refusal, unprocessable

# Clio's name for what an entry keeps under another, because what is kept may be hidden from the reader.
KEPT_AS = {"quantity": "worked", "price": "rate"}


def edit(books: Books, entry: Activity, changes: dict[str, Any]) -> None:
    """Change an entry; one on a bill, even a draft, is locked."""
    _refuse_locked(entry)
    for name, value in changes.items():
        setattr(entry, KEPT_AS.get(name, name), value)
    books.touch(entry)


def discard(books: Books, entry: Activity) -> None:
    _refuse_locked(entry)
    books.remove(entry)


def refuse_hidden(entry: Activity, changes: dict[str, Any]) -> None:
    """Someone who may not see an entry's hours or price may not set them either."""
    if (entry.redacted and "quantity" in changes) or (entry.price_hidden and "price" in changes):
        raise Refusal(403, "You do not have permission to change this activity's hours or price.")


def _refuse_locked(entry: Activity) -> None:
    if entry.on_bill and entry.bill is not None:
        raise unprocessable(f"Activity {entry.id} is on bill {entry.bill.number} and cannot be changed.")
