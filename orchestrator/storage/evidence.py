"""What an evidence pack holds, part by part (T46): one row of a table here is one pair of files in the pack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.silence import Subject
from orchestrator.storage.repository import CHUNK, Repository, Row, parts
from orchestrator.storage.tables import (
    approvals,
    audit,
    bank_files,
    bill_matters,
    billing_requests,
    bills,
    bounces,
    breaks,
    differences,
    draws,
    entries,
    exceptions,
    journal,
    link_parts,
    links,
    matches,
    matter_references,
    messages,
    movements,
    payments,
    periods,
    posted,
    reminder_holds,
    reminder_letters,
    reminders,
    runs,
    tasks,
    trust_holds,
    trust_ledgers,
    trust_lines,
)

Clause = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class OfMatter:
    """Everything about one matter.

    `texts` are the references by which movements without an id name it, by source; `breaks` those that were about its money
    before anybody knew that it was.
    """

    matter_id: int
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    breaks: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class OfMonth:
    """Everything of one month at the office: days from `first` to before `until`, moments from `began` to before `ended`."""

    first: date
    until: date
    began: datetime
    ended: datetime


Scope = OfMatter | OfMonth


@dataclass(frozen=True, slots=True)
class Part:
    """A table as a pack shows it: which columns, and which rows belong to a matter and to a month."""

    name: str
    table: sa.Table
    columns: tuple[str, ...]
    of_matter: Callable[[OfMatter], Clause]
    of_month: Callable[[OfMonth], Clause]


def _bills(matter_id: int) -> sa.Select[tuple[int]]:
    return sa.select(bill_matters.c.bill_id).where(bill_matters.c.matter_id == matter_id)


def _links(matter_id: int) -> sa.Select[tuple[int]]:
    return sa.select(links.c.id).where(links.c.bill_id.in_(_bills(matter_id)))


def _clients(matter_id: int) -> sa.Select[tuple[int]]:
    return sa.select(bills.c.client_id).where(bills.c.id.in_(_bills(matter_id)))


def _messages(matter_id: int) -> Clause:
    """About its bills, each with its own link or with one for several."""
    shared = sa.select(link_parts.c.link_id).where(link_parts.c.bill_id.in_(_bills(matter_id)))
    return sa.or_(messages.c.bill_id.in_(_bills(matter_id)), messages.c.link_id.in_(shared))


def _letters(matter_id: int) -> sa.Select[tuple[int]]:
    return sa.select(reminders.c.letter_id).where(reminders.c.bill_id.in_(_bills(matter_id)))


def _left(matter_id: int) -> Clause:
    """Whatever was handed to the relay about it: messages, reminders, notices of draws."""
    ids = (
        sa.select(messages.c.message_id).where(_messages(matter_id)),
        sa.select(reminder_letters.c.message_id).where(reminder_letters.c.id.in_(_letters(matter_id))),
        sa.select(draws.c.notice).where(draws.c.matter_id == matter_id),
    )
    return sa.or_(*(posted.c.message_id.in_(one) for one in ids))


def _bounces(matter_id: int) -> Clause:
    return bounces.c.address.in_(sa.select(posted.c.address).where(_left(matter_id)))


def _reminder_holds(matter_id: int) -> Clause:
    kind, ident = reminder_holds.c.subject_kind, reminder_holds.c.subject_id
    return sa.or_(
        sa.and_(kind == Subject.BILL, ident.in_(_bills(matter_id))),
        sa.and_(kind == Subject.MATTER, ident == matter_id),
        sa.and_(kind == Subject.CLIENT, ident.in_(_clients(matter_id))),
    )


def _payments(matter_id: int) -> sa.Select[tuple[int]]:
    """Made with a link of the matter's bills, or booked to it."""
    by_link = sa.select(payments.c.id).join(links, links.c.clio_id == payments.c.link_id)
    booked = sa.select(journal.c.payment_id).where(journal.c.matter_id == matter_id)
    return sa.select(
        sa.union(by_link.where(links.c.bill_id.in_(_bills(matter_id))), booked).subquery().c[0]
    )  # fmt: skip


