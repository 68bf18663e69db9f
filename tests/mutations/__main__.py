"""Take one safeguard away at a time, in a copy of the tree, and see the suite notice: `python -m tests.mutations [NAME …]`.

It ends with 0 only if the copy as it is passes and every mutated copy fails. A mutation whose text the code no longer has is
an error: it would prove nothing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tests.mutations.table import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "orchestrator",
    "workflows",
    "tests",
    "config",
    "docs",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "Makefile",
)
FAILED = 1
"""What pytest ends with when tests ran and some failed; every other code means that they could not run."""


class Unusable(Exception):
    """The check itself cannot be relied on."""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(one.name for one in MUTATIONS)}")
    given = parser.parse_args()
    unknown = set(given.names) - {one.name for one in MUTATIONS}
    if unknown:
        parser.error(f"There is no mutation {', '.join(sorted(unknown))}.")
    chosen = [one for one in MUTATIONS if not given.names or one.name in given.names]
    console = Console()
    try:
        found = list(_checked(chosen, console))
    except Unusable as trouble:
        console.print(f"[red]{trouble}[/red]", highlight=False)
        return 2
    table = Table(title="What the suite notices", show_lines=False)
    for heading in ("taken away", "noticed", "by", "seconds"):
        table.add_column(heading)
    for name, noticed, said, seconds in found:
        table.add_row(name, "yes" if noticed else "[red]NO[/red]", said, f"{seconds:.0f}")
    console.print(table)
    return 0 if all(noticed for _, noticed, _, _ in found) else 1


def _checked(chosen: Sequence[Mutation], console: Console) -> list[tuple[str, bool, str, float]]:
    for mutation in chosen:
        for edit in mutation.edits:
            _mutated((ROOT / edit.file).read_text("utf-8"), edit.before, edit.after, f"{mutation.name}: {edit.file}")
    found = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bar, tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        task = bar.add_task("unchanged", total=1 + len(chosen))
        copy = Path(folder) / "tree"
        _copy(copy)
        tests = sorted({test for mutation in chosen for test in mutation.tests})
        code, said = _run(copy, tests)
        if code != 0:
            raise Unusable(f"The copy as it is does not pass, so nothing can be said:\n{said[-2000:]}")
        bar.advance(task)
        for mutation in chosen:
            bar.update(task, description=mutation.name)
            began = time.monotonic()
            before = {edit.file: (copy / edit.file).read_text("utf-8") for edit in mutation.edits}
            for edit in mutation.edits:
                path = copy / edit.file
                path.write_text(_mutated(path.read_text("utf-8"), edit.before, edit.after, mutation.name), "utf-8")
            code, said = _run(copy, mutation.tests)
            for file, text in before.items():
                (copy / file).write_text(text, "utf-8")
            if code not in {0, FAILED}:
                raise Unusable(f"{mutation.name}: pytest ended with {code} before it could judge:\n{said[-2000:]}")
            found.append((mutation.name, code == FAILED, _first_failure(said), time.monotonic() - began))
            bar.advance(task)
    return found


def _mutated(text: str, before: str, after: str, where: str) -> str:
    if text.count(before) != 1:
        raise Unusable(
            f"{where} has the text to change {text.count(before)} times, not once: mend tests/mutations/table.py."
        )
    return text.replace(before, after)


def _copy(target: Path) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / part).exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / part, target / part)


def _run(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    # The environment has the project installed from where it stands; the copy must come before that, and say so.
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    where = "import orchestrator, workflows, tests; print(orchestrator.__file__, workflows.__file__, tests.__file__)"
    loaded = subprocess.run(
        [sys.executable, "-c", where], cwd=copy, env=environment, capture_output=True, text=True, check=True
    )
    if not all(Path(file).resolve().is_relative_to(copy.resolve()) for file in loaded.stdout.split()):
        raise Unusable(f"Not the copy but {loaded.stdout.strip()} would be tested.")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:randomly", *tests],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


def _first_failure(said: str) -> str:
    failures = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failures[0].partition("::")[2].partition(" - ")[0][:90] if failures else ""


if __name__ == "__main__":
    sys.exit(main())
