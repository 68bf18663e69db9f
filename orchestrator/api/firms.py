"""Many firms behind one address: each firm's own application below `/firms/NAME`, and `main`'s at the top as well.

A firm has its own intake thread and its own thread for questions about its health, so that one whose database hangs
keeps nobody else's deliveries waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import Receive, Scope, Send

from orchestrator.api.app import create_app, open_intake
from orchestrator.api.metrics import AWAY, refused, shown
from orchestrator.engine.runtime import Runtime
from orchestrator.settings import MAIN
from orchestrator.usecases.read_health import Health, read_health
from orchestrator.usecases.read_metrics import Figure, read_metrics

HEALTH_SECONDS = 3.0


class Door:
    """One firm's web application, at work until it is closed."""

    def __init__(self, rt: Runtime) -> None:
        self.app = create_app(rt)
        self.app.state.intake = open_intake(rt)
        self._rt = rt
        self._asked: asyncio.Future[Health] | None = None
        self._measured: asyncio.Future[list[Figure]] | None = None
        self._asker = ThreadPoolExecutor(1, thread_name_prefix=f"health-{rt.firm}")

    async def health(self) -> Health:
        """The firm's health; not ready when its database says nothing within three seconds."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.get_running_loop().run_in_executor(self._asker, read_health, self._rt)
        try:
            return await asyncio.wait_for(asyncio.shield(self._asked), HEALTH_SECONDS)
        except Exception as trouble:  # noqa: BLE001  not ready is an answer, never an error
            return Health(False, [f"The database does not answer ({type(trouble).__name__})."], {})

    async def figures(self) -> Sequence[Figure]:
        """The firm's metrics; that it is away when its database says nothing within three seconds."""
        if self._measured is None or self._measured.done():
            self._measured = asyncio.get_running_loop().run_in_executor(self._asker, read_metrics, self._rt)
        try:
            return await asyncio.wait_for(asyncio.shield(self._measured), HEALTH_SECONDS)
        except Exception:  # noqa: BLE001  a firm that is away is a figure, never an error
            return AWAY

    def close(self) -> None:
        self.app.state.intake.close()
        self._asker.shutdown(wait=False, cancel_futures=True)


class Doors:
    """The doors that are open now; firms come and go while the server runs."""

    def __init__(self) -> None:
        self._doors: dict[str, Door | None] = {}

    def expect(self, firm: str) -> None:
        """There is such a firm; until it is opened its visitors are told to come again."""
        self._doors = {**self._doors, firm: None}

    def open(self, rt: Runtime) -> None:
        self._doors = {**self._doors, rt.firm: Door(rt)}

    def close(self, firm: str) -> None:
        """Nothing more comes in for this firm; what waits is finished."""
        door = self._doors.get(firm)
        self._doors = {name: other for name, other in self._doors.items() if name != firm}
        if door is not None:
            door.close()

    def close_all(self) -> None:
        for firm in list(self._doors):
            self.close(firm)

    async def named(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`/firms/NAME/…`, as if NAME were alone."""
        await self._enter(scope["path_params"]["firm"], scope, receive, send)

    async def nameless(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An address without a firm is `main`'s."""
        await self._enter(MAIN, scope, receive, send)

    @property
    def alive(self) -> bool:
        """Whether every open door can still make deliveries durable."""
        return all(door.app.state.intake.alive for door in self._doors.values() if door is not None)

    async def healths(self) -> dict[str, Health]:
        """Every firm's health, asked at the same time."""
        doors = self._doors
        found = await asyncio.gather(*(_health(door) for door in doors.values()))
        return dict(zip(doors, found, strict=True))

    async def figures(self) -> dict[str, Sequence[Figure]]:
        """Every firm's metrics, read at the same time."""
        doors = self._doors
        found = await asyncio.gather(*(_figures(door) for door in doors.values()))
        return dict(zip(doors, found, strict=True))

    async def _enter(self, firm: str, scope: Scope, receive: Receive, send: Send) -> None:
        if door := self._doors.get(firm):
            await door.app(scope, receive, send)
        else:
            unknown = firm not in self._doors
            status = HTTPStatus.NOT_FOUND if unknown else HTTPStatus.SERVICE_UNAVAILABLE
            await Response(status_code=status)(scope, receive, send)


async def _health(door: Door | None) -> Health:
    if door is None:
        return Health(False, ["Not open yet: `orchestrator --firm NAME config check` says what is in the way."], {})
    return await door.health()


async def _figures(door: Door | None) -> Sequence[Figure]:
    return AWAY if door is None else await door.figures()


def create_firms_app(doors: Doors, *, metrics_token: SecretStr | None = None) -> Starlette:
    """The web application of a fleet. Its own readiness is that of the process: one firm in trouble is not its end."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        doors.close_all()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/health/live", _live),
            Route("/health/ready", _ready),
            Route("/metrics", _metrics),
            Mount("/firms/{firm}", doors.named),
            Mount("", doors.nameless),
        ],
    )
    # A redirect would count as delivered at Clio and lose the event (F28).
    assert isinstance(app.router, Router)
    app.router.redirect_slashes = False
    app.state.doors = doors
    app.state.metrics_token = metrics_token
    return app


async def _live(request: Request) -> Response:
    """200 as long as a restart would mend nothing: a firm whose database is away is no reason for one."""
    alive = request.app.state.doors.alive
    return JSONResponse({"live": alive}, status_code=HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE)


async def _metrics(request: Request) -> Response:
    refusal = refused(request, request.app.state.metrics_token)
    return refusal if refusal is not None else shown(await request.app.state.doors.figures())


async def _ready(request: Request) -> Response:
    """200 while any firm is ready: a balancer that took this process away for one firm would take it from all."""
    healths: dict[str, Health] = await request.app.state.doors.healths()
    ready = any(health.ready for health in healths.values())
    body = {
        "ready": ready,
        "findings": [f"{firm}: {finding}" for firm, health in healths.items() for finding in health.findings],
        "firms": {firm: {"ready": health.ready, **health.facts} for firm, health in healths.items()},
    }
    return JSONResponse(body, status_code=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
