"""Lists of Clio: cursor pages, each row once, and never a step away from the list that was asked for (F37, F38)."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError

from orchestrator.clients.clio.schemas import Ref, Schema, rfc3339
from orchestrator.clients.http import ApiClient, Param
from orchestrator.clients.meaning import Refused, Unreadable
from orchestrator.errors import NeedsReview, Rejected, Transient

log = logging.getLogger(__name__)

API = "/api/v4"
PAGE = 200
BY_ID: Mapping[str, Param] = {"order": "id(asc)"}
"""Where Clio declares `order`, this one asks for cursor paging; links and payments declare none and page so by themselves."""

S = TypeVar("S", bound=Schema)
R = TypeVar("R", bound=Ref)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
OnBadRow = Callable[[str, int | None, str], None]


class PagingBroken(Transient):
    """The cursor expired or went in circles: nothing of the list may be called complete; start again from the watermark (F37)."""


class ForeignPage(Rejected):
    """Clio's `next` led to another host or another list; it was not followed (F37)."""


def skipped(kind: str, id: int | None, why: str) -> None:  # noqa: A002
    """The default `OnBadRow`: a row that cannot be read is told to the log by its id, and the others go on (F41)."""
    log.warning("clio.row_skipped", extra={"kind": kind, "id": id, "why": why})


def refused(kind: str, id: int | None, why: str) -> None:  # noqa: A002
    """The `OnBadRow` of a search: what cannot be read may be what is searched for, so the search is not complete (F13)."""
    raise NeedsReview(f"A search cannot be trusted: {kind} {id} cannot be read ({why}).", reason="data_incomplete")


@dataclass(frozen=True, slots=True)
class Lists:
    """Reads lists and single records of one Clio; `aliases` are further origins its `next` links may name for itself."""

    api: ApiClient
    aliases: tuple[str, ...] = ()
    on_bad_row: OnBadRow = skipped

    def rows(self, kind: str, path: str, schema: type[R], params: Mapping[str, Param] | None = None) -> Iterator[R]:
        """Every readable row of a list, page by page, each id once; the others go to `on_bad_row`."""
        seen: set[int] = set()
        for raw in self._pages(path, {"fields": schema.fields(), "limit": PAGE, **(params or {})}):
            try:
                row = schema.model_validate(raw)
            except ValidationError as error:
                given = raw.get("id") if isinstance(raw, dict) else None
                self.on_bad_row(kind, given if isinstance(given, int) else None, complaint(error))
                continue
            if row.id not in seen:
                seen.add(row.id)
                yield row

    def one(self, path: str, schema: type[S], params: Mapping[str, Param] | None = None) -> S:
        """One record; `NeedsReview` (`data_incomplete`) when Clio shows it without what a decision needs (F41)."""
        raw = self.api.read(API + path, data, {"fields": schema.fields(), **(params or {})})
        try:
            return schema.model_validate(raw)
        except ValidationError as error:
            raise NeedsReview(f"{path} cannot be read: {complaint(error)}.", reason="data_incomplete") from None

    def _pages(self, path: str, params: Mapping[str, Param]) -> Iterator[Any]:
        asked: Mapping[str, Param] | str = params
        turned: set[str] = set()
        while True:
            try:
                rows, onward = self.api.read(API + path, _page, asked)
            except Refused as error:
                if turned:
                    raise PagingBroken(
                        f"Clio no longer knows page {len(turned) + 1} of {path} ({error.status})."
                    ) from None
                raise
            yield from rows
            if onward is None:
                return
            asked = self._query(path, onward)
            cursor = parse_qs(asked).get("page_token", [asked])[-1]
            if cursor in turned:
                raise PagingBroken(f"Page {len(turned) + 1} of {path} leads back to an earlier one.")
            turned.add(cursor)

    def _query(self, path: str, onward: str) -> str:
        """The query of a `next` link; the request itself always goes to our own base address."""
        target, base = urlsplit(onward), urlsplit(self.api.base_url)
        home = {(one.scheme, one.netloc) for one in (base, urlsplit(""), *map(urlsplit, self.aliases))}
        same_list = target.path.removesuffix(".json").endswith((API + path).removesuffix(".json"))
        if (target.scheme, target.netloc) not in home or not same_list:
            raise ForeignPage(
                f"The next page of {path} is said to be elsewhere; not followed.", reason="clio_foreign_page"
            )
        return target.query


class _Row(Protocol[T_co]):
    id: int

    def to_domain(self) -> T_co: ...


@dataclass(frozen=True)
class Collection(Generic[T]):
    """`ports.Reads` of one kind of record."""

    lists: Lists
    kind: str
    path: str
    schema: Any
    order: Mapping[str, Param] = field(default_factory=lambda: BY_ID)

    def by_ids(self, ids: Sequence[int]) -> list[T]:
        return [one for batch in _batches(ids) for one in self.where({"ids[]": batch})]

    def changed_since(self, moment: datetime) -> Iterator[T]:
        return self.where({"updated_since": since(moment)})

    def where(self, params: Mapping[str, Param]) -> Iterator[T]:
        """Those rows of the list that `params` select."""
        row: _Row[T]
        for row in self.lists.rows(self.kind, self.path, self.schema, {**self.order, **params}):
            yield row.to_domain()


def data(answer: Any) -> Any:
    """The record inside an answer; `Unreadable` when there is none."""
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
        raise Unreadable("no data")
    return answer["data"]


def _page(answer: Any) -> tuple[Sequence[Any], str | None]:
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise Unreadable("no list")
    meta = answer.get("meta")
    paging = meta.get("paging") if isinstance(meta, dict) else None
    onward = paging.get("next") if isinstance(paging, dict) else None
    if onward is not None and not isinstance(onward, str):
        raise Unreadable("next is no address")
    return answer["data"], onward or None


def complaint(error: ValidationError) -> str:
    """Which fields were wrong and how, without what stood in them."""
    return ", ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors(include_input=False))


def _batches(ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
    rest = iter(sorted(set(ids)))
    while batch := tuple(itertools.islice(rest, PAGE)):
        yield batch


def since(moment: datetime) -> str:
    """A second early, since Clio says "after" and counts in seconds: an overlap is harmless, a gap is not."""
    return rfc3339(moment - timedelta(seconds=1))
