"""OpenTelemetry spans for a delivery, a job and a call, on the trace that our lines name; nothing at all unless asked for.

Needs the extra `otel` and one of the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
or `OTEL_TRACES_EXPORTER=otlp`); `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` switch it off again. Spans of one
trace hang on a root that is made of the trace id, because who began it may be another process, or a crash ago.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from orchestrator.telemetry import trace

WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Note = Callable[..., None]


def _unheard(**_ids: Any) -> None:
    pass


def wanted() -> bool:
    """Whether the environment asks for spans."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").lower()
    if exporter == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return exporter == "otlp" or any(os.environ.get(name) for name in WANTED)


@contextmanager
def span(name: str, **ids: Any) -> Iterator[Note]:
    """One span around the block, on this thread's trace; what it gives notes further ids and codes on it.

    An error leaves its kind only: its words may hold a name.
    """
    if not wanted() or (tracer := _tracer()) is None:
        yield _unheard
        return
    with tracer.start_as_current_span(
        name, context=_context(), record_exception=False, set_status_on_exception=False
    ) as current:

        def note(**ids: Any) -> None:
            current.set_attributes({f"orchestrator.{key}": value for key, value in ids.items() if value is not None})

        note(**ids)
        try:
            yield note
        except BaseException as failure:
            current.set_attribute("error.type", type(failure).__name__)
            raise


@cache
def _tracer() -> Any:
    """The tracer of this process, made at its first span, which is after a worker's fork; None without the extra."""
    try:
        from opentelemetry import trace as api  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        return None
    if not isinstance(api.get_tracer_provider(), TracerProvider):
        named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "orchestrator")}
        provider = TracerProvider(resource=Resource.create(named))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        api.set_tracer_provider(provider)
    return api.get_tracer("orchestrator")


def _context() -> Any:
    """Where a span belongs: in the one around it, else on the root of this thread's trace."""
    from opentelemetry import trace as api  # noqa: PLC0415

    trace_id = trace.current()
    around = api.get_current_span().get_span_context()
    if trace_id is None or (around.is_valid and around.trace_id == int(trace_id, 16)):
        return None
    sampled = api.TraceFlags(api.TraceFlags.SAMPLED)
    root = api.SpanContext(int(trace_id, 16), int(trace_id[:16], 16), is_remote=True, trace_flags=sampled)
    return api.set_span_in_context(api.NonRecordingSpan(root))
