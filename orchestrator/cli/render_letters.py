"""`orchestrator reminders render`: any letter with sample data, as a client would see it."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.show import Column, JsonOption, Page, say_json

LETTERS = (
    Column("Letter", "template", wrap=False),
    Column("Case", "case"),
    Column("Form", "locale", wrap=False),
    Column("Brand", "brand"),
    Column("Subject", "subject"),
    Column("File", "html", wrap=False),
)


def render(
    *,
    ctx: typer.Context,
    template: Annotated[str | None, typer.Argument(metavar="TEMPLATE", help="A letter, e.g. reminder.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter, brand and form.")] = False,
    locale: Annotated[list[str] | None, typer.Option(metavar="LOCALE", help="A form, e.g. fr-CA; several may be given.")] = None,
    brand: Annotated[str | None, typer.Option(metavar="NAME", help="A brand, by its firm name, practice area or office.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to write; a new temporary folder by default.")] = None,
    look: Annotated[bool, typer.Option("--open", help="Show the index in a browser.")] = False,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Write letters with sample data as HTML and text, with an index; nothing is sent and no database is opened.

    JSON: a list of template, case, locale, brand, subject, html, text (paths of files).
    """
    import tempfile
    import webbrowser

    from orchestrator.bootstrap import letters_of
    from orchestrator.cli.firm import settings_of
    from orchestrator.delivery import gallery
    from orchestrator.domain.money import CURRENCY

    settings = settings_of(ctx)
    letters = letters_of(settings)
    if (template is None) != every:
        raise typer.BadParameter(f"Name one letter or --all: {', '.join(letters.pages.steps)}.")
    if template is not None and template not in letters.pages.steps:
        raise typer.BadParameter(f"There is no letter {template!r}: {', '.join(letters.pages.steps)}.")
    brands = [one for one in letters.brands if brand is None or one.goes_by(brand)]
    if not brands:
        raise typer.BadParameter(f"No brand of [[letters.brands]] goes by {brand!r}.")
    forms: list[str | None] = list(locale or ())
    if wrong := [form for form in forms if form is not None and not letters.speaks(form)]:
        raise typer.BadParameter(f"There are no words in {wrong[0]}: {', '.join(letters.pages.locales)}.")
    if not forms:
        forms = [None, *(one for one in letters.pages.locales if "-" in one)] if every else [None]
    folder = out or Path(tempfile.mkdtemp(prefix="letters-"))
    shown = gallery.show(
        letters, folder, templates=[template] if template else letters.pages.steps, locales=forms, brands=brands,
        currency=CURRENCY[settings.clio.region], host=settings.links.pay_hosts[0],
    )  # fmt: skip
    if as_json:
        say_json(
            [
                row | {"html": str(folder / row["html"]), "text": str(folder / row["text"])}
                for row in gallery.listed(shown)
            ]
        )
    else:
        page = Page(settings.firm.zone)
        page.table("Letters", LETTERS, gallery.listed(shown))
        page.line(f"Look at {folder / 'index.html'}")
    if look:
        webbrowser.open((folder / "index.html").resolve().as_uri())
