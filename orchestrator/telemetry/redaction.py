"""The last defence of a log: whatever reaches it, no address, token, card-like number, link or key of ours leaves.

Patterns cannot know a name. So our own lines are made of ids, codes and figures (`FIELDS`; a test reads every call), the
words of an exception are never written, and of a library's line only what its authors wrote: the template, not what it
was filled with.
"""

import re
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from logging import LogRecord
from types import TracebackType
from typing import Any

FIELDS = frozenset({
    "timestamp", "level", "event", "logger",
    "firm", "job", "topic", "attempt", "bill", "trace_id",
    "kind", "id", "ids", "count", "status", "method", "path", "provider", "seconds",
    "verdict", "reason", "why", "error", "at", "args", "part", "pid",
})  # fmt: skip
"""All that a line may hold; what each means is in docs/observability.md. A field that is not here is dropped."""

HIDDEN = "[hidden]"

_SHAPES = {"trace_id": re.compile(r"[0-9a-f]{32}"), "timestamp": re.compile(r"[0-9T:.+Z-]{20,40}")}
"""Fields whose values look like secrets and are none; anything of another shape in them is treated as text."""

_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/@]*@)?([\w.:\[\]-]*)(?:[/?#][^\s\"'<>]*)?")
_PRIVATE = re.compile(
    r"""[^\s@"'<>=:,(]+@[\w.-]*\w                  # an e-mail address
      | (?<!\d)\d(?:[ -]?\d){11,18}(?!\d)              # a card, account or phone number
      | (?i:\b(?:bearer|basic|token|secret|password|passwd|api[_-]?key)\b["']?\s*[:=]?\s*["']?)[^\s"',;&]{4,}
      | (?=[\w~+-]*\d)[\w~+-]{24,}=*                   # a token: long, one word, with a digit in it
    """,
    re.VERBOSE,
)
_LONGEST_TEXT = 500
_SHORTEST_SECRET = 6

_secrets: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """From now on these values are in no line, wherever they turn up; too short ones would hide half of the language."""
    _secrets.update(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)


def redacted(text: str) -> str:
    """`text` without our secrets, addresses, tokens and card-like numbers; of a URL, scheme and host are left."""
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    text = _URL.sub(lambda url: f"{url[1]}{url[2]}", text[: 4 * _LONGEST_TEXT])
    return _PRIVATE.sub(HIDDEN, text)[:_LONGEST_TEXT]


def scrub(_logger: object, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: only known fields, and nothing private in them; an exception leaves its type and places."""
    failure = line.pop("exc_info", None)
    if failure:
        line.update(placed(_exception(failure)))
    return {name: _safe(name, value) for name, value in line.items() if name in FIELDS}


def placed(failure: BaseException | None) -> dict[str, Any]:
    """An exception as its types and the places it passed, without its words: they may hold anything, a client's name too."""
    if failure is None:
        return {}
    chain = [failure]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return {"error": " from ".join(type(one).__name__ for one in chain), "at": _places(failure.__traceback__)}


def template(record: LogRecord) -> dict[str, Any]:
    """What the authors of a library wrote, and of what they filled in only numbers and kinds of failure.

    Some fill in beforehand: the first line is all that is kept, and `redacted` goes over it.
    """
    said = type(record.msg).__name__ if isinstance(record.msg, BaseException) else str(record.msg)
    given = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    args = [told for arg in given if (told := _told(arg)) is not None]
    event = said.strip().partition("\n")[0]
    if record.name == "py.warnings":  # path:line: Category: words that may quote data
        event, args = "warning", [place for one in given for place in _Warned.findall(str(one))[:1]]
    line = {"event": event, "logger": record.name, "args": args or None, "exc_info": record.exc_info}
    return {name: value for name, value in line.items() if value is not None}


_Warned = re.compile(r"([\w.-]+\.py:\d+: \w+)")


def _told(arg: object) -> str | int | float | None:
    match arg:
        case bool() | int() | float():
            return arg
        case BaseException():
            return type(arg).__name__
        case _:
            return None


def _exception(given: Any) -> BaseException | None:
    match given:
        case BaseException():
            return given
        case (_, BaseException() as failure, _):
            return failure
        case True:
            return sys.exc_info()[1]
        case _:
            return None


def _places(trace: TracebackType | None) -> list[str]:
    """The innermost last; of a deep one its ends, for a recursion has thousands."""
    frames = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in traceback.extract_tb(trace)]
    return frames if len(frames) <= 2 * _END else [*frames[:_END], "…", *frames[-_END:]]


_END = 12


def _safe(name: str, value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str() if name in _SHAPES and _SHAPES[name].fullmatch(value):
            return str(value)
        case str():
            return redacted(str(value))
        case Mapping():
            return {redacted(str(key)): _safe("", part) for key, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_safe("", part) for part in value]
        case _:
            return type(value).__name__
