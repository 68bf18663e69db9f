"""Rules that keep people out of lines before any pattern has to."""

import ast
import re

from orchestrator.telemetry.redaction import FIELDS
from tests.test_architecture import TREES, page

LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
STANDS_IN = {"sandbox", "demo"}


def spoken():
    """Every call that writes a line, and where it stands."""
    for path, tree in TREES.items():
        if STANDS_IN & set(path.parts):
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in LEVELS:
                    yield f"{path}:{node.lineno}", node


def test_a_line_of_ours_is_a_fixed_event_and_known_fields():
    found = list(spoken())
    assert len(found) >= 10
    wrong = [
        place
        for place, call in found
        if not (call.args and re.fullmatch(r"'[a-z]+\.[a-z_]+'", ast.unparse(call.args[-1])))
        or not {keyword.arg for keyword in call.keywords} - {None} <= FIELDS | {"exc_info"}
    ]
    # What libraries say passes through here, as `redaction.template` leaves it.
    assert [place for place in wrong if not place.startswith("orchestrator/cli/logs.py")] == []
    assert len(wrong) <= 1


def test_a_line_never_holds_the_words_of_an_exception():
    quoting = [
        place
        for place, call in spoken()
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Call) and ast.unparse(keyword.value.func) in {"str", "repr"}
    ]
    assert quoting == []


def test_nothing_but_the_command_line_prints_and_only_one_place_sets_logs_up():
    def users(names):
        return {
            path.as_posix()
            for path, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) in names
            and not {"sandbox", "demo"} & set(path.parts)
        }

    assert {path for path in users({"print", "sys.stderr.write", "sys.stdout.write"}) if "/cli/" not in path} == set()
    assert users({"logging.basicConfig", "structlog.configure", "logging.getLogger"}) == {"orchestrator/cli/logs.py"}


def test_every_field_of_a_line_is_documented():
    rows = set(
        re.findall(r"^\| `([a-z_]+)` \|", page("observability.md").partition("## Metrics")[0], flags=re.MULTILINE)
    )
    assert rows == FIELDS
