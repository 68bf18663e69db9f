"""The mailbox that bounces come back to, read by IMAP.

Only reports are read; nothing is moved or deleted, and nothing is marked but bounces of ours, as read.
"""

import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from orchestrator.domain.bounces import LONGEST
from orchestrator.errors import Away, Rejected
from orchestrator.ports import Returned, Returns

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
AWAY_SECONDS = 300.0
FAULTS = (imaplib.IMAP4.abort, OSError)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mailbox is, as `imaps://user:password@host[:port][/FOLDER]` says it; `imap://` on loopback only."""

    host: str
    port: int
    tls: bool
    user: str = field(repr=False)
    password: str = field(repr=False)
    folder: str

    @classmethod
    def parse(cls, url: str) -> Self:
        parts = urlsplit(url)
        loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if (
            parts.scheme not in ({"imaps", "imap"} if loopback else {"imaps"})
            or not parts.hostname
            or not parts.username
        ):
            raise Rejected("The mailbox of bounces is imaps://user:password@host/FOLDER.", reason="mail_url_invalid")
        tls = parts.scheme == "imaps"
        folder = unquote(parts.path.strip("/")) or "INBOX"
        if not re.fullmatch(r"[\w ./&+-]+", folder, re.ASCII):
            raise Rejected("The mailbox's folder has a name we cannot send.", reason="mail_url_invalid")
        port = parts.port or (993 if tls else 143)
        return cls(parts.hostname, port, tls, unquote(parts.username), unquote(parts.password or ""), folder)


class ImapReturns:
    """`ports.Returns` over one connection for each call."""

    def __init__(self, url: str, *, timeout_seconds: float, most: int = 200) -> None:
        """Up to `most` messages are read at once; what is left comes with the next look."""
        self._place = Place.parse(url)
        self._timeout, self._most = timeout_seconds, most

    def fresh(self, *, validity: int | None, after: int, since: date) -> Returns:
        with self._open() as box:
            found = _number(box.response("UIDVALIDITY"))
            known = validity == found
            asked = f"UID {after + 1}:*" if known else f"SINCE {since.day}-{MONTHS[since.month - 1]}-{since.year}"
            listed = _said(box.uid("SEARCH", asked))
            # `9:*` answers with the last message even if that is number 3.
            uids = sorted(int(uid) for uid in listed.split() if not known or int(uid) > after)
            letters = [Returned(uid, _letter(box, uid)) for uid in uids[: self._most]]
            return Returns(found, letters, more=len(uids) > self._most)

    def seen(self, uids: Sequence[int]) -> None:
        with self._open() as box:
            if uids:
                box.uid("STORE", ",".join(map(str, uids)), "+FLAGS.SILENT", r"(\Seen)")

    @contextmanager
    def _open(self) -> Iterator[imaplib.IMAP4]:
        place = self._place
        try:
            if place.tls:
                context = ssl.create_default_context()
                box: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                    place.host, place.port, ssl_context=context, timeout=self._timeout
                )
            else:
                box = imaplib.IMAP4(place.host, place.port, timeout=self._timeout)
            with box:
                box.login(place.user, place.password)
                chosen, _ = box.select(f'"{place.folder}"')
                if chosen != "OK":
                    raise Rejected("The mailbox of bounces has no such folder.", reason="mail_url_invalid")
                yield box
        except FAULTS as trouble:
            raise Away(
                f"The mailbox of bounces did not answer ({type(trouble).__name__}).", retry_after=AWAY_SECONDS
            ) from None
        except imaplib.IMAP4.error as refusal:
            # Its words may repeat the user's name.
            raise Rejected(
                "The mailbox of bounces refused us: look at its user and password.", reason="mailbox_refused"
            ) from refusal


def _letter(box: imaplib.IMAP4, uid: int) -> bytes:
    """The beginning of a report, which stays unread; of any other message nothing but what kind it is."""
    kind = _fetched(box, uid, "BODY.PEEK[HEADER.FIELDS (CONTENT-TYPE)]")
    return _fetched(box, uid, f"BODY.PEEK[]<0.{LONGEST}>") if b"multipart/report" in kind.lower() else b""


def _fetched(box: imaplib.IMAP4, uid: int, what: str) -> bytes:
    _, parts = box.uid("FETCH", str(uid), f"({what})")
    return next((part[1] for part in parts if isinstance(part, tuple) and isinstance(part[1], bytes)), b"")


def _said(answer: tuple[str, list[Any]]) -> str:
    return b" ".join(part for part in answer[1] if isinstance(part, bytes)).decode("ascii", "replace")


def _number(answer: tuple[str, list[Any]]) -> int:
    said = _said(answer)
    return int(said) if said.isdecimal() else 0
