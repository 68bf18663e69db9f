"""Every GET: one record, or a filtered page of them. Paths lead to tables; the few special ones follow."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from orchestrator.sandbox.clio import filters
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.clio.fields import encoded, plan, shown
from orchestrator.sandbox.clio.paging import page
from orchestrator.sandbox.firm import bills, links
from orchestrator.sandbox.firm.money import Activity, Bill, Link, Payment
from orchestrator.sandbox.firm.things import ZERO, Contact, Facts, Matter, Thing, User
from orchestrator.sandbox.refusal import missing

COLLECTIONS = {
    "/activities": "activity",
    "/allocations": "allocation",
    "/bank_accounts": "bank_account",
    "/bank_transactions": "bank_transaction",
    "/bills": "bill",
    "/clio_payments/links": "link",
    "/clio_payments/payments": "payment",
    "/communications": "communication",
    "/contacts": "contact",
    "/credit_memos": "credit_memo",
    "/custom_actions": "custom_action",
    "/custom_fields": "custom_field",
    "/line_items": "line_item",
    "/matter_stages": "matter_stage",
    "/matters": "matter",
    "/notes": "note",
    "/practice_areas": "practice_area",
    "/tasks": "task",
    "/users": "user",
    "/webhooks": "webhook",
}
LISTED_ONLY = {"/line_items", "/matter_stages"}


def visible(thing: Thing, user: User | None = None) -> bool:
    """Payments and links of other applications exist, but this application never sees them; some matters some users do not."""
    matter = thing if isinstance(thing, Matter) else getattr(thing, "matter", None)
    if user is not None and isinstance(matter, Matter) and user.id in matter.hidden_from:
        return False
    link = thing.clio_payments_link if isinstance(thing, Payment) else thing
    return not isinstance(link, Link) or link.by != "stranger"


def listing(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        tests = filters.tests(kind, call.params, call.books.today())
        rows = [
            row
            for row in call.books.rows(kind).values()
            if visible(row, call.user) and all(test(row) for test in tests)
        ]
        return paged(call, kind, rows)

    return answer


def single(kind: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        thing = call.books.rows(kind).get(call.id)
        if thing is None or not visible(thing, call.user):
            raise missing(kind.replace("_", " ").capitalize(), call.id)
        return fresh(call, thing)

    return answer


def fresh(call: Call, thing: Thing) -> Reply:
    """The record, or 304 when the caller holds this version already."""
    held = call.header("if-none-match")
    since = call.header("if-modified-since")
    if held is not None and thing.table != "payment":
        if held.removeprefix("W/") in {thing.etag, thing.etag.strip('"')}:
            return Reply(304, headers={"ETag": thing.etag})
    elif since is not None and _unchanged(thing, since):
        return Reply(304)
    return call.show(thing)


def _unchanged(thing: Thing, since: str) -> bool:
    try:
        return thing.updated_at.replace(microsecond=0) <= parsedate_to_datetime(since)
    except ValueError:
        return False


def paged(call: Call, kind: str, rows: Sequence[Any], made_of: Callable[[Any], Any] = lambda row: row) -> Reply:
    """One page of rows with the fields asked for, and the address of the next page; only what is shown is `made_of` its row."""
    asked = plan(kind, call.param("fields"))
    cut = page(rows, kind, call.params, f"{call.origin}/api/v4{call.path}.json")
    paging = {"next": cut.next_url} if cut.next_url else {}
    body = {
        "data": [shown(made_of(row), asked) for row in cut.rows],
        "meta": {"paging": paging, "records": cut.records},
    }
    return Reply(200, encoded(body))


def who_am_i(call: Call) -> Reply:
    assert call.user is not None
    return fresh(call, call.user)


def email_addresses(call: Call) -> Reply:
    contact = call.books.get(Contact, call.id)
    return paged(call, "email_address", [] if contact.redacted else contact.email_addresses)


def client_of_matter(call: Call) -> Reply:
    return fresh(call, call.books.get(Matter, call.id).client)


def billing_settings(call: Call) -> Reply:
    """The account's billing settings, the same for everyone."""
    settings: Facts = {
        "id": call.books.account_id,
        "etag": '"billing"',
        "rounded_duration": 360.0,
        "rounding": 1,
        "use_decimal_rounding": True,
        "currency": call.books.currency,
        "currency_sign": call.books.money_unit["sign"],
        "tax_rate": 0.0,
        "secondary_tax_rate": 0.0,
        "apply_tax_by_default": False,
        "use_secondary_tax": False,
        "notify_after_bill_created": False,
        "multi_currency_billing": False,
        "time_on_flat_rate_contingency_matters_is_non_billable": True,
    }
    return Reply(200, encoded({"data": shown(settings, plan("billing_setting", call.param("fields")))}))


