"""P8: a year of an account, 1 % of it wrong in every way there is, reconciled in a process of its own."""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.figure import Bound, Figure, Say
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.domain.references import normalise
from orchestrator.storage.movements import NAMES
from orchestrator.storage.tables import (
    bank_files,
    differences,
    matches,
    matter_references,
    movements,
    trust_ledgers,
    trust_lines,
)
from orchestrator.usecases.reconcile import account_named, begin, go_on, uncollected
from tests.firm import START
from tests.reconciling import Office, office

FIRST = date(2025, 1, 1)
DAYS = 365
LAST = FIRST + timedelta(days=DAYS + 9)
MATTERS = 5000
ROWS = 20_000
"""Rows in one INSERT while the account is filled."""


def measure(quick: bool, say: Say) -> Figure:
    small, large = (2_000, 20_000) if quick else (100_000, 1_000_000)
    told = {}
    for size in (small, large):
        say(f"{size:,} movements a side")
        told[size] = _in_a_process_of_its_own(size)
    whole = told[large]
    found = whole["planted"] and whole["found"] / whole["planted"]
    return Figure(
        whole["per_second"] / whole["plain_per_second"], whole["plain_per_second"], whole["records"],
        "reading and writing rows: the join reads three columns and writes nothing, a run reads thirteen and writes every match",
        also=(
            Bound("false or ambiguous automatic matches", whole["false_matches"], "≤", 0),
            Bound("planted faults found and named", found, "≥", 1),
            Bound("peak memory, 10 × the movements ÷ 1 ×", whole["peak_mb"] / told[small]["peak_mb"], "≤", 1.2),
        ),
        detail={"small": told[small], "large": whole},
    )  # fmt: skip


