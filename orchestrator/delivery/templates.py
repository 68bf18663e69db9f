"""The words in `config/templates`: read, compiled and checked once, so a letter cannot fail on a template at night."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jinja2 import DictLoader, StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment

from orchestrator.errors import Rejected

FALLBACK = "default"
PARTS = ("subject.txt", "txt", "html")
FAULTS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What rendering raises; a template is a program, written by the firm."""


@dataclass(frozen=True, slots=True)
class Page:
    """One step's three templates."""

    subject: Template
    text: Template
    html: Template

    def render(self, words: Mapping[str, object]) -> tuple[str, str, str]:
        """Subject on one line, text and HTML; `Rejected` when a template does what none should."""
        try:
            subject, text, html = (part.render(words).strip() for part in (self.subject, self.text, self.html))
        except FAULTS as fault:
            # The fault's own words may quote a client's name, so only its kind is told.
            kind = type(fault).__name__
            raise Rejected(f"{self.html.name} cannot be written: {kind}.", reason="template_invalid") from None
        return " ".join(subject.split()), f"{text}\n", f"{html}\n"


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """Every page of every variant, by (variant, step)."""

    pages: dict[tuple[str, str], Page]

    @classmethod
    def load(cls, folder: Path, facts: Mapping[str, object]) -> Self:
        """Everything under `folder`, tried with `facts` and with none of them.

        `Rejected` when a part is missing, does not compile, or names what is not in `facts`.
        """
        files = [path for path in folder.rglob("*") if path.suffix in {".txt", ".html"}]
        sources = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}
        environment = SandboxedEnvironment(
            loader=DictLoader(sources),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        steps = {tuple(name.split(".")[0].rsplit("/", 1)) for name in sources if "/" in name}
        try:
            for source in sources.values():
                _check_names(environment, source, facts)
            compiled = {name: environment.get_template(name) for name in sources}
            pages = {
                (variant, step): Page(*(compiled[f"{variant}/{step}.{part}"] for part in PARTS))
                for variant, step in steps
            }
        except (TemplateError, KeyError) as fault:
            raise Rejected(f"Templates in {folder} are not usable: {fault}", reason="template_invalid") from fault
        if not pages:
            raise Rejected(f"There are no templates in {folder}.", reason="template_invalid")
        for page in pages.values():
            page.render(facts)
            page.render({fact: type(value)() for fact, value in facts.items()})
        return cls(pages)

    def find(self, step: str, variants: Iterable[str]) -> Page:
        """The page of the first variant that has `step`, else the default's; `Rejected` when none has."""
        for variant in (*variants, FALLBACK):
            if page := self.pages.get((variant, step)):
                return page
        raise Rejected(f"No template is called {step!r}.", reason="template_missing")


def _check_names(environment: SandboxedEnvironment, source: str, facts: Collection[str]) -> None:
    tree = environment.parse(source)
    if unknown := meta.find_undeclared_variables(tree) - set(facts):
        raise TemplateError(f"nothing is called {', '.join(sorted(unknown))}")
    for parent in meta.find_referenced_templates(tree):
        environment.get_template(parent or "")
