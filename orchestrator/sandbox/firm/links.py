"""Payment links: what must hold before one is made, and the two ways one ends."""

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Bill, Link
from orchestrator.sandbox.firm.things import BankAccount, Contact, User, cents
from orchestrator.sandbox.refusal import Refusal, unprocessable

LONGEST = 7_776_000
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_WEB = re.compile(r"https?://[^\s]+")


@dataclass(kw_only=True)
class Wish:
    """What a caller asks of a new link."""

    subject_type: str
    subject_id: int
    currency: str
    duration: int
    destination_account_id: int | None = None
    amount: Decimal | None = None
    description: str | None = None
    email_address: str | None = None
    redirect_url: str | None = None
    destination_contact_id: int | None = None
    is_allocated_as_revenue: bool = False


def create(books: Books, wish: Wish, *, user: User | None, by: str = "app", quietly: bool = False) -> Link:
    """Make one live link, or refuse: every rule first, both quotas last."""
    link = Link(
        token=books.token(40),
        url="",
        currency=wish.currency,
        expires_at=books.clock.now() + timedelta(seconds=max(wish.duration, 0)),
        amount=None if wish.amount is None else cents(wish.amount),
        description=wish.description,
        email_address=wish.email_address,
        redirect_url=wish.redirect_url,
        is_allocated_as_revenue=wish.is_allocated_as_revenue,
        by=by,
        user=user,
    )
    _aim(books, link, wish)
    _check(books, link, wish)
    _check_quotas(books, by)
    link.url = f"{books.public_url}/pay/{link.token}"
    books.add(link, quietly=quietly)
    books.active_links[link.id] = link
    books.links_by_token[link.token] = link
    books.clock.at(link.expires_at, partial(end, books, link, "time"))
    books.journal.link_made(len(books.active_links))
    books.journal.add("link.created", link.id, by=by, url=link.url, **_facts(link))
    return link


def end(books: Books, link: Link, why: str) -> None:
    """Close a live link by `time`, `request` or `use`; a link that is closed already stays as it is."""
    if not link.active:
        return
    link.active = False
    books.active_links.pop(link.id, None)
    books.touch(link)
    books.journal.add("link.used" if why == "use" else "link.expired", link.id, why=why, by=link.by, **_facts(link))


def _facts(link: Link) -> dict[str, object]:
    return {
        "bill_id": link.bill.id if link.bill else None,
        "contact_id": link.contact.id if link.contact else None,
        "amount": None if link.amount is None else float(link.amount),
    }


def _aim(books: Books, link: Link, wish: Wish) -> None:
    match wish.subject_type:
        case "Bill":
            link.bill = books.get(Bill, wish.subject_id)
        case "Contact":
            link.contact = books.get(Contact, wish.subject_id)
        case "BankAccount":
            link.bank_account = books.get(BankAccount, wish.subject_id)
        case other:
            raise unprocessable(f"subject type {other} is not Bill, Contact or BankAccount.")
    if wish.destination_account_id is not None:
        link.destination_account = books.get(BankAccount, wish.destination_account_id)
    elif link.bank_account is not None:
        link.destination_account = link.bank_account
    if wish.destination_contact_id is not None:
        link.destination_contact = books.get(Contact, wish.destination_contact_id)


def open_amount(books: Books, link: Link) -> Decimal | None:
    """What the link's subject still owes; None when nothing bounds it."""
    if link.bill is not None:
        return link.bill.balance
    if link.contact is not None:
        return sum((bill.balance for bill in owed_by(books, link.contact)), Decimal("0.00"))
    return None


def owed_by(books: Books, contact: Contact) -> list[Bill]:
    """The contact's issued revenue bills with money open, oldest first."""
    return owed_by_client(books).get(contact.id, [])


def owed_by_client(books: Books) -> dict[int, list[Bill]]:
    """The same for every contact that owes something, by its id."""
    owed: dict[int, list[Bill]] = {}
    for bill in books.table(Bill).values():
        if bill.state == "awaiting_payment" and bill.kind == "revenue_kind":
            owed.setdefault(bill.client.id, []).append(bill)
    for theirs in owed.values():
        theirs.sort(key=lambda bill: (str(bill.issued_at), bill.id))
    return owed


def _check(books: Books, link: Link, wish: Wish) -> None:
    account = link.destination_account
    owed = open_amount(books, link)
    wrong_account = account is not None and (account.type == "Trust") != _wants_trust(link)
    bases = books.rules.redirect_bases
    needs_words = books.rules.description_required or link.bank_account is not None
    rules = (
        (wish.currency == books.currency, f"currency must be {books.currency}"),
        (1 <= wish.duration <= LONGEST, f"duration must be between 1 and {LONGEST} seconds"),
        (account is not None, "destination_account is required"),
        (account is None or account.clio_payments_enabled, "destination_account is not connected to Clio Payments"),
        (link.bank_account is not None or not wrong_account, "destination_account does not fit the kind of bill"),
        (link.bill is None or link.bill.state == "awaiting_payment", "the bill is not awaiting payment"),
        (owed is None or owed > 0, "nothing is open to be paid"),
        (link.amount is None or link.amount > 0, "amount must be greater than zero"),
        (link.amount is None or owed is None or link.amount <= owed, "amount is more than the open balance"),
        (bool(wish.description) or not needs_words, "description is required"),
        (len(wish.description or "") <= 255, "description is longer than 255 characters"),
        (not wish.email_address or bool(_EMAIL.fullmatch(wish.email_address)), "email_address is invalid"),
        (not wish.redirect_url or bool(_WEB.fullmatch(wish.redirect_url)), "redirect_url is invalid"),
        (
            not (wish.redirect_url and bases) or wish.redirect_url.startswith(tuple(bases)),
            "redirect_url does not match a base URL of the application",
        ),
        (
            not (link.is_allocated_as_revenue and account is not None and account.type == "Trust"),
            "a payment into a trust account cannot be revenue",
        ),
    )
    for holds, words in rules:
        if not holds:
            raise unprocessable(words)


def _wants_trust(link: Link) -> bool:
    return link.bill is not None and link.bill.kind == "trust_kind"


def _check_quotas(books: Books, by: str) -> None:
    ceiling = books.rules.links_per_user * books.enabled_users()
    for quota, used in (("active", len(books.active_links)), ("24h", books.journal.links_in_24h())):
        if used >= ceiling:
            books.journal.add("link.refused", None, by=by, quota=quota, ceiling=ceiling)
            raise Refusal(422, "You have reached the limit for payment links. Please try again later.")
