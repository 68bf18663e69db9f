"""`ports.PracticeManagement` at Clio: every verb, its path, and its body."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self, TypeVar

from orchestrator.clients.clio.lists import (
    API,
    BY_ID,
    Collection,
    Lists,
    OnBadRow,
    a_second_before,
    data,
    refused,
    skipped,
)
from orchestrator.clients.clio.schemas import (
    ActivityRecord,
    AllocationRecord,
    BankAccountRecord,
    BankLineRecord,
    BillRecord,
    ClientBalanceRecord,
    CommunicationRecord,
    ContactFieldsRecord,
    CreditMemoRecord,
    CustomActionRecord,
    CustomFieldRecord,
    CustomFieldValueRecord,
    LinkRecord,
    MatterFieldsRecord,
    MatterRecord,
    NoteRecord,
    OwnedRecord,
    PaymentRecord,
    Record,
    Ref,
    Schema,
    TaskRecord,
    TrustLineRecord,
    UserRecord,
    WebhookRecord,
    WhoAmIRecord,
    rfc3339,
)
from orchestrator.clients.http import ApiClient, Param
from orchestrator.clients.meaning import Refused
from orchestrator.domain.accounts import BankAccount, Connection
from orchestrator.domain.activities import Activity
from orchestrator.domain.bills import Bill, BillState
from orchestrator.domain.contacts import ClientBalance, Contact, User
from orchestrator.domain.custom_actions import CustomAction, Subject
from orchestrator.domain.custom_actions import Record as Asked
from orchestrator.domain.evergreen import TrustAsk, TrustLine
from orchestrator.domain.links import LinkAsk, RemoteLink
from orchestrator.domain.matters import Matter
from orchestrator.domain.money import Money
from orchestrator.domain.payments import Allocation, CreditMemo, Payment
from orchestrator.domain.tasks import RemoteTask, TaskAsk
from orchestrator.domain.topics import Urgency
from orchestrator.domain.trust import BankLine, LineAsk
from orchestrator.domain.webhooks import RemoteWebhook, WebhookAsk
from orchestrator.errors import Rejected
from orchestrator.ports import Seen

API_VERSION = "4.0.13"
HEADERS = {"X-API-VERSION": API_VERSION}
REDIRECTS = (f"{API}/practice_areas",)
"""The one path for which Clio documents a 307 (API notes §9)."""

OPTIONAL = tuple(f"{API}/{name}" for name in ("trust_requests", "trust_line_items", "custom_actions"))
"""What Clio refuses to some accounts, and to apps that may do all the rest: a person does it instead."""

KEY_PROPERTY = "orchestrator_key"

S = TypeVar("S", bound=Schema)


class Clio:
    """One firm's Clio, at one urgency; thread-safe, and a view at another urgency is cheap.

    `return_urls` sends our key along in a link's `redirect_url`; `describe_links` allows the description that Clio's
    reference demands and its guide forbids, once Clio has refused a bill's link for want of it (API notes §1).
    """

    def __init__(
        self,
        api: ApiClient,
        *,
        aliases: tuple[str, ...] = (),
        describe_links: bool = True,
        return_urls: bool = True,
        on_bad_row: OnBadRow = skipped,
        found: "Found | None" = None,
    ) -> None:
        self._describe_links = describe_links
        self._return_urls = return_urls
        self._found = found or Found()
        self._api = api
        self._lists = lists = Lists(api, aliases, on_bad_row)
        self._searches = Lists(api, aliases, refused)
        self._sought_links = Collection[RemoteLink](self._searches, "link", "/clio_payments/links.json", LinkRecord, {})
        self._sought_lines = Collection[BankLine](
            self._searches, "bank_transaction", "/bank_transactions.json", BankLineRecord
        )
        self._sought_tasks = Collection[RemoteTask](self._searches, "task", "/tasks.json", TaskRecord)
        self.activities = Collection[Activity](lists, "activity", "/activities.json", ActivityRecord)
        self.bills = Collection[Bill](lists, "bill", "/bills.json", BillRecord)
        self.matters = Collection[Matter](lists, "matter", "/matters.json", MatterRecord)
        self.tasks = Collection[RemoteTask](lists, "task", "/tasks.json", TaskRecord)
        self.links = Collection[RemoteLink](lists, "link", "/clio_payments/links.json", LinkRecord, {})
        self.ledger = Collection[BankLine](lists, "bank_transaction", "/bank_transactions.json", BankLineRecord)
        self.contacts = Collection[Contact](lists, "contact", "/contacts.json", ContactFieldsRecord)
        self.credits = Collection[CreditMemo](lists, "credit_memo", "/credit_memos.json", CreditMemoRecord)
        self._balances = Collection[ClientBalance](
            lists, "outstanding_client_balance", "/outstanding_client_balances.json", ClientBalanceRecord, {}
        )
        self._payments = Collection[Payment](lists, "payment", "/clio_payments/payments.json", PaymentRecord, {})
        self._allocations = Collection[Allocation](lists, "allocation", "/allocations.json", AllocationRecord)
        self._users = Collection[User](lists, "user", "/users.json", UserRecord)
        self._accounts = Collection[BankAccount](lists, "bank_account", "/bank_accounts.json", BankAccountRecord)
        self._actions = Collection[CustomAction](
            self._searches, "custom_action", "/custom_actions.json", CustomActionRecord, {}
        )
        self._webhooks = Collection[RemoteWebhook](lists, "webhook", "/webhooks.json", WebhookRecord)

    def at(self, urgency: Urgency) -> Self:
        """The same Clio, connections, budget and memory at another urgency."""
        return type(self)(
            self._api.at(urgency),
            aliases=self._lists.aliases,
            describe_links=self._describe_links,
            return_urls=self._return_urls,
            on_bad_row=self._lists.on_bad_row,
            found=self._found,
        )

    def connection(self) -> Connection:
        return self._lists.one("/users/who_am_i.json", WhoAmIRecord).to_domain()

    def users(self) -> list[User]:
        return list(self._users.where({"enabled": True}))

    def bank_accounts(self) -> list[BankAccount]:
        return list(self._accounts.where({}))

    def client_balances(self) -> Iterator[ClientBalance]:
        return self._balances.where({})

    def ledger_of(self, account_id: int) -> Iterator[BankLine]:
        return self.ledger.where({"bank_account_id": account_id})

    def enter_line(self, ask: LineAsk) -> BankLine:
        body: dict[str, Any] = {
            "bank_account": {"id": ask.account_id},
            "amount": Money(ask.amount_cents, ask.currency).amount,
            "currency": ask.currency,
            "date": ask.on.isoformat(),
            "confirmation": ask.confirmation,
            "description": ask.description,
        }
        for name, ident in (("client", ask.client_id), ("matter", ask.matter_id)):
            if ident is not None:
                body[name] = {"id": ident}
        return self._write("POST", "/bank_transactions.json", body, BankLineRecord).to_domain()

    def lines_described(self, key: str, account_id: int) -> list[BankLine]:
        return [line for line in self._sought_lines.where({"bank_account_id": account_id}) if key in line.description]

    def bill(self, bill_id: int) -> Bill:
        return self._lists.one(f"/bills/{bill_id}.json", BillRecord).to_domain()

    def bills_in_state(self, state: BillState) -> Iterator[Bill]:
        return self.bills.where({"state": state.value})

    def move_bill(self, bill_id: int, etag: str, state: BillState) -> Bill:
        moved = self._write("PATCH", f"/bills/{bill_id}.json", {"state": state.value}, BillRecord, if_match=etag)
        return moved.to_domain()

    def payments(self, ids: Sequence[int]) -> list[Payment]:
        return self._payments.by_ids(ids)

    def payments_of_bill(self, bill_id: int) -> list[Payment]:
        return list(self._payments.where({"bill_id": bill_id}))

    def allocations_of_bill(self, bill_id: int) -> list[Allocation]:
        return list(self._allocations.where({"bill_id": bill_id}))

    def create_link(self, ask: LinkAsk) -> RemoteLink:
        body: dict[str, Any] = {
            "subject": {"id": ask.contact_id or ask.bill_id, "type": "Contact" if ask.contact_id else "Bill"},
            "amount": Money(ask.amount_cents, ask.currency).amount,
            "currency": ask.currency,
            "destination_account": {"id": ask.account_id},
            "duration": ask.duration_seconds,
        }
        if self._return_urls:
            body["redirect_url"] = ask.return_url
        if ask.email is not None:
            body["email_address"] = ask.email
        if self._found.description_wanted:
            body["description"] = LINK_DESCRIPTION
        try:
            return self._post_link(body)
        except Refused as refusal:
            named = refusal.status == UNPROCESSABLE and "description" in refusal.detail.lower()
            if not (named and self._describe_links and "description" not in body):
                raise
        # The refusal is definite, so nothing exists yet; remembered, so that it is paid for once only.
        self._found.description_wanted = True
        return self._post_link({**body, "description": LINK_DESCRIPTION})

    def _post_link(self, body: Mapping[str, Any]) -> RemoteLink:
        return self._write("POST", "/clio_payments/links.json", body, LinkRecord).to_domain()

    def links_created_since(self, moment: datetime) -> Iterator[RemoteLink]:
        """Active or not: Clio lists both when `active` is not named, and a used link must still be found."""
        return self._sought_links.where({"created_since": a_second_before(moment)})

    def active_links(self) -> Iterator[RemoteLink]:
        return self.links.where({"active": True})

    def link(self, link_id: int) -> RemoteLink:
        return self._lists.one(f"/clio_payments/links/{link_id}.json", LinkRecord).to_domain()

    def expire_link(self, link_id: int, etag: str) -> RemoteLink:
        path = f"/clio_payments/links/{link_id}.json"
        return self._write("PATCH", path, {"expired": True}, LinkRecord, if_match=etag).to_domain()

    def create_trust_request(self, ask: TrustAsk) -> int:
        own = {"id": ask.matter_id, "trust_amount": ask.amount_cents // 100, "note": ask.note}
        body: dict[str, Any] = {
            "trust_type": "matter",
            "client_id": ask.client_id,
            "trust_amount": ask.amount_cents // 100,
            "issue_date": ask.issued_on.isoformat(),
            "due_date": ask.due_on.isoformat(),
            "approved": True,
            "note": ask.note,
            "matter": [own],
        }
        return self._write("POST", "/trust_requests.json", body, Record).id

    def trust_lines(self, matter_id: int, since: datetime) -> list[TrustLine]:
        params: dict[str, Param] = {"matter_id": matter_id, "created_since": a_second_before(since), **BY_ID}
        found = self._searches.rows("trust_line_item", "/trust_line_items.json", TrustLineRecord, params)
        return [line.to_domain() for line in found]

    def create_task(self, ask: TaskAsk) -> int:
        body: dict[str, Any] = {
            "name": ask.name,
            "description": ask.description,
            "assignee": {"id": ask.assignee_id, "type": "User"},
            "priority": "High" if ask.high_priority else "Normal",
        }
        if ask.matter_id is not None:
            body["matter"] = {"id": ask.matter_id}
        if ask.due_on is not None:
            body["due_at"] = ask.due_on.isoformat()
        return self._write("POST", "/tasks.json", body, Record).id

    def tasks_named(self, key: str, matter_id: int | None) -> list[RemoteTask]:
        found = self._sought_tasks.where({"query": key, "matter_id": matter_id})
        return [task for task in found if key in task.name]

    def create_note(self, matter_id: int, subject: str, detail: str, on: date) -> int:
        body = {
            "type": "Matter",
            "matter": {"id": matter_id},
            "subject": subject,
            "detail": detail,
            "date": on.isoformat(),
        }
        return self._write("POST", "/notes.json", body, Record).id

    def notes_about(self, key: str, matter_id: int) -> list[int]:
        params: dict[str, Param] = {"type": "Matter", "matter_id": matter_id, "query": key, **BY_ID}
        found = self._searches.rows("note", "/notes.json", NoteRecord, params)
        return [note.id for note in found if key in f"{note.subject}\n{note.detail}"]

    def log_email(
        self, *, subject: str, body: str, matter_id: int | None, receiver_id: int, sender_id: int,
        received_at: datetime, key: str,
    ) -> int:  # fmt: skip
        entry: dict[str, Any] = {
            "type": "EmailCommunication",
            "subject": subject,
            "body": body,
            "received_at": rfc3339(received_at),
            "senders": [{"id": sender_id, "type": "User"}],
            "receivers": [{"id": receiver_id, "type": "Contact"}],
            "external_properties": [{"name": KEY_PROPERTY, "value": key}],
        }
        if matter_id is not None:
            entry["matter"] = {"id": matter_id}
        return self._write("POST", "/communications.json", entry, Record).id

    def communications_keyed(self, key: str) -> list[int]:
        params: dict[str, Param] = {"external_property_name": KEY_PROPERTY, "external_property_value": key, **BY_ID}
        found = self._searches.rows("communication", "/communications.json", CommunicationRecord, params)
        ours = (KEY_PROPERTY, key)
        return [one.id for one in found if ours in {(own.name, own.value) for own in one.external_properties}]

    def matter_field(self, matter_id: int, name: str) -> str | None:
        value = self._matter_value(matter_id, self._field_id(name))[1]
        return None if value is None else value.value

    def matter_fields(self) -> Mapping[str, str]:
        return {row.name: row.field_type for row in self._field_rows("matter") if not row.deleted}

    def contact_fields(self) -> Mapping[str, str]:
        return {row.name: row.field_type for row in self._field_rows("contact") if not row.deleted}

    def set_matter_field(self, matter_id: int, name: str, value: str) -> None:
        field_id = self._field_id(name)
        etag, present = self._matter_value(matter_id, field_id)
        if present is not None and present.value == value:
            return
        own = {"custom_field": {"id": field_id}} if present is None else {"id": present.id}
        body = {"custom_field_values": [{**own, "value": value}]}
        self._write("PATCH", f"/matters/{matter_id}.json", body, Record, if_match=etag)

    def _matter_value(self, matter_id: int, field_id: int) -> tuple[str, CustomFieldValueRecord | None]:
        matter = self._lists.one(f"/matters/{matter_id}.json", MatterFieldsRecord)
        own = (one for one in matter.custom_field_values if one.custom_field == Ref(id=field_id))
        return matter.etag, next(own, None)

    def _field_id(self, name: str) -> int:
        found = self._found.field_id(name, self._matter_fields)
        if found is None:
            raise Rejected(f"Clio has no matter field named {name!r}.", reason="custom_field_missing")
        return found

    def _matter_fields(self) -> dict[str, int]:
        return {row.name: row.id for row in self._field_rows("matter") if not row.deleted}

    def _field_rows(self, parent: str) -> Iterator[CustomFieldRecord]:
        params = {"parent_type": parent, **BY_ID}
        return self._searches.rows("custom_field", "/custom_fields.json", CustomFieldRecord, params)

    def webhooks(self) -> list[RemoteWebhook]:
        return list(self._webhooks.where({}))

    def create_webhook(self, ask: WebhookAsk) -> RemoteWebhook:
        body = {
            "url": ask.url,
            "model": ask.model,
            "events": list(ask.events),
            "fields": ask.fields,
            "expires_at": rfc3339(ask.expires_at),
        }
        return self._write("POST", "/webhooks.json", body, WebhookRecord).to_domain()

    def renew_webhook(self, webhook_id: int, etag: str, expires_at: datetime) -> RemoteWebhook:
        body = {"expires_at": rfc3339(expires_at)}
        return self._write("PATCH", f"/webhooks/{webhook_id}.json", body, WebhookRecord, if_match=etag).to_domain()

    def delete_webhook(self, webhook_id: int) -> None:
        self._api.tell("DELETE", f"{API}/webhooks/{webhook_id}.json")

    def custom_actions(self) -> list[CustomAction]:
        return list(self._actions.where({}))

    def create_custom_action(self, *, label: str, target_url: str, place: str) -> CustomAction:
        body = {"label": label, "target_url": target_url, "ui_reference": place}
        return self._write("POST", "/custom_actions.json", body, CustomActionRecord).to_domain()

    def move_custom_action(self, action_id: int, etag: str, target_url: str) -> CustomAction:
        path = f"/custom_actions/{action_id}.json"
        return self._write("PATCH", path, {"target_url": target_url}, CustomActionRecord, if_match=etag).to_domain()

    def delete_custom_action(self, action_id: int) -> None:
        self._api.tell("DELETE", f"{API}/custom_actions/{action_id}.json")

    def pressed(self, record: Asked, nonce: str) -> Seen:
        """The record, in a request that carries the nonce: Clio refuses it unless the token's user pressed the button."""
        sent: Mapping[str, Param] = {"custom_action_nonce": nonce}
        if record.kind is Subject.MATTER:
            return Seen(self._lists.one(f"/matters/{record.id}.json", Record, sent).id)
        entry = self._lists.one(f"/activities/{record.id}.json", OwnedRecord, sent)
        return Seen(entry.matter.id if entry.matter is not None else None)

    def _write(
        self, method: str, path: str, body: Mapping[str, Any], schema: type[S], *, if_match: str | None = None
    ) -> S:
        """The record as the write left it; an answer that lacks it is a lost answer, because the write happened (F07)."""
        return self._api.request(
            method,
            API + path,
            lambda answer: schema.model_validate(data(answer)),
            params={"fields": schema.fields()},
            body={"data": body},
            if_match=if_match,
        )


LINK_DESCRIPTION = "Payment of an invoice"
UNPROCESSABLE = 422


@dataclass(slots=True)
class Found:
    """What was found out about this Clio account, shared by all views: field ids, and whether links need a description."""

    description_wanted: bool = False
    ask_again_seconds: float = 300.0
    _fields: dict[str, int] = field(default_factory=dict)
    _asked_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def field_id(self, name: str, read: Callable[[], dict[str, int]]) -> int | None:
        """The id of a matter field; one that is missing is looked for again after some minutes, not for each matter."""
        with self._lock:
            fresh = self._asked_at is not None and time.monotonic() - self._asked_at < self.ask_again_seconds
            if name in self._fields or fresh:
                return self._fields.get(name)
        fields = read()
        with self._lock:
            self._fields, self._asked_at = fields, time.monotonic()
        return fields.get(name)
