"""A relay that answers what a test tells it to: aiosmtpd for conversations, a bare socket for the ways a line goes dead."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Script:
    """What the relay says at each command instead of its usual answer, and what it took in."""

    says: dict[str, str] = field(default_factory=dict)
    hang_up_after_data: bool = False
    turned_away: int = 0
    accepted: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)

    async def handle_MAIL(self, _server, _session, envelope, address, options):
        envelope.mail_from = address
        return self.says.get("MAIL", "250 OK")

    async def handle_RCPT(self, _server, _session, envelope, address, options):
        envelope.rcpt_tos.append(address)
        return self.says.get("RCPT", "250 OK")

    async def handle_DATA(self, server, session, envelope):
        if self.hang_up_after_data:
            self.accepted.append(envelope.original_content)
            server.transport.abort()
            return "250 never heard"
        answer = self.says.get("END", "250 2.0.0 OK queued as 4XyZ")
        if answer.startswith("250"):
            self.accepted.append(envelope.original_content)
            self.recipients += envelope.rcpt_tos
            self.secure.append(session.ssl is not None or server._over_ssl)
        return answer


class ScriptedSMTP(SMTP):
    def connection_made(self, transport):
        if self.event_handler.turned_away > 0:
            self.event_handler.turned_away -= 1
            transport.abort()
        super().connection_made(transport)

    async def smtp_DATA(self, arg):
        if answer := self.event_handler.says.get("DATA"):
            await self.push(answer)
        else:
            await super().smtp_DATA(arg)


class ScriptedRelay(Controller):
    def factory(self):
        return ScriptedSMTP(self.handler, **self.SMTP_kwargs)


@pytest.fixture
def relay() -> Iterator[Callable[..., tuple[str, Script]]]:
    """Start a relay: `relay(MAIL="451 later")` answers so at MAIL; returns its host:port and its script."""
    running: list[ScriptedRelay] = []

    def start(*, hang_up_after_data: bool = False, server: dict | None = None, **says: str) -> tuple[str, Script]:
        script = Script(says, hang_up_after_data)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        controller = ScriptedRelay(script, hostname="127.0.0.1", port=port, **(server or {}))
        controller.start()
        running.append(controller)
        return f"127.0.0.1:{port}", script

    yield start
    for controller in running:
        controller.stop()


class Line:
    """The relay's end of one connection, driven by hand."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = connection.makefile("rb")

    def say(self, *lines: str) -> None:
        self.connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self, until: bytes) -> None:
        while (line := self.lines.readline()) and not line.upper().startswith(until):
            pass

    def talk_until(self, last: bytes) -> None:
        """Answer politely up to the command `last`, which is heard and left unanswered."""
        if last == b"CONNECT":
            return
        self.say("220 relay")
        for command, answer in ((b"EHLO", "250 relay"), (b"MAIL", "250 OK"), (b"RCPT", "250 OK"), (b"DATA", "354 go")):
            self.hear(command)
            if command == last:
                return
            self.say(answer)
        if last == b".":
            self.hear(b".\r\n")

    def reset(self) -> None:
        """Close so that the other side's next write fails."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def drip(self) -> None:
        """One byte of an endless answer now and then, as a tarpit does."""
        with suppress(OSError):
            while True:
                self.connection.sendall(b"2")
                time.sleep(0.05)

    def stay_silent(self) -> None:
        self.lines.read()


@contextmanager
def bare_relay(behave: Callable[[Line], None]) -> Iterator[str]:
    """A relay that takes one connection and does with it what `behave` says; yields its host:port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            connection, _ = listener.accept()
            listener.close()
            with connection, suppress(ConnectionError):
                line = Line(connection)
                with line.lines:
                    behave(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield place
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The TLS context of a relay on 127.0.0.1, and that of a mailer that trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder: Path = tmp_path_factory.mktemp("tls")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def only_ana(_server, _session, _envelope, _mechanism, data) -> AuthResult:
    """An authenticator that knows one user."""
    return AuthResult(success=(data.login, data.password) == (b"ana", b"p@ss/word"), handled=False)


@pytest.fixture
def authenticator():
    return only_ana


@pytest.fixture
def dead_line():
    return bare_relay
