"""W6: the message that brings a link is intended: the first that a bill's client gets, a later one, or one that follows them."""

import math
from datetime import UTC, datetime
from typing import Any

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import about


def want_message(rt: Runtime, work: Work, link: Row) -> None:
    """Intend the message that brings this link, at the end of the present batch: one re-read serves them all."""
    message = work.messages.want(**_of(link))
    _intend(rt, work, message, link)


def want_at(rt: Runtime, work: Work, link: Row, address: str) -> bool:
    """Intend it for this address, unless one ever left for there with this link; False then."""
    message = work.messages.want_at(address, **_of(link))
    if message is not None:
        # The same row may have been given up before it left, when the client had yet another address.
        _intend(rt, work, message, link, work.now.isoformat())
    return message is not None


def _of(link: Row) -> dict[str, Any]:
    return {"bill_id": link["bill_id"], "link_id": link["id"], "link_key": link["key"], "cycle": link["cycle"]}


def _intend(rt: Runtime, work: Work, message: Row, link: Row, *again: str) -> None:
    batch = rt.settings.mail.batch_seconds
    now = work.now.timestamp()
    at = datetime.fromtimestamp(math.ceil(now / batch) * batch, UTC) if batch else work.now
    work.jobs.add(
        "message.send", message["id"], link["id"], *again, at=at,
        message_id=message["id"], amount_cents=link["amount_cents"], **about(work, link),
    )  # fmt: skip
