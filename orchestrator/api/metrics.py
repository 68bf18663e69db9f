"""`GET /metrics` of the web process: its firms' figures from their databases, and this process' own counters."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.engine.runtime import Runtime
from orchestrator.telemetry import exposition
from orchestrator.usecases.read_metrics import FAMILIES, Family, Figure, read_metrics

AWAY = (Figure("orchestrator_up", (), 0),)
"""All that is known of a firm whose database does not answer: that is a figure, never an error."""


class Firms(Collector):
    """Figures by firm, as Prometheus' families."""

    def __init__(self, figures: Mapping[str, Sequence[Figure]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        families = {name: _family(name, family) for name, family in FAMILIES.items()}
        for firm, figures in self._figures.items():
            for figure in figures:
                families[figure.family].add_metric((firm, *figure.labels), figure.value)
        yield from families.values()


def metrics(request: Request) -> Response:
    """The page of one firm's application."""
    rt: Runtime = request.app.state.runtime
    if (refusal := refused(request, rt.settings.metrics.token)) is not None:
        return refusal
    try:
        figures: Sequence[Figure] = read_metrics(rt)
    except Exception:  # noqa: BLE001  see AWAY
        figures = AWAY
    return shown({rt.firm: figures})


def refused(request: Request, token: SecretStr | None) -> Response | None:
    """Without a token in the settings this page is not there: a proxy on this machine makes everybody look local."""
    if token is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    if not exposition.allowed(request.headers.get("Authorization", ""), token.get_secret_value()):
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    return None


def shown(figures: Mapping[str, Sequence[Figure]]) -> Response:
    return Response(exposition.page(Firms(figures)), headers={"Content-Type": exposition.TYPE})


def _family(name: str, family: Family) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if family.counter else GaugeMetricFamily
    return kind(name, family.meaning, labels=("firm", *family.labels))
