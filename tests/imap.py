"""A real mailbox that answers IMAP: pymap, in a process of its own."""

import imaplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import free_port

USER, PASSWORD = "bounces", "s3cret-word"


@dataclass
class Mailbox:
    """The mailbox, as whoever else reads it sees it."""

    port: int

    @property
    def url(self) -> str:
        return f"imap://{USER}:{PASSWORD}@127.0.0.1:{self.port}/INBOX"

    @contextmanager
    def open(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=5) as box:
            box.login(USER, PASSWORD)
            box.select("INBOX")
            yield box

    def arrive(self, *messages: bytes) -> None:
        with self.open() as box:
            for message in messages:
                said, _ = box.append("INBOX", "", imaplib.Time2Internaldate(time.time()), message)
                assert said == "OK"

    def empty(self) -> None:
        with self.open() as box:
            box.store("1:*", "+FLAGS", r"(\Deleted)")
            box.expunge()

    def unread(self) -> int:
        with self.open() as box:
            _, found = box.search(None, "UNSEEN")
            return len(found[0].split())


@contextmanager
def running_mailbox(port: int | None = None) -> Iterator[Mailbox]:
    """An empty mailbox that listens, at this port if one is named."""
    port = port or free_port()
    command = [str(Path(sys.executable).with_name("pymap")), "--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    given: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "dict", "--demo-user", USER, "--demo-password", PASSWORD], **given) as server:
        try:
            box = Mailbox(port)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with suppress(OSError, imaplib.IMAP4.error), box.open():
                    break
                time.sleep(0.05)
            yield box
        finally:
            server.terminate()
