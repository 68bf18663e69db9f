"""A delivery → a stored receipt and a dirty mark, in one commit; nothing is done with it here (style rule 10)."""

import hmac
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from orchestrator.domain.bounces import read_post
from orchestrator.domain.ids import effect_key
from orchestrator.domain.kinds import Kind
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.subscriptions import ALARM_AT
from orchestrator.storage.unit_of_work import Work
from orchestrator.telemetry import spans, trace

log = structlog.get_logger()

SOURCE = "clio"
LAWPAY = "lawpay"
MAIL = "mail"
STOP = "stop"
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
    source: str = SOURCE


@dataclass(frozen=True, slots=True)
class Heard:
    """What a signed body says; `digest` is None when it says nothing that we can use."""

    event: str | None
    object_id: int | None
    digest: str | None


Verify = Callable[[bytes, str, Collection[str]], bool]
Parse = Callable[[bytes], Heard]


class Tally:
    """Refused deliveries that are not written down yet: a flood of them costs a write every ten seconds, not one each.

    For the one thread that receives; what a killed process had not written down is not counted.
    """

    def __init__(self, *, seconds: float = 10.0, most: int = 50) -> None:
        self._seconds, self._most = seconds, most
        self._written = float("-inf")
        self.refused: Counter[str] = Counter()

    @property
    def due(self) -> bool:
        waiting = self.refused.total()
        return waiting >= self._most or (waiting > 0 and time.monotonic() - self._written >= self._seconds)

    def written(self) -> None:
        self.refused.clear()
        self._written = time.monotonic()


def receive(
    rt: Runtime, knocks: Sequence[Knock], *, verify: Verify, parse: Parse, tally: Tally | None = None
) -> list[HTTPStatus]:
    """The answer to each knock, once all that deserves a 200 is durable; only 2xx, 4xx and 503 are ever answered (F28)."""
    tally = tally or Tally()
    with rt.uow(beside=True) as work:
        desk = Desk(rt, work, verify, parse)
        answers = [desk.answer(knock) for knock in knocks]
        traces = {kind: _mark(work, kind, new) for kind, new in desk.marks.items()}
        refused = tally.refused + desk.refused
        tally.refused = refused
        if desk.rung:
            work.gateway.ring()
        if writing := bool(desk.genuine) or desk.rung or tally.due:
            _count(work, desk.genuine, refused)
        rt.passing(Point.RECEIPT_STORING)
    if writing:
        tally.written()
    rt.passing(Point.RECEIPT_STORED)
    for kind, new in desk.marks.items():
        for object_id in new:
            about = {"firm": rt.firm, "kind": kind, "id": object_id}
            with trace.bound(trace_id=traces[kind]), spans.span("webhook.received", **about):
                log.info("webhook.received", **about, trace_id=traces[kind])
    return answers


def _mark(work: Work, kind: Kind, new: Mapping[int, str]) -> str | None:
    """Deliveries that one drain will read share its trace, which the first of them began unless it was there already."""
    with trace.bound(trace_id=trace.begun_by(next(iter(new.values())))):
        return work.dirty.mark(kind, new)


def _count(work: Work, genuine: Counter[str], refused: Counter[str]) -> None:
    work.subscriptions.fared(genuine, refused)
    for row in work.subscriptions.all() if refused else ():
        if row["model"] in refused and row["refused_in_a_row"] >= ALARM_AT:
            work.exceptions.open(
                "webhook_signatures",
                row["model"],
                f"{row['refused_in_a_row']} deliveries of the {row['model']} webhook in a row were not signed as Clio signs.",
            )
    for model in genuine:
        work.exceptions.close("webhook_signatures", model)


class Desk:
    """One transaction's worth of knocks."""

    def __init__(self, rt: Runtime, work: Work, verify: Verify, parse: Parse) -> None:
        self._rt, self._work, self._verify, self._parse = rt, work, verify, parse
        rows = work.subscriptions.all()
        self._subscriptions = {row["path_token"]: row for row in rows}
        self._replaced = {row["previous_path_token"]: row for row in rows if row["previous_path_token"]}
        self.marks: dict[Kind, dict[int, str]] = defaultdict(dict)
        """By kind: the objects that new deliveries name, and the digest of a delivery that did."""
        self.genuine: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._others = {LAWPAY: self._bell, MAIL: self._returned, STOP: self._stop}
        self.rung = False
        """Whether LawPay has rung: what it said is kept and believed in nothing."""

    def answer(self, knock: Knock) -> HTTPStatus:
        if knock.source != SOURCE:
            return self._others[knock.source](knock)
        row = self._subscriptions.get(knock.path_token)
        if row is not None and knock.secret is not None:
            return self._handshake(row, knock.secret)
        if row is not None:
            return self._delivery(row, knock, (row["secret"], row["previous_secret"]))
        # What was on its way to the address before this one still arrives there (F24).
        replaced = self._replaced.get(knock.path_token)
        if replaced is not None and knock.secret is None:
            return self._delivery(replaced, knock, (replaced["previous_secret"],))
        return HTTPStatus.NOT_FOUND

    def _bell(self, knock: Knock) -> HTTPStatus:
        """LawPay signs nothing (gateway notes §5): whoever knows the path may have its list of events read once more."""
        feed = self._work.gateway.feed() if self._rt.gateway is not None else None
        if feed is None or not hmac.compare_digest(feed["path_token"].encode(), knock.path_token.encode()):
            return HTTPStatus.NOT_FOUND
        self._work.receipts.add(
            source=LAWPAY, digest=effect_key("body", knock.body.hex()), body=knock.body, kind=None, object_id=None,
            event=None, status="hint",
        )  # fmt: skip
        self.rung = True
        return HTTPStatus.OK

    def _returned(self, knock: Knock) -> HTTPStatus:
        """The relay's word that letters came back; of what it says only their keys and codes are kept (F76)."""
        hook, box = self._rt.bounce_hook, self._work.bounces.box()
        if hook is None or box is None:
            return HTTPStatus.NOT_FOUND
        if not hmac.compare_digest(box["path_token"].encode(), knock.path_token.encode()):
            return HTTPStatus.NOT_FOUND
        if reports := [[one.key, str(one.bounced), one.code] for one in read_post(hook, knock.body)]:
            self._work.jobs.add("bounces.note", effect_key("bounces", json.dumps(reports)), reports=reports)
        return HTTPStatus.OK

    def _stop(self, knock: Knock) -> HTTPStatus:
        """A client's unsubscribe button; the address was proven at the door. However often it is pressed, once a minute."""
        client_id, minute = int(knock.path_token), self._work.now.replace(second=0, microsecond=0)
        self._work.jobs.add("reminders.stop", client_id, minute.isoformat(), client_id=client_id)
        return HTTPStatus.OK

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

    def _delivery(self, row: Row, knock: Knock, sealed: Sequence[bytes | None]) -> HTTPStatus:
        secrets = [self._rt.cipher.open(one) for one in sealed if one is not None]
        if not secrets:
            # Not confirmed yet: Clio tries again in two minutes, and by then we can tell whether it is Clio.
            return HTTPStatus.SERVICE_UNAVAILABLE
        if len(knock.signatures) != 1 or not self._verify(knock.body, knock.signatures[0], secrets):
            self.refused[row["model"]] += 1
            return HTTPStatus.UNAUTHORIZED
        self.genuine[row["model"]] += 1
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
