"""Rules of the whole source tree: each was broken once, or would cost much if it were."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.clients import meaning
from orchestrator.delivery.letters import TemplateLetters
from orchestrator.domain.letters import Brand
from orchestrator.domain.reasons import REASONS
from orchestrator.domain.topics import TOPICS
from orchestrator.sandbox import scenario
from orchestrator.settings import Group, Settings, load
from tests.mutations.table import MUTATIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIG = ROOT / "config"
STANDS_IN = {"sandbox", "demo"}
"""Parts that play the outside world, and may keep its time."""

TREES = {
    path.relative_to(ROOT): ast.parse(path.read_text("utf-8"))
    for folder in ("orchestrator", "workflows")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
}


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module)):
                yield module


def where(*, within: set[str], called: re.Pattern[str]) -> list[str]:
    """Calls that match, outside the parts and files that may make them."""
    return [
        f"{path}:{line}"
        for path, tree in TREES.items()
        if not within & {*path.parts, path.as_posix()}
        for name, line in calls(tree)
        if called.fullmatch(name)
    ]


def test_import_contracts_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_nothing_sleeps_while_it_holds_a_worker():
    # Beat waits out its own trouble; a command may wait for what it watches.
    allowed = STANDS_IN | {"cli", "workflows/beat.py"}
    assert where(within=allowed, called=re.compile(r"(time\.)?sleep")) == []


def test_only_the_edges_read_the_clock():
    allowed = STANDS_IN | {"cli", "workflows", "clocks.py"}
    assert where(within=allowed, called=re.compile(r"(datetime\.)?(datetime|date)\.(now|utcnow|today)")) == []


def test_commit_stands_in_one_file():
    # Alembic's own transaction is the other one there is.
    allowed = {"orchestrator/storage/unit_of_work.py", "orchestrator/storage/migrate.py"}
    assert where(within=allowed, called=re.compile(r".*\.commit|.*engine\.begin")) == []


def test_randomness_makes_secrets_and_nothing_else():
    # A key is made of facts; what must not be guessed is made here.
    allowed = STANDS_IN | {"cli", "orchestrator/usecases/keep_webhooks.py", "orchestrator/storage/vault.py"}
    assert (
        where(within=allowed, called=re.compile(r"(uuid\d?|random|secrets|os)\.?(uuid\d|random|token_\w+|urandom)"))
        == []
    )


def test_one_conversation_speaks_http():
    allowed = {"clients/http.py", "clients/deadline.py", "clocks.py"}
    users = {
        path.as_posix().removeprefix("orchestrator/")
        for path, tree in TREES.items()
        if any(name.split(".")[0] in {"httpx", "httpcore", "requests", "urllib3"} for name in imports(tree))
        and not {"sandbox", "demo", "cli"} & set(path.parts)
    }
    assert users <= allowed


def test_no_test_patches_anything():
    patching = re.compile(r"(monkeypatch\.setattr|mocker\..*|mock\..*|patch(\.object)?|MagicMock|Mock)")
    found = [
        f"{path.name}:{line}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name, line in calls(ast.parse(path.read_text("utf-8")))
        if patching.fullmatch(name)
    ]
    assert found == []


def test_every_mutation_still_finds_its_safeguard_and_its_tests():
    lost = [
        f"{one.name}: {edit.file}"
        for one in MUTATIONS
        for edit in one.edits
        if (ROOT / edit.file).read_text("utf-8").count(edit.before) != 1
    ]
    for one in MUTATIONS:
        for test in one.tests:
            file, _, name = test.partition("::")
            if name and f"def {name.partition('[')[0]}(" not in (ROOT / file).read_text("utf-8"):
                lost.append(f"{one.name}: {test}")
    assert lost == []


def test_test_files_have_names_of_their_own():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


def methods(name: str) -> dict[str, str]:
    """The source of every method of this name, by its class."""
    return {
        node.name: ast.unparse(part)
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any("Effect" in ast.unparse(base) for base in node.bases)
        for part in node.body
        if isinstance(part, ast.FunctionDef) and part.name == name
    }


def test_T47_whatever_is_sent_has_its_audit_line():
    helpers = r"audit\.line|message_sent|reminder_sent|notice_sent|self\._over"  # what writes it, by another name
    silent = [name for name, source in methods("record").items() if not re.search(helpers, source)]
    assert len(methods("record")) >= 11
    assert silent == []


# ── what is configured ──


@pytest.mark.parametrize("profile", sorted((CONFIG / "firms").glob("*.toml")), ids=lambda path: path.stem)
def test_every_firm_s_profile_loads(profile):
    settings = load(profile.stem, config_dir=CONFIG, environment="test")
    given = tomllib.loads(profile.read_text("utf-8"))
    assert settings.firm.name == given["firm"]["name"]
    for group in given:
        assert group in Settings.model_fields


@pytest.mark.parametrize("name", scenario.names())
def test_every_sandbox_scenario_loads(name):
    assert scenario.load(name).name == name


def test_every_template_loads():
    letters = TemplateLetters(
        CONFIG / "templates", Brand(firm_name="A Firm", sender="billing@firm.test"), ("clio.com",)
    )
    assert {"en", "en-CA", "en-GB", "en-AU", "fr"} <= set(letters.pages.locales)
    for locale in letters.pages.locales:
        assert letters.pages.wanting(locale) == []


# ── what is documented ──


def page(name: str) -> str:
    path = DOCS / name
    if not path.is_file():
        pytest.skip(f"docs/{name} is not written yet")
    return path.read_text("utf-8")


def named(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def test_every_topic_is_in_the_workflows_page():
    words = named(page("workflows.md"))
    assert TOPICS.keys() - words == set()


def test_every_workflow_of_the_design_that_exists_is_in_the_workflows_page():
    text = page("workflows.md")
    assert [name for name in ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W12", "W13") if name not in text] == []


def test_every_reason_is_in_the_runbook():
    words = named(page("runbook.md"))
    assert REASONS.keys() - words == set()


def test_the_runbook_invents_no_reason():
    codes = re.findall(r"^(?:#+ |\| )`([a-z_]+)`", page("runbook.md"), flags=re.MULTILINE)
    assert set(codes) - REASONS.keys() == set()


FIRST = re.compile(r"(Unneeded|Silence|work\.exceptions\.(open|close|is_open)|_park|_tell)")
"""Calls whose first words are a code."""

NAMED = {"reason", "refusal", "revoked", "loud"}
"""Arguments that carry a code wherever they stand."""

ENTRY = ("If left", "Look", "Do", "Retry")


def codes_in_the_source():
    """Every code that stands in the source, and where."""
    for path, tree in TREES.items():
        if {"sandbox", "demo", "cli"} & set(path.parts):
            continue
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            given = [keyword.value for keyword in call.keywords if keyword.arg in NAMED]
            if FIRST.fullmatch(name := ast.unparse(call.func)):
                given += call.args[:1] if "exceptions" in name else call.args
            for value in given:
                for node in ast.walk(value) if isinstance(value, ast.IfExp) else [value]:
                    if (
                        isinstance(node, ast.Constant)
                        and isinstance(node.value, str)
                        and re.fullmatch(r"[a-z]+(_[a-z]+)*", node.value)
                    ):
                        yield node.value, f"{path}:{node.lineno}"


def test_every_code_in_the_source_is_a_known_reason():
    found = list(codes_in_the_source())
    assert len(found) >= 40
    assert [(code, place) for code, place in found if code not in REASONS] == []


def test_every_code_that_is_put_together_is_a_known_reason():
    ends = {"refused", "not_found", *meaning.FOR_THE_FIRM.values()}
    assert {f"{provider}_{end}" for provider in ("clio", "lawpay") for end in ends} <= REASONS.keys()


def entries() -> dict[str, str]:
    """The runbook's entries by code."""
    text = page("runbook.md").partition("\n## Entries\n")[2]
    found = re.split(r"^### `([a-z_]+)`\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_every_reason_that_asks_for_a_person_has_an_entry_and_no_other():
    # A reason with advice is one that somebody has to act on.
    assert entries().keys() == {code for code, reason in REASONS.items() if reason.advice}


def test_an_entry_says_what_it_costs_where_to_look_what_to_do_and_whether_a_retry_is_safe():
    for code, text in entries().items():
        parts = dict(re.findall(r"^- \*\*([\w ]+):\*\* (.+)$", text, flags=re.MULTILINE))
        assert tuple(parts) == ENTRY, code
        assert all(len(part) >= 5 for part in parts.values()), code


def test_commands_that_the_runbook_names_exist():
    nouns = {path.stem.replace("time_entries", "time") for path in TREES if path.parts[:2] == ("orchestrator", "cli")}
    commands = set(re.findall(r"`orchestrator ([a-z-]+)", page("runbook.md")))
    assert commands - nouns - {"up", "serve", "worker", "beat", "migrate", "restore"} == set()


def variables() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            for part, inner in field.annotation.model_fields.items():
                yield f"ORCH_{name}__{inner.alias or part}".upper()
        else:
            yield f"ORCH_{name}".upper()


FIXED = {
    "": ("ENVIRONMENT", "DATABASE_URL", "BROKER_URL", "PUBLIC_URL", "CLOCK_URL", "SECRET_KEY", "LISTEN"),
    "CLIO__": ("BASE_URL", "CLIENT_ID", "CLIENT_SECRET", "REGION", "ACCESS_TOKEN"),
    "LAWPAY__": ("BASE_URL", "SECRET_KEY"),
    "MAIL__": ("URL", "FROM"),
    "APPROVAL__": ("SIGNAL", "QUIET_SECONDS"),
    "BILLING__": ("THRESHOLD_CENTS",),
    "ENGINE__": ("LEASE_SECONDS", "SETTLE_SECONDS"),
    "SWEEP__": ("INTERVAL_SECONDS",),
}


def test_the_settings_that_the_design_fixes_exist():
    fixed = {f"ORCH_{group}{name}" for group, names in FIXED.items() for name in names}
    assert fixed <= set(variables())


def test_every_setting_is_documented():
    """In the docs, the README, the profile's own comments, or what `config check` prints."""
    pages = [
        ROOT / "README.md",
        *DOCS.rglob("*.md"),
        *(CONFIG / "firms").glob("*.toml"),
        ROOT / "orchestrator/cli/meanings.py",
    ]
    text = "\n".join(path.read_text("utf-8") for path in pages if path.is_file())
    missing = [
        name
        for name in variables()
        if name not in text and not re.search(rf"\b{name.rpartition('__')[2].removeprefix('ORCH_').lower()}\b", text)
    ]
    assert missing == []


FAULTS = range(1, 83)


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_that_must_be_survived_has_a_test_of_its_name(number):
    tests = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(f"def test_F{number:02d}_" in text for text in tests)
