"""Lists of Clio: cursor pages, each row once, and never a step away from the list that was asked for (F37, F38)."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

import structlog
from pydantic import ValidationError

from orchestrator.clients.clio.schemas import Ref, Schema, rfc3339
from orchestrator.clients.http import ApiClient, Param
from orchestrator.clients.meaning import Refused, Unreadable, complaint
from orchestrator.errors import NeedsReview, Rejected
from orchestrator.ports import Page, PageLost

log = structlog.get_logger()

API = "/api/v4"
PAGE = 200
BY_ID: Mapping[str, Param] = {"order": "id(asc)"}
"""Where Clio declares `order`, this one asks for cursor paging; links and payments declare none and page so by themselves."""

S = TypeVar("S", bound=Schema)
R = TypeVar("R", bound=Ref)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
OnBadRow = Callable[[str, int | None, str], None]


class ForeignPage(Rejected):
    """Clio's `next` led to another host or another list; it was not followed (F37)."""


def skipped(kind: str, id: int | None, why: str) -> None:  # noqa: A002
    """The default `OnBadRow`: a row that cannot be read is told to the log by its id, and the others go on (F41)."""
    log.warning("clio.row_skipped", kind=kind, id=id, why=why)


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
        """Every readable row of a list, each id once."""
        for page in self.pages(kind, path, schema, params):
            yield from page.rows

    def pages(
        self, kind: str, path: str, schema: type[R], params: Mapping[str, Param] | None = None, at: str | None = None
    ) -> Iterator[Page[R]]:
        """The readable rows of a list page by page, each id once, from the place `at` on; the others go to `on_bad_row`."""
        seen: set[int] = set()
        for raws, onward, total in self._pages(path, {"fields": schema.fields(), "limit": PAGE, **(params or {})}, at):
            readable = (self._row(kind, schema, raw) for raw in raws)
            fresh = {row.id: row for row in readable if row is not None and row.id not in seen}
            seen |= fresh.keys()
            yield Page(list(fresh.values()), onward, total)

    def _row(self, kind: str, schema: type[R], raw: Any) -> R | None:
        try:
            return schema.model_validate(raw)
        except ValidationError as error:
            given = raw.get("id") if isinstance(raw, dict) else None
            self.on_bad_row(kind, given if isinstance(given, int) else None, complaint(error))
            return None

    def one(self, path: str, schema: type[S], params: Mapping[str, Param] | None = None) -> S:
        """One record; `NeedsReview` (`data_incomplete`) when Clio shows it without what a decision needs (F41)."""
        raw = self.api.read(API + path, data, {"fields": schema.fields(), **(params or {})})
        try:
            return schema.model_validate(raw)
        except ValidationError as error:
            raise NeedsReview(f"{path} cannot be read: {complaint(error)}.", reason="data_incomplete") from None

    def _pages(
        self, path: str, params: Mapping[str, Param], at: str | None
    ) -> Iterator[tuple[Sequence[Any], str | None, int | None]]:
        asked: Mapping[str, Param] | str = at or params
        turned = {_cursor(at)} if at else set()
        while True:
            try:
                rows, onward, total = self.api.read(API + path, _page, asked)
            except Refused as error:
                if turned:
                    raise PageLost(f"Clio no longer knows page {len(turned) + 1} of {path} ({error.status}).") from None
                raise
            if onward is None:
                yield rows, None, total
                return
            asked = query = self._query(path, onward)
            if _cursor(query) in turned:
                raise PageLost(f"Page {len(turned) + 1} of {path} leads back to an earlier one.")
            turned.add(_cursor(query))
            yield rows, query, total

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

    def changed(self, since: datetime, at: str | None = None) -> Iterator[Page[T]]:
        params = {**self.order, "updated_since": a_second_before(since)}
        page: Page[Any]
        for page in self.lists.pages(self.kind, self.path, self.schema, params, at):
            yield Page([row.to_domain() for row in page.rows], page.onward, page.total)

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


def _page(answer: Any) -> tuple[Sequence[Any], str | None, int | None]:
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise Unreadable("no list")
    meta = answer.get("meta")
    paging = meta.get("paging") if isinstance(meta, dict) else None
    onward = paging.get("next") if isinstance(paging, dict) else None
    if onward is not None and not isinstance(onward, str):
        raise Unreadable("next is no address")
    records = meta.get("records") if isinstance(meta, dict) else None
    return answer["data"], onward or None, records if isinstance(records, int) else None


def _batches(ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
    rest = iter(sorted(set(ids)))
    while batch := tuple(itertools.islice(rest, PAGE)):
        yield batch


def _cursor(asked: str) -> str:
    return parse_qs(asked).get("page_token", [asked])[-1]


def a_second_before(moment: datetime) -> str:
    """A second early, since Clio says "after" and counts in seconds: an overlap is harmless, a gap is not."""
    return rfc3339(moment - timedelta(seconds=1))
