"""The people a bill concerns, as far as we are allowed to see them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EmailProblem(StrEnum):
    """Why no message can go to a client; never guessed around (API notes §9, F41)."""

    BLANK = "client_email_blank"
    INVALID = "client_email_invalid"
    REDACTED = "client_redacted"


@dataclass(frozen=True, slots=True)
class Client:
    """A Clio contact in its role as client; `email` is a usable address or None with the `email_problem` beside it."""

    id: int
    name: str
    email: str | None = None
    email_problem: EmailProblem | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """What a contact says about reminders: its custom fields by name, values as Clio's strings."""

    id: int
    updated_at: datetime
    custom_fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientBalance:
    """A client who owes something, and whether Clio itself reminds them of it."""

    client_id: int
    clio_reminds: bool


@dataclass(frozen=True, slots=True)
class User:
    """A person of the firm in Clio."""

    id: int
    name: str
    enabled: bool = True