def _in_a_process_of_its_own(size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for step in ("fill", "run"):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.reconcile", step, folder, str(size)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


# ── an account and what is wrong with it ──


class Account:
    """What each source shows of a year, and which faults were planted: by kind, the external ids concerned."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.random = random.Random(f"P8 {size}")
        self.days: Counter[date] = Counter()
        self.held: Counter[int] = Counter()
        self.planted: list[tuple[str, str]] = []
        self.last = 0

    def told(self) -> Iterator[Movement]:
        faults = list(FAULTS)
        for number in range(self.size):
            if number % 100 == 50:
                kind = faults[number // 100 % len(faults)]
                yield from FAULTS[kind](self, number, kind)
            else:
                yield from self.good(number)
        for day, cents in sorted(self.days.items()):
            short = self.random.random() < 0.02
            if short:
                self.planted.append(("net_deposit", f"B{day}"))
            yield self.at(
                "bank",
                f"B{day}",
                cents * 97 // 100 if short else cents,
                day + timedelta(days=2),
                reference="LAWPAY DEPOSIT",
            )

    def good(self, number: int) -> Iterator[Movement]:
        """Nine of ten lines name the payment's id, the tenth repeats its reference; one in fifty is money out, by cheque."""
        day, matter, cents = self.day(number), self.matter(number), self.cents()
        if number % 50 == 7:
            cents = min(cents, self.held[matter]) or cents
            self.held[matter] += cents  # what was there before the year began
            paid = {"reference": f"CHK {number}"}
            yield self.line(f"{number}in", cents, day, matter, f"CASH {number}")
            yield self.at("bank", f"K{number}in", cents, day + timedelta(days=1), reference=f"CASH {number}")
            yield self.at("clio_ledger", f"L{number}", -cents, day, matter_id=matter, client_id=matter, **paid)
            yield self.at("bank", f"K{number}", -cents, day + timedelta(days=2), **paid)
            return
        text = f"M{matter}-B{number}" if number % 10 == 3 else f"M{matter}"
        yield self.charge(number, cents, day, text)
        yield self.line(number, cents, day, matter, text if number % 10 == 3 else f"ch_{number}")

    def charge(self, number: object, cents: int, day: date, reference: str, **facts: Any) -> Movement:
        if facts.get("status", "settled") == "settled" and facts.get("account", "iolta") == "iolta":
            self.days[day] += cents
        return self.at("lawpay", f"ch_{number}", cents, day, reference=reference, **facts)

    def line(self, number: object, cents: int, day: date, matter: int, reference: str, **facts: Any) -> Movement:
        self.last = cents
        self.held[matter] += cents
        return self.at(
            "clio_ledger", f"L{number}", cents, day, reference=reference, matter_id=matter, client_id=matter, **facts
        )

    def at(self, source: str, name: str, cents: int, day: date, **facts: Any) -> Movement:
        kind = MovementKind.DEPOSIT if cents > 0 else MovementKind.DISBURSEMENT
        values = {"kind": kind, "status": MovementStatus.SETTLED, "account": "iolta", "currency": "USD", "at": None}
        return Movement(source=Source(source), external_id=name, amount_cents=cents, on=day, **(values | facts))

    def day(self, number: int) -> date:
        return FIRST + timedelta(days=number * DAYS // self.size)

    def matter(self, number: int) -> int:
        return number * 7919 % MATTERS + 1

    def cents(self) -> int:
        return self.random.randrange(5_000, 900_000)


def _pair(account: Account, number: int, kind: str, **clio: Any) -> Iterator[Movement]:
    """A charge and its line, which differ as told: `left` and `lawpay` are the charge's, the rest the line's."""
    day, matter, cents = account.day(number), account.matter(number), account.cents()
    account.planted.append((kind, f"ch_{number}"))
    yield account.charge(number, cents, day, clio.pop("left", f"M{matter}"), **clio.pop("lawpay", {}))
    if clio.pop("line", True):
        wrong = matter % MATTERS + 1 if clio.pop("elsewhere", False) else matter
        yield account.line(number, cents + clio.pop("off", 0), day, wrong, f"ch_{number}", **clio)


def _alone(named: str, source: str, **facts: Any) -> Any:
    def fault(account: Account, number: int, _: str) -> Iterator[Movement]:
        cents, day = facts.get("cents") or account.cents(), account.day(number)
        name = f"X{number}"
        account.planted.append((named, name))
        if source == "clio_ledger":
            matter = account.matter(number)
            account.held[matter] += cents
            whose = {"matter_id": matter, "client_id": matter}
        else:
            whose = {}
        more = {key: value for key, value in facts.items() if key in ("kind", "parent")}
        if "parent" in more:
            more["parent"] = f"ch_x{number}"
        yield account.at(source, name, cents, day, reference=f"only {number}", **whose, **more)

    return fault


def _twice(account: Account, number: int, kind: str) -> Iterator[Movement]:
    yield from _pair(account, number, kind)
    again = account.random.choice("yz")
    first = f"ch_{number}"
    yield account.at(
        "clio_ledger", f"L{number}{again}", account.last, account.day(number), reference=first,
        matter_id=account.matter(number), client_id=account.matter(number),
    )  # fmt: skip


def _equals(account: Account, number: int, kind: str) -> Iterator[Movement]:
    """Two charges and two lines of one matter, day and amount, and nothing that says which is whose (F74)."""
    day, matter, cents = account.day(number), account.matter(number), account.cents()
    for which in "ab":
        account.planted.append((kind, f"ch_{number}{which}"))
        yield account.charge(f"{number}{which}", cents, day, f"M{matter}")
        yield account.line(f"{number}{which}", cents, day, matter, "")


def _below_zero(account: Account, number: int, kind: str) -> Iterator[Movement]:
    nobody, day = MATTERS + number, account.day(number)
    account.planted.append((kind, str(nobody)))
    paid = {"reference": f"NEG {number}"}
    yield account.at("clio_ledger", f"L{number}", -100, day, matter_id=nobody, client_id=nobody, **paid)
    yield account.at("bank", f"K{number}", -100, day, **paid)


FAULTS: dict[str, Any] = {
    "missing_in_clio": lambda account, number, kind: _pair(account, number, kind, line=False),
    "unmapped_reference": lambda account, number, kind: _pair(account, number, kind, left=f"ZZ{number}", line=False),
    "ambiguous_reference": lambda account, number, kind: _pair(account, number, kind, left="x 7", line=False),
    "amount_differs": lambda account, number, kind: _pair(account, number, kind, off=-100),
    "wrong_matter": lambda account, number, kind: _pair(account, number, kind, elsewhere=True),
    "late_return": lambda account, number, kind: _pair(account, number, kind, lawpay={"status": MovementStatus.FAILED}),
    "wrong_account_class": lambda account, number, kind: _pair(account, number, kind, lawpay={"account": "operating"}),
    "duplicate": _twice,
    "ambiguous_match": _equals,
    "negative_ledger": _below_zero,
    "missing_at_lawpay": _alone("missing_at_lawpay", "clio_ledger", parent=True),
    "missing_at_bank": _alone("missing_at_bank", "clio_ledger"),
    "missing_in_clio_at_bank": _alone("missing_in_clio", "bank", cents=-777),
    "fee_from_trust": _alone("fee_from_trust", "lawpay", cents=-30, kind=MovementKind.FEE),
    "chargeback_from_trust": _alone("chargeback_from_trust", "lawpay", cents=-5000, kind=MovementKind.CHARGEBACK),
}
"""Every hundredth of the account, in turn."""

SAME_AS = {"late_return": {"late_return_after_use"}, "missing_at_bank": {"stale_item"}}
"""Kinds that say the same more exactly."""


# ── in the process of its own ──


def fill(folder: Path, size: int) -> None:
    with office(f"sqlite:///{folder}/firm.sqlite3") as firm:
        account = Account(size)
        columns = [*NAMES, "version", "digest", "seen_at", "link", "reference_normalised", "name_normalised"]
        holes = ", ".join("?" * len(columns))
        quoted = ", ".join(f'"{name}"' for name in columns)
        rows: list[tuple[Any, ...]] = []
        posted: list[tuple[Any, ...]] = []
        ledgers: dict[int, int] = {}

        def write() -> None:
            with firm.rt.uow(quietly=True) as work:
                driver = work.connection.connection.cursor()
                driver.executemany(f"INSERT INTO movements ({quoted}) VALUES ({holes})", rows)
                driver.executemany(POSTED, posted)
            rows.clear()
            posted.clear()

        seen_at = START.replace(tzinfo=None).isoformat(" ")
        bank = 0
        for one in account.told():
            bank += one.amount_cents if one.source is Source.BANK else 0
            values = [getattr(one, name) for name in NAMES]
            rows.append(
                (
                    *(str(value) if isinstance(value, date | str) else value for value in values),
                    1,
                    "",
                    seen_at,
                    one.link,
                    one.reference_normalised,
                    one.name_normalised,
                )
            )
            if one.source is Source.CLIO_LEDGER:
                ledger = ledgers.setdefault(one.client_id or 0, len(ledgers) + 1)
                posted.append((ledger, one.external_id, one.amount_cents, str(one.on), str(one.on), seen_at))
            if len(rows) == ROWS:
                write()
        write()
        _ledgers(firm, ledgers)
        _lookup(firm)
        with firm.rt.uow(quietly=True) as work:
            work.connection.execute(
                bank_files.insert().values(
                    account="iolta", digest="P8", name="P8", format="ofx", begins_on=FIRST, ends_on=LAST,
                    opening_cents=0, closing_cents=bank, lines=0, added=0, imported_by="P8", imported_at=START,
                )
            )  # fmt: skip
            work.connection.exec_driver_sql("ANALYZE")
        (folder / "planted.json").write_text(json.dumps(account.planted))


POSTED = """INSERT INTO trust_lines (ledger_id, account, origin, external_id, version, kind, amount_cents, balance_cents,
    currency, "on", effective_on, party, purpose, reference, actor, known_at)
    VALUES (?, 'iolta', 'clio', ?, 1, 'deposit', ?, 0, 'USD', ?, ?, 'P8', 'P8', 'P8', 'P8', ?)"""


def _ledgers(firm: Office, ledgers: dict[int, int]) -> None:
    """The client ledgers of the lines that were posted; a matter of P8 has its own number for a client."""
    with firm.rt.uow(quietly=True) as work:
        work.connection.execute(
            trust_ledgers.insert(),
            [
                {"id": ident, "account": "iolta", "kind": "matter", "client_id": matter, "matter_id": matter,
                 "currency": "USD", "balance_cents": 0, "frozen": True, "updated_at": START}
                for matter, ident in ledgers.items()
            ],
        )  # fmt: skip


def _lookup(firm: Office) -> None:
    named = [(f"M{matter}", matter) for matter in range(1, MATTERS + 1)] + [("X-7", 1), ("X7", 2)]
    with firm.rt.uow(quietly=True) as work:
        work.connection.execute(
            matter_references.insert(),
            [
                {"provider": "clio", "kind": "display_number", "reference": text, "normalised": normalise(text),
                 "matter_id": matter, "source": "P8", "current": True, "since": START}
                for text, matter in named
            ],
        )  # fmt: skip


def run(folder: Path, size: int) -> dict[str, Any]:
    with office(f"sqlite:///{folder}/firm.sqlite3") as firm:
        account = account_named(firm.rt, "iolta")
        begun, by_the_wall = time.process_time(), time.perf_counter()
        started = begin(firm.rt, account, cut_off=LAST)
        done = go_on(firm.rt, started.run_id)
        took, waited = time.process_time() - begun, time.perf_counter() - by_the_wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with firm.rt.read() as work:
            records, plain = _plain_join(work.connection)
            two_lists = _two_lists(work.connection)
            planted = [tuple(one) for one in json.loads((folder / "planted.json").read_text())]
            missed = sorted(set(planted) - _named(work.connection, planted))
            return {
                "size": size, "records": records, "cpu_seconds": took, "seconds": waited, "per_second": records / took,
                "plain_per_second": records / plain, "plain_seconds": plain, "ratio": plain / took,
                "two_lists_seconds": two_lists, "ratio_to_two_lists": two_lists / took, "peak_mb": peak, "planted": len(planted),
                "found": len(planted) - len(missed), "missed": Counter(kind for kind, _ in missed),
                "examples_missed": missed[:5], "false_matches": _false(work.connection),
                "breaks": done["counts"]["breaks"], "matches": done["counts"]["matches"],
            }  # fmt: skip


def _plain_join(connection: sa.Connection) -> tuple[int, float]:
    """What joining the lists that a run compares costs by itself, reading included: rows read, and seconds.

    LawPay's payments and our own ledgers' lines each in memory by key, Clio's book looked up in both, ids of equal amounts
    kept; the bank's lines are read. Like the run it does not look for garbage meanwhile: there is none.
    """
    lists = [
        *(
            sa.select(key, movements.c.id, movements.c.amount_cents, movements.c.link).where(
                movements.c.source == source
            )
            for source, key in ((Source.LAWPAY, movements.c.external_id), (Source.CLIO_LEDGER, movements.c.external_id))
        ),
        sa.select(trust_lines.c.external_id, trust_lines.c.id, trust_lines.c.amount_cents),
        sa.select(movements.c.id, movements.c.on, movements.c.amount_cents).where(movements.c.source == Source.BANK),
    ]
    with uncollected():
        begun = time.process_time()
        payments, book, lines, bank = (connection.execute(chosen).all() for chosen in lists)
        paid = {name: (ident, amount) for name, ident, amount, _ in payments}
        posted = {name: (ident, amount) for name, ident, amount in lines}
        pairs = []
        for name, ident, amount, link in book:
            one, other = paid.get(link), posted.get(name)
            if one is not None and one[1] == amount:
                pairs.append((one[0], ident))
            if other is not None and other[1] == amount:
                pairs.append((other[0], ident))
        took = time.process_time() - begun
    return len(payments) + len(book) + len(lines) + len(bank), took


def _two_lists(connection: sa.Connection) -> float:
    """Seconds of LawPay's payments joined with Clio's book alone, garbage looked for: what P8 was divided by at first."""
    begun = time.process_time()
    sides = [
        sa.select(key, movements.c.id, movements.c.amount_cents).where(movements.c.source == source)
        for source, key in ((Source.LAWPAY, movements.c.external_id), (Source.CLIO_LEDGER, movements.c.link))
    ]
    left = {key: (ident, amount) for key, ident, amount in connection.execute(sides[0]).all()}
    pairs = []
    for key, ident, amount in connection.execute(sides[1]).all():
        found = left.get(key)
        if found is not None and found[1] == amount:
            pairs.append((found[0], ident))
    return time.process_time() - begun


def _named(connection: sa.Connection, planted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    names: dict[int, str] = {}
    rows = list(connection.execute(sa.select(differences.c.kind, differences.c.movement_ids, differences.c.matter_id)))
    wanted = sorted({ident for _, ids, _ in rows for ident in ids})
    for start in range(0, len(wanted), 500):
        some = sa.select(movements.c.id, movements.c.external_id).where(movements.c.id.in_(wanted[start : start + 500]))
        names |= {row[0]: row[1] for row in connection.execute(some)}
    said = {(kind, names[ident]) for kind, ids, _ in rows for ident in ids}
    said |= {(kind, str(matter)) for kind, ids, matter in rows if not ids}
    said |= {(kind, name.replace("L", "ch_")) for kind, name in said if name.startswith("L")}
    return {
        (kind, name) for kind, name in planted if any((one, name) in said for one in {kind, *SAME_AS.get(kind, ())})
    }


def _false(connection: sa.Connection) -> int:
    """Matches of movements that are not the same money; an ambiguous one that was matched at all is false."""
    left, right = movements.alias("l"), movements.alias("r")
    chosen = sa.select(left.c.external_id, right.c.external_id, left.c.on).select_from(
        matches.join(left, left.c.id == matches.c.left_id).join(right, right.c.id == matches.c.right_id)
    )
    wrong = 0
    for one, other, day in connection.execute(chosen.execution_options(yield_per=10_000)):
        mine, theirs = one.lstrip("chL_"), other.lstrip("LK")
        wrong += (other != f"B{day}" and mine != theirs) or mine[-1] in "ab"
    return wrong


if __name__ == "__main__":
    step, where, how_many = sys.argv[1:]
    if step == "fill":
        fill(Path(where), int(how_many))
    else:
        print(json.dumps(run(Path(where), int(how_many))))
