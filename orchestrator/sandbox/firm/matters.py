"""What changes about a matter or a contact, whoever changes it."""

from typing import Any

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.things import CustomField, Facts, Matter, MatterStage
from orchestrator.sandbox.refusal import unprocessable

STATUS_EVENTS = {"Open": "matter_opened", "Pending": "matter_pended", "Closed": "matter_closed"}
_DATES = {"Open": "open_date", "Pending": "pending_date", "Closed": "close_date"}


def set_status(books: Books, matter: Matter, status: str) -> None:
    """Open, pend or close the matter: the date is noted, and its own event follows the update."""
    status = status.capitalize()
    if status not in STATUS_EVENTS:
        raise unprocessable(f"{status} is not a matter status.")
    if matter.status == status:
        return
    matter.status = status
    setattr(matter, _DATES[status], books.today())
    books.journal.add("matter.moved", matter.id, status=status)
    books.touch(matter)
    books.announce(STATUS_EVENTS[status], matter)


def set_stage(books: Books, matter: Matter, stage: MatterStage) -> None:
    """Move the matter to a stage of its own practice area."""
    if matter.practice_area is not stage.practice_area:
        raise unprocessable(f"{stage.name} is not a stage of this matter's practice area.")
    matter.matter_stage = stage
    matter.matter_stage_updated_at = books.clock.now()
    books.touch(matter)


def custom_value(books: Books, values: list[Facts], custom: CustomField, value: Any) -> None:
    """Put a custom field's value on a record, replacing what it had; None takes it off."""
    kept = [entry for entry in values if entry["custom_field"] is not custom]
    if value is not None and value != "":
        ident = next((entry["id"] for entry in values if entry["custom_field"] is custom), None)
        number = books.random.randrange(10**8, 10**9)
        now = books.clock.now()
        kept.append(
            {
                "id": ident or f"{custom.field_type}-{number}",
                "etag": f'"{books.token(32)}"',
                "field_name": custom.name,
                "field_type": custom.field_type,
                "field_required": custom.required,
                "field_displayed": custom.displayed,
                "field_display_order": custom.display_order,
                "value": _text(custom, value),
                "soft_deleted": False,
                "custom_field": custom,
                "created_at": now,
                "updated_at": now,
            }
        )
    values[:] = kept


def _text(custom: CustomField, value: Any) -> str:
    if custom.field_type == "checkbox":
        return "true" if str(value).lower() in {"true", "1", "yes"} else "false"
    return str(value)


def custom_field(books: Books, name: str, parent: str = "Matter") -> CustomField:
    """The custom field of that name, or a refusal."""
    fields = books.table(CustomField).values()
    found = next((custom for custom in fields if custom.name == name and custom.parent_type == parent), None)
    if found is None:
        raise unprocessable(f"There is no custom field {name} on a {parent}.")
    return found