def _movements(scope: OfMatter) -> Clause:
    named = [
        sa.and_(movements.c.source == source, movements.c.matter_id.is_(None), movements.c.reference.in_(part))
        for source, texts in sorted(scope.texts.items())
        for part in parts(texts)
    ]
    return sa.or_(
        movements.c.matter_id == scope.matter_id,
        movements.c.bill_id.in_(_bills(scope.matter_id)),
        movements.c.payment_id.in_(_payments(scope.matter_id)),
        *named,
    )


def _breaks(scope: OfMatter) -> Clause:
    return sa.or_(breaks.c.matter_id == scope.matter_id, *(breaks.c.id.in_(part) for part in parts(scope.breaks)))


def _about(scope: OfMatter, kind: sa.ColumnElement[str], ident: sa.ColumnElement[Any], *, text: bool) -> Clause:
    """Of something that can be about anything: about this matter, or about what is its."""

    def ids(chosen: sa.Select[Any]) -> sa.Select[Any]:
        return sa.select(sa.cast(chosen.subquery().c[0], sa.String)) if text else chosen

    matter = scope.matter_id
    its: dict[str, sa.Select[Any]] = {
        "bill": _bills(matter),
        "link": _links(matter),
        "payment": _payments(matter),
        "activity": sa.select(entries.c.id).where(entries.c.matter_id == matter),
        "request": sa.select(billing_requests.c.id).where(billing_requests.c.matter_id == matter),
        "task": sa.select(tasks.c.clio_id).where(tasks.c.matter_id == matter),
        "client": _clients(matter),
        "letter": _letters(matter),
        "bounce": sa.select(bounces.c.id).where(_bounces(matter)),
        "draw": sa.select(draws.c.id).where(draws.c.matter_id == matter),
        "trust_line": sa.select(trust_lines.c.id).where(trust_lines.c.ledger_id.in_(_ledgers(matter))),
        "break": sa.select(breaks.c.id).where(_breaks(scope)),
        "movement": sa.select(movements.c.id).where(_movements(scope)),
        "exception": sa.select(exceptions.c.id).where(_exceptions(scope)) if text else sa.select(sa.null()),
    }
    return sa.or_(
        sa.and_(kind == "matter", ident == (str(matter) if text else matter)),
        *(sa.and_(kind == name, ident.in_(ids(chosen))) for name, chosen in its.items() if text or name != "exception"),
    )


def _exceptions(scope: OfMatter) -> Clause:
    return _about(scope, exceptions.c.subject_kind, exceptions.c.subject_id, text=False)


def _ledgers(matter_id: int) -> sa.Select[tuple[int]]:
    return sa.select(trust_ledgers.c.id).where(trust_ledgers.c.matter_id == matter_id)


def _within(scope: OfMonth, *moments: sa.Column[Any]) -> Clause:
    """Whether any of these moments is of the month."""
    return sa.or_(*(sa.and_(moment >= scope.began, moment < scope.ended) for moment in moments))


def _runs(*of: Clause) -> sa.Select[tuple[int]]:
    """The runs that tell: those a period was signed on, and the newest finished one of each account."""
    newest = sa.select(sa.func.max(runs.c.id)).where(runs.c.state == "finished", *of).group_by(runs.c.account)
    return sa.select(runs.c.id).where(
        sa.or_(runs.c.id.in_(newest), sa.and_(runs.c.id.in_(sa.select(periods.c.run_id)), *of))
    )


def _run_in(scope: OfMonth) -> Clause:
    return sa.and_(runs.c.opened_on < scope.until, runs.c.cut_off >= scope.first)


def _matched(scope: OfMatter) -> Clause:
    its = sa.select(movements.c.id).where(_movements(scope))
    return sa.and_(matches.c.run_id.in_(_runs()), sa.or_(matches.c.left_id.in_(its), matches.c.right_id.in_(its)))


def _on(scope: OfMonth, day: sa.Column[Any]) -> Clause:
    return sa.and_(day >= scope.first, day < scope.until)


