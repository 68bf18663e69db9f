"""Who we are at Clio, which accounts take money, and how many links the account may have (W12)."""

from collections.abc import Mapping
from datetime import timedelta

from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import LinkState, RemoteLink
from orchestrator.domain.quota import WINDOW
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.confirm_accounts import confirm_at_clio
from orchestrator.usecases.recover import notice_forgotten

HELD_BY_ACCOUNT = ("no_link_account", "currency_mismatch", "issued_before_start")
"""Reasons for silence that lie with the account or the firm's settings, not with the bill."""


def read_account(job: Job, rt: Runtime) -> None:
    """Re-count users, compare links, refresh accounts, ask anew for what they held back, share out what room there is."""
    practice = rt.practice(Urgency(job.urgency))
    connection = practice.connection()
    users = sum(user.enabled for user in practice.users())
    accounts = practice.bank_accounts()
    active = {link.id: link for link in practice.active_links()}
    recent = {link.id for link in practice.links_created_since(rt.clock() - WINDOW + timedelta(minutes=1))}
    with step(rt, job, {"users": users}) as work:
        work.mirror.put_accounts(accounts)
        confirm_at_clio(rt, work, accounts)
        ours = work.links.by_clio_ids(active.keys() | recent).keys()
        # Links being made this moment are ours under a key we have reserved: counted as foreign they would count twice.
        foreign = [link for link in active.values() if link.id not in ours and not _keyed(link.redirect_url, rt)]
        work.links.counted(
            users=users, foreign_active=len(foreign), foreign_created=len(recent & {link.id for link in foreign})
        )
        work.pulses.beat("account", user_id=connection.user_id, account_id=connection.account_id, users=users)
        _compare(rt, work, active)
        # No bill changes when an account or a setting does: those they held back are decided about anew.
        ask_for_payment(rt, work, work.mirror.silenced(HELD_BY_ACCOUNT))


def _compare(rt: Runtime, work: Work, active: Mapping[int, RemoteLink]) -> None:
    """Our live links beside Clio's whole list: one that is missing there is read again, one that is missing here adopted."""
    live = {row["clio_id"] for row in work.links.listed(states=[LinkState.LIVE], limit=None)} - {None}
    work.dirty.mark(Kind.LINK, live - active.keys())
    notice_forgotten(rt, work, active.values())


def _keyed(address: str | None, rt: Runtime) -> bool:
    return bool(address and address.startswith(f"{rt.settings.public_address}/thanks/"))
