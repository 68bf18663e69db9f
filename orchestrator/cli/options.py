"""Options that several commands share."""

from typing import Annotated

import typer

FirmsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--firm", metavar="NAME", envvar="ORCH_FIRMS",
        help="A firm to serve; repeat it for several. The variable holds names with spaces between, or all.",
    ),
]  # fmt: skip
EveryOption = Annotated[bool, typer.Option("--all", help="Every firm that has a profile in config/firms.")]
