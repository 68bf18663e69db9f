"""Webhook deliveries from many connections, committed together: one durable write serves all that wait for it."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from orchestrator.usecases.receive_webhook import Knock

log = structlog.get_logger()

MOST = 200
WAITING = 2_000
"""Deliveries that may wait for the database; more are answered 503, and their sender tries again."""

Receive = Callable[[Sequence[Knock]], list[HTTPStatus]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    knock: Knock
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[HTTPStatus]"


class Intake:
    """One writer thread; `submit` answers when its delivery is durable, or 503 when it cannot be made so (F29)."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._write, name="intake", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether deliveries can still be made durable; the writer ends only with the process."""
        return self._thread.is_alive()

    async def submit(self, knock: Knock) -> HTTPStatus:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(knock, loop, loop.create_future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return await waiting.answer

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < MOST and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._answer(batch)
                    return
                batch.append(following)
            self._answer(batch)

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        try:
            answers = self._receive([waiting.knock for waiting in batch])
        except Exception as trouble:  # noqa: BLE001  whatever it is, nothing is durable: the sender must try again
            log.warning("intake.refused", count=len(batch), error=type(trouble).__name__)
            answers = [HTTPStatus.SERVICE_UNAVAILABLE] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.loop.call_soon_threadsafe(_resolve, waiting.answer, answer)


def _resolve(answer: "asyncio.Future[HTTPStatus]", status: HTTPStatus) -> None:
    if not answer.done():
        answer.set_result(status)
