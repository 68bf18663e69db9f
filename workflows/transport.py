"""Redis as a broker that others may write into: what is not one of our messages is dropped, and no worker ends for it (F54).

kombu parses an item of a queue outside every guard it has: one that is not JSON, or lacks a part of its envelope, ends the
worker that fetched it. Dropping is safe whatever it was: a message is only a bell, and the row behind it is rung again.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty
from typing import Any

import structlog
from kombu.transport import redis, virtual

log = structlog.get_logger()


def flaw(envelope: object) -> str | None:
    """Why this cannot be a message of ours, or None; the arguments inside are the task's own business."""
    match envelope:
        case {
            "headers": {"task": str(), "id": str(), "eta": None, "expires": None, "timelimit": [None, None]},
            "properties": {"delivery_tag": str(), "delivery_info": dict(), "body_encoding": "base64"},
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "body": str(body),
        }:
            try:
                b64decode(body, validate=True)
            except binascii.Error:
                return "its body is not base64"
            return None
        case dict():
            return "parts of its envelope are missing or not ours"
        case _:
            return "it is no envelope"


class _Undelivered(Exception):
    """What was parsed could not be handled: that is not the message's fault, and is told as it was."""

    def __init__(self, trouble: Exception) -> None:
        super().__init__()
        self.trouble = trouble


class QoS(redis.QoS):
    """Credit that comes back though the broker was away when a message was acknowledged (F51).

    kombu counts a message as in hand until Redis has taken its acknowledgement, and takes nothing while all credit is in
    hand: with every hand's acknowledgement lost a worker stays connected and never asks again. What Redis still holds
    it gives out once more after `VISIBILITY_SECONDS`, as a bell for a job that is done.
    """

    def ack(self, delivery_tag: Any) -> None:
        with self._given_back(delivery_tag):
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        with self._given_back(delivery_tag):
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]

    @contextmanager
    def _given_back(self, delivery_tag: Any) -> Iterator[None]:
        try:
            yield
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    """A channel on which an item that cannot be parsed counts as read."""

    QoS = QoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except _Undelivered as undelivered:
            raise undelivered.trouble from None
        except (*self.connection_errors, *self.connection.channel_errors, Empty):
            raise
        except Exception as unreadable:  # noqa: BLE001  kombu's JSON can raise anything for a tagged value
            self.connection.drop("it cannot be parsed", type(unreadable).__name__)
            return True


class Transport(redis.Transport):
    """kombu's Redis, behind a door that looks at what comes in."""

    Channel = Channel
    dropped = 0

    def _deliver(self, message: Any, queue: str) -> None:
        if (why := flaw(message)) is not None:
            self.drop(why, queue)
            return
        try:
            super()._deliver(message, queue)  # type: ignore[no-untyped-call]
        except Exception as trouble:
            raise _Undelivered(trouble) from trouble

    def drop(self, why: str, where: str) -> None:
        """Forget it, and say so; never what it held, which may be anything."""
        self.dropped += 1
        log.warning("broker.poison", why=why, part=where, count=self.dropped)
