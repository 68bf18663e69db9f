"""Structured logs, configured once: JSON lines in production, readable ones elsewhere, always on stderr, and of ids only."""

import logging
import os
import sys
import threading
from collections.abc import Iterable
from types import TracebackType

import structlog

from orchestrator.settings import Misconfigured
from orchestrator.telemetry import redaction

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("json", "text")
log = structlog.get_logger()


class Libraries(logging.Handler):
    """Passes what libraries say on to our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        # The embedded broker has no host, and says so at every start.
        if not str(record.msg).startswith("No hostname was supplied"):
            log.log(record.levelno, **redaction.template(record))


def configure(*, production: bool, secrets: Iterable[str] = ()) -> None:
    """Send all that this process says to stderr at `ORCH_LOG_LEVEL`, as `ORCH_LOG_FORMAT` (json in production, else text).

    Libraries are heard from WARNING on, whatever the level: below it their lines are made of addresses and of statements.
    `secrets` are in no line, whoever writes it.
    """
    level = _chosen("ORCH_LOG_LEVEL", "info", LEVELS)
    shown = _chosen("ORCH_LOG_FORMAT", "json" if production else "text", FORMATS)
    redaction.hide(secrets)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redaction.scrub,
            structlog.processors.JSONRenderer(ensure_ascii=False) if shown == "json" else _on_a_terminal(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[Libraries()], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _process_died
    threading.excepthook = _thread_died
    sys.unraisablehook = _nobody_heard


def _chosen(variable: str, default: str, known: tuple[str, ...]) -> str:
    wanted = os.environ.get(variable, default).lower()
    if wanted not in known:
        raise Misconfigured(f"{variable}: {wanted!r} is not one of {', '.join(known)}.")
    return wanted


def _on_a_terminal() -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24, sort_keys=False)


# Python's own hooks print an exception's words, which may hold anything.


def _process_died(_kind: type[BaseException], failure: BaseException, _trace: TracebackType | None) -> None:
    log.critical("process.died", exc_info=failure)


def _thread_died(died: threading.ExceptHookArgs) -> None:
    log.critical("thread.died", part=died.thread.name if died.thread else None, exc_info=died.exc_value)


def _nobody_heard(unheard: "sys.UnraisableHookArgs") -> None:
    log.error("error.unheard", exc_info=unheard.exc_value)
