"""Every verb we need from systems we do not own, on one page. Times are aware UTC; money is integer cents.

Errors of every verb: `Transient` (nothing happened), `Rejected` (refused for good), `OutcomeUnknown` (a write whose
answer was lost), `NeedsReview` (a person must act, e.g. a permission is missing).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, Protocol, TypeVar

from orchestrator.domain.accounts import BankAccount, Connection, KnownAccount
from orchestrator.domain.activities import Activity
from orchestrator.domain.bills import Bill, BillState
from orchestrator.domain.contacts import ClientBalance, Contact, User
from orchestrator.domain.custom_actions import CustomAction, Record
from orchestrator.domain.evergreen import TrustAsk, TrustLine
from orchestrator.domain.gateway import GatewayAccount, GatewayEvent, Transaction
from orchestrator.domain.letters import Finished, Letter, Reminder
from orchestrator.domain.links import LinkAsk, RemoteLink
from orchestrator.domain.matters import Matter
from orchestrator.domain.payments import Allocation, CreditMemo, Payment
from orchestrator.domain.tasks import RemoteTask, TaskAsk
from orchestrator.domain.topics import Urgency
from orchestrator.domain.trust import BankLine, LineAsk
from orchestrator.domain.webhooks import RemoteWebhook, WebhookAsk
from orchestrator.errors import Transient

T_co = TypeVar("T_co", covariant=True)

Clock = Callable[[], datetime]
"""The firm's now: aware, UTC. A moved clock in the sandbox, the wall clock in production."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Some rows of a long list; `onward` is where it goes on, None at its end; `total` its length, if the provider says so."""

    rows: Sequence[T_co]
    onward: str | None
    total: int | None = None


class PageLost(Transient):
    """The provider no longer knows the page we stopped at: nothing of the list is complete, begin it again (F37)."""


class Reads(Protocol[T_co]):
    """Batched reading of one kind of object: up to 200 a call, with every field its decisions need."""

    def by_ids(self, ids: Sequence[int]) -> Sequence[T_co]:
        """Those of `ids` that exist and are visible, in any order; missing ones are simply absent."""
        ...

    def changed(self, since: datetime, at: str | None = None) -> Iterator[Page[T_co]]:
        """All whose `updated_at` is at or after `since`, page by page; `at` goes on where an earlier reading stopped.

        `PageLost` when that place is no longer known, or the pages lead in a circle.
        """
        ...


