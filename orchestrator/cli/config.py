"""`orchestrator config`: what is set, what it means, and whether it can work."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, get_args

import typer

from orchestrator.cli.options import EveryOption
from orchestrator.cli.show import Column, JsonOption, Page, say_json

if TYPE_CHECKING:
    from orchestrator.settings import Settings

app = typer.Typer(help="The firm's settings.", no_args_is_help=True)

CHECKS_COLUMNS = (Column("Check", "name", wrap=False), Column("Good", "ok"), Column("Finding", "said"))
SETTINGS_COLUMNS = (Column("Setting", "name", wrap=False), Column("Value", "value"), Column("Meaning", "meaning"))


@app.callback()
def config() -> None: ...


@app.command("check")
def check(ctx: typer.Context, as_json: JsonOption = False, every: EveryOption = False) -> None:
    """Check that the firm's settings can work, and show each.

    Looks at profile, secrets, database, templates and mail; exit code 1 when one is wrong. With --all every firm's, and
    whether two share a database or the environment names a firm that does not exist.

    JSON: firm, ok, checks (a list of name, ok, said), settings (a list of name, value, meaning). Secrets are "set" or "not set".
    With --all: ok, firms (a list of firm, ok, checks), checks (of the fleet).
    """
    from zoneinfo import ZoneInfo

    from orchestrator.cli.meanings import MEANINGS

    if every:
        _check_all(ctx, as_json=as_json)
        return
    settings, checks = _examined(ctx.obj)
    shown = [
        {"name": name, "value": value, "meaning": MEANINGS.get(name, "")}
        for name, value in (values(settings) if settings else ())
    ]
    good = all(found["ok"] for found in checks)
    if as_json:
        say_json({"firm": ctx.obj, "ok": good, "checks": checks, "settings": shown})
    else:
        page = Page(settings.firm.zone if settings else ZoneInfo("UTC"))
        if shown:
            page.table("Settings", SETTINGS_COLUMNS, shown)
        page.table("Checks", CHECKS_COLUMNS, checks)
    if not good:
        raise typer.Exit(1)


def _check_all(ctx: typer.Context, *, as_json: bool) -> None:
    from zoneinfo import ZoneInfo

    from orchestrator.cli.firm import settings_of, with_profiles

    names = with_profiles(settings_of(ctx).config_dir)
    found = {name: _examined(name) for name in names}
    fleet = [
        _run(said, look, {name: settings for name, (settings, _) in found.items() if settings})
        for said, look in FLEET_CHECKS.items()
    ]
    firms = [
        {"firm": name, "ok": all(check["ok"] for check in checks), "checks": checks}
        for name, (_, checks) in found.items()
    ]
    good = all(each["ok"] for each in (*firms, *fleet))
    if as_json:
        say_json({"ok": good, "firms": firms, "checks": fleet})
    else:
        page = Page(ZoneInfo("UTC"))
        lines = [
            {"name": name, "ok": check["ok"], "said": f"{check['name']}: {check['said']}"}
            for name, (_, checks) in found.items()
            for check in [
                next((each for each in checks if not each["ok"]), {"name": "all", "ok": True, "said": "good."})
            ]
        ]
        page.table("Firms", (Column("Firm", "name", wrap=False), *CHECKS_COLUMNS[1:]), lines)
        page.table("Fleet", CHECKS_COLUMNS, fleet)
    if not good:
        raise typer.Exit(1)


def _examined(firm: str) -> tuple["Settings | None", list[dict[str, Any]]]:
    """A firm's settings, None when they do not load, and how each part of them was found."""
    from orchestrator.cli.firm import settings_named
    from orchestrator.errors import OrchestratorError

    try:
        settings = settings_named(firm)
    except OrchestratorError as wrong:
        return None, [{"name": "profile", "ok": False, "said": str(wrong)}]
    return settings, [_run(name, look, settings, firm) for name, look in CHECKS.items()]


def _run(name: str, look: Callable[..., str], *given: Any) -> dict[str, Any]:
    from orchestrator.cli.failures import sentence

    try:
        return {"name": name, "ok": True, "said": look(*given)}
    except Exception as wrong:  # noqa: BLE001  whatever a part cannot bear is what this command is for
        return {"name": name, "ok": False, "said": sentence(wrong)[0]}


