"""A dry run: every read goes through, every write is kept as what would have been done and answered as if it had been.

Effects stay unaware, so the whole chain is followed: an imagined link leads to an imagined message. What is imagined lives
in the dry run's own database, because a worker that dies must find it again as it would find the real thing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.domain.accounts import BankAccount, Connection
from orchestrator.domain.activities import Activity
from orchestrator.domain.bills import TRANSITIONS, UNISSUED, Bill, BillState
from orchestrator.domain.contacts import ClientBalance, Contact, User
from orchestrator.domain.custom_actions import CustomAction
from orchestrator.domain.evergreen import TrustAsk, TrustLine
from orchestrator.domain.links import LinkAsk, RemoteLink
from orchestrator.domain.matters import Matter
from orchestrator.domain.payments import Allocation, CreditMemo, Payment
from orchestrator.domain.tasks import RemoteTask, TaskAsk
from orchestrator.domain.trust import BankLine, LineAsk
from orchestrator.domain.webhooks import RemoteWebhook, WebhookAsk
from orchestrator.errors import Rejected, Stale
from orchestrator.ports import Page, PracticeManagement, Reads
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import UnitOfWork

ETAG = "imagined"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Where a dry run keeps what it would have done; `pay_host` is a host that a letter may point to."""

    uow: UnitOfWork
    pay_host: str
    zone: ZoneInfo

    def keep(self, verb: str, subject_kind: str, subject_id: int | None, **facts: Any) -> int:
        """Remember one act, outside every other transaction: from here on it has happened, as far as anyone can tell."""
        with self.uow(quietly=True) as work:
            return work.imagined.add(verb, subject_kind, subject_id, **facts)

    def of(self, verb: str) -> list[Row]:
        with self.uow.read() as work:
            return list(work.imagined.of(verb))

    def get(self, ident: int) -> Row | None:
        with self.uow.read() as work:
            return work.imagined.get(ident)

    def now(self) -> datetime:
        return self.uow.clock()

    def today(self) -> date:
        """The date at the firm's office."""
        return self.now().astimezone(self.zone).date()


