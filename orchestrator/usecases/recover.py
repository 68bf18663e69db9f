"""F57: the database is older than what was done with it → what the lost past made is adopted before anything new is done.

First our links at Clio, compared in full: those we forgot become rows again, under the cycle that their key names. Then the
sweeps, from watermarks that are as old as the database is. When all of it was read, effects may leave again, and whatever may
have been done already is searched for before it is sent (`engine.effects`).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from orchestrator.domain.asking import account_for
from orchestrator.domain.kinds import Kind, swept
from orchestrator.domain.links import LinkState, Rail, RemoteLink, cycle_of, key_of
from orchestrator.domain.topics import Urgency
from orchestrator.engine import lineage
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Transient
from orchestrator.storage.jobs import Job
from orchestrator.storage.lineage import Cause
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import bills_of
from orchestrator.usecases.revoke_link import superfluous
from orchestrator.usecases.want_message import want_message

AT_ONCE = 200
"""Rows read between two renewals of the lease: one page of Clio's lists."""

LOOK_AGAIN_SECONDS = 1.0
IN_DOUBT = "mail_before_restore"


def adopt_links(job: Job, rt: Runtime) -> None:
    """Compare our links with Clio's list in full, and make those that this database forgot its own again."""
    with rt.read() as work:
        life = work.lineage.life()
        ours = work.links.listed(states=[LinkState.LIVE], limit=100_000)
        live = {row["clio_id"] for row in ours if row["clio_id"] is not None}
    if life.era != job.payload["era"] or not life.recovering:
        with step(rt, job):
            return  # a later recovery does it
    practice = rt.practice(Urgency(job.urgency))
    try:
        accounts = practice.bank_accounts()
        seen = {link.id: link for link in held(rt, job, practice.links_created_since(life.lost_from))}
        seen |= {link.id: link for link in held(rt, job, practice.active_links())}
        seen |= {link.id: link for link in practice.links.by_ids(sorted(live - seen.keys()))}
        over = superfluous(rt, practice, seen.values())
    except Transient as trouble:
        # Everything waits for this: it is tried for as long as it takes.
        with rt.uow() as work:
            pause = trouble.retry_after or LOOK_AGAIN_SECONDS * 5
            work.jobs.hand_back(job, pause_seconds=pause, counted=False, detail=str(trouble))
        return
    with step(rt, job) as work:
        work.mirror.put_accounts(accounts)
        adopted = adopt(rt, work, seen.values(), over=over)
        work.lineage.adopted()
        for kind in swept(trust=bool(rt.settings.trust.accounts)):
            work.dirty.begin_again(kind)
        _sweep(work)
        work.jobs.add("recovery.finish", life.era, era=life.era)
        work.audit.line("recovery.adopted", "database", life.era[:12], links=adopted)


def adopt(rt: Runtime, work: Work, links: Iterable[RemoteLink], *, over: Collection[int]) -> int:
    """Give every link of ours that this database does not know its row; those that are over first. Returns how many.

    The live ones that are to be `over`, since another of the same balance stays, are revoked.
    """
    work.messages.doubt(IN_DOUBT)
    seen = [link for link in map(_placed, links) if link.bill_id is not None and link.amount_cents is not None]
    ours = work.links.by_clio_ids([link.id for link in seen])
    for link in seen:
        row = ours.get(link.id)
        if link.id in over:
            if row is not None and row["state"] == LinkState.LIVE:
                work.links.move(row, LinkState.EXPIRED, reason="link_replaced")
            work.jobs.add("link.revoke", link.id, clio_id=link.id, bill_id=link.bill_id)
        elif row is not None and not link.active and row["state"] == LinkState.LIVE:
            work.links.move(row, _state(link), etag=link.etag, reason=_end(work, link))
            work.dirty.mark(Kind.BILL, bills_of(work, row))
            if link.payment_id is not None:
                work.dirty.mark(Kind.PAYMENT, [link.payment_id])
    forgotten = [link for link in seen if link.id not in {*ours, *over} and key_of(link) is not None]
    return sum(_adopt(rt, work, link) for link in sorted(forgotten, key=lambda link: (link.active, link.created_at)))


def _placed(link: RemoteLink) -> RemoteLink:
    """A forgotten link for all that a client owes stands under no bill: what it was for nobody knows, and it is replaced."""
    return link if link.contact_id is None else replace(link, bill_id=-link.contact_id)


