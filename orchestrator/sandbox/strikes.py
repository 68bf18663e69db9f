"""What a scripted fault does to a call, whoever's API it is; `proceed` is the call: it can run before, after or never."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.sandbox.clio.call import Reply
from orchestrator.sandbox.faults import Fault


class Dropped(Exception):
    """Cut the connection without an answer."""


@dataclass
class Strike:
    """A fault about to hit a call; `proceed` carries the call out."""

    fault: Fault
    proceed: Callable[[], Reply]

    def given(self, name: str, otherwise: Any) -> Any:
        return self.fault.params.get(name, otherwise)


async def lose_answer(strike: Strike) -> Reply:
    strike.proceed()
    raise Dropped


async def drop_before(_: Strike) -> Reply:
    raise Dropped


async def truncate(strike: Strike) -> Reply:
    reply = strike.proceed()
    return replace(reply, body=reply.body[: int(strike.given("keep", len(reply.body) // 2))])


async def empty(strike: Strike) -> Reply:
    return replace(strike.proceed(), body=b"")


async def html(strike: Strike) -> Reply:
    page = b"<!doctype html><title>Oops</title><h1>We are doing some maintenance</h1>"
    return replace(strike.proceed(), body=page, media_type="text/html")


async def delay(strike: Strike) -> Reply:
    """Wait in real time, by default after having done it."""
    reply = None if strike.given("before", False) else strike.proceed()
    await asyncio.sleep(float(strike.given("seconds", 1)))
    return reply or strike.proceed()


async def drip(strike: Strike) -> Reply:
    return replace(strike.proceed(), headers={"X-Sandbox-Drip": str(strike.given("bytes_per_second", 0.25))})


EVERYWHERE: dict[str, Callable[[Strike], Awaitable[Reply]]] = {
    "lose_answer": lose_answer,
    "drop_before": drop_before,
    "truncate": truncate,
    "empty": empty,
    "html": html,
    "delay": delay,
    "drip": drip,
}
"""The faults that every API may have; each has others beside them."""
