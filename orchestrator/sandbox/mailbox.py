"""The mailbox: a real SMTP server that keeps what it accepts, and fails on request."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from orchestrator.sandbox.clock import Clock, stamp
from orchestrator.sandbox.faults import Fault, Faults
from orchestrator.sandbox.journal import Facts, Journal

KEY_HEADER = "X-Idempotency-Key"
"""A message that carries a key known already is taken and dropped, as relays do that promise so."""

_WEB = re.compile(r"https?://[^\s\"'<>]+")


@dataclass(frozen=True)
class Mail:
    """One accepted message and its envelope."""

    at: str
    sender: str
    to: list[str]
    raw: bytes
    message: EmailMessage

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body(preferencelist=(kind,))
        return str(part.get_content()) if part is not None else ""

    def header(self, name: str) -> str | None:
        value = self.message.get(name)
        return None if value is None else str(value)

    def shown(self) -> Facts:
        return {
            "at": self.at,
            "from": self.sender,
            "to": self.to,
            "subject": self.header("Subject"),
            "message_id": self.header("Message-ID"),
            "headers": {name: str(value) for name, value in self.message.items()},
            "text": self.text,
            "html": self.html,
            "size": len(self.raw),
        }


class Mailbox:
    """What has been accepted; also the handler that aiosmtpd asks at each stage of a message."""

    def __init__(self, journal: Journal, faults: Faults, clock: Clock) -> None:
        self.mails: list[Mail] = []
        self._journal = journal
        self._faults = faults
        self._clock = clock

    def accept(self, sender: str, to: list[str], raw: bytes) -> Mail:
        """Keep a message and note it in the journal, with the addresses its words lead to."""
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        mail = Mail(stamp(self._clock.now()), sender, to, raw, message)
        self.mails.append(mail)
        words = unescape(f"{mail.text}\n{mail.html}")
        self._journal.add(
            "mail.accepted",
            mail.header("Message-ID"),
            to=to,
            subject=mail.header("Subject"),
            key=mail.header("X-Orchestrator-Key"),
            bill=mail.header("X-Orchestrator-Bill"),
            step=mail.header("X-Orchestrator-Step"),
            urls=sorted({found.rstrip(".,;)") for found in _WEB.findall(words)}),
        )
        return mail

    # The names below are aiosmtpd's.

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._scripted("mail") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await self._scripted("rcpt")
        if reply is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = await self._scripted("data")
        if reply is not None and not reply.startswith("2"):
            return reply
        raw = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content or "").encode()
        key = message_from_bytes(raw, policy=policy.default).get(KEY_HEADER)
        if key is not None and any(mail.header(KEY_HEADER) == str(key) for mail in self.mails):
            return "250 Known already"
        self.accept(envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        if reply is not None:
            abort(server)
            # The line is cut: whatever is returned now reaches nobody.
            await asyncio.sleep(0.05)
        return "250 Kept"

    async def _scripted(self, stage: str) -> str | None:
        """None to carry on; a 2xx means: keep the message, then cut the line."""
        fault = self._faults.take("smtp", stage=stage)
        return None if fault is None else await STRIKES[fault.do](fault)

    def refuses(self) -> bool:
        """Whether the next connection is turned away."""
        return self._faults.take("smtp", stage="connect") is not None


def abort(server: SMTP) -> None:
    transport: Any = server.transport
    if transport is not None:
        transport.abort()


async def _reply(fault: Fault) -> str:
    code = int(fault.params.get("code", 451))
    return f"{code} {fault.params.get('text', 'Please try again later' if code < 500 else 'Refused')}"


async def _drop_after_data(_: Fault) -> str:
    return "250 kept, and then the line goes dead"


async def _slow(fault: Fault) -> None:
    await asyncio.sleep(float(fault.params.get("seconds", 1)))


STRIKES: dict[str, Callable[[Fault], Awaitable[str | None]]] = {
    "reply": _reply,
    "drop_after_data": _drop_after_data,
    "slow": _slow,
}
