"""What a job's body may use: one firm's database, clock, provider, words and rules. Built by `bootstrap` only."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime

from orchestrator.domain.bounces import Hook
from orchestrator.domain.front_door import DoorAnswer
from orchestrator.domain.money import CURRENCY
from orchestrator.domain.topics import Urgency
from orchestrator.domain.webhooks import Subscription
from orchestrator.engine.points import Passing, unharmed
from orchestrator.ports import Clock, Gateway, Letters, Mailer, People, PracticeManagement, ReturnBox
from orchestrator.settings import Settings
from orchestrator.storage.lineage import Heads, Mark
from orchestrator.storage.unit_of_work import UnitOfWork, Work
from orchestrator.storage.vault import Cipher


@dataclass(frozen=True)
class Runtime:
    """One firm, ready to work."""

    firm: str
    settings: Settings
    uow: UnitOfWork
    clock: Clock
    practice: Callable[[Urgency], PracticeManagement]
    mailer: Mailer | None
    letters: Letters
    cipher: Cipher
    subscriptions: Sequence[Subscription]
    holder: str
    clio_url: str = ""
    gateway: Gateway | None = None
    """LawPay, where the firm has it."""
    returns: ReturnBox | None = None
    """The mailbox that bounces come back to, where the firm named one."""
    bounce_hook: Hook | None = None
    """How the relay's webhook says that a letter came back, where the firm uses one."""
    people: People | None = None
    """Clio through the eyes of each person who signed in; None in a dry run, where nobody approves anything."""
    door: Callable[[], DoorAnswer] | None = None
    """Knock at our own public address from here, within seconds; it changes nothing."""
    passing: Passing = unharmed
    marks: Sequence[Mark] = ()
    heads: Heads | None = None
    closing: tuple[Callable[[], None], ...] = ()

    @property
    def currency(self) -> str:
        """The one currency that payment links of this firm's region collect."""
        return CURRENCY[self.settings.clio.region]

    def close(self) -> None:
        """Let go of every connection; the runtime is of no use afterwards."""
        for close in self.closing:
            close()
        self.uow.engine.dispose()

    def local_date(self, moment: datetime) -> date:
        """The date at the firm's office at this moment: every date we compare or show is one of these."""
        return moment.astimezone(self.settings.firm.zone).date()

    def read(self) -> AbstractContextManager[Work]:
        return self.uow.read()