def values(settings: "Settings") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name; a secret only as set or not set, an address without its password."""
    from pydantic import BaseModel, SecretStr

    for name, field in type(settings).model_fields.items():
        group = getattr(settings, name)
        parts = (
            {f"{name}.{part}": (getattr(group, part), one) for part, one in type(group).model_fields.items()}
            if isinstance(group, BaseModel)
            else {name: (group, field)}
        )
        for place, (value, one) in parts.items():
            secret = SecretStr in (one.annotation, *get_args(one.annotation))
            yield place, ("set" if value else "not set") if secret else without_password(_rows(value))


def _rows(value: Any) -> Any:
    """Rows of a profile as plain data."""
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [one.model_dump(mode="json") if isinstance(one, BaseModel) else one for one in value]
    return value


def without_password(value: Any) -> Any:
    """A value fit to be shown: of an address with a password, the password is left out."""
    from pathlib import Path

    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", str(value)) if isinstance(value, str | Path) else value


def _profile(settings: "Settings", firm: str) -> str:
    known = settings.config_dir / "firms" / f"{firm}.toml"
    return f"{known} is valid." if known.is_file() else f"There is no {known}: defaults and the environment apply."


def _secret(settings: "Settings", _firm: str) -> str:
    from orchestrator.storage.vault import Cipher

    Cipher([key.strip() for key in settings.secret.split(",")])
    return (
        "Tokens are encrypted at rest."
        if settings.secret_key
        else "The ready token stands in; production needs ORCH_SECRET_KEY."
    )


def _database(settings: "Settings", _firm: str) -> str:
    from orchestrator.cli.firm import require_database
    from orchestrator.storage.migrate import newest, require_newest
    from orchestrator.storage.unit_of_work import connect

    require_database(settings.database_url)
    engine = connect(settings.database_url)
    try:
        require_newest(engine)
    finally:
        engine.dispose()
    return f"Reachable, at revision {newest()}."


def _parts(settings: "Settings", firm: str) -> str:
    from orchestrator.bootstrap import build

    build(settings, firm).close()
    return "Clio's credentials are there and every template loads."


def _mail(settings: "Settings", _firm: str) -> str:
    from orchestrator.settings import Misconfigured

    if settings.mail.url is None or settings.mail.sender is None:
        raise Misconfigured("ORCH_MAIL__URL or ORCH_MAIL__FROM is missing: every message would wait for a person.")
    return f"Messages leave as {settings.mail.sender}."


def _reminders(settings: "Settings", _firm: str) -> str:
    from orchestrator.sequences import in_words, load

    told = settings.reminders
    if not told.enabled:
        return "Unpaid bills are not followed up."
    sequences = (load(settings.config_dir, name) for name in settings.sequences)
    said = "; ".join(f"{sequence.name}: {in_words(sequence)}" for sequence in sequences)
    return (
        f"{said}. On business days of {settings.office.region}, {told.window_opens:%H:%M} to {told.window_closes:%H:%M} "
        f"in {settings.firm.time_zone}{', once a person has approved the batch' if told.approve_batches else ''}."
    )


CHECKS: dict[str, Callable[["Settings", str], str]] = {
    "profile": _profile, "secret": _secret, "database": _database, "clio and templates": _parts, "mail": _mail,
    "reminders": _reminders,
}  # fmt: skip
"""Each says what is good, or raises what is wrong."""


def _own_databases(found: dict[str, "Settings"]) -> str:
    from orchestrator.settings import Misconfigured

    users: dict[str, list[str]] = {}
    for name, settings in found.items():
        users.setdefault(settings.database_url, []).append(name)
    if shared := [names for names in users.values() if len(names) > 1]:
        raise Misconfigured(f"{' and '.join(shared[0])} have the same database: each firm needs its own.")
    return f"{len(found)} firms, each with a database of its own."


def _known_names(_found: dict[str, "Settings"]) -> str:
    from orchestrator.settings import Misconfigured, strangers

    if unknown := strangers():
        raise Misconfigured(f"{', '.join(unknown)} speak to no firm: is the name right, and is its profile there?")
    return "The environment speaks to firms that exist."


FLEET_CHECKS: dict[str, Callable[[dict[str, "Settings"]], str]] = {
    "databases": _own_databases, "environment": _known_names,
}  # fmt: skip
"""The same for what the firms have together."""
