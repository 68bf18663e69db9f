"""What a bounce means for the address that it came from."""

from dataclasses import dataclass
from enum import StrEnum


class Bounced(StrEnum):
    """`hard`: nobody is reached there, or nobody wants to be. `soft`: not today (a full mailbox, a server that was away)."""

    SOFT = "soft"
    HARD = "hard"


class AddressState(StrEnum):
    SOFT = "soft"
    HARD = "hard"
    RELEASED = "released"


AFTER: dict[tuple[AddressState, Bounced], AddressState] = {
    (AddressState.SOFT, Bounced.SOFT): AddressState.SOFT,
    (AddressState.SOFT, Bounced.HARD): AddressState.HARD,
    (AddressState.HARD, Bounced.SOFT): AddressState.HARD,
    (AddressState.HARD, Bounced.HARD): AddressState.HARD,
    (AddressState.RELEASED, Bounced.SOFT): AddressState.RELEASED,
    (AddressState.RELEASED, Bounced.HARD): AddressState.HARD,
}
"""An address that a person released stays so until another letter to it bounces for good."""


@dataclass(frozen=True, slots=True)
class Report:
    """One letter of ours that came back, as a mail server or a relay told it; `key` is the local part of its Message-ID.

    `code` is the enhanced status (RFC 3463) or the relay's word for it: never the text, which repeats addresses.
    """

    key: str
    bounced: Bounced
    code: str
