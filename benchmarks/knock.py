"""The load generator, a process of its own: `python -m benchmarks.knock` takes a plan on standard input, answers with seconds.

Deliveries leave at their appointed moment whether or not earlier ones were answered, and each is timed from that moment:
a server that stalls is not spared what arrives meanwhile.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.firm import CONFIG

OK = b"HTTP/1.1 200"
KEPT_SECONDS = 2.0
"""A connection idle for longer is not used again: the server closes it after five, perhaps just then."""


@dataclass(frozen=True, slots=True)
class Knock:
    """One delivery; `group` says which series its time belongs to."""

    group: str
    path: str
    body: str
    signature: str


def send(address: str, knocks: Sequence[Knock], *, per_second: float) -> dict[str, list[float]]:
    """Send these at a steady rate from a process of their own; seconds to each answer, by group."""
    plan = {
        "address": address, "per_second": per_second,
        "knocks": [[one.group, one.path, one.body, one.signature] for one in knocks],
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.knock"], input=json.dumps(plan), cwd=CONFIG.parent,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    answered: dict[str, list[float]] = json.loads(done.stdout)
    return answered


async def _all(plan: dict[str, Any]) -> dict[str, list[float]]:
    host, _, port = plan["address"].rpartition(":")
    idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
    answered: dict[str, list[float]] = {}
    begin = time.perf_counter() + 0.2

    async def one(place: int, group: str, path: str, body: str, signature: str) -> None:
        due = begin + place / plan["per_second"]
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        # The last one used is on top: when it has been idle for too long, so have all below.
        if idle and time.perf_counter() - idle[-1][0] < KEPT_SECONDS:
            _, reader, writer = idle.pop()
        else:
            reader, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {plan['address']}\r\nContent-Type: application/json\r\n"
            f"X-Hook-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write((head + body).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        answered.setdefault(group, []).append(time.perf_counter() - due)
        if not answer.startswith(OK):
            raise RuntimeError(f"{path} answered {answer[:40]!r}")
        idle.append((time.perf_counter(), reader, writer))

    await asyncio.gather(*(one(place, *given) for place, given in enumerate(plan["knocks"])))
    for _, _, writer in idle:
        writer.close()
    return answered


def main() -> None:
    """Carry out the plan on standard input."""
    print(json.dumps(asyncio.run(_all(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
