"""Real processes on PostgreSQL and Redis, killed, frozen and cut off while they work; `make crash-fleet` does it for ten minutes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash.siege import besieged, found, lay_siege
from tests.workflows.fleet import CLEAN


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_F10_a_fleet_under_siege_loses_nothing_and_repeats_nothing(tmp_path):
    seed = int(os.environ.get("ORCH_TEST_SEED", "1"))
    with besieged(tmp_path, seed) as siege:
        figures = found(siege, lay_siege(siege, seconds=30))
    assert figures["breaches"] == [], f"python -m tests.crash.besiege --minutes 0.5 --seed {seed}: {figures}"
    assert figures["effects_per_intent"] == 1.0
    assert figures["effects"] > 10
    assert {"kills", "freezes"} <= figures.keys()


def of(folder):
    """The processes whose command line, environment or working directory names this folder; servers overwrite the first two."""
    found_there = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            words += os.fsencode((process / "cwd").readlink())
            if str(folder).encode() in words and int(process.name) != os.getpid():
                found_there.add(int(process.name))
    return found_there


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_siege_told_to_stop_leaves_no_process_and_no_file_behind(number):
    # Not in pytest's own folder: PostgreSQL runs as nobody there.
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-siege-"))
    folder.chmod(0o711)
    try:
        siege = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.besiege", "--minutes", "5", "--seed", "1"],
            env=CLEAN | {"TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        # Web, beat, two workers with two children each, the broker, the database, the siege itself.
        end = time.monotonic() + 90
        while len(of(folder)) < 11:
            assert siege.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)
        siege.send_signal(number)
        said, _ = siege.communicate(timeout=60)
        assert siege.returncode == 1
        assert "--minutes 5 --seed 1" in said
        assert "every process is gone" in said
        # What was killed a moment ago may still be on its way out.
        end = time.monotonic() + 10
        while of(folder) and time.monotonic() < end:
            time.sleep(0.2)
        assert [(Path("/proc") / str(one) / "cmdline").read_bytes() for one in of(folder)] == []
        assert list(folder.iterdir()) == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
