"""The table of promises: DESIGN §10, row by row."""

from benchmarks import (
    acknowledge,
    catch_up,
    hear_duplicates,
    hold_memory,
    react,
    reconcile,
    rerun_after_kill,
    saturate,
    share_out,
    spend_calls,
)
from benchmarks.figure import Metric

METRICS: dict[str, Metric] = {
    "P1": Metric(
        "Calls to Clio for a billed bill", "floor ÷ actual calls", "≥", 0.95,
        "one link and one communication a bill, and the pages its bills fill", spend_calls.measure,
    ),
    "P2": Metric(
        "Request budget used", "calls ÷ announced", "≥", 0.98,
        "what the windows announced, the limit changing, four worker processes", saturate.budget_used,
    ),
    "P3": Metric(
        "Refused for haste", "429 ÷ answers", "≤", 0.001, "all answers in the same windows", saturate.refusals,
    ),
    "P4": Metric(
        "Webhook acknowledged", "p99 ÷ p99", "≤", 3, "seconds of a handler in the same server that only checks the signature",
        acknowledge.measure,
    ),
    "P5": Metric(
        "Reads under duplicate deliveries", "objects asked for ÷ objects", "≤", 1.05, "distinct objects",
        hear_duplicates.measure,
    ),
    "P6": Metric(
        "Re-run after SIGKILL", "longest wait ÷ lease", "≤", 1.5, "seconds of the lease", rerun_after_kill.measure,
    ),
    "P7": Metric(
        "Caught up after three deaf hours", "calls ÷ pages", "≤", 3, "pages of 200 that what changed fills, kind by kind",
        catch_up.measure,
    ),
    "P8": Metric(
        "Reconciled", "records/s ÷ records/s", "≥", 0.25, "records/s of a plain hash join of the same lists, reading included",
        reconcile.measure,
    ),
    "P9": Metric(
        "Peak memory with a hundred times the bills", "MB ÷ MB", "≤", 1.5,
        "MB at 1,000 open bills, as the kernel counted them", hold_memory.measure,
    ),
    "P10": Metric(
        "Interactive wait under saturation", "p95 in seconds", "≤", 2, "p50 of the same waits", saturate.interactive_wait,
    ),
    "P11": Metric(
        "Webhook to effect", "p50 ÷ p50", "≤", 2, "seconds of a Celery no-op's round trip and one call", react.measure,
    ),
    "P12": Metric(
        "Firms on one fleet of two cores, each at full budget", "firms, by simulation", "≥", 200,
        "CPU milliseconds of one call and all that goes with it", share_out.measure,
    ),
}  # fmt: skip