def billable_matters(call: Call) -> Reply:
    """Matters with never-billed work, and what that work is worth."""
    wanted = (call.param("client_id"), call.param("matter_id"), call.param("responsible_attorney_id"))
    rows = []
    for matter in call.books.table(Matter).values():
        owner = getattr(matter.responsible_attorney, "id", None)
        own = (matter.client.id, matter.id, owner)
        if any(want is not None and want != str(has) for want, has in zip(wanted, own, strict=True)):
            continue
        work = [entry for entry in bills.unbilled(call.books, [matter]) if not entry.non_billable]
        if work:
            rows.append(_billable(call, matter, work))
    return paged(call, "billable_matter", rows)


def _billable(call: Call, matter: Matter, work: Sequence[Activity]) -> Facts:
    hours = sum((entry.worked for entry in work if entry.type == "TimeEntry"), Decimal(0)) / 3600
    return {
        "id": matter.id,
        "display_number": matter.display_number,
        "client": matter.client,
        "unbilled_hours": round(hours, 4),
        "unbilled_amount": sum((entry.value for entry in work), ZERO),
        "amount_in_trust": sum((held for account, held in matter.held.items() if account.type == "Trust"), ZERO),
        "currency_code": call.books.currency,
        "currency_id": 1,
    }


def outstanding_client_balances(call: Call) -> Reply:
    """One row per client with money open on issued bills."""
    owed = links.owed_by_client(call.books)
    owing = [
        contact
        for contact in call.books.table(Contact).values()
        if contact.id in owed and call.param("contact_id") in {None, str(contact.id)}
    ]
    return paged(call, "outstanding_client_balance", owing, lambda contact: _outstanding(contact, owed[contact.id]))


def _outstanding(contact: Contact, owed: Sequence[Bill]) -> Facts:
    paid = [share.date for bill in owed for share in bill.allocations if share.voided_at is None]
    return {
        "id": contact.id + 700_000,
        "etag": contact.etag,
        "contact": contact,
        "outstanding_bills": owed,
        "associated_matter_ids": list(dict.fromkeys(matter.id for bill in owed for matter in bill.matters)),
        "total_outstanding_balance": sum((bill.balance for bill in owed), ZERO),
        "pending_payments_total": sum((bill.pending for bill in owed), ZERO),
        "newest_issued_bill_due_date": max((bill.due_at for bill in owed if bill.due_at), default=None),
        "last_payment_date": max(paid, default=None),
        "reminders_enabled": contact.reminders_enabled,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
    }


def trust_line_items(call: Call) -> Reply:
    """The lines of trust requests, which no list of other lines shows."""
    wanted = filters.tests("trust_line_item", call.params, call.books.today())
    asked = [bill for bill in call.books.table(Bill).values() if bill.kind == "trust_kind"]
    rows = [
        {
            "id": line.id, "etag": line.etag, "date": line.date, "total": line.price, "note": line.note, "bill": bill,
            "client": bill.client, "matter": line.matter, "created_at": line.created_at, "updated_at": line.updated_at,
        }
        for bill in asked
        for line in bill.lines
        if all(test(line) for test in wanted)
    ]  # fmt: skip
    return paged(call, "trust_line_item", rows)


READS: dict[str, Callable[[Call], Reply]] = {
    **{path: listing(kind) for path, kind in COLLECTIONS.items()},
    **{f"{path}/{{id}}": single(kind) for path, kind in COLLECTIONS.items() if path not in LISTED_ONLY},
    "/bank_transfers/{id}": single("bank_transfer"),
    "/users/who_am_i": who_am_i,
    "/contacts/{id}/email_addresses": email_addresses,
    "/matters/{id}/client": client_of_matter,
    "/settings/billing": billing_settings,
    "/billable_matters": billable_matters,
    "/outstanding_client_balances": outstanding_client_balances,
    "/trust_line_items": trust_line_items,
}
