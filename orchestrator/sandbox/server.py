"""A running sandbox: one event loop that serves HTTP and SMTP on loopback, in a thread or in the foreground."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette
from starlette.routing import Mount
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator.sandbox.bank.app import bank_routes
from orchestrator.sandbox.browser import browser_routes
from orchestrator.sandbox.client import SandboxClient
from orchestrator.sandbox.clio.app import ClioDoor
from orchestrator.sandbox.clio.oauth import oauth_routes
from orchestrator.sandbox.control import control_routes
from orchestrator.sandbox.lawpay.app import LawPayDoor
from orchestrator.sandbox.lawpay.page import page_routes
from orchestrator.sandbox.mailbox import abort
from orchestrator.sandbox.sandbox import Addresses, Sandbox, Start

GRACE = 1.0


class _Severable(H11Protocol):
    """HTTP whose connection a scripted fault can cut: the transport travels with each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Uvicorn that tells when it listens and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Smtp(SMTP):
    """SMTP for whichever mailbox the sandbox has at the moment of the connection."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox.mailbox, hostname="sandbox.test", ident="Sandbox", enable_SMTPUTF8=True)
        self._refused = sandbox.mailbox.refuses()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._refused:
            abort(self)


def application(sandbox: Sandbox) -> Starlette:
    """Every door of the sandbox."""
    return Starlette(
        routes=[
            Mount("/api/v4", ClioDoor(sandbox)),
            Mount("/lawpay", LawPayDoor(sandbox)),
            *oauth_routes(sandbox),
            *control_routes(sandbox),
            *browser_routes(sandbox),
            *page_routes(sandbox),
            *bank_routes(sandbox),
        ]
    )


class _Running:
    """The loop's side of a sandbox: binds, serves, and stops when told."""

    def __init__(self, host: str, port: int, smtp_port: int) -> None:
        self.sandbox = Sandbox()
        self._http = _bound(host, port)
        self._smtp = _bound(host, smtp_port)
        self.sandbox.url = f"http://{host}:{self._http.getsockname()[1]}"
        self.sandbox.smtp_url = f"smtp://{host}:{self._smtp.getsockname()[1]}"
        self.server: uvicorn.Server | None = None

    async def serve(self, start: Start, on_ready: Callable[[Addresses], None]) -> None:
        """Serve until `stop`."""
        self.sandbox.begin(start)
        loop = asyncio.get_running_loop()
        smtp = await loop.create_server(lambda: _Smtp(self.sandbox), sock=self._smtp)
        config = uvicorn.Config(
            application(self.sandbox),
            http=_Severable,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(GRACE),
        )
        self.server = _Server(config, lambda: on_ready(self.sandbox.addresses()))
        ticking = loop.create_task(self.sandbox.tick())
        try:
            await self.server.serve(sockets=[self._http])
        finally:
            ticking.cancel()
            smtp.close()
            await self.sandbox.close()
            await asyncio.gather(ticking, return_exceptions=True)

    def stop(self) -> None:
        if self.server is not None:
            self.server.should_exit = True


class SandboxHandle(SandboxClient):
    """A client of a sandbox that runs in a thread of this process, with its addresses."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__(addresses.url)
        self.addresses = addresses
        self.clio_base_url = addresses.clio_base_url
        self.lawpay_base_url = addresses.lawpay_base_url
        self.lawpay_secret_key = addresses.lawpay_secret_key
        self.smtp_url = addresses.smtp_url

    @property
    def access_token(self) -> str:
        """The ready token of the scenario now running."""
        return str(self.state()["access_token"])


@contextlib.contextmanager
def running_sandbox(
    scenario: str | dict[str, Any] = "small-firm",
    *,
    seed: int = 1,
    now: datetime | None = None,
    frozen: bool = False,
    rate_limit: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    smtp_port: int = 0,
) -> Iterator[SandboxHandle]:
    """A sandbox in a thread of its own, listening before the body runs and gone after it."""
    running = _Running(host, port, smtp_port)
    start = Start(scenario=scenario, seed=seed, now=now, frozen=frozen, rate_limit=rate_limit)
    ready: Future[Addresses] = Future()

    def run() -> None:
        try:
            asyncio.run(running.serve(start, ready.set_result))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            if not ready.done():
                ready.set_exception(error)

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    handle = SandboxHandle(ready.result(timeout=20))
    try:
        yield handle
    finally:
        handle.close()
        running.stop()
        thread.join(timeout=10)


def serve_forever(
    scenario: str | dict[str, Any] = "small-firm",
    *,
    seed: int = 1,
    now: datetime | None = None,
    frozen: bool = False,
    rate_limit: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    smtp_port: int = 0,
    on_ready: Callable[[Addresses], None],
) -> None:
    """Serve in the foreground until SIGINT or SIGTERM, then return."""
    running = _Running(host, port, smtp_port)
    start = Start(scenario=scenario, seed=seed, now=now, frozen=frozen, rate_limit=rate_limit)

    async def main() -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, running.stop)
        await running.serve(start, on_ready)

    asyncio.run(main())


def _bound(host: str, port: int) -> socket.socket:
    # Named as TCP, or asyncio leaves Nagle's delay on and every answer takes 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound
