"""Who we are at Clio, which accounts take money, and how many links the account may have (W12)."""

from datetime import timedelta

from orchestrator.domain.contacts import EmailProblem
from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import key_of
from orchestrator.domain.quota import WINDOW
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.compare_links import compare
from orchestrator.usecases.confirm_accounts import confirm_at_clio

HELD_BY_ACCOUNT = ("no_link_account", "currency_mismatch", "issued_before_start")
"""Reasons for silence that lie with the account or the firm's settings, not with the bill."""
HELD_BY_CLIENT = ("client_missing", *map(str, EmailProblem))


def read_account(job: Job, rt: Runtime) -> None:
    """Re-count users, compare links, refresh accounts, ask anew for what they held back, share out what room there is."""
    practice = rt.practice(Urgency(job.urgency))
    with rt.read() as work:
        live = work.links.live()
    connection = practice.connection()
    users = sum(user.enabled for user in practice.users())
    accounts = practice.bank_accounts()
    active = {link.id: link for link in practice.active_links()}
    # Active or not: one that was used or expired since has still taken its place among those of a day.
    recent = {link.id: link for link in practice.links_created_since(rt.clock() - WINDOW + timedelta(minutes=1))}
    with step(rt, job, {"users": users}) as work:
        work.mirror.put_accounts(accounts)
        confirm_at_clio(rt, work, accounts)
        compare(rt, work, live, active)
        ours = work.links.by_clio_ids(active.keys() | recent.keys()).keys()
        # Links being made this moment are ours under a key we have reserved: counted as foreign they would count twice.
        foreign = {link.id for link in (active | recent).values() if link.id not in ours and key_of(link) is None}
        work.links.counted(
            users=users, foreign_active=len(foreign & active.keys()), foreign_created=len(foreign & recent.keys())
        )
        work.pulses.beat("account", user_id=connection.user_id, account_id=connection.account_id, users=users)
        # Nor does a client tell of being shared with our user, and no list shows it.
        work.dirty.mark(Kind.BILL, work.mirror.silenced(HELD_BY_CLIENT))
        # No bill changes when an account or a setting does: those they held back are decided about anew.
        ask_for_payment(rt, work, work.mirror.silenced(HELD_BY_ACCOUNT))
