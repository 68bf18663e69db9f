"""Whether an account's period should be signed by now and is not: then nothing is drawn from it (T25, T39)."""

from datetime import date

from orchestrator import jurisdictions
from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.periods import overdue
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work


def late_since(rt: Runtime, work: Work, account: FirmAccount) -> date | None:
    """The end of the oldest period whose signature is late; None when none is, or no profile says when it would be."""
    profile = jurisdictions.load(rt.settings.config_dir, rt.settings.trust.jurisdiction)
    if profile is None:
        return None
    today = work.now.astimezone(account.zone).date()
    last = work.periods.last(account.key)
    signed_to = last["closed_on"] if last is not None else None
    return overdue(profile, first=work.figures.first_day(account.key, today), signed_to=signed_to, today=today)
