"""T1: what a provider says an account is, against what the firm configured; where they differ nobody posts to it."""

from collections.abc import Sequence

from orchestrator.domain.accounts import AccountClass, BankAccount, FirmAccount, agree
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.unit_of_work import Work

DISAGREES = "account_class_disagrees"
CLIO = "Clio"
LAWPAY = "LawPay"


def confirm_at_clio(rt: Runtime, work: Work, accounts: Sequence[BankAccount]) -> None:
    """Compare every configured account with Clio's list of open ones."""
    said = {account.id: account.account_class for account in accounts}
    for account in rt.settings.trust.firm_accounts:
        if account.clio_id is not None:
            confirm(work, account, said=said.get(account.clio_id), by=CLIO)


def confirm(work: Work, account: FirmAccount, *, said: AccountClass | None, by: str) -> bool:
    """Whether a provider agrees about this account's class; while it does not a person is asked, and `refused` is true."""
    key = f"{account.key}:{by}"
    try:
        agree(account, said=said, by=by)
    except Rejected as refusal:
        work.exceptions.open(DISAGREES, key, str(refusal))
        return False
    work.exceptions.close(DISAGREES, key)
    return True


def refused(work: Work, account: FirmAccount) -> bool:
    """Whether nothing may be posted to this account: a provider calls it something else, or Clio has not said what it is."""
    if any(work.exceptions.is_open(DISAGREES, f"{account.key}:{by}") for by in (CLIO, LAWPAY)):
        return True
    if account.clio_id is None:
        return False
    said = {one.id: one.account_class for one in work.mirror.accounts()}
    return said.get(account.clio_id) is not account.account_class
