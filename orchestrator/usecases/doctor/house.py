"""The firm's own house: settings, secrets, database, broker, clocks, processes, backlog."""

from datetime import timedelta

from orchestrator.domain.reasons import meaning
from orchestrator.usecases.backfill_matters import NAME as BACKFILL
from orchestrator.usecases.doctor.findings import Check, Finding, Patient, ok, problem, warning
from orchestrator.usecases.read_health import DEAF_AFTER_SECONDS, SWEEPS_LATE
from orchestrator.usecases.verify_audit import newest

SHORTEST_KEY = 32
OLDEST_POSTGRESQL = 15
SKEW_SECONDS = 30
OLD_JOB = timedelta(minutes=15)


def settings(patient: Patient) -> Finding:
    if patient.rt is None:
        return problem(
            "The parts cannot be put together.", "Run `orchestrator config check`, which names what is wrong."
        )
    known = patient.settings
    if known.production and known.public_url is None:
        # Not a problem of the settings as such: everything else can still be looked at.
        return warning("ORCH_PUBLIC_URL is not set: Clio cannot reach us.", "Set it to the https address Clio reaches.")
    return ok(f"{known.environment}; the office's time zone is {known.firm.time_zone}; every template loads.")


def secret(patient: Patient) -> Finding:
    if patient.settings.secret_key is None:
        return warning(
            "The ready token stands in for a key.", "Production needs ORCH_SECRET_KEY: `openssl rand -hex 32`."
        )
    keys = [key.strip() for key in patient.settings.secret.split(",")]
    if min(map(len, keys)) < SHORTEST_KEY or any(len(set(key)) < SHORTEST_KEY // 4 for key in keys):
        return warning(
            "ORCH_SECRET_KEY is weak.", "Put a new key of `openssl rand -hex 32` before it, with a comma between."
        )
    return ok(f"{len(keys)} key{'s' if len(keys) > 1 else ''}.")


def key_rotation(patient: Patient) -> Finding:
    keys = len(patient.settings.secret.split(","))
    left = patient.probe.outdated_secrets()
    if left:
        return warning(
            f"{left} stored secrets still need a former key.",
            "Keep it in ORCH_SECRET_KEY; the daily tidy moves them to the newest.",
        )
    if keys > 1:
        return warning(
            "Nothing stored needs a former key any more.", "Drop all but the first key from ORCH_SECRET_KEY."
        )
    return ok("Everything stored is under the newest key.")


def database(patient: Patient) -> Finding:
    found = patient.probe.database()
    if found["revision"] != found["wanted"]:
        return problem(
            f"The database is at revision {found['revision']}, not {found['wanted']}.", "Run `orchestrator migrate`."
        )
    if found["dialect"] == "postgresql" and int(found["version"].split(".")[0]) < OLDEST_POSTGRESQL:
        return problem(f"PostgreSQL {found['version']} is too old.", f"Use {OLDEST_POSTGRESQL} or newer.")
    if found["writable"] != "yes":
        return problem(
            "The database can be read and not written.", "Give our user the right to write, or free the disk."
        )
    if found["dialect"] == "sqlite" and found["journal"] != "wal":
        return warning(
            f"SQLite keeps a {found['journal']} journal, not WAL.", "Put the file on a local disk, not a network share."
        )
    return ok(f"{found['dialect']} {found['version']}, revision {found['revision']}, writable.")


def broker(patient: Patient) -> Finding:
    if patient.settings.embedded:
        if not patient.settings.production or patient.settings.database_url.startswith("sqlite"):
            return ok("In this process; jobs are rows, so nothing is lost with it.")
        return ok("In this process.")
    found = patient.probe.broker()
    if found["policy"] not in {None, "noeviction"}:
        return problem(
            f"Redis may evict our keys under pressure (maxmemory-policy {found['policy']}).",
            "Set maxmemory-policy noeviction.",
        )
    if found["appendonly"] == "0":
        return warning(
            "Redis keeps nothing over a restart; jobs are rows, so that only delays them.", "Set appendonly yes."
        )
    return ok(f"Redis or Valkey {found['version']}; celery {found['celery']}, kombu {found['kombu']}.")


def limiter(patient: Patient) -> Finding:
    patient.probe.limiter()
    return ok("In this process." if patient.settings.embedded else "Shared by all workers through Redis.")


def clocks(patient: Patient) -> Finding:
    if patient.settings.clock_url:
        return ok("A moved clock: there is nothing to compare.")
    ahead = patient.probe.clocks()
    off = {name: seconds for name, seconds in ahead.items() if seconds is not None and abs(seconds) > SKEW_SECONDS}
    if off:
        words = " and ".join(f"{seconds:+.0f} s against {name}" for name, seconds in off.items())
        return problem(
            f"This machine's clock is off: {words}.", "Let a time service (chrony, systemd-timesyncd) set it."
        )
    return ok(f"Within {SKEW_SECONDS} s of {' and '.join(name for name, known in ahead.items() if known is not None)}.")


def processes(patient: Patient) -> Finding:
    with patient.runtime.read() as work:
        ages = work.pulses.ages()
    beat, heart = ages.get("beat"), ages.get("heartbeat")
    if beat is None or beat["age_seconds"] > DEAF_AFTER_SECONDS:
        return problem("The beat process is silent.", "Start `orchestrator beat` (or `orchestrator up`).")
    if heart is None or heart["age_seconds"] > DEAF_AFTER_SECONDS:
        return problem(
            "No worker answers the heartbeat.", "Start or restart `orchestrator worker` (or `orchestrator up`)."
        )
    return ok(f"Beat and worker alive {heart['age_seconds']:.0f} s ago.")


def sweeps(patient: Patient) -> Finding:
    late = timedelta(seconds=patient.settings.sweep.interval_seconds * SWEEPS_LATE)
    with patient.runtime.read() as work:
        ages, now = work.pulses.ages(), work.now
    stale = [
        name.removeprefix("sweep.")
        for name, age in ages.items()
        if name.startswith("sweep.") and now - age["at"] > late
    ]
    if not any(name.startswith("sweep.") for name in ages):
        return warning("Nothing was swept yet.", "Start `orchestrator up`, or beat and a worker, and look again.")
    if stale:
        return problem(f"Sweeps are late: {', '.join(stale)}.", "See `orchestrator jobs list --topic sweep`.")
    return ok("Every kind was swept in time.")


def backlog(patient: Patient) -> Finding:
    with patient.runtime.read() as work:
        counts, oldest, now = work.jobs.counts(), work.jobs.oldest_due(), work.now
    age = now - oldest if oldest else timedelta(0)
    if age > OLD_JOB:
        return warning(
            f"The oldest due job has waited {age.total_seconds() / 60:.0f} minutes.",
            "See `orchestrator jobs list --state ready`.",
        )
    return ok(f"{counts.get('ready', 0)} waiting, {counts.get('parked', 0)} parked; nothing due is old.")


def exceptions(patient: Patient) -> Finding:
    with patient.runtime.read() as work:
        counts = work.exceptions.open_counts()
    if counts:
        words = ", ".join(f"{count} × {meaning(kind)}" for kind, count in sorted(counts.items())[:5])
        return warning(
            f"{sum(counts.values())} exceptions are open: {words}.", "Work through `orchestrator exceptions list`."
        )
    return ok("Nothing waits for a person.")


def audit(patient: Patient) -> Finding:
    rt = patient.runtime
    last, check = newest(rt)
    if check.first is not None:
        return problem(f"The record was changed. {check.first.words}", "See `orchestrator audit verify`.")
    if rt.heads is None:
        return warning(
            "No head of the audit chain is noted outside the database.",
            "Set ORCH_ENGINE__MARK_DIR to a folder on another volume: without it nobody can know that lines were cut off.",
        )
    noted = f"the head of {last.at:%Y-%m-%d} is noted outside" if last is not None and last.at else "no head noted yet"
    return ok(f"{check.lines} lines since the last check are as they were written; {noted}.")


def matter_numbers(patient: Patient) -> Finding:
    with patient.runtime.read() as work:
        known = sum(work.references.counts().values())
        row = work.references.backfill(BACKFILL)
    if patient.settings.trust.accounts and (row is None or row["done_at"] is None):
        return warning(
            "Old matters may be unknown: not every matter that Clio has was read yet.",
            "Run `orchestrator matters backfill`.",
        )
    return ok(f"{known} numbers and references name a matter.")


CHECKS = (
    Check("settings", settings),
    Check("secret key", secret),
    Check("database", database, "settings"),
    Check("key rotation", key_rotation, "database"),
    Check("broker", broker, "settings"),
    Check("limiter", limiter, "broker"),
    Check("clocks", clocks, "database"),
    Check("processes", processes, "database"),
    Check("sweeps", sweeps, "database"),
    Check("backlog", backlog, "database"),
    Check("exceptions", exceptions, "database"),
    Check("audit", audit, "database"),
    Check("matter numbers", matter_numbers, "database"),
)
