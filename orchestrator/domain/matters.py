"""Matters: where work, bills and money meet."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from orchestrator.domain.contacts import Client


class MatterStatus(StrEnum):
    PENDING = "Pending"
    OPEN = "Open"
    CLOSED = "Closed"


class BillingMethod(StrEnum):
    HOURLY = "hourly"
    FLAT = "flat"
    CONTINGENCY = "contingency"


@dataclass(frozen=True, slots=True)
class Matter:
    """A Clio matter with everything a billing decision needs; custom fields by name, values as Clio's strings."""

    id: int
    etag: str
    display_number: str
    status: MatterStatus
    billable: bool
    billing_method: BillingMethod
    client: Client | None
    responsible_attorney_id: int | None
    practice_area: str | None
    stage: str | None
    closed_on: date | None
    updated_at: datetime
    currency: str | None = None
    custom_fields: dict[str, str] = field(default_factory=dict)
    custom_number: str | None = None
    client_reference: str | None = None
