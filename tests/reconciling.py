"""A firm with a trust and an operating account, and short words for what four sources saw of its money."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from orchestrator.bootstrap import build
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.domain.trust import Ledger, LedgerKind, LineKind, Origin, Posting
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import Clock
from orchestrator.settings import load
from orchestrator.storage.migrate import migrate
from orchestrator.storage.unit_of_work import UnitOfWork, Work
from orchestrator.usecases.reconcile import account_named, reconcile
from orchestrator.usecases.show_runs import show_run
from tests.firm import CONFIG
from tests.storage.rows import a_matter

MARCH = date(2026, 3, 1)
END = date(2026, 3, 31)
REVIEWER = "Ann Ohm"

TRUST = {
    "accounts": [
        {"key": "iolta", "account_class": "trust", "clio_id": 11, "lawpay_ids": ["acc_t"], "bank_id": "111"},
        {"key": "operating", "account_class": "operating", "clio_id": 12, "lawpay_ids": ["acc_o"], "bank_id": "222"},
    ],
    "signatories": ["Ann Ohm", "Bo Sand"],
    "reviewers": [REVIEWER],
}


def seen(source: str, name: object, cents: int, day: int, **facts: Any) -> Movement:
    """One movement of March, into the trust account unless told otherwise."""
    values = {
        "source": Source(source), "external_id": str(name), "account": "iolta", "amount_cents": cents, "currency": "USD",
        "on": MARCH + timedelta(days=day - 1), "at": None,
        "kind": MovementKind.DEPOSIT if cents > 0 else MovementKind.DRAW, "status": MovementStatus.SETTLED,
    }  # fmt: skip
    return Movement(**(values | facts))


def lawpay(name: object, cents: int, day: int, reference: str = "", **facts: Any) -> Movement:
    return seen("lawpay", name, cents, day, reference=reference, **facts)


def clio(name: object, cents: int, day: int, matter: int | None = 5, **facts: Any) -> Movement:
    return seen("clio_ledger", name, cents, day, **({"matter_id": matter, "client_id": 2} | facts))


def bank(name: object, cents: int, day: int, **facts: Any) -> Movement:
    return seen("bank", name, cents, day, **facts)


def post(work: Work, one: Movement) -> None:
    """A line of Clio's into the ledger of its owner; a changed one after the reversal of what it was."""
    owner = {"client_id": one.client_id, "matter_id": one.matter_id}
    kind = LedgerKind.MATTER if one.matter_id else LedgerKind.CLIENT if one.client_id else LedgerKind.FIRM_CHARGES
    before = work.trust.standing([one.external_id]).get(one.external_id)
    if before is not None:
        work.trust.reverse(before, on=one.on, actor="test", why="changed in Clio")
    if one.status is not MovementStatus.VOIDED:
        ledger = Ledger("iolta", kind, **owner if kind is not LedgerKind.FIRM_CHARGES else {})
        work.trust.post(
            Posting(
                ledger=ledger, origin=Origin.CLIO, external_id=one.external_id,
                version=work.trust.versions([one.external_id]).get(one.external_id, 0) + 1,
                kind=LineKind.DEPOSIT if one.amount_cents > 0 else LineKind.DISBURSEMENT, amount_cents=one.amount_cents,
                currency=one.currency, on=one.on, effective_on=one.on, party="test", purpose="test",
                reference=one.reference or f"clio:{one.external_id}",
            ),
            currency=one.currency,
        )  # fmt: skip


class Office:
    """What a test tells it, and what a run of March makes of that."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt

    def sees(self, *movements: Movement) -> None:
        """What the sources saw; Clio's lines of the trust account are posted to their ledgers, as `sync_ledger` does it."""
        with self.rt.uow() as work:
            work.movements.see(movements)
            for one in movements:
                if one.source is Source.CLIO_LEDGER and one.account == "iolta":
                    post(work, one)

    def sees_unposted(self, *movements: Movement) -> None:
        """What stands in Clio's book and reached none of our ledgers."""
        with self.rt.uow() as work:
            work.movements.see(movements)

    def posts(self, *lines: Movement) -> None:
        """What stands in our ledgers and not in Clio's book."""
        with self.rt.uow() as work:
            for one in lines:
                post(work, one)

    def knows(self, **numbers: int) -> None:
        """Matters by number: `M0001=5`."""
        with self.rt.uow() as work:
            read = [a_matter(id=ident, display_number=number.replace("_", "-")) for number, ident in numbers.items()]
            work.mirror.put_matters(read)
            work.references.keep(read)

    def statement(self, closing: int, *, begins: date = MARCH, ends: date = END, account: str = "iolta") -> None:
        """The bank says what it holds at the end of a day."""
        with self.rt.uow() as work:
            work.bank_files.keep(
                account=account, digest=f"{begins}{ends}{closing}", name="march.ofx", format="ofx", begins_on=begins,
                ends_on=ends, opening_cents=0, closing_cents=closing, lines=0, added=0, imported_by="test",
            )  # fmt: skip

    def run(self, account: str = "iolta", cut_off: date = END) -> dict[str, Any]:
        done = reconcile(self.rt, account_named(self.rt, account), cut_off=cut_off)
        shown = show_run(self.rt, done["id"])
        assert shown is not None
        return shown

    def breaks(self, **given: Any) -> list[str]:
        return sorted(one["kind"] for one in self.run(**given)["breaks"])


@contextmanager
def office(url: str, *, clock: Clock | None = None, **trust: Any) -> Iterator[Office]:
    """A migrated firm that is connected to nothing."""
    settings = load(
        config_dir=CONFIG, environment="test", database_url=url, trust=TRUST | trust,
        clio={"base_url": "http://127.0.0.1:9", "access_token": "a-ready-token-of-nobody"},
    )  # fmt: skip
    rt = build(settings)
    if clock is not None:
        rt = replace(rt, clock=clock, uow=UnitOfWork(rt.uow.engine, clock))
    migrate(rt.uow.engine)
    try:
        yield Office(rt)
    finally:
        rt.close()