class ImaginedMailer:
    """`ports.Mailer` whose messages are kept, not sent."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal

    def send(self, message: bytes, *, sender: str, recipient: str) -> str:  # noqa: ARG002
        letter = message_from_bytes(message, policy=policy.default)
        bills = [int(bill) for bill in str(letter["X-Orchestrator-Bill"]).split(",")]
        self._rehearsal.keep(
            "send_message", "bill", bills[0], bills=bills, subject=str(letter["Subject"]), recipient=recipient,
            message_id=str(letter["Message-ID"]),
        )  # fmt: skip
        return "250 kept, not sent: a dry run"


class ImaginedPractice:
    """`ports.PracticeManagement` on real reads; no verb that writes ever reaches the real one.

    Every verb stands here by name: one that is added to the port and forgotten here is a type error, never a leak.
    """

    def __init__(self, real: PracticeManagement, rehearsal: Rehearsal) -> None:
        self._real = real
        self._rehearsal = rehearsal

    # ── reads ──

    @property
    def activities(self) -> Reads[Activity]:
        return self._real.activities

    @property
    def matters(self) -> Reads[Matter]:
        return self._real.matters

    @property
    def tasks(self) -> Reads[RemoteTask]:
        return self._real.tasks

    @property
    def ledger(self) -> Reads[BankLine]:
        return self._real.ledger

    @property
    def contacts(self) -> Reads[Contact]:
        return self._real.contacts

    @property
    def credits(self) -> Reads[CreditMemo]:
        return self._real.credits

    @property
    def bills(self) -> Reads[Bill]:
        return _Bills(self._real.bills, self)

    @property
    def links(self) -> Reads[RemoteLink]:
        return _Links(self._real.links, self)

    def connection(self) -> Connection:
        return self._real.connection()

    def users(self) -> list[User]:
        return self._real.users()

    def bank_accounts(self) -> list[BankAccount]:
        return self._real.bank_accounts()

    def client_balances(self) -> Iterator[ClientBalance]:
        return self._real.client_balances()

    def ledger_of(self, account_id: int) -> Iterator[BankLine]:
        return self._real.ledger_of(account_id)

    def enter_line(self, ask: LineAsk) -> BankLine:
        facts = asdict(ask) | {"on": ask.on.isoformat()}
        made = self._rehearsal.keep("enter_line", "matter", ask.matter_id, **facts)
        return next(line for line in self._lines() if line.id == made)

    def lines_described(self, key: str, account_id: int) -> list[BankLine]:
        ours = [line for line in self._lines() if line.account_id == account_id and key in line.description]
        return [*self._real.lines_described(key, account_id), *ours]

    def _lines(self) -> list[BankLine]:
        """Every ledger line this dry run would have entered."""
        return [
            BankLine(
                **{**row["facts"], "on": date.fromisoformat(row["facts"]["on"])}, id=-row["id"], etag=ETAG, bill_id=None,
                allocation_id=None, payment_type=None, online=False, created_at=row["at"], updated_at=row["at"],
            )
            for row in self._rehearsal.of("enter_line")
        ]  # fmt: skip

    def bills_in_state(self, state: BillState) -> Iterator[Bill]:
        return iter(self.moved(self._real.bills_in_state(state)))

    def payments(self, ids: Sequence[int]) -> list[Payment]:
        return self._real.payments(ids)

    def payments_of_bill(self, bill_id: int) -> list[Payment]:
        return self._real.payments_of_bill(bill_id)

    def allocations_of_bill(self, bill_id: int) -> list[Allocation]:
        return self._real.allocations_of_bill(bill_id)

    def webhooks(self) -> list[RemoteWebhook]:
        return self._real.webhooks()

    # ── links ──

    def create_link(self, ask: LinkAsk) -> RemoteLink:
        ends = self._rehearsal.now() + timedelta(seconds=ask.duration_seconds)
        made = self._rehearsal.keep(
            "create_link", "bill", ask.bill_id, amount_cents=ask.amount_cents, currency=ask.currency,
            account_id=ask.account_id, return_url=ask.return_url, expires_at=ends.isoformat(),
        )  # fmt: skip
        return self.link(made)

    def links_created_since(self, moment: datetime) -> Iterator[RemoteLink]:
        yield from self._real.links_created_since(moment)
        yield from (link for link in self.imagined_links() if link.created_at >= moment)

    def active_links(self) -> Iterator[RemoteLink]:
        yield from self._real.active_links()
        yield from (link for link in self.imagined_links() if link.active)

    def link(self, link_id: int) -> RemoteLink:
        if link_id >= 0:
            return self._real.link(link_id)
        for link in self.imagined_links():
            if link.id == link_id:
                return link
        raise Rejected(f"The dry run imagined no link {link_id}.", reason="clio_not_found")

    def expire_link(self, link_id: int, etag: str) -> RemoteLink:
        seen = self.link(link_id)
        if seen.etag != etag:
            raise Stale(f"Link {link_id} has changed.")
        self._rehearsal.keep("expire_link", "bill", seen.bill_id, link_id=link_id)
        return replace(seen, active=False)

    def imagined_links(self) -> list[RemoteLink]:
        """Every link this dry run would have made, as it would stand now."""
        over = {row["facts"]["link_id"] for row in self._rehearsal.of("expire_link")}
        now = self._rehearsal.now()
        return [self._link(row, over, now) for row in self._rehearsal.of("create_link")]

    def _link(self, row: Row, over: set[int], now: datetime) -> RemoteLink:
        facts, ends = row["facts"], datetime.fromisoformat(row["facts"]["expires_at"])
        return RemoteLink(
            id=-row["id"],
            etag=ETAG,
            active=-row["id"] not in over and now < ends,
            amount_cents=facts["amount_cents"],
            currency=facts["currency"],
            url=f"https://{self._rehearsal.pay_host}/dry-run/{row['id']}",
            redirect_url=facts["return_url"],
            bill_id=row["subject_id"],
            payment_id=None,
            created_at=row["at"],
            expires_at=ends,
        )

    # ── bills ──

    def bill(self, bill_id: int) -> Bill:
        return self.moved([self._real.bill(bill_id)])[0]

    def move_bill(self, bill_id: int, etag: str, state: BillState) -> Bill:
        seen = self._real.bill(bill_id)
        if seen.etag != etag:
            raise Stale(f"Bill {bill_id} has changed.")
        today = self._rehearsal.today().isoformat()
        self._rehearsal.keep("move_bill", "bill", bill_id, etag=etag, state=state.value, on=today)
        return self.bill(bill_id)

    def moved(self, bills: Iterable[Bill]) -> list[Bill]:
        """These bills in the states we would have moved them to, unless somebody has touched them since."""
        moves = self.moves()
        return [_in_state(bill, moves.get((bill.id, bill.etag))) for bill in bills]

    def moves(self) -> dict[tuple[int, str], Any]:
        """The last move of each bill, by its id and the etag it was moved under."""
        return {(row["subject_id"], row["facts"]["etag"]): row["facts"] for row in self._rehearsal.of("move_bill")}

    # ── retainers ──

    def create_trust_request(self, ask: TrustAsk) -> int:
        return self._rehearsal.keep(
            "create_trust_request", "matter", ask.matter_id, amount_cents=ask.amount_cents, note=ask.note,
            issued_on=ask.issued_on.isoformat(), due_on=ask.due_on.isoformat(),
        )  # fmt: skip

    def trust_lines(self, matter_id: int, since: datetime) -> list[TrustLine]:
        ours = [
            TrustLine(None, matter_id, row["facts"]["note"], row["facts"]["amount_cents"])
            for row in self._rehearsal.of("create_trust_request")
            if row["subject_id"] == matter_id and row["at"] >= since
        ]
        return [*self._real.trust_lines(matter_id, since), *ours]

    # ── what is written on matters and to people ──

    def create_task(self, ask: TaskAsk) -> int:
        due = ask.due_on.isoformat() if ask.due_on else None
        return self._rehearsal.keep(
            "create_task", "matter", ask.matter_id, name=ask.name, assignee_id=ask.assignee_id, due_on=due
        )

    def tasks_named(self, key: str, matter_id: int | None) -> list[RemoteTask]:
        return [
            *self._real.tasks_named(key, matter_id),
            *(
                RemoteTask(
                    id=-row["id"], etag=ETAG, name=row["facts"]["name"], complete=False, completed_at=None,
                    matter_id=row["subject_id"], assignee_id=row["facts"]["assignee_id"], updated_at=row["at"],
                )
                for row in self._rehearsal.of("create_task")
                if key in row["facts"]["name"] and row["subject_id"] == matter_id
            ),
        ]  # fmt: skip

    def create_note(self, matter_id: int, subject: str, detail: str, on: date) -> int:
        return self._rehearsal.keep(
            "create_note", "matter", matter_id, subject=subject, detail=detail, on=on.isoformat()
        )

    def notes_about(self, key: str, matter_id: int) -> list[int]:
        ours = [
            -row["id"]
            for row in self._rehearsal.of("create_note")
            if row["subject_id"] == matter_id and key in row["facts"]["subject"]
        ]
        return [*self._real.notes_about(key, matter_id), *ours]

    def log_email(
        self, *, subject: str, body: str, matter_id: int | None, receiver_id: int, sender_id: int,  # noqa: ARG002
        received_at: datetime, key: str,
    ) -> int:  # fmt: skip
        return self._rehearsal.keep(
            "log_email", "matter", matter_id, subject=subject, receiver_id=receiver_id, key=key,
            received_at=received_at.isoformat(),
        )  # fmt: skip

    def communications_keyed(self, key: str) -> list[int]:
        ours = [-row["id"] for row in self._rehearsal.of("log_email") if row["facts"]["key"] == key]
        return [*self._real.communications_keyed(key), *ours]

    def matter_fields(self) -> Mapping[str, str]:
        return self._real.matter_fields()

    def contact_fields(self) -> Mapping[str, str]:
        return self._real.contact_fields()

    def matter_field(self, matter_id: int, name: str) -> str | None:
        present = self._real.matter_field(matter_id, name)
        written = [
            row["facts"]["value"]
            for row in self._rehearsal.of("set_matter_field")
            if (row["subject_id"], row["facts"]["name"]) == (matter_id, name)
        ]
        return str(written[-1]) if written else present

    def set_matter_field(self, matter_id: int, name: str, value: str) -> None:
        self._rehearsal.keep("set_matter_field", "matter", matter_id, name=name, value=value)

    # ── webhooks: a dry run wants none, and lives on sweeps ──

    def create_webhook(self, ask: WebhookAsk) -> RemoteWebhook:
        made = self._rehearsal.keep("create_webhook", "webhook", None, model=ask.model)
        return RemoteWebhook(
            id=made, etag=ETAG, url=ask.url, model=ask.model, status="pending", events=frozenset(ask.events),
            fields=ask.fields, expires_at=ask.expires_at, shared_secret=None,
        )  # fmt: skip

    def renew_webhook(self, webhook_id: int, etag: str, expires_at: datetime) -> RemoteWebhook:
        theirs = next((webhook for webhook in self._real.webhooks() if webhook.id == webhook_id), None)
        if theirs is None or theirs.etag != etag:
            raise Stale(f"Webhook {webhook_id} has changed.")
        self._rehearsal.keep("renew_webhook", "webhook", webhook_id, model=theirs.model)
        return replace(theirs, expires_at=expires_at)

    def delete_webhook(self, webhook_id: int) -> None:
        self._rehearsal.keep("delete_webhook", "webhook", webhook_id)

    # ── buttons: a dry run wants none, because nobody could approve anything with them ──

    def custom_actions(self) -> list[CustomAction]:
        return self._real.custom_actions()

    def create_custom_action(self, *, label: str, target_url: str, place: str) -> CustomAction:
        made = self._rehearsal.keep("create_custom_action", "custom_action", None, place=place, url=target_url)
        return CustomAction(made, ETAG, label, target_url, place)

    def move_custom_action(self, action_id: int, etag: str, target_url: str) -> CustomAction:
        theirs = next((action for action in self._real.custom_actions() if action.id == action_id), None)
        if theirs is None or theirs.etag != etag:
            raise Stale(f"Custom action {action_id} has changed.")
        self._rehearsal.keep("move_custom_action", "custom_action", action_id, url=target_url)
        return replace(theirs, target_url=target_url)

    def delete_custom_action(self, action_id: int) -> None:
        self._rehearsal.keep("delete_custom_action", "custom_action", action_id)


@dataclass(frozen=True, slots=True)
class _Bills:
    """Bills as they would stand after our moves."""

    real: Reads[Bill]
    practice: ImaginedPractice

    def by_ids(self, ids: Sequence[int]) -> Sequence[Bill]:
        return self.practice.moved(self.real.by_ids(ids))

    def changed(self, since: datetime, at: str | None = None) -> Iterator[Page[Bill]]:
        moves = self.practice.moves()
        for page in self.real.changed(since, at):
            yield replace(page, rows=[_in_state(bill, moves.get((bill.id, bill.etag))) for bill in page.rows])


@dataclass(frozen=True, slots=True)
class _Links:
    """Clio's links and ours that were never made."""

    real: Reads[RemoteLink]
    practice: ImaginedPractice

    def by_ids(self, ids: Sequence[int]) -> Sequence[RemoteLink]:
        theirs = [link_id for link_id in ids if link_id >= 0]
        ours = set(ids) - set(theirs)
        found = list(self.real.by_ids(theirs)) if theirs else []
        return [*found, *(link for link in self.practice.imagined_links() if link.id in ours)]

    def changed(self, since: datetime, at: str | None = None) -> Iterator[Page[RemoteLink]]:
        return self.real.changed(since, at)


def _in_state(bill: Bill, move: Any) -> Bill:
    if move is None:
        return bill
    state = BillState(move["state"])
    issued = bill.issued_on or (None if state in UNISSUED else date.fromisoformat(move["on"]))
    return replace(bill, state=state, issued_on=issued, next_states=frozenset(TRANSITIONS[state]))
