"""What only a process knows: how attempts ended, calls and the budget they left, deliveries, waits.

Counting costs about a microsecond and no commit. Everything else that can be measured is in the database and is read when
somebody asks (`usecases.read_metrics`). A label is a firm's name, a topic, a code or a status: never a person or an id.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]

COUNTERS = CollectorRegistry()


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"orchestrator_{name}", meaning, labels, registry=COUNTERS)


def _latest(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(f"orchestrator_{name}", meaning, labels, registry=COUNTERS, multiprocess_mode="mostrecent")


def _times(name: str, meaning: str, *labels: str) -> Histogram:
    bounds = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
    return Histogram(f"orchestrator_{name}", meaning, labels, registry=COUNTERS, buckets=bounds)


VERDICTS = _counter("verdicts_total", "Attempts at jobs by how they ended.", "firm", "topic", "verdict")
CALLS = _counter(
    "calls_total", "Calls to a provider by status; none: no answer came.", "firm", "provider", "method", "status"
)
CALL_SECONDS = _times("call_seconds", "Time until a provider's whole answer was there.", "firm", "provider")
BUDGET_LIMIT = _latest(
    "budget_limit", "Requests a minute that the provider announced for the firm's token.", "firm", "provider"
)
BUDGET_REMAINING = _latest(
    "budget_remaining", "Requests left in the provider's present minute, as last announced.", "firm", "provider"
)
DELIVERIES = _counter(
    "webhook_deliveries_total", "Webhook requests by our answer; 401: signature refused.", "firm", "status"
)
ACK_SECONDS = _times("webhook_ack_seconds", "Time until a webhook request was durable and answered.", "firm")
BELLS = _counter("bells_total", "Messages sent to the broker for jobs that are due.", "firm")
DATABASE_WAIT_SECONDS = _times(
    "database_wait_seconds", "Time a writer waited for the database to let it begin.", "database"
)
