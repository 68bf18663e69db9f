"""F76: the mailbox that bounces come back to → what they say of our letters; whatever else lies in it is left alone."""

from contextlib import suppress
from datetime import timedelta

from orchestrator.domain.bounces import read_return
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Away, Transient
from orchestrator.storage.jobs import Job
from orchestrator.usecases.note_bounce import note_bounce, patience_of

FIRST_LOOK = timedelta(days=7)
"""How far a first look reaches back; a mail server gives up after five days (RFC 5321)."""

AWAY = "mailbox_away"
LONG_AWAY = timedelta(hours=6)
"""How long the mailbox may be silent before a person is told; one that was never reached is configured wrong, perhaps."""


def read_bounces(job: Job, rt: Runtime) -> None:
    """Read what came since the last look; the place moves in the commit that holds what was read."""
    with rt.uow() as work:
        place = work.bounces.open_box(rt.cipher.nonce)
    if rt.returns is None:
        with step(rt, job):
            return
    try:
        since = rt.local_date(rt.clock() - FIRST_LOOK)
        found = rt.returns.fresh(validity=place["validity"], after=place["uid"], since=since)
    except Away as away:
        # The next tick looks from the same place: jobs that each waited for it would all look at once when it is back.
        with step(rt, job, {"away": str(away)}) as work:
            if place["read_at"] is None:
                work.exceptions.open(AWAY, "mailbox", f"It has never been read: {away}")
            elif work.now - place["read_at"] > LONG_AWAY:
                work.exceptions.open(AWAY, "mailbox", f"It was last read {place['read_at']:%Y-%m-%d %H:%M} UTC.")
        return
    read = [(letter.uid, report) for letter in found.letters if (report := read_return(letter.raw)) is not None]
    with step(rt, job, {"read": len(found.letters)}) as work:
        ours = [uid for uid, report in read if work.bounces.letter(report.key) is not None]
        for _, report in read:
            note_bounce(work, report, source="imap", patience=patience_of(rt))
        last = max(
            (letter.uid for letter in found.letters), default=place["uid"] if found.validity == place["validity"] else 0
        )
        work.bounces.read_to(found.validity, last)
        work.exceptions.close(AWAY, "mailbox")
        if found.more:
            work.jobs.add("bounces.read", "more", found.validity, last)
    with suppress(Transient):  # a mark that is lost only leaves a bounce of ours unread in the mailbox
        rt.returns.seen(ours)
