"""What `orchestrator doctor` asks beside the work's own ways: each probe answers within seconds, and changes nothing."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from importlib.metadata import version

import sqlalchemy as sa

from orchestrator.clients.clio.auth import REGIONS
from orchestrator.clients.http import knock
from orchestrator.clients.redis_pacing import redis_store
from orchestrator.delivery.smtp import SmtpMailer
from orchestrator.engine.runtime import Runtime
from orchestrator.settings import Settings
from orchestrator.storage.migrate import newest, revision_of
from orchestrator.storage.types import real_now
from orchestrator.storage.vault import sealed_values
from orchestrator.usecases.doctor.findings import Probes

SECONDS = 5.0


def broker(settings: Settings) -> Mapping[str, str | None]:
    """Version and keeping of the Redis that carries the bells; what it does not let us ask is None."""
    with redis_store(settings.broker_url) as store:
        said: dict[str, object] = {**store.info("server"), **store.info("memory"), **store.info("persistence")}
    return {
        "version": str(said.get("redis_version")),
        "policy": str(said["maxmemory_policy"]) if "maxmemory_policy" in said else None,
        "appendonly": str(said["aof_enabled"]) if "aof_enabled" in said else None,
        "celery": version("celery"),
        "kombu": version("kombu"),
    }


def limiter(settings: Settings) -> None:
    """Raises when the store of the shared request budget does not answer."""
    if not settings.embedded:
        with redis_store(settings.broker_url) as store:
            store.ping()


def database(rt: Runtime) -> Mapping[str, str]:
    """Dialect, version, revision and journal; whether a write is taken, which is rolled back."""
    engine = rt.uow.engine
    with engine.connect() as connection:
        dialect = connection.dialect
        info = dialect.server_version_info or ()
        lite = dialect.name == "sqlite"
        journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()) if lite else ""
        revision = revision_of(connection)
        try:
            connection.execute(sa.text("UPDATE pulses SET at_real = at_real WHERE 1 = 0"))
            connection.execute(sa.text("CREATE TABLE doctor_was_here (id INTEGER)"))
            writable = "yes"
        except sa.exc.DBAPIError:
            writable = "no"
        connection.rollback()
    return {
        "dialect": dialect.name, "version": ".".join(map(str, info)), "revision": revision or "none", "wanted": newest(),
        "journal": journal, "writable": writable,
    }  # fmt: skip


def clocks(rt: Runtime) -> Mapping[str, float | None]:
    """By whose clock: the seconds that this machine's is ahead of it."""
    with rt.read() as work:
        theirs = float(work.connection.execute(sa.select(real_now())).scalar_one())
        database = time.time() - theirs
    url = rt.settings.clio.base_url or REGIONS[rt.settings.clio.region]
    met = knock(f"{url}/api/v4/users/who_am_i.json", {}, seconds=SECONDS, method="GET")
    try:
        clio = time.time() - parsedate_to_datetime(met.headers.get("date", "")).timestamp()
    except ValueError:
        clio = None
    return {"the database": database, "Clio": clio}


def mail(settings: Settings) -> Mapping[str, str | None]:
    """What the relay offers once we are connected and logged in; no letter is begun."""
    assert settings.mail.url is not None
    return SmtpMailer(settings.mail.url.get_secret_value(), timeout_seconds=settings.mail.timeout_seconds).offers()


def outdated_secrets(rt: Runtime) -> int:
    """How many stored secrets only a former key opens."""
    with rt.read() as work:
        return sum(rt.cipher.outdated(value) for value in sealed_values(work))


def probes_of(rt: Runtime) -> Probes:
    """Every probe of one firm."""
    return Probes(
        broker=partial(broker, rt.settings),
        mail=partial(mail, rt.settings),
        clocks=partial(clocks, rt),
        outdated_secrets=partial(outdated_secrets, rt),
        database=partial(database, rt),
        limiter=partial(limiter, rt.settings),
    )
