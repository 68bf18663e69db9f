"""The words in `config/templates`: read, compiled and checked once, so a letter cannot fail on a template at night.

What a letter says is a file of TOML (`en/reminder.toml`); how it looks is `layout.txt` and `layout.html`, which share
every word, so that text and page cannot say different things. docs/letters.md tells a firm how to change them.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from orchestrator.errors import Rejected

LAYOUTS = ("layout.txt", "layout.html")
WORDS = "words"
"""The file of a language that holds what all its letters have in common."""
FAULTS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What rendering raises; a template is a program, written by the firm."""

Facts = Mapping[str, object]


def _environment(*, autoescape: bool = False, tidy: bool = True) -> SandboxedEnvironment:
    return SandboxedEnvironment(
        autoescape=autoescape, undefined=StrictUndefined, trim_blocks=tidy, lstrip_blocks=tidy, cache_size=0
    )


SPEECH, PLAIN, MARKUP = _environment(tidy=False), _environment(), _environment(autoescape=True)
"""For words, for the layout of texts, for that of pages."""

LONE_TAGS = re.compile(r"(?m)^[ \t]*((?:\{%(?:(?!%\}).)*%\}[ \t]*)+)\n")
"""Lines that hold nothing but tags: they are no lines of the letter. One that ends in a tag is, and may end a paragraph."""


@dataclass(frozen=True, slots=True)
class Page:
    """One letter in one language: its words by name, and the two shapes that they are poured into."""

    name: str
    words: Mapping[str, Template]
    text: Template
    html: Template

    def render(self, facts: Facts) -> tuple[str, str, str]:
        """Subject on one line, text and HTML; `Rejected` when a template does what none should."""
        try:
            say = {word: paragraphs(template.render(facts)) for word, template in self.words.items()}
            text, html = (layout.render(facts, say=say).strip() for layout in (self.text, self.html))
        except FAULTS as fault:
            # The fault's own words may quote a client's name, so only its kind is told.
            kind = type(fault).__name__
            raise Rejected(f"{self.name} cannot be written: {kind}.", reason="template_invalid") from None
        return say["subject"].replace("\n", " "), re.sub(r"\n{3,}", "\n\n", f"{text}\n"), f"{html}\n"


def paragraphs(words: str) -> str:
    """Each paragraph on one line, a blank line between two; a space that must not break stays one."""
    found = (re.sub(r"[ \t\r\n]+", " ", paragraph).strip(" ") for paragraph in re.split(r"\n[ \t\r]*\n", words))
    return "\n\n".join(paragraph for paragraph in found if paragraph)


@dataclass(frozen=True)
class TemplateSet:
    """Every word of every letter, by the file that says it: `fr/reminder`, `fr/flat/invoice`, `hart-lane/en/words`."""

    files: Mapping[str, Mapping[str, str]]
    layouts: tuple[str, str]
    _pages: dict[tuple[str, ...], Page] = field(default_factory=dict, compare=False)

    @staticmethod
    def load(folder: Path, samples: Iterable[tuple[tuple[str, object], ...]]) -> "TemplateSet":
        """Everything under `folder`, each letter tried with every one of `samples`.

        `Rejected` when a layout is missing, a file or a word does not compile, names what no letter knows, or is wanting.
        """
        found = [path for path in sorted(folder.rglob("*")) if path.suffix in {".toml", ".txt", ".html"}]
        sources = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}
        try:
            return _checked(tuple(sources.items()), tuple(samples))
        except (TemplateError, tomllib.TOMLDecodeError, LookupError) as fault:
            raise Rejected(f"Templates in {folder} are not usable: {fault}", reason="template_invalid") from fault

    def find(self, step: str, variants: Iterable[str], locale: str, house: str | None = None) -> Page:
        """The words of `step` in this locale; `Rejected` when its language has none.

        The first of `variants` that has words of its own for the step adds them, and so does the folder of a `house`.
        """
        roots = ("", f"{house}/") if house else ("",)
        homes = [f"{root}{tongue}/" for root in roots for tongue in _tongues(locale)]
        variant = next(
            (one for one in variants if one and any(f"{home}{one}/{step}" in self.files for home in homes)), ""
        )
        key = (step, variant, locale, house or "")
        if key not in self._pages:
            self._pages[key] = self._page(step, variant, homes, locale)
        return self._pages[key]

    @cached_property
    def locales(self) -> list[str]:
        """Languages (`fr`) and regions (`fr-CA`) that have words."""
        return sorted({name.split("/")[0] for name in self.files if name.count("/") == 1})

    @cached_property
    def steps(self) -> list[str]:
        """Every letter there is, in whatever language."""
        return sorted({name.rpartition("/")[2] for name in self.files} - {WORDS})

    def variants(self, step: str) -> list[str]:
        """The matter types that have words of their own for this letter."""
        parts = [name.split("/") for name in self.files]
        return sorted({part[-2] for part in parts if len(part) > 2 and part[-1] == step} - set(self.locales))  # noqa: PLR2004

    def wanting(self, locale: str) -> list[str]:
        """Letters that other languages have and this locale's has not."""
        tongues = _tongues(locale)
        return [step for step in self.steps if not any(f"{tongue}/{step}" in self.files for tongue in tongues)]

    def _page(self, step: str, variant: str, homes: Collection[str], locale: str) -> Page:
        if "/" in step or not any(f"{home}{step}" in self.files for home in homes):
            raise Rejected(f"No template is called {step!r} in {locale}.", reason="template_missing")
        chain = [
            *(f"{home}{WORDS}" for home in homes),
            *(f"{home}{step}" for home in homes),
            *(f"{home}{variant}/{step}" for home in homes if variant),
        ]
        said: dict[str, str] = {}
        for name in chain:
            said |= self.files.get(name, {})
        text, html = self.layouts
        words = {word: compiled(source, SPEECH) for word, source in said.items()}
        return Page(f"{locale}/{step}", words, compiled(text, PLAIN), compiled(html, MARKUP))


