"""Lists of transactions and events: which rows, in which order, which page of them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.sandbox.lawpay import shapes
from orchestrator.sandbox.lawpay.refusals import Declined, invalid
from orchestrator.sandbox.lawpay.things import Facts

LARGEST_PAGE = 100
Params = Sequence[tuple[str, str]]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def given(params: Params, name: str) -> str | None:
    return next((value for key, value in params if key == name), None)


def moment(params: Params, name: str) -> datetime | None:
    """A date parameter, in the one documented format."""
    text = given(params, name)
    if text is None:
        return None
    if not _MOMENT.fullmatch(text):
        raise Declined(400, "invalid_request", context=name, words=f"{name} must look like 2026-03-02T15:00:00.000Z.")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def matching(rows: Sequence[Facts], params: Params) -> list[Facts]:
    """The rows that `q`, `qf`, `account_id` and the window of creation let through; other parameters mean nothing."""
    start, end = moment(params, "start_date"), moment(params, "end_date")
    account, words = given(params, "account_id"), (given(params, "q") or "").lower()
    fields = [value.partition(":") for key, value in params if key == "qf"]
    found = []
    for row in rows:
        created = datetime.fromisoformat(row["created"])
        if (start and created < start) or (end and created > end) or (account and row["account_id"] != account):
            continue
        if words and not any(words in text.lower() for text in _texts(row)):
            continue
        # Documented as a match of the beginning, not of the whole: callers must compare again.
        if all(str(_at(row, name)).lower().startswith(value.lower()) for name, _, value in fields):
            found.append(row)
    return found


def ordered(rows: list[Facts], order_by: str | None) -> list[Facts]:
    """By a comma list of fields, `-` for descending; without one newest first, which nobody promises."""
    for word in reversed((order_by or "-created").split(",")):
        name = word.strip().lstrip("+-")
        if not all(name in row for row in rows) and rows and name not in {"reference", "failure_code"}:
            raise Declined(422, "search_failed", context="order_by", words=f"{name} cannot be ordered by.")
        rows = sorted(rows, key=lambda row: _key(row.get(name)), reverse=word.strip().startswith("-"))
    return rows


def page(rows: Sequence[Any], params: Params, shift: int = 0) -> Facts:
    """One page; beyond the end it is empty, and a page larger than the largest is cut to it."""
    number, size = _count(params, "page", 1), min(_count(params, "page_size", 20), LARGEST_PAGE)
    start = max((number - 1) * size - shift, 0)
    return shapes.listed(list(rows[start : start + size]), page=number, size=size, total=len(rows) + shift)


def _count(params: Params, name: str, otherwise: int) -> int:
    text = given(params, name)
    if text is None:
        return otherwise
    if not text.isdigit() or int(text) < 1:
        raise invalid(name, "number_out_of_range")
    return int(text)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [str(value)]


def _at(row: Facts, dotted: str) -> Any:
    value: Any = row
    for part in dotted.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return value


def _key(value: Any) -> tuple[int, Any]:
    if isinstance(value, int):
        return (0, value)
    text = str(value or "")
    try:
        return (0, datetime.fromisoformat(text).timestamp())
    except ValueError:
        return (1, text)
