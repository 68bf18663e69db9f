"""A mark outside the database of how far it was: what a restored copy of it cannot bring back with it (F57)."""

import json
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import structlog

from orchestrator.domain.audit_chain import Head
from orchestrator.storage.lineage import Reached

log = structlog.get_logger()


class FileMark:
    """A small file, on another volume than the database if it can be: what is restored together regresses together."""

    lasting = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Reached | None:
        try:
            return understood(self._path.read_bytes())
        except FileNotFoundError:
            return None

    def write(self, reached: Reached) -> None:
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(written(reached))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as trouble:
            log.warning("lineage.unmarked", kind=type(trouble).__name__)


class HeadFile:
    """`Heads` as a file of lines, beside the mark."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Head]:
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [head for line in lines if (head := _head(line)) is not None]

    def add(self, head: Head) -> None:
        assert head.at is not None
        said = {"at": head.at.isoformat(), "era": head.era, "seq": head.seq, "hash": head.hash}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(said) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as trouble:
            log.warning("audit.unmarked", kind=type(trouble).__name__)


def _head(line: str) -> Head | None:
    try:
        said = json.loads(line)
        return Head(int(said["seq"]), str(said["hash"]), str(said["era"]), datetime.fromisoformat(said["at"]))
    except (ValueError, KeyError, TypeError):
        return None


def written(reached: Reached) -> bytes:
    return json.dumps(asdict(reached)).encode()


def understood(found: bytes) -> Reached | None:
    try:
        said = json.loads(found)
        # One of an older version says nothing of the chain.
        return Reached(str(said["era"]), int(said["count"]), int(said.get("seq", 0)), str(said.get("head", "")))
    except (ValueError, KeyError, TypeError):
        return None
