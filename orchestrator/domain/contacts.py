"""The people a bill concerns, as far as we are allowed to see them."""

from dataclasses import dataclass
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
class User:
    """A person of the firm in Clio."""

    id: int
    name: str
    enabled: bool = True
