"""A delivery → a stored receipt and a dirty mark, in one commit; nothing is done with it here (style rule 10)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from orchestrator.domain.ids import effect_key
from orchestrator.domain.kinds import Kind
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.telemetry import trace

log = structlog.get_logger()

SOURCE = "clio"
LONGEST_SECRET = 256
OFFERS = 3
"""Secrets kept while a creation is pending; a stranger who guessed the path cannot crowd out Clio with more."""


@dataclass(frozen=True, slots=True)
class Knock:
    """One POST on a webhook path, as it came; `secret` is a handshake's, `signatures` every signature header there was."""

    path_token: str
    body: bytes
    signatures: tuple[str, ...]
    secret: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a signed body says; `digest` is None when it says nothing that we can use."""

    event: str | None
    object_id: int | None
    digest: str | None


Verify = Callable[[bytes, str, Collection[str]], bool]
Parse = Callable[[bytes], Heard]


def receive(rt: Runtime, knocks: Sequence[Knock], *, verify: Verify, parse: Parse) -> list[HTTPStatus]:
    """The answer to each knock, once all that deserves a 200 is durable; only 2xx, 4xx and 503 are ever answered (F28)."""
    with rt.uow(beside=True) as work:
        desk = Desk(rt, work, verify, parse)
        answers = [desk.answer(knock) for knock in knocks]
        traces = {kind: _mark(work, kind, new) for kind, new in desk.marks.items()}
        rt.passing(Point.RECEIPT_STORING)
    rt.passing(Point.RECEIPT_STORED)
    for kind, new in desk.marks.items():
        for object_id in new:
            log.info("webhook.received", firm=rt.firm, kind=kind, id=object_id, trace_id=traces[kind])
    return answers


def _mark(work: Work, kind: Kind, new: Mapping[int, str]) -> str | None:
    """Deliveries that one drain will read share its trace, which the first of them began unless it was there already."""
    with trace.bound(trace_id=trace.begun_by(next(iter(new.values())))):
        return work.dirty.mark(kind, new)


class Desk:
    """One transaction's worth of knocks."""

    def __init__(self, rt: Runtime, work: Work, verify: Verify, parse: Parse) -> None:
        self._rt, self._work, self._verify, self._parse = rt, work, verify, parse
        self._subscriptions = {row["path_token"]: row for row in work.subscriptions.all()}
        self.marks: dict[Kind, dict[int, str]] = defaultdict(dict)
        """By kind: the objects that new deliveries name, and the digest of a delivery that did."""

    def answer(self, knock: Knock) -> HTTPStatus:
        row = self._subscriptions.get(knock.path_token)
        if row is None:
            return HTTPStatus.NOT_FOUND
        return self._handshake(row, knock.secret) if knock.secret is not None else self._delivery(row, knock)

    def _handshake(self, row: Row, secret: str) -> HTTPStatus:
        """Kept only while a creation of ours is pending, and believed only once the API confirms it (F23)."""
        fresh = self._work.subscriptions.get(row["model"])
        assert fresh is not None
        if fresh["state"] != "pending" or len(fresh["offered"]) >= OFFERS or not 1 <= len(secret) <= LONGEST_SECRET:
            return HTTPStatus.UNAUTHORIZED
        self._work.subscriptions.put(row["model"], offered=[*fresh["offered"], self._rt.cipher.seal(secret).decode()])
        offer = effect_key("offer", row["path_token"], secret)[:16]
        self._work.jobs.add("webhook.confirm", row["model"], offer, model=row["model"])
        return HTTPStatus.OK

    def _delivery(self, row: Row, knock: Knock) -> HTTPStatus:
        secrets = [
            self._rt.cipher.open(sealed) for sealed in (row["secret"], row["previous_secret"]) if sealed is not None
        ]
        if not secrets:
            # Not confirmed yet: Clio tries again in two minutes, and by then we can tell whether it is Clio.
            return HTTPStatus.SERVICE_UNAVAILABLE
        if len(knock.signatures) != 1 or not self._verify(knock.body, knock.signatures[0], secrets):
            return HTTPStatus.UNAUTHORIZED
        heard = self._parse(knock.body)
        kind = next((wanted.kind for wanted in self._rt.subscriptions if wanted.model == row["model"]), None)
        digest = heard.digest or effect_key("body", knock.body.hex())
        new = self._work.receipts.add(
            source=SOURCE, digest=digest, body=knock.body, kind=kind,
            object_id=heard.object_id, event=heard.event, status="stored" if heard.digest else "bad",
        )  # fmt: skip
        if new and heard.object_id is not None and kind is not None:
            self.marks[kind][heard.object_id] = digest
        return HTTPStatus.OK
