"""Structured logs, configured once: JSON lines in production, key=value elsewhere, always on stderr."""

import logging
import os
import sys
from typing import TextIO

import structlog

from orchestrator.settings import Misconfigured

LEVELS = ("debug", "info", "warning", "error", "critical")


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the moment."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None: ...


def configure(*, production: bool) -> None:
    """Send every log of this process to stderr at `ORCH_LOG_LEVEL`; libraries are heard from WARNING on.

    Libraries stay that quiet because their lines quote addresses: a URL may be a payment link.
    """
    wanted = os.environ.get("ORCH_LOG_LEVEL", "info").lower()
    if wanted not in LEVELS:
        raise Misconfigured(f"ORCH_LOG_LEVEL: {wanted!r} is not one of {', '.join(LEVELS)}.")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    shown: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if production
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    )
    structlog.configure(
        processors=[*shared, shown],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, wanted.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shown], foreign_pre_chain=shared
        )
    )
    # The embedded broker has no host, and says so at every start.
    handler.addFilter(lambda record: not record.getMessage().startswith("No hostname was supplied"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
