"""The doors for tests and the demo: the clock, the acts of people, the faults, and the record of what happened."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.acts import VERBS, act
from orchestrator.sandbox.acts.facts import Parties
from orchestrator.sandbox.bank.book import shown
from orchestrator.sandbox.clock import moment_of, stamp
from orchestrator.sandbox.firm.things import Facts
from orchestrator.sandbox.hindrances import Limits
from orchestrator.sandbox.oracle import verdict
from orchestrator.sandbox.overdue import Office, unanswered
from orchestrator.sandbox.refusal import Refusal, unprocessable
from orchestrator.sandbox.sandbox import Sandbox, Start

Control = Callable[[Sandbox, Facts], Awaitable[Any]]


async def clock(sandbox: Sandbox, _: Facts) -> Facts:
    return {"now": stamp(sandbox.clock.now())}


async def set_clock(sandbox: Sandbox, facts: Facts) -> Facts:
    """Freeze or start the clock, then move it to a moment or by some seconds."""
    if "frozen" in facts:
        sandbox.clock.freeze(bool(facts["frozen"]))
    if "now" in facts:
        sandbox.clock.move_to(_moment(facts["now"]))
    if "advance_seconds" in facts:
        sandbox.clock.advance(float(facts["advance_seconds"]))
    return await clock(sandbox, facts)


async def reset(sandbox: Sandbox, facts: Facts) -> Facts:
    """Begin again with another (or the same) scenario; what is left out is as at the start of a fresh sandbox."""
    start = Start(
        scenario=facts.get("scenario", "small-firm"),
        seed=int(facts.get("seed", 1)),
        now=_moment(facts["now"]) if facts.get("now") else None,
        frozen=bool(facts.get("frozen", False)),
        rate_limit=facts.get("rate_limit"),
    )
    await sandbox.reset(start)
    return sandbox.state()


async def state(sandbox: Sandbox, _: Facts) -> Facts:
    return sandbox.state()


async def do_act(sandbox: Sandbox, facts: Facts) -> Facts:
    verb = facts.pop("verb")
    if verb == "stranger_calls":
        left = sandbox.tokens.count(sandbox.grant, 0).remaining
        spent = min(int(facts.get("n", 1)), left)
        return {"spent": spent, "remaining": sandbox.tokens.count(sandbox.grant, spent).remaining}
    parties = Parties(sandbox.books, sandbox.gateway, sandbox.bank, sandbox.faults)
    return act(parties, verb, facts)


async def acts(_: Sandbox, __: Facts) -> list[str]:
    return [*VERBS, "stranger_calls"]


async def add_fault(sandbox: Sandbox, facts: Facts) -> Facts:
    try:
        return sandbox.faults.add(facts.pop("on"), facts.pop("do"), **facts).shown()
    except KeyError as error:
        raise unprocessable(f"A fault needs {error.args[0]}.") from None


async def list_faults(sandbox: Sandbox, _: Facts) -> list[Facts]:
    return sandbox.faults.shown()


async def clear_faults(sandbox: Sandbox, _: Facts) -> list[Facts]:
    sandbox.faults.clear()
    return []


async def rate_limit(sandbox: Sandbox, facts: Facts) -> Facts:
    """Change the announced limit in the middle of a window."""
    sandbox.tokens.rules.rate_limit = int(facts["limit"])
    return {"limit": sandbox.tokens.rules.rate_limit}


async def settle(sandbox: Sandbox, _: Facts) -> Facts:
    return {"deliveries": await sandbox.settle()}


async def effects(sandbox: Sandbox, facts: Facts) -> list[Facts]:
    return sandbox.journal.select(facts.get("kind"), int(facts.get("since_seq", 0)))


async def clear_effects(sandbox: Sandbox, _: Facts) -> list[Facts]:
    """Forget the record, and the mails with it; the firm stays as it is."""
    sandbox.journal.clear()
    sandbox.mailbox.mails.clear()
    return []


async def counts(sandbox: Sandbox, _: Facts) -> Facts:
    return sandbox.journal.counts()


async def requests(sandbox: Sandbox, _: Facts) -> list[Facts]:
    """The last 10,000 requests to Clio as they were sent."""
    return list(sandbox.journal.requests)


async def bank(sandbox: Sandbox, _: Facts) -> list[Facts]:
    """Every line the bank has or will book, with what it is made of."""
    return [shown(line) for line in sandbox.bank.lines]


async def gateway_requests(sandbox: Sandbox, _: Facts) -> list[Facts]:
    """The last 10,000 requests to LawPay as they were sent."""
    return list(sandbox.journal.gateway_requests)


async def mail(sandbox: Sandbox, _: Facts) -> list[Facts]:
    return [kept.shown() for kept in sandbox.mailbox.mails]


async def oracle(sandbox: Sandbox, _: Facts) -> Facts:
    return verdict(sandbox.journal)


async def unanswered_steps(sandbox: Sandbox, facts: Facts) -> list[Facts]:
    """Steps of a reminder sequence that a bill came to and nothing answered; see `overdue`."""
    closed = tuple(moment_of(day).date() for day in facts.pop("closed", ()))
    steps, limits = facts.pop("steps"), Limits(**facts.pop("limits", {}))
    office = Office(closed=closed, **facts)
    return unanswered(sandbox.journal.entries, steps, office=office, until=sandbox.clock.now(), limits=limits)


CONTROLS: tuple[tuple[str, str, Control], ...] = (
    ("GET", "/clock", clock),
    ("POST", "/sandbox/clock", set_clock),
    ("POST", "/sandbox/reset", reset),
    ("GET", "/sandbox/state", state),
    ("GET", "/sandbox/act", acts),
    ("POST", "/sandbox/act/{verb}", do_act),
    ("GET", "/sandbox/faults", list_faults),
    ("POST", "/sandbox/faults", add_fault),
    ("DELETE", "/sandbox/faults", clear_faults),
    ("POST", "/sandbox/rate_limit", rate_limit),
    ("POST", "/sandbox/settle", settle),
    ("GET", "/sandbox/effects", effects),
    ("DELETE", "/sandbox/effects", clear_effects),
    ("GET", "/sandbox/counts", counts),
    ("GET", "/sandbox/requests", requests),
    ("GET", "/sandbox/lawpay/requests", gateway_requests),
    ("GET", "/sandbox/bank", bank),
    ("GET", "/sandbox/mail", mail),
    ("GET", "/sandbox/oracle", oracle),
    ("POST", "/sandbox/unanswered", unanswered_steps),
)


def control_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """One route per row of the table; facts come from the path, the query and a JSON body."""

    def door(control: Control) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                sandbox.clock.catch_up()
                return JSONResponse(await control(sandbox, await _facts(request)))
            except Refusal as refusal:
                return JSONResponse({"error": refusal.message}, refusal.status)

        return endpoint

    return [Route(path, door(control), methods=[method]) for method, path, control in CONTROLS]


async def _facts(request: Request) -> Facts:
    body = await request.body()
    try:
        given = json.loads(body) if body else {}
    except ValueError:
        raise unprocessable("The body must be JSON.") from None
    if not isinstance(given, dict):
        raise unprocessable("The body must be a JSON object.")
    return {**request.query_params, **given, **request.path_params}


def _moment(text: str) -> Any:
    try:
        return moment_of(text)
    except ValueError:
        raise unprocessable(f"{text} is not a date or time.") from None
