"""Who we are at Clio, which accounts take money, and how many links the account may have (W12)."""

from datetime import timedelta

from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.links import WINDOW
from orchestrator.usecases.ask_for_payment import allot


def read_account(job: Job, rt: Runtime) -> None:
    """Re-count users and foreign links, refresh accounts, then give waiting links their share."""
    practice = rt.practice(Urgency(job.urgency))
    connection = practice.connection()
    users = sum(user.enabled for user in practice.users())
    accounts = practice.bank_accounts()
    active = {link.id: link for link in practice.active_links()}
    recent = {link.id for link in practice.links_created_since(rt.clock() - WINDOW + timedelta(minutes=1))}
    with step(rt, job, {"users": users}) as work:
        work.mirror.put_accounts(accounts)
        ours = work.links.by_clio_ids(active.keys() | recent).keys()
        # Links being made this moment are ours under a key we have reserved: counted as foreign they would count twice.
        foreign = [link for link in active.values() if link.id not in ours and not _keyed(link.redirect_url, rt)]
        work.links.counted(
            users=users, foreign_active=len(foreign), foreign_created=len(recent & {link.id for link in foreign})
        )
        work.pulses.beat("account", user_id=connection.user_id, account_id=connection.account_id, users=users)
        allot(work)


def _keyed(address: str | None, rt: Runtime) -> bool:
    return bool(address and address.startswith(f"{rt.settings.public_address}/thanks/"))
