"""Pages a person opens in a browser, rendered on the server; no script runs in any of them."""

from jinja2 import Environment, PackageLoader, StrictUndefined

_environment = Environment(
    loader=PackageLoader("orchestrator.sandbox", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def render(template: str, **facts: object) -> str:
    """The page as HTML, with every value escaped."""
    return _environment.get_template(template).render(**facts)
