"""Whether our public address leads to us: what a POST to it, made from here, met (F28)."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

DOOR_PATH = "/webhooks/clio/self-check"
"""Beside the webhooks' own addresses, so that a proxy treats it as it treats them."""

DOOR_HEADER = "X-Orchestrator-Door"


class Trouble(StrEnum):
    """Why no answer came at all."""

    UNREACHED = "unreached"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    """What came back; `genuine` when the answer proves that this installation gave it."""

    status: int | None
    genuine: bool = False
    location: str | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class DoorFinding:
    """One sentence that says what to mend; `certain` when Clio must meet the same, whatever the way from here is like."""

    said: str
    certain: bool


def fault_of(answer: DoorAnswer, address: str) -> DoorFinding | None:
    """What is wrong with the way to us, or None."""
    if answer.genuine:
        return None
    if answer.status is None:
        if answer.trouble is Trouble.TLS:
            said = f"The certificate of {address} is not accepted: renew it, or serve its whole chain."
            return DoorFinding(said, certain=True)
        # A firm's own network may not reach its own public address, and Clio reach it well.
        return DoorFinding(f"{address} was not reached from here: check DNS, firewall and proxy.", certain=False)
    said = _said(answer.status, answer.location, address)
    return DoorFinding(said, certain=answer.status < HTTPStatus.INTERNAL_SERVER_ERROR)


def _said(status: int, location: str | None, address: str) -> str:
    match status // 100:
        case 2:
            return (
                f"{address} leads to another server, which answers {status}: deliveries to it are lost. "
                "Check ORCH_PUBLIC_URL and DNS."
            )
        case 3:
            where = f" to {location}" if location else ""
            return (
                f"{address} answers {status}{where}: Clio takes that for delivered, and the event is lost. "
                "Set ORCH_PUBLIC_URL to the final address."
            )
    if status == HTTPStatus.GONE:
        return f"{address} answers 410: Clio switches a webhook off for that. Mend the proxy."
    return (
        f"{address} answers {status} to a POST: let the proxy pass /webhooks/ on to ORCH_LISTEN, "
        "and see that `orchestrator serve` (or `up`) runs."
    )
