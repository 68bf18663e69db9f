"""Pages of a list: cursor pages without end, offset pages up to 10,000 records."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from orchestrator.sandbox.firm.things import Thing
from orchestrator.sandbox.refusal import Refusal, unprocessable

LARGEST = {"billable_matter": 1000, "billable_client": 25}
OFFSET_END = 10_000

# These take an `order`; asked for in any other order than by id they page by offset, and so come to an end.
ORDERED = frozenset(
    [
        "activity",
        "allocation",
        "bank_account",
        "bank_transaction",
        "bill",
        "communication",
        "contact",
        "credit_memo",
        "custom_field",
        "matter",
        "note",
        "practice_area",
        "task",
        "user",
        "webhook",
    ]
)

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """One page of a list, how many records there are in all, and where the next page starts."""

    rows: Sequence[Any]
    records: int
    next_url: str | None


def page(rows: Sequence[Any], kind: str, params: Params, url: str) -> Page:
    """Cut the page that `params` ask for out of the filtered rows."""
    asked = dict(params)
    limit = _limit(asked.get("limit"), LARGEST.get(kind, 200))
    order = asked.get("order", "id(asc)")
    rows = _sorted(rows, order)
    cursor = _read(asked["page_token"], params) if "page_token" in asked else {}
    by_offset = "offset" in asked or "offset" in cursor or (order != "id(asc)" and kind in ORDERED)
    if by_offset:
        start = _number(asked.get("offset"), cursor.get("offset", 0))
        if start + limit > OFFSET_END:
            raise unprocessable("Offset paging ends at 10,000 records; use order=id(asc) and page tokens.")
        cut, following = rows[start : start + limit], {"offset": start + limit}
        more = start + limit < len(rows)
    else:
        after = cursor.get("after", 0)
        rest = [row for row in rows if _id(row) > after] if after else rows
        cut = rest[:limit]
        following, more = {"after": _id(cut[-1]) if cut else after}, len(rest) > limit
    return Page(cut, len(rows), _next(url, params, following) if more else None)


def _limit(text: str | None, largest: int) -> int:
    limit = _number(text, largest)
    if not 1 <= limit <= largest:
        raise Refusal(400, f"limit must be between 1 and {largest}.")
    return limit


def _number(text: str | None, otherwise: int) -> int:
    try:
        return otherwise if text is None else int(text)
    except ValueError:
        raise Refusal(400, f"{text} is not a number.") from None


def _id(row: Any) -> int:
    return int(row["id"] if isinstance(row, dict) else row.id)


def _sorted(rows: Sequence[Any], order: str) -> Sequence[Any]:
    name, _, way = order.rstrip(")").partition("(")
    if name == "id":
        return sorted(rows, key=_id, reverse=way == "desc")
    return sorted(rows, key=lambda row: (_key(row, name), _id(row)), reverse=way == "desc")


def _key(row: Thing, name: str) -> tuple[bool, Any]:
    value: Any = row
    for part in name.split("."):
        value = getattr(value, part, None)
    return (value is not None, value if value is not None else 0)


def _seal(params: Params) -> str:
    others = sorted(pair for pair in params if pair[0] not in {"page_token", "offset"})
    return hashlib.blake2b(repr(others).encode(), digest_size=6).hexdigest()


def _next(url: str, params: Params, following: dict[str, int]) -> str:
    token = base64.urlsafe_b64encode(json.dumps({**following, "seal": _seal(params)}).encode()).decode().rstrip("=")
    kept = [pair for pair in params if pair[0] not in {"page_token", "offset"}]
    return f"{url}?{urlencode([*kept, ('page_token', token)])}"


def _read(token: str, params: Params) -> dict[str, Any]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if read["seal"] == _seal(params):
            return dict(read)
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass
    raise Refusal(400, "Invalid page token.", error="InvalidPageToken")
