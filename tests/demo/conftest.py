"""The demo as a person runs it: the real command, in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

AS_FROM_A_TERMINAL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""Whoever runs the tests in the background of a shell has them, and all they start, ignore Ctrl-C."""

PROGRAM = (sys.executable, "-c", f"{AS_FROM_A_TERMINAL}; from orchestrator.cli import main; main()", "demo")


@dataclass
class Demo:
    """One finished demo."""

    code: int
    out: str
    err: str
    figures: dict[str, Any]


def plain(**more: str) -> dict[str, str]:
    """The environment of a person who has set nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")} | more


@pytest.fixture
def demo(tmp_path: Path):
    def run(*options: str, seconds: float = 110, **env: str) -> Demo:
        file = tmp_path / "demo.json"
        done = subprocess.run(
            [*PROGRAM, *options, "--json", str(file)], check=False, capture_output=True, text=True, timeout=seconds,
            env=plain(**env),
        )  # fmt: skip
        figures = json.loads(file.read_text()) if file.exists() else {}
        return Demo(done.returncode, done.stdout, done.stderr, figures)

    return run