def _ended_before(scope: OfMonth) -> Clause:
    """Whether a hold, or the row that ended one, was over when the month began."""
    ending = reminder_holds.alias("ending")
    ended = sa.exists().where(ending.c.ends == reminder_holds.c.id, ending.c.made_at < scope.began)
    itself = sa.and_(reminder_holds.c.ends.is_not(None), reminder_holds.c.made_at < scope.began)
    return sa.or_(ended, itself, sa.and_(reminder_holds.c.until.is_not(None), reminder_holds.c.until < scope.first))


PARTS: tuple[Part, ...] = (
    Part(
        "audit", audit, ("seq", "at", "actor", "action", "subject_kind", "subject_id", "facts", "prev", "hash"),
        lambda scope: _about(scope, audit.c.subject_kind, audit.c.subject_id, text=True),
        lambda scope: _within(scope, audit.c.at),
    ),
    Part(
        "movements", movements,
        ("id", "source", "external_id", "version", "account", "on", "at", "amount_cents", "currency", "kind", "status",
         "reference", "matter_id", "client_id", "bill_id", "payment_id", "parent", "ended_by", "seen_at"),
        _movements,
        lambda scope: _on(scope, movements.c.on),
    ),
    Part(
        "draws", draws,
        ("id", "bill_id", "purpose", "sequence", "state", "account", "client_id", "matter_id", "amount_cents", "currency",
         "reason", "notice", "notice_channel", "noticed_at", "draw_from", "proposed_at", "authorised_at", "authorised_by",
         "line_id", "posted_at", "reconciled_at", "updated_at"),
        lambda scope: draws.c.matter_id == scope.matter_id,
        lambda scope: _within(
            scope, draws.c.proposed_at, draws.c.authorised_at, draws.c.posted_at, draws.c.reconciled_at, draws.c.updated_at
        ),
    ),
    Part(
        "ledgers", trust_ledgers,
        ("id", "account", "kind", "client_id", "matter_id", "currency", "balance_cents", "reserved_cents", "claimed_cents",
         "frozen", "frozen_by", "moved_on"),
        lambda scope: trust_ledgers.c.matter_id == scope.matter_id,
        lambda scope: trust_ledgers.c.id.in_(sa.select(trust_lines.c.ledger_id).where(_on(scope, trust_lines.c.on))),
    ),
    Part(
        "ledger_lines", trust_lines,
        ("id", "ledger_id", "account", "on", "effective_on", "kind", "amount_cents", "balance_cents", "currency", "purpose",
         "reference", "clears_on", "bill_id", "origin", "external_id", "version", "reverses", "actor", "authoriser", "why",
         "known_at"),
        lambda scope: trust_lines.c.ledger_id.in_(_ledgers(scope.matter_id)),
        lambda scope: _on(scope, trust_lines.c.on),
    ),
    Part(
        "holds", trust_holds,
        ("id", "kind", "bill_id", "ledger_id", "amount_cents", "why", "made_by", "made_at", "released_by", "released_why",
         "released_at"),
        lambda scope: sa.or_(
            trust_holds.c.bill_id.in_(_bills(scope.matter_id)), trust_holds.c.ledger_id.in_(_ledgers(scope.matter_id))
        ),
        lambda scope: _within(scope, trust_holds.c.made_at, trust_holds.c.released_at),
    ),
    Part(
        "breaks", breaks,
        ("id", "kind", "account", "state", "reference", "matter_id", "money_cents", "currency", "cause", "candidates",
         "movement_ids", "since", "owner", "why", "cure_by", "opened_at", "updated_at"),
        _breaks,
        # What stood at any moment of it.
        lambda scope: sa.and_(
            breaks.c.opened_at < scope.ended,
            sa.or_(breaks.c.state.in_(["open", "reopened"]), breaks.c.updated_at >= scope.began),
        ),
    ),
    Part(
        "runs", runs,
        ("id", "account", "opened_on", "cut_off", "version", "trigger", "asked_by", "state", "inputs", "inputs_digest",
         "counts", "statement", "digest", "began_at", "finished_at"),
        lambda scope: runs.c.id.in_(sa.select(matches.c.run_id).where(_matched(scope))),
        _run_in,
    ),
    Part(
        "matches", matches, ("id", "run_id", "leg", "rule", "left_id", "right_id", "on"), _matched,
        lambda scope: sa.and_(matches.c.run_id.in_(_runs(_run_in(scope))), _on(scope, matches.c.on)),
    ),
    Part(
        "differences", differences,
        ("id", "run_id", "fingerprint", "root", "kind", "money_cents", "cause", "reference", "matter_id", "candidates",
         "movement_ids", "since"),
        lambda scope: sa.and_(differences.c.run_id.in_(_runs()), differences.c.matter_id == scope.matter_id),
        lambda scope: differences.c.run_id.in_(_runs(_run_in(scope))),
    ),
    Part(
        "statements", bank_files,
        ("id", "account", "digest", "name", "format", "begins_on", "ends_on", "opening_cents", "closing_cents", "lines",
         "added", "imported_by", "imported_at"),
        lambda _: sa.false(),
        lambda scope: sa.and_(bank_files.c.begins_on < scope.until, bank_files.c.ends_on >= scope.first),
    ),
    Part(
        "periods", periods,
        ("id", "account", "opened_on", "closed_on", "run_id", "reviewer", "waiver", "inputs_digest", "digest", "signed_at"),
        lambda _: sa.false(),
        lambda scope: sa.and_(periods.c.opened_on < scope.until, periods.c.closed_on >= scope.first),
    ),
    Part(
        "exceptions", exceptions,
        ("id", "kind", "subject_kind", "subject_id", "money_cents", "summary", "state", "times", "owner", "opened_at",
         "updated_at"),
        _exceptions,
        lambda scope: sa.and_(
            exceptions.c.opened_at < scope.ended,
            sa.or_(exceptions.c.state == "open", exceptions.c.updated_at >= scope.began),
        ),
    ),
    Part(
        "messages", messages,
        ("id", "bill_id", "step", "link_id", "state", "message_id", "reason", "created_at", "sent_at", "communication_id"),
        lambda scope: _messages(scope.matter_id),
        lambda scope: _within(scope, messages.c.created_at, messages.c.sent_at),
    ),
    Part(
        "reminders", reminders,
        ("id", "bill_id", "step", "state", "reason", "reasons", "due_on", "looked_on", "silent_since", "letter_id", "sent_at",
         "created_at", "updated_at"),
        lambda scope: reminders.c.bill_id.in_(_bills(scope.matter_id)),
        lambda scope: sa.or_(_on(scope, reminders.c.due_on), _within(scope, reminders.c.sent_at, reminders.c.updated_at)),
    ),
    Part(
        "reminder_letters", reminder_letters,
        ("id", "client_id", "on", "state", "reason", "subject", "message_id", "thread", "sent_at", "communication_id",
         "approved_by", "created_at", "updated_at"),
        lambda scope: reminder_letters.c.id.in_(_letters(scope.matter_id)),
        lambda scope: _on(scope, reminder_letters.c.on),
    ),
    Part(
        "reminder_holds", reminder_holds,
        ("id", "subject_kind", "subject_id", "kind", "until", "why", "made_by", "made_at", "ends"),
        lambda scope: _reminder_holds(scope.matter_id),
        # What stood at any moment of it, and the row that ended it.
        lambda scope: sa.and_(reminder_holds.c.made_at < scope.ended, ~_ended_before(scope)),
    ),
    Part(
        "letters_sent", posted, ("key", "message_id", "kind", "bill_ids", "address", "posted_at", "bounced"),
        lambda scope: _left(scope.matter_id),
        lambda scope: _within(scope, posted.c.posted_at),
    ),
    Part(
        "bounces", bounces,
        ("id", "address", "state", "soft", "code", "source", "key", "bill_ids", "first_at", "last_at", "released_by",
         "released_at"),
        lambda scope: _bounces(scope.matter_id),
        lambda scope: _within(scope, bounces.c.first_at, bounces.c.last_at, bounces.c.released_at),
    ),
    Part(
        "bills", bills,
        ("id", "number", "state", "kind", "issued_on", "due_on", "total_cents", "paid_cents", "balance_cents",
         "pending_cents", "currency", "client_id", "matter_ids", "created_at", "updated_at"),
        lambda scope: bills.c.id.in_(_bills(scope.matter_id)),
        lambda scope: _on(scope, bills.c.issued_on),
    ),
    Part(
        "links", links,
        ("id", "bill_id", "cycle", "rail", "state", "amount_cents", "currency", "account_id", "clio_id", "reference",
         "reason", "reserved_at", "expires_at", "created_at", "updated_at"),
        lambda scope: links.c.bill_id.in_(_bills(scope.matter_id)),
        lambda scope: _within(scope, links.c.created_at),
    ),
    Part(
        "payments", payments,
        ("id", "state", "amount_cents", "currency", "link_id", "bill_ids", "matter_ids", "account_id", "created_at",
         "updated_at", "booked_cents"),
        lambda scope: payments.c.id.in_(_payments(scope.matter_id)),
        lambda scope: _within(scope, payments.c.created_at, payments.c.updated_at),
    ),
    Part(
        "journal", journal,
        ("id", "event", "payment_id", "account", "amount_cents", "currency", "bill_id", "matter_id", "at"),
        lambda scope: sa.or_(
            journal.c.matter_id == scope.matter_id, journal.c.bill_id.in_(_bills(scope.matter_id)),
            journal.c.payment_id.in_(_payments(scope.matter_id)),
        ),
        lambda scope: _within(scope, journal.c.at),
    ),
    Part(
        "approvals", approvals,
        ("id", "entry_id", "digest", "total_cents", "approved_by", "signal", "approved_at", "withdrawn_at"),
        lambda scope: approvals.c.entry_id.in_(sa.select(entries.c.id).where(entries.c.matter_id == scope.matter_id)),
        lambda scope: _within(scope, approvals.c.approved_at, approvals.c.withdrawn_at),
    ),
    Part(
        "references", matter_references,
        ("id", "provider", "kind", "reference", "matter_id", "source", "current", "since", "ended_at", "withdrawn_at"),
        lambda scope: matter_references.c.matter_id == scope.matter_id,
        lambda scope: _within(scope, matter_references.c.since, matter_references.c.withdrawn_at),
    ),
)  # fmt: skip


