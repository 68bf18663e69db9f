"""`ports.Gateway` at LawPay: every verb and its path. It has no verb that takes or returns money, and none that writes."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from pydantic import ValidationError

from orchestrator.clients.http import ApiClient, Param
from orchestrator.clients.lawpay.schemas import EventRecord, MerchantRecord, Schema, TransactionRecord
from orchestrator.clients.meaning import Unreadable, complaint
from orchestrator.domain.gateway import GatewayAccount, GatewayEvent, Transaction
from orchestrator.errors import NeedsConnection, Rejected
from orchestrator.ports import Page

log = structlog.get_logger()

API = "/v1"
PAGE = 20
"""Rows of one page: the gateway's default, because its most is published nowhere, and what one lease has time to read again."""

ASK_AGAIN_SECONDS = 60.0
UNREADABLE = "lawpay_unreadable"

S = TypeVar("S", bound=Schema)


@dataclass(frozen=True, slots=True)
class SecretKey:
    """The firm's secret key, which is also what decides between test and live (gateway notes §1)."""

    key: str = field(repr=False)

    def authorization(self) -> str:
        """The key as Basic user name, with an empty password: the colon must be there."""
        return "Basic " + base64.b64encode(f"{self.key}:".encode()).decode()

    def refused(self, authorization: str) -> NeedsConnection:  # noqa: ARG002
        return NeedsConnection(
            "LawPay refuses ORCH_LAWPAY__SECRET_KEY, or this machine's address.",
            retry_after=ASK_AGAIN_SECONDS,
            notice="lawpay_key_refused",
        )


class LawPay:
    """One firm's LawPay; thread-safe."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def accounts(self) -> list[GatewayAccount]:
        return self._one("/merchant", MerchantRecord).to_domain()

    def transaction(self, transaction_id: str) -> Transaction:
        return self._one(f"/transactions/{quote(transaction_id, safe='')}", TransactionRecord).to_domain()

    def events_since(self, moment: datetime, page: int = 1) -> Page[GatewayEvent]:
        rows, onward = self._list("/events", {"start_date": stamp(moment)}, page)
        records = (_row(EventRecord, raw) for raw in rows)
        return Page([record.to_domain() for record in records if record is not None], onward)

    def transactions(
        self, *, since: datetime, until: datetime | None = None, account_id: str | None = None, words: str | None = None
    ) -> Iterator[Transaction]:
        """In the order of their creation; the search index lags, and list rows carry no refunds (gateway notes §2)."""
        params: dict[str, Param] = {
            "start_date": stamp(since),
            "end_date": stamp(until) if until is not None else None,
            "account_id": account_id,
            "q": words,
            # The default order is published nowhere.
            "order_by": "created",
        }
        page: int | None = 1
        while page is not None:
            rows, onward = self._list("/transactions", params, page)
            yield from (found.to_domain() for raw in rows if (found := _row(TransactionRecord, raw)) is not None)
            page = int(onward) if onward is not None else None

    def _one(self, path: str, schema: type[S]) -> S:
        """One record; `Rejected` when it lacks what a decision needs, because reading it again would not mend it."""
        raw = self._api.read(API + path, _object)
        try:
            return schema.model_validate(raw)
        except ValidationError as error:
            raise Rejected(f"{path} cannot be read: {complaint(error)}.", reason=UNREADABLE) from None

    def _list(self, path: str, params: dict[str, Param], page: int) -> tuple[list[Any], str | None]:
        return self._api.read(API + path, _listed, {**params, "page": page, "page_size": PAGE})


def stamp(moment: datetime) -> str:
    """A moment as the gateway takes it: UTC to the millisecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _object(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise Unreadable("no record")
    return said


def _listed(said: Any) -> tuple[list[Any], str | None]:
    """The rows of a page and the number of the next; a page past the end is empty, and says so by that alone."""
    found = _object(said)
    rows, page, size, total = (found.get(name) for name in ("results", "page", "page_size", "total_entries"))
    if not isinstance(rows, list):
        raise Unreadable("no list")
    if not (isinstance(page, int) and isinstance(size, int) and isinstance(total, int)):
        raise Unreadable("no page")
    return rows, str(page + 1) if rows and page * size < total else None


def _row(schema: type[S], raw: Any) -> S | None:
    """A row that cannot be read is told to the log by its id, and the others go on (F41)."""
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        given = raw.get("id") if isinstance(raw, dict) else None
        log.warning("lawpay.row_skipped", id=given if isinstance(given, str) else None, why=complaint(error))
        return None
