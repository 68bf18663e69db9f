"""One call to Clio's API, and the answer to it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.sandbox.clio.fields import encoded, plan, shown
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.things import Facts, Thing, User
from orchestrator.sandbox.refusal import Refusal, unprocessable

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T", bound=Thing)

JSON = "application/json; charset=utf-8"
_NUMBER = re.compile(r"/(\d+)(?=/|$)")


@dataclass
class Reply:
    """An answer, complete before its first byte is sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = JSON


@dataclass
class Call:
    """What a client asked, with all that is needed to carry it out."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    origin: str
    books: Books
    user: User | None = None

    def __post_init__(self) -> None:
        self.path = self.path.removesuffix(".json")
        self.template = _NUMBER.sub("/{id}", self.path)

    @property
    def id(self) -> int:
        """The number in the path."""
        match = _NUMBER.search(self.path)
        assert match is not None
        return int(match[1])

    def param(self, name: str) -> str | None:
        return next((value for key, value in self.params if key == name), None)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    def read(self, model: type[M]) -> M:
        """The body's `data`, checked; a body that is not JSON is a 400, a wrong field a 422 that names it."""
        try:
            data = json.loads(self.body, parse_float=Decimal)["data"]
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, "The request body must be JSON with a data object.") from None
        try:
            return model.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "data"
            raise unprocessable(f"{where}: {first['msg']}") from None

    def to_change(self, kind: type[T]) -> T:
        """The record in the path; refused with 412 when If-Match names another version of it."""
        thing, wanted = self.books.get(kind, self.id), self.header("if-match")
        if wanted is not None and wanted.strip() not in {"*", thing.etag, thing.etag.strip('"')}:
            raise Refusal(412, "The record has been modified since it was read.")
        return thing

    def show(self, thing: Thing, status: int = 200) -> Reply:
        """The record with the fields this caller asked for, and its etag."""
        body = {"data": shown(thing, plan(thing.table, self.param("fields")))}
        headers = {} if thing.table == "payment" else {"ETag": thing.etag}
        return Reply(status, encoded(body), headers)


def refused(refusal: Refusal) -> Reply:
    """The error body Clio declares: `error.type` and `error.message`."""
    body: Facts = {"error": {"type": refusal.error, "message": refusal.message}}
    return Reply(refusal.status, encoded(body), refusal.headers)


def loose(value: Any) -> bytes:
    """A scripted body as given: text as it is, anything else as JSON."""
    return value.encode() if isinstance(value, str) else encoded(value)