def _adopt(rt: Runtime, work: Work, link: RemoteLink) -> bool:
    assert link.bill_id is not None
    assert link.amount_cents is not None
    key = str(key_of(link))
    if not link.active and _another_s(work, link, key):
        return False  # its row became another link, which is the one that counts
    rival = work.links.alive([link.bill_id]).get(link.bill_id)
    if link.active and rival is not None and rival["key"] != key:
        if rival["state"] == LinkState.LIVE:
            work.exceptions.open(
                "foreign_link", link.id,
                f"Links {rival['clio_id'] or rival['rail']} and {link.id} for bill {link.bill_id} are both live.",
                subject=("bill", link.bill_id),
            )  # fmt: skip
            return False
        work.links.withdraw(rival, reason="link_replaced")
    account = account_for(work.mirror.accounts(), currency=link.currency, chosen=None)
    account_id = rt.settings.links.account_id or (account.id if account is not None else 0)
    row = work.links.adopt(
        bill_id=link.bill_id, cycle=cycle_of(link), key=key, rail=Rail.CLIO_PAYMENTS, state=_state(link),
        amount_cents=link.amount_cents, currency=link.currency, account_id=account_id, clio_id=link.id,
        etag=link.etag, url=link.url, expires_at=link.expires_at, reserved_at=link.created_at, client_id=link.contact_id,
        reason=None if link.active else _end(work, link),
    )  # fmt: skip
    if link.contact_id is None:
        want_message(rt, work, row)
        work.dirty.mark(Kind.BILL, [link.bill_id])
    work.messages.doubt(IN_DOUBT)  # before the next link's: a client who may have this message gets a revised one
    work.audit.line("link.adopted", "link", row["id"], clio_id=link.id, bill_id=link.bill_id, state=row["state"])
    if link.payment_id is not None:
        work.dirty.mark(Kind.PAYMENT, [link.payment_id])
    return True


def _another_s(work: Work, link: RemoteLink, key: str) -> bool:
    row = work.links.keyed([key]).get(key)
    return row is not None and row["clio_id"] not in (None, link.id)


def _state(link: RemoteLink) -> LinkState:
    return LinkState.LIVE if link.active else LinkState.USED if link.payment_id is not None else LinkState.EXPIRED


def _end(work: Work, link: RemoteLink) -> str | None:
    """Why it is over, if no payment was made with it: its time, or something that nobody here saw."""
    if link.payment_id is not None:
        return None
    return "time" if link.expires_at is not None and link.expires_at <= work.now else "link_ended_unseen"


def held(rt: Runtime, job: Job, rows: Iterable[RemoteLink]) -> Iterator[RemoteLink]:
    """The rows, while the lease is renewed with every page: a long list outlasts it."""
    for number, row in enumerate(rows, 1):
        if number % AT_ONCE == 0:
            with rt.uow(quietly=True) as work:
                work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds)
        yield row


def finish_recovery(job: Job, rt: Runtime) -> None:
    """Open the gate once every kind was swept and every mark drained since the adoption; until then, look again."""
    with rt.uow(quietly=True) as work:
        life = work.lineage.life()
        behind = unswept(work, swept(trust=bool(rt.settings.trust.accounts)))
        if life.era == job.payload["era"] and life.recovering and (behind or work.jobs.reading()):
            if behind:
                _sweep(work)
            said = f"Waiting for {', '.join(behind) or 'what the sweeps marked'}."
            work.jobs.hand_back(job, pause_seconds=LOOK_AGAIN_SECONDS, counted=False, detail=said)
            return
    with step(rt, job) as work:
        if life.era == job.payload["era"] and work.lineage.life().recovering:
            work.lineage.recovered()
            work.audit.line("recovery.ended", "database", life.era[:12], why=life.cause)


def unswept(work: Work, kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds that no sweep has read to the end since our links were adopted."""
    adopted_at = work.lineage.life().adopted_at
    marks = {kind: work.dirty.watermark(kind) for kind in kinds}
    return [kind for kind, mark in marks.items() if mark is None or adopted_at is None or mark < adopted_at]


def _sweep(work: Work) -> None:
    """Intend a sweep beside those of the beat, once an hour until every kind was swept."""
    work.jobs.add("sweep", work.lineage.life().era, f"{work.now:%Y-%m-%dT%H}")


def notice_forgotten(rt: Runtime, work: Work, links: Iterable[RemoteLink]) -> None:
    """Begin to recover when Clio has a link of ours that this database has not made: it is an older copy of itself (F57)."""
    life = work.lineage.life()
    if life.recovering or rt.settings.dry_run:
        return
    # What was there when a recovery began has been judged by it.
    new = [link for link in links if life.began_at is None or link.created_at > life.began_at]
    known = work.links.keyed(key_of(link) for link in new)
    if any(_forgotten(work, link, known.get(key)) for link in new if (key := key_of(link)) is not None):
        lineage.begin(work, Cause.UNKNOWN_LINK, settle_seconds=rt.settings.engine.settle_seconds)


def _forgotten(work: Work, link: RemoteLink, row: Row | None) -> bool:
    """Whether a link that carries our key was made in a past that this database has lost."""
    if row is None:
        return True
    if row["clio_id"] is not None:
        return link.active and bool(row["clio_id"] != link.id)
    # One that is being made at this moment was sent for, and its answer is on its way.
    job = work.jobs.find("link.create", row["id"], row["reserved_at"].isoformat()) if row["reserved_at"] else None
    return job is None or job["sent_at"] is None