class PracticeManagement(Protocol):
    """Clio Manage and Clio Payments, at one urgency."""

    @property
    def activities(self) -> Reads[Activity]: ...
    @property
    def bills(self) -> Reads[Bill]: ...
    @property
    def matters(self) -> Reads[Matter]: ...
    @property
    def tasks(self) -> Reads[RemoteTask]: ...
    @property
    def links(self) -> Reads[RemoteLink]: ...
    @property
    def ledger(self) -> Reads[BankLine]: ...
    @property
    def contacts(self) -> Reads[Contact]: ...
    @property
    def credits(self) -> Reads[CreditMemo]: ...

    def connection(self) -> Connection: ...
    def users(self) -> list[User]: ...
    def bank_accounts(self) -> list[BankAccount]: ...
    def client_balances(self) -> Iterator[ClientBalance]:
        """Every client with money open on an issued bill; Clio lists no changes of these."""
        ...

    def ledger_of(self, account_id: int) -> Iterator[BankLine]:
        """Every line of one account's ledger: the only way to learn that one was deleted (API notes §5)."""
        ...

    def enter_line(self, ask: LineAsk) -> BankLine: ...
    def lines_described(self, key: str, account_id: int) -> list[BankLine]:
        """The account's lines whose description carries this key; all of them, or it raises (F13)."""
        ...

    def bills_in_state(self, state: BillState) -> Iterator[Bill]: ...
    def payments(self, ids: Sequence[int]) -> list[Payment]: ...
    def payments_of_bill(self, bill_id: int) -> list[Payment]: ...
    def allocations_of_bill(self, bill_id: int) -> list[Allocation]: ...

    def create_link(self, ask: LinkAsk) -> RemoteLink: ...
    def links_created_since(self, moment: datetime) -> Iterator[RemoteLink]: ...
    def active_links(self) -> Iterator[RemoteLink]: ...
    def link(self, link_id: int) -> RemoteLink: ...
    def expire_link(self, link_id: int, etag: str) -> RemoteLink:
        """The link, no longer active; `Stale` when it changed since `etag` (just paid, say: F12)."""
        ...

    def bill(self, bill_id: int) -> Bill: ...
    def move_bill(self, bill_id: int, etag: str, state: BillState) -> Bill: ...

    def create_trust_request(self, ask: TrustAsk) -> int:
        """Ask for a deposit into trust; the number of the request, which is not that of the bill it becomes."""
        ...

    def trust_lines(self, matter_id: int, since: datetime) -> list[TrustLine]:
        """The lines of a matter's trust requests made since; all of them, or it raises (F13)."""
        ...

    def create_task(self, ask: TaskAsk) -> int: ...
    def tasks_named(self, key: str, matter_id: int | None) -> list[RemoteTask]: ...
    def create_note(self, matter_id: int, subject: str, detail: str, on: date) -> int: ...
    def notes_about(self, key: str, matter_id: int) -> list[int]: ...
    def log_email(
        self, *, subject: str, body: str, matter_id: int | None, receiver_id: int, sender_id: int,
        received_at: datetime, key: str,
    ) -> int:  # fmt: skip
        """Log a sent message as a Clio communication whose external property `orchestrator_key` is `key`; returns its id."""
        ...

    def communications_keyed(self, key: str) -> list[int]: ...

    def matter_field(self, matter_id: int, name: str) -> str | None:
        """A matter's custom field now; `Rejected` (`custom_field_missing`) when Clio has no field of that name."""
        ...

    def matter_fields(self) -> Mapping[str, str]:
        """The account's matter custom fields by name, each with its type."""
        ...

    def contact_fields(self) -> Mapping[str, str]:
        """The account's contact custom fields by name, each with its type."""
        ...

    def set_matter_field(self, matter_id: int, name: str, value: str) -> None:
        """Set a matter's custom field under If-Match; `Stale` when the matter changed meanwhile."""
        ...

    def webhooks(self) -> list[RemoteWebhook]: ...
    def create_webhook(self, ask: WebhookAsk) -> RemoteWebhook: ...
    def renew_webhook(self, webhook_id: int, etag: str, expires_at: datetime) -> RemoteWebhook: ...
    def delete_webhook(self, webhook_id: int) -> None: ...

    def custom_actions(self) -> list[CustomAction]: ...
    def create_custom_action(self, *, label: str, target_url: str, place: str) -> CustomAction: ...
    def move_custom_action(self, action_id: int, etag: str, target_url: str) -> CustomAction: ...
    def delete_custom_action(self, action_id: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A record that a user pressed a button on, as that user may see it."""

    matter_id: int | None


class People(Protocol):
    """Clio through the eyes of one person of the firm, by that person's own sign-in."""

    def signed_in(self, user_id: int) -> bool:
        """Whether we hold a sign-in of this user's."""
        ...

    def pressed(self, user_id: int, record: Record, nonce: str) -> Seen:
        """Let Clio confirm, with this user's token, that this user pressed a button, and show the record it was pressed on.

        Any error means that nothing is confirmed; `Rejected` with `clio_not_found` that the user may not see the record.
        """
        ...

    def sign_in_url(self, state: str) -> str | None:
        """Where a person signs in; None when the firm works with a ready token and has no app to sign in to."""
        ...

    def sign_in(self, code: str, check: Callable[[Connection], None]) -> Connection:
        """Turn the code that came back into a kept sign-in of whoever agreed, unless `check` raises."""
        ...


class Gateway(Protocol):
    """LawPay: what it has seen. No verb takes or returns money, and none writes anything at all."""

    def accounts(self) -> list[GatewayAccount]:
        """Every account that our key may see, for cards and for eChecks, with what the gateway says of its class."""
        ...

    def transaction(self, transaction_id: str) -> Transaction:
        """One transaction as it is now; `Rejected` when there is none, or when it lacks what a decision needs."""
        ...

    def events_since(self, moment: datetime, page: int = 1) -> Page[GatewayEvent]:
        """Events at or after `moment`, oldest first; they are hints, may come twice, and pages may shift (F43)."""
        ...

    def transactions(
        self, *, since: datetime, until: datetime | None = None, account_id: str | None = None, words: str | None = None
    ) -> Iterator[Transaction]:
        """Transactions created in this time, by an index that lags: compare what you search for again with each answer."""
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """A provider's token; `version` rises by one with every stored refresh, `expires_at` is None for a ready token."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    version: int = 0
    revoked: bool = False


class TokenVault(Protocol):
    """Where one provider's token is kept, encrypted; shared by every worker of the firm."""

    def current(self) -> Token | None:
        """The newest stored token, or None before the firm has connected."""
        ...

    def begin_refresh(self, version: int, seconds: float) -> bool:
        """True for exactly one caller until `seconds` (real time) have passed or a newer version is stored (F44)."""
        ...

    def store(self, token: Token) -> None:
        """Keep `token`; one whose version is not above the stored one raises `Stale`."""
        ...

    def revoke(self, version: int) -> None:
        """Note that the provider no longer accepts this token: the firm must connect again (F45)."""
        ...

    def forget(self, version: int) -> None:
        """`revoke`, and keep nothing of the token itself."""
        ...


class AccountMemory(Protocol):
    """Which account of a provider the firm's database belongs to; the first one remembered stays (F48)."""

    def known(self) -> KnownAccount | None: ...

    def remember(self, found: Connection, *, host: str, proof: str) -> None:
        """Keep who we are there now; an account other than the one remembered raises `Stale`."""
        ...


class Pacer(Protocol):
    """The request budget of one token, shared by everyone who uses that token."""

    def take(self, urgency: Urgency) -> None:
        """Spend one request now, or raise `Paced` with the seconds until one may be free for this urgency."""
        ...

    def learn(self, *, limit: int | None, remaining: int | None, reset: float | None) -> None:
        """Adopt what the provider announced: requests per window, requests left, window end (unix seconds)."""
        ...

    def pause(self, seconds: float) -> None:
        """Nobody spends for so long: the provider answered 429 (F31)."""
        ...


class Mailer(Protocol):
    """Something that takes a finished message."""

    def send(self, message: bytes, *, sender: str, recipient: str) -> str:
        """Hand over one RFC 5322 message; returns the relay's answer.

        `Away` when the relay refused for now or was not reached, `Rejected` when it refused for good,
        `OutcomeUnknown` when the connection was lost after the last byte of DATA (F75).
        """
        ...


@dataclass(frozen=True, slots=True)
class Returned:
    """One message of the mailbox that bounces come back to, by its number there; no more of it than its beginning."""

    uid: int
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Returns:
    """Messages that came since a number; numbers of another `validity` mean nothing here. `more` came than were fetched."""

    validity: int
    letters: Sequence[Returned]
    more: bool = False


class ReturnBox(Protocol):
    """The mailbox that bounces come back to. Errors: `Away`, and `Rejected` when it refuses us."""

    def fresh(self, *, validity: int | None, after: int, since: date) -> Returns:
        """Messages numbered after `after`, the lowest first; from this day on when the numbers are no longer the same."""
        ...

    def seen(self, uids: Sequence[int]) -> None:
        """Mark these as read; no other message of the mailbox is ever touched."""
        ...


class Letters(Protocol):
    """The firm's words."""

    def write(self, letter: Letter, *, now: datetime) -> Finished:
        """The finished message, the same bytes for the same letter and `now`; `Rejected` when it cannot be written safely."""
        ...

    def remind(self, reminder: Reminder, *, now: datetime) -> Finished:
        """The same for a reminder of one or several bills: one message, one total, and a link wherever there is one."""
        ...