@lru_cache(maxsize=4096)
def compiled(source: str, environment: SandboxedEnvironment) -> Template:
    return environment.from_string(source)


@lru_cache(maxsize=8)
def _checked(sources: tuple[tuple[str, str], ...], samples: tuple[tuple[tuple[str, object], ...], ...]) -> TemplateSet:
    """The same files are checked once in a process, however many runtimes read them."""
    said = dict(sources)
    layouts = said["layout.txt"], said["layout.html"]
    found = TemplateSet(
        {name.removesuffix(".toml"): _words(name, text) for name, text in sources if name.endswith(".toml")}, layouts
    )
    facts = {name for name, _ in samples[0]}
    wanted = {"subject", *(word for layout in layouts for word in _asked_for(layout, facts))}
    for name, words in found.files.items():
        if strange := words.keys() - wanted:
            raise TemplateError(f"{name} says {', '.join(sorted(strange))}, which no layout asks for")
        for source in words.values():
            _check_names(source, facts, name)
            # A word depends on no other: tried once here, it needs no trying in every letter that says it.
            _try(name, compiled(source, SPEECH), samples)
    for name, layout, environment in zip(LAYOUTS, layouts, (PLAIN, MARKUP), strict=True):
        _try(name, compiled(layout, environment), samples, say=dict.fromkeys(wanted, "said"))
    for page in _all(found):
        if missing := wanted - page.words.keys():
            raise TemplateError(f"{page.name} does not say {', '.join(sorted(missing))}")
    if not found.steps:
        raise TemplateError("there are no letters")
    return found


def _try(name: str, template: Template, samples: Iterable[tuple[tuple[str, object], ...]], **more: object) -> None:
    for sample in samples:
        try:
            template.render(dict(sample), **more)
        except FAULTS as fault:
            raise TemplateError(f"{name} cannot be written: {fault}") from fault


def _all(found: TemplateSet) -> Iterator[Page]:
    houses = {name.split("/")[0] for name in found.files if name.split("/")[1] in found.locales}
    for locale in found.locales:
        for step in (step for step in found.steps if step not in found.wanting(locale)):
            for variant in ("", *found.variants(step)):
                for house in ("", *sorted(houses)):
                    yield found.find(step, [variant], locale, house or None)


def _words(name: str, text: str) -> dict[str, str]:
    words = tomllib.loads(text)
    if wrong := [word for word, said in words.items() if not isinstance(said, str)]:
        raise TemplateError(f"{name}: {', '.join(wrong)} is no text")
    if "/" not in name:
        raise TemplateError(f"{name} is in no language's folder")
    return {word: LONE_TAGS.sub(r"\1", said) for word, said in words.items()}


def _asked_for(layout: str, facts: Collection[str]) -> Iterator[str]:
    _check_names(layout, {*facts, "say"}, "the layout")
    for node in PLAIN.parse(layout).find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == "say":
            yield node.attr


def _check_names(source: str, facts: Collection[str], name: str) -> None:
    if unknown := _named(source) - set(facts):
        raise TemplateError(f"{name}: nothing is called {', '.join(sorted(unknown))}")


@lru_cache(maxsize=4096)
def _named(source: str) -> frozenset[str]:
    return frozenset(meta.find_undeclared_variables(PLAIN.parse(source)))


def _tongues(locale: str) -> list[str]:
    """`fr-CA` is said in French, with what its region says otherwise."""
    language = locale.partition("-")[0]
    return [language] if language == locale else [language, locale]
