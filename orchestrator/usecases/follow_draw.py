"""W9: money left trust for a bill → its draw is posted, or a person is told that nobody authorised it."""

from dataclasses import dataclass

from orchestrator.domain.draws import DrawState
from orchestrator.domain.kinds import Kind
from orchestrator.domain.money import Money
from orchestrator.domain.trust import Posting
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.plan_draws import ABOUT_A_DRAW, withdraw


@dataclass(frozen=True, slots=True)
class Left:
    """A draw whose line is about to be posted; its promise is given back already, because the money itself leaves."""

    draw: Row

    def posted(self, work: Work, line: Row) -> None:
        work.draws.move(self.draw, DrawState.POSTED, line_id=line["id"], posted_at=work.now)
        work.exceptions.close_all(ABOUT_A_DRAW, f"draw:{self.draw['id']}")
        work.audit.line(
            "draw.posted", "draw", self.draw["id"], line=line["external_id"], cents=self.draw["amount_cents"]
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A draw whose line was corrected in Clio in what says nothing of the draw: a cheque's number, say, or its day."""

    draw: Row

    def posted(self, work: Work, line: Row) -> None:
        work.draws.follow(self.draw, line["id"])
        work.audit.line("draw.line_corrected", "draw", self.draw["id"], line=line["external_id"])


def draw_kept(work: Work, standing: Row, posting: Posting) -> Kept | None:
    """The draw that a line posted, if that line's correction is still for its bill, out of its ledger, and of its amount."""
    draw = work.draws.of_lines([standing["id"]]).get(standing["id"])
    ledger = work.trust.ledger(posting.ledger, currency=posting.currency)
    alike = (posting.kind, ledger["id"], posting.bill_id, posting.amount_cents) == (
        standing["kind"], standing["ledger_id"], standing["bill_id"], standing["amount_cents"],
    )  # fmt: skip
    return Kept(draw) if draw is not None and draw["state"] in MADE and alike else None


MADE = (DrawState.POSTED, DrawState.RECONCILED)


def draw_left(rt: Runtime, work: Work, ledger: Row, posting: Posting) -> Left | None:
    """The authorised draw of exactly this bill, ledger and amount; without one the money left unauthorised (T19)."""
    cents = -posting.amount_cents
    draw = work.draws.open_of([posting.bill_id or 0]).get(posting.bill_id or 0)
    mine = draw is not None and draw["ledger_id"] == ledger["id"]
    if draw is not None and mine and draw["state"] == DrawState.AUTHORISED and draw["amount_cents"] == cents:
        work.trust.let_go(ledger["id"], cents)
        return Left(draw)
    reason = "trust_draw_unauthorised"
    if draw is not None and mine:
        reason = "trust_draw_amount_differs" if draw["state"] == DrawState.AUTHORISED else reason
        withdraw(work, draw, reason)
    history = work.dirty.watermark(Kind.LEDGER) is None
    if rt.settings.trust.signatories and not history:
        _tell_of(work, reason, posting, cents, draw if mine else None)
    return None


def line_undone(work: Work, line: Row) -> None:
    """The line that posted a draw was taken back in Clio: the draw did not happen after all."""
    draw = work.draws.of_lines([line["id"]]).get(line["id"])
    if draw is not None and draw["state"] in MADE:
        work.draws.move(draw, DrawState.WITHDRAWN, reason="trust_line_reversed")
        work.audit.line("draw.withdrawn", "draw", draw["id"], why="trust_line_reversed")
    work.exceptions.close_all(("trust_draw_unauthorised", "trust_draw_amount_differs"), f"line:{line['external_id']}")


def _tell_of(work: Work, reason: str, posting: Posting, cents: int, draw: Row | None) -> None:
    amount = Money(cents, posting.currency)
    agreed = f"; authorised was {Money(draw['amount_cents'], draw['currency'])}" if draw is not None else ""
    work.exceptions.open(
        reason, f"line:{posting.external_id}", f"{amount} left {posting.ledger.account} for bill {posting.bill_id}{agreed}.",
        subject=("bill", posting.bill_id or 0), money_cents=cents,
    )  # fmt: skip
    work.audit.line("draw.unauthorised", "bill", posting.bill_id, line=posting.external_id, cents=cents, why=reason)
