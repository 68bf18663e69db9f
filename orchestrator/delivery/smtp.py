"""One message to one relay, over a connection of its own, and exactly what is known when that goes wrong.

Each stage of the conversation is a row. A 4xx answer means later, at any stage. What a 5xx answer and what silence
mean depends on how far the letter had gone: until the dot that ends it has left, the relay cannot have accepted it.
"""

import io
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from time import monotonic
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from orchestrator.errors import Away, OrchestratorError, OutcomeUnknown, Rejected
from orchestrator.leaving import too_late
from orchestrator.telemetry import spans

ASKED_TO_WAIT_SECONDS = 300.0
"""Greylisting relays accept after some minutes; asking sooner only annoys them (F77)."""

AWAY_SECONDS = 60.0
"""A relay that does not answer is asked once a minute, whatever waits for it."""

HELD_UP_SECONDS = 1.0

NOT_ABOUT_THE_LETTER = frozenset({530, 552})
"""5xx that pass: we must log in first (our settings, not the letter), and a mailbox that is full today (F77)."""

ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of the conversation: the first digit of a good answer, what 5xx means, and what no usable answer means."""

    name: str
    good: int = 2
    refusal: str | None = None
    silence: type[Away | OutcomeUnknown] = Away


CONNECT = Stage("connecting")
LOGIN = Stage("AUTH")
SENDER = Stage("MAIL", refusal="mail_refused")
RECIPIENT = Stage("RCPT", refusal="mail_address_refused")
DATA = Stage("DATA", good=3, refusal="mail_refused")
BODY = Stage("the letter")
END = Stage("the end of the letter", refusal="mail_refused", silence=OutcomeUnknown)
STAGES = (CONNECT, LOGIN, SENDER, RECIPIENT, DATA, BODY, END)


def verdict(stage: Stage, code: int, enhanced: str = "") -> OrchestratorError:
    """What an unwelcome answer at `stage` means; its words stay out, for relays repeat addresses in them."""
    seen = f"The mail relay answered {f'{code} {enhanced}'.strip()} to {stage.name}."
    if 400 <= code <= 499 or code in NOT_ABOUT_THE_LETTER:  # noqa: PLR2004 — reply classes of RFC 5321
        return Away(seen, retry_after=ASKED_TO_WAIT_SECONDS)
    if 500 <= code <= 599:  # noqa: PLR2004
        return Rejected(seen, reason=stage.refusal) if stage.refusal else Away(seen, retry_after=ASKED_TO_WAIT_SECONDS)
    return _silent(stage, seen)


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed over, as `smtp://[user:password@]host[:port][?starttls=1]` or `smtps://…` says it."""

    host: str
    port: int
    implicit_tls: bool
    starttls: bool
    user: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """The relay `url` names; `Rejected` when it names none. The URL is never repeated: it holds a password."""
        try:
            parts = urlsplit(url)
            implicit_tls = {"smtp": False, "smtps": True}[parts.scheme]
            starttls = parse_qs(parts.query, strict_parsing=bool(parts.query)) == {"starttls": ["1"]}
            (parts.hostname or "").encode("idna")
            port = parts.port or (465 if implicit_tls else 587 if starttls else 25)
        except (KeyError, ValueError):
            raise Rejected("The mail relay's URL is not one like smtp://host:25.", reason="mail_url_invalid") from None
        known = starttls or parts.query in {"", "starttls=0"}
        if not parts.hostname or not known or parts.path.strip("/"):
            raise Rejected("The mail relay's URL is not one like smtp://host:25.", reason="mail_url_invalid")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, port, implicit_tls, starttls and not implicit_tls, user, password)


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates, read once a process."""
    return ssl.create_default_context()


class SmtpMailer:
    """Hands letters to one relay; `timeout_seconds` bounds a whole send, not each step of it."""

    def __init__(self, url: str, *, timeout_seconds: float, tls: ssl.SSLContext | None = None) -> None:
        self._relay = Relay.parse(url)
        self._timeout = timeout_seconds
        self._tls = tls or _trusted()

    def send(self, message: bytes, *, sender: str, recipient: str) -> str:
        """Hand over one RFC 5322 message; returns the relay's answer.

        `Away` when the relay refused for now or was not reached, `Rejected` when it refused for good,
        `OutcomeUnknown` when the connection was lost after the last byte of DATA (F75).
        """
        for address in (sender, recipient):
            if not ADDRESS.fullmatch(address):
                raise Rejected("An envelope address is not plain ASCII.", reason="mail_address_refused")
        with (
            spans.span("SMTP", relay=self._relay.host),
            _Session(self._relay, self._tls, monotonic() + self._timeout) as session,
        ):
            steps: dict[Stage, Callable[[], tuple[int, bytes]]] = {
                CONNECT: session.open,
                LOGIN: session.log_in,
                SENDER: lambda: session.docmd("MAIL", f"FROM:<{sender}>"),
                RECIPIENT: lambda: session.docmd("RCPT", f"TO:<{recipient}>"),
                DATA: lambda: session.docmd("DATA"),
                BODY: lambda: session.write(_dotted(message)),
                END: lambda: session.docmd("."),
            }
            return [_ask(stage, steps[stage]) for stage in STAGES][-1]

    def offers(self) -> dict[str, str | None]:
        """Connect, log in and leave: the `tls` version spoken and the `size` taken; no letter is begun."""
        with _Session(self._relay, self._tls, monotonic() + self._timeout) as session:
            _ask(CONNECT, session.open)
            session.ehlo_or_helo_if_needed()
            _ask(LOGIN, session.log_in)
            tls = session.sock.version() if isinstance(session.sock, ssl.SSLSocket) else None
            return {"tls": tls, "size": _size(session)}


def _size(session: "_Session") -> str | None:
    """The longest letter that the relay says it takes, in bytes."""
    return session.esmtp_features.get("size") or None


class _Session(smtplib.SMTP):
    """smtplib's conversation under one deadline: no step, and no byte that drips in, extends it."""

    def __init__(self, relay: Relay, tls: ssl.SSLContext, deadline: float) -> None:
        # Our own name, not smtplib's: looking up a full one may ask DNS for as long as it likes.
        super().__init__(local_hostname=socket.gethostname())
        self._relay, self._tls, self._deadline = relay, tls, deadline
        self._host = relay.host  # what starttls() checks the certificate against

    def __exit__(self, *_: object) -> None:
        """Say goodbye without waiting for the answer: whatever it is, it changes nothing."""
        with suppress(OSError):
            self.putcmd("QUIT")
        self.close()

    def open(self) -> tuple[int, bytes]:
        """Greet the relay; nothing of the letter is said yet, so a greeting that got lost is asked for once more."""
        try:
            return self._greeted()
        except smtplib.SMTPResponseException:
            raise
        except OSError:
            self.close()
            self.ehlo_resp = self.helo_resp = None  # said to a connection that is gone
            return self._greeted()

    def _greeted(self) -> tuple[int, bytes]:
        answer = self.connect(self._relay.host, self._relay.port)
        if answer[0] != 220:  # noqa: PLR2004
            return answer
        self.ehlo_or_helo_if_needed()
        if self._relay.starttls:
            self.starttls(context=self._tls)  # a relay that does not offer it is not spoken to in clear
            self.ehlo_or_helo_if_needed()
        return answer

    def log_in(self) -> tuple[int, bytes]:
        return self.login(self._relay.user, self._relay.password) if self._relay.user else (235, b"")

    def write(self, body: bytes) -> tuple[int, bytes]:
        self.send(body)
        return 250, b""

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # no other buffers are sent here
        if self.sock:
            self.sock.settimeout(self._left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock:
            self.file = io.BufferedReader(_Deadlined(self.sock, self._left))
        return super().getreply()

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with suppress(OSError):
                plain = socket.create_connection((str(address[0]), port), timeout=self._left())
                # The letter and its end are two small writes: the second would wait for the first one's late ACK, 40 ms.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._tls.wrap_socket(plain, server_hostname=host) if self._relay.implicit_tls else plain
        raise ConnectionError("no address of the relay answered")

    def _left(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of this send has passed")
        return left


class _Deadlined(io.RawIOBase):
    """What a socket receives, each read given only the time that is left."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock, self._left = sock, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # BufferedReader's own
        self._sock.settimeout(self._left())
        return self._sock.recv_into(buffer)


def _ask(stage: Stage, act: Callable[[], tuple[int, bytes]]) -> str:
    if stage is END and too_late():
        # Without its last line the relay drops the letter, and whoever has the job by now has called it unknown (F11, F75).
        raise Away("The lease under which the letter was to leave has gone.", retry_after=HELD_UP_SECONDS)
    try:
        code, words = act()
    except smtplib.SMTPResponseException as fault:
        # At the end of the letter smtplib raises only for a reply it could not read: no usable answer.
        raise (verdict(stage, fault.smtp_code) if stage is not END else _lost(stage)) from None
    except OSError:
        raise _lost(stage) from None
    answer = words.decode("utf-8", "replace")
    if code // 100 != stage.good:
        enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", answer)
        raise verdict(stage, code, enhanced[0] if enhanced else "")
    return f"{code} {answer}"


def _lost(stage: Stage) -> OrchestratorError:
    return _silent(stage, f"The connection to the mail relay was lost at {stage.name}.")


def _silent(stage: Stage, seen: str) -> OrchestratorError:
    return Away(seen, retry_after=AWAY_SECONDS) if stage.silence is Away else OutcomeUnknown(seen)


def _dotted(message: bytes) -> bytes:
    """`message` in CRLF lines with leading dots doubled, so that only our own dot can end it."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", message).removesuffix(b"\r\n") + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines)
