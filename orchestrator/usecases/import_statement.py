"""A bank's statement file → its lines as movements and its balances, all or nothing (F73, T38)."""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.bank_statements import BankStatement, UnusableStatement, movements_of, prove
from orchestrator.engine.runtime import Runtime
from orchestrator.statements import read_statement
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.trial import trial


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file held, and how many of its lines were new; `known` when exactly this file was imported before."""

    statement: BankStatement | None
    added: int
    known: Row | None = None

    @property
    def span(self) -> dict[str, Any]:
        """Which days the file is of, and how many lines it has."""
        if self.statement is not None:
            said = self.statement
            return {"begins_on": said.begins_on, "ends_on": said.ends_on, "lines": len(said.lines)}
        return {name: self.known[name] for name in ("begins_on", "ends_on", "lines")} if self.known is not None else {}


def import_statement(
    rt: Runtime, account: FirmAccount, content: bytes, *, name: str, mapping: str = "standard", by: str,
    opening_cents: int | None = None, closing_cents: int | None = None, dry_run: bool = False,
) -> Imported:  # fmt: skip
    """Keep a statement that its own balances prove, or `UnusableStatement` and nothing of it.

    The same file again adds nothing, and neither do the lines of an overlapping period.
    """
    digest = hashlib.sha256(content).hexdigest()
    with rt.read() as work:
        known = work.bank_files.of_digest(account.key, digest)
    if known is not None:
        return Imported(None, 0, known)
    said = read_statement(content, account, config_dir=rt.settings.config_dir, mapping=mapping)
    said = replace(
        said,
        opening_cents=opening_cents if opening_cents is not None else said.opening_cents,
        closing_cents=closing_cents if closing_cents is not None else said.closing_cents,
    )
    with trial(rt, dry_run=dry_run) as work:
        opening, closing = prove(said, account, expected_cents=_expected(work, account, said))
        added = work.movements.see(movements_of(said, account))
        _nothing_twice(work, account, said, closing - opening)
        file_id = work.bank_files.keep(
            account=account.key, digest=digest, name=name, format=said.format, begins_on=said.begins_on, ends_on=said.ends_on,
            opening_cents=opening, closing_cents=closing, lines=len(said.lines), added=added, imported_by=by,
        )  # fmt: skip
        work.audit.line(
            "statement_imported", "bank_file", file_id, actor=by, account=account.key, digest=digest, lines=len(said.lines),
            added=added, closing_cents=closing,
        )  # fmt: skip
    return Imported(said, added)


def _expected(work: Work, account: FirmAccount, said: BankStatement) -> int | None:
    """What the account held before the first day, by the statements imported so far; None when none reaches it."""
    before = said.begins_on - timedelta(days=1)
    for row in work.bank_files.listed(account.key):
        if row["begins_on"] <= said.begins_on <= row["ends_on"] + timedelta(days=1):
            upto = work.movements.newest()
            return int(row["closing_cents"]) - work.figures.bank_cents(account.key, before, row["ends_on"], upto)
    return None


def _nothing_twice(work: Work, account: FirmAccount, said: BankStatement, change_cents: int) -> None:
    """All that is known of these days now must be what the bank's balances say: a line in two spellings would be two."""
    upto = work.movements.newest()
    kept = work.figures.bank_cents(account.key, said.begins_on - timedelta(days=1), said.ends_on, upto)
    if kept != change_cents:
        raise UnusableStatement(
            f"Lines of {said.begins_on} to {said.ends_on} were imported before with other ids or amounts, as another format "
            "writes them: import the days after those, in one format."
        )
