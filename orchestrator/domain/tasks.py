"""Clio tasks: how we ask a person, and how a person answers."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A task as Clio has it; our key stands in `name`."""

    id: int
    etag: str
    name: str
    complete: bool
    completed_at: datetime | None
    matter_id: int | None
    assignee_id: int | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TaskAsk:
    """A task we want a person to find in Clio; `name` carries our key."""

    name: str
    description: str
    assignee_id: int
    matter_id: int | None
    due_on: date | None
    high_priority: bool = False