class Evidence(Repository):
    def hold_still(self) -> None:
        """One view of everything from here on, whatever others commit; before anything was read."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))

    def breaks_about(self, scope: OfMatter) -> list[int]:
        """Breaks over the matter's movements, or of which it is a candidate, whoever they were said to be about."""
        its = set(self.connection.execute(sa.select(movements.c.id).where(_movements(scope))).scalars())
        chosen = sa.select(breaks.c.id, breaks.c.movement_ids, breaks.c.candidates)
        rows = self.connection.execute(chosen.execution_options(yield_per=CHUNK)).mappings()
        return [row["id"] for row in rows if its & set(row["movement_ids"]) or scope.matter_id in _matters(row)]

    def of(self, part: Part, scope: Scope) -> Iterator[Row]:
        """The rows of one part in the order of their keys, read piece by piece."""
        key = next(iter(part.table.primary_key.columns))
        chosen = part.of_matter(scope) if isinstance(scope, OfMatter) else part.of_month(scope)
        onward: Clause = sa.true()
        while True:
            found = self.rows(sa.select(part.table).where(chosen, onward).order_by(key).limit(CHUNK))
            yield from found
            if len(found) < CHUNK:
                return
            onward = key > found[-1][key.name]


def _matters(row: Row) -> set[int]:
    """The matters among a break's candidates, which are ids or facts with one."""
    named = (one.get("matter_id") if isinstance(one, dict) else one for one in row["candidates"])
    return {one for one in named if isinstance(one, int)}
