"""`orchestrator sandbox`: the stand-in Clio, LawPay and mailbox, in the foreground."""

import json
import os
import tomllib
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator.sandbox import Addresses


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise typer.BadParameter(f"{text!r} is not a moment such as 2026-03-02T15:00:00Z.") from wrong
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _scenario(text: str) -> str | dict[str, Any]:
    """A scenario's name, or the contents of a file of one; what is wrong with either is said before anything starts."""
    from orchestrator.sandbox.refusal import Refusal
    from orchestrator.sandbox.scenario import load

    path = Path(text)
    try:
        scenario = tomllib.loads(path.read_text("utf-8")) if path.suffix == ".toml" else text
        load(scenario)
    except (Refusal, tomllib.TOMLDecodeError) as wrong:
        raise typer.BadParameter(str(wrong)) from wrong
    except OSError as unreadable:
        raise typer.BadParameter(f"{path} cannot be read: {unreadable.strerror}.") from unreadable
    return scenario


def sandbox(
    *,
    scenario: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A scenario of config/sandbox, or a TOML file like them.")
    ] = "small-firm",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port for Clio and its pages; 0 picks one.")] = 0,
    smtp_port: Annotated[int, typer.Option(min=0, max=65535, help="The port for the mailbox; 0 picks one.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the addresses here once it is listening.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same firm.")] = 1,
    now: Annotated[
        datetime | None,
        typer.Option(parser=_moment, metavar="MOMENT", help="Begin at this moment, e.g. 2026-03-02T15:00:00Z."),
    ] = None,
    frozen: Annotated[bool, typer.Option(help="Let time pass only when told to.")] = False,
    rate_limit: Annotated[int | None, typer.Option(min=1, help="Requests a minute for each token.")] = None,
) -> None:
    """Serve a stand-in Clio, LawPay and a mailbox until Ctrl-C.

    Its payment pages open in a browser; the lines it prints connect a worker to it.
    """
    from orchestrator.cli import logs
    from orchestrator.sandbox import serve_forever

    logs.configure(production=False)

    def ready(addresses: "Addresses") -> None:
        facts = asdict(addresses) | {"clock_url": f"{addresses.url}/clock"}
        if json_file is not None:
            _write(json_file, facts)
        print(_welcome(facts), flush=True)

    serve_forever(
        _scenario(scenario), seed=seed, now=now, frozen=frozen, rate_limit=rate_limit, host=host, port=port,
        smtp_port=smtp_port, on_ready=ready,
    )  # fmt: skip
    print("The sandbox has stopped.")


def _write(path: Path, facts: dict[str, Any]) -> None:
    """Whole or not at all: whoever waits for the file finds all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def _welcome(facts: dict[str, Any]) -> str:
    return f"""\
The sandbox is listening.
  Clio      {facts["clio_base_url"]}
  LawPay    {facts["lawpay_base_url"]}
  Pages     {facts["url"]}
  Mailbox   {facts["smtp_url"]}
  Token     {facts["access_token"]}

To run the worker against it, in another terminal:
  export ORCH_ENVIRONMENT=sandbox
  export ORCH_CLOCK_URL={facts["clock_url"]}
  export ORCH_CLIO__BASE_URL={facts["clio_base_url"]}
  export ORCH_CLIO__ACCESS_TOKEN={facts["access_token"]}
  export ORCH_LAWPAY__BASE_URL={facts["lawpay_base_url"]}
  export ORCH_LAWPAY__SECRET_KEY={facts["lawpay_secret_key"]}
  export ORCH_MAIL__URL={facts["smtp_url"]}
  export ORCH_MAIL__FROM=billing@firm.example
  export ORCH_DATABASE_URL=sqlite:///var/sandbox-{os.getpid()}.sqlite3
  orchestrator up

Ctrl-C stops it."""
