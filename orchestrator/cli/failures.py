"""Failure → one sentence on stderr and an exit code. What is not in the table is a defect, and is said to be one."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.telemetry.redaction import redacted

DONE, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130


def _own(failure: Any) -> str:
    return str(failure)


def _database(failure: Any) -> str:
    # The statement and its values stay out: they may name a client.
    said = str(getattr(failure, "orig", None) or type(failure).__name__).splitlines()[0]
    return f"The database does not answer as it should: {redacted(said)}. See ORCH_DATABASE_URL and `orchestrator config check`."


def _network(failure: Any) -> str:
    try:
        address = f"{failure.request.url.scheme}://{failure.request.url.netloc.decode()}"
    except RuntimeError:
        address = "The address"
    return f"{address} does not answer ({type(failure).__name__}). Is it running, and is its address right?"


def _system(failure: Any) -> str:
    return f"{failure.strerror or type(failure).__name__}{f': {failure.filename}' if failure.filename else ''}."


SENTENCES: dict[str, tuple[Callable[[Any], str], int]] = {
    "orchestrator.errors.OrchestratorError": (_own, REFUSED),
    "orchestrator.sandbox.refusal.Refusal": (_own, REFUSED),
    "sqlalchemy.exc.SQLAlchemyError": (_database, REFUSED),
    "redis.exceptions.RedisError": (lambda failure: f"Redis does not answer: {redacted(str(failure))}.", REFUSED),
    "httpx.HTTPError": (_network, REFUSED),
    "builtins.OSError": (_system, REFUSED),
    "typer.exceptions.Abort": (lambda _: "", INTERRUPTED),
}
"""By the name of the class, so that showing help need not import what might fail."""


def explain(failure: Exception) -> int:
    """Say what went wrong and return the exit code; `ORCH_LOG_LEVEL=debug` adds the traceback."""
    said, code = sentence(failure)
    if said:
        print(said, file=sys.stderr)
    if os.environ.get("ORCH_LOG_LEVEL", "").lower() == "debug":
        # Where it went, without its words: what stopped a command may have been a client's name.
        print("\n".join(_way(failure)), file=sys.stderr)
    return code


def _way(failure: BaseException) -> Iterator[str]:
    places = traceback.extract_tb(failure.__traceback__)
    yield from (f"  {place.filename}:{place.lineno} in {place.name}" for place in places)
    yield f"  {type(failure).__name__}"
    if (cause := failure.__cause__ or failure.__context__) is not None:
        yield "caused by"
        yield from _way(cause)


def sentence(failure: Exception) -> tuple[str, int]:
    """What went wrong in words, and the exit code it deserves."""
    for kind in type(failure).__mro__:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in SENTENCES:
            say, code = SENTENCES[name]
            return say(failure), code
        if hasattr(failure, "format_message"):
            return _usage(failure), int(getattr(failure, "exit_code", USAGE))
    trace = traceback.extract_tb(failure.__traceback__)[-1]
    place = f"{trace.filename.rsplit('/', 1)[-1]}:{trace.lineno}"
    return (
        f"An error we did not plan for: {type(failure).__name__} in {place}. Please report it; ORCH_LOG_LEVEL=debug shows more.",
        REFUSED,
    )


def _usage(failure: Any) -> str:
    said = str(failure.format_message()).rstrip()
    where = failure.ctx.command_path if getattr(failure, "ctx", None) else "orchestrator"
    # A group called without a command raises its own help text.
    return said if said.startswith("Usage:") else f"{said} See `{where} --help`."
