"""Lines in the firm's bank ledgers. A line is never changed; a mistake is another line."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Allocation, BankTransaction, BankTransfer, Bill
from orchestrator.sandbox.firm.things import ZERO, BankAccount, Contact, Matter, User, cents
from orchestrator.sandbox.refusal import unprocessable


@dataclass(frozen=True, kw_only=True)
class How:
    """How a line came about: `real` when the bank moves money with it, `imposed` when the bank did it to the firm."""

    real: bool = True
    imposed: bool = False
    online: bool = False
    by: str = "person"
    authorised_by: User | None = None
    confirmation: str | None = None
    description: str = ""


Owner = Matter | Contact
"""Whose money it is: a matter's, or a client's that no matter has yet."""


class Whose(TypedDict):
    matter: Matter | None
    client: Contact | None


def whose(owner: Owner | None) -> Whose:
    """The owner as the two columns that a line has for it."""
    return {
        "matter": owner if isinstance(owner, Matter) else None,
        "client": owner if isinstance(owner, Contact) else None,
    }


def owner_of(line: BankTransaction) -> Owner | None:
    return line.matter or line.client


def post(
    books: Books,
    account: BankAccount,
    amount: Decimal,
    how: How,
    *,
    matter: Matter | None = None,
    client: Contact | None = None,
    bill: Bill | None = None,
    allocation: Allocation | None = None,
) -> BankTransaction:
    """Add one ledger line and move the account's balance by exactly its amount."""
    account.balance += amount
    account.bank_transactions_count += 1
    books.touch(account, quietly=True)
    line = books.add(
        BankTransaction(
            bank_account=account,
            amount=amount,
            date=books.today(),
            currency=account.currency,
            client=client or (matter.client if matter else None),
            matter=matter,
            bill=bill,
            allocation=allocation,
            description=how.description,
            source="client" if client or matter else "firm",
            confirmation=how.confirmation,
            transaction_type="deposit" if amount > 0 else "withdrawal",
            clio_payments_transaction=how.online,
            read_only_confirmation=how.online,
            current_account_balance=account.balance,
            real=how.real,
        )
    )
    _note(books, line, how)
    return line


def enter(
    books: Books,
    account: BankAccount,
    amount: Decimal,
    how: How,
    *,
    matter: Matter | None = None,
    client: Contact | None = None,
    bill: Bill | None = None,
    allocation: Allocation | None = None,
) -> BankTransaction:
    """A line in an account and in what its owner holds there."""
    owner = matter or client
    if owner is not None:
        hold(books, owner, account, amount, imposed=how.imposed)
    return post(books, account, amount, how, matter=matter, client=client, bill=bill, allocation=allocation)


def hold(books: Books, owner: Owner, account: BankAccount, amount: Decimal, *, imposed: bool = False) -> None:
    """Move what the owner holds in a trust account; only what the bank imposes takes it below zero."""
    if account.type != "Trust":
        return
    held = owner.held.get(account, ZERO) + amount
    if held < 0 and amount < 0 and not imposed:
        name = owner.display_number if isinstance(owner, Matter) else owner.name
        raise unprocessable(f"{account.name} holds {owner.held.get(account, ZERO)} for {name}.")
    owner.held[account] = held
    books.touch(owner)


def deposit_trust(books: Books, owner: Owner, account: BankAccount, amount: Decimal, how: How) -> BankTransaction:
    """Client money in (or, negative, back out) of a trust account."""
    require_trust(account)
    line = enter(books, account, cents(amount), how, **whose(owner))
    books.journal.add("trust.moved", owner.id, account_id=account.id, amount=float(amount), why=how.description)
    return line


def pull_down(books: Books, matter: Matter, account: BankAccount, amount: Decimal) -> None:
    """Client-level money becomes the matter's: out of the one ledger and into the other, nothing at the bank."""
    require_trust(account)
    why = How(real=False, description=f"Client funds to {matter.display_number}")
    enter(books, account, -cents(amount), why, client=matter.client)
    enter(books, account, cents(amount), why, matter=matter)


def move_between(books: Books, source: Matter, target: Matter, account: BankAccount, amount: Decimal) -> None:
    """Trust money from one matter to another of the same client; the bank sees nothing of it."""
    require_trust(account)
    if source.client is not target.client:
        raise unprocessable("Trust money moves between matters of one client only.")
    why = How(real=False, description=f"Transfer {source.display_number} to {target.display_number}")
    enter(books, account, -cents(amount), why, matter=source)
    enter(books, account, cents(amount), why, matter=target)


def correct(books: Books, line: BankTransaction, target: Matter | None) -> BankTransaction:
    """Reverse a line with a line of its own and, when it belongs elsewhere, post it there. The bank hears of neither."""
    why = How(real=False, description=f"Correction of {line.id}", confirmation=line.confirmation)
    undone = enter(books, line.bank_account, -line.amount, why, **whose(owner_of(line)))
    return undone if target is None else enter(books, line.bank_account, line.amount, why, matter=target)


def transfer(
    books: Books,
    source: BankAccount,
    target: BankAccount,
    amount: Decimal,
    how: How,
    *,
    matter: Matter | None = None,
    bill: Bill | None = None,
    allocation: Allocation | None = None,
) -> BankTransfer:
    """Money of one matter, or the firm's own, from one bank account to another, with who authorised it."""
    for account, money in ((source, -amount), (target, amount)):
        enter(books, account, money, how, matter=matter, bill=bill, allocation=allocation)
    return books.add(
        BankTransfer(
            amount=amount,
            date=books.clock.now(),
            description=how.description,
            source_account=source,
            destination_account=target,
            matter=matter,
            client=matter.client if matter else None,
            primary_authorizer=how.authorised_by.name if how.authorised_by else None,
        )
    )


def require_trust(account: BankAccount) -> None:
    if account.type != "Trust":
        raise unprocessable(f"{account.name} is not a trust account.")


def _note(books: Books, line: BankTransaction, how: How) -> None:
    bill = line.bill
    books.journal.add(
        "ledger.posted",
        line.id,
        account_id=line.bank_account.id,
        account_class=line.bank_account.type,
        amount_cents=int(line.amount * 100),
        matter_id=line.matter.id if line.matter else None,
        client_id=line.client.id if line.client else None,
        bill_id=bill.id if bill else None,
        bill_matter_ids=[matter.id for matter in bill.matters] if bill else [],
        bill_due_cents=int(bill.due * 100) if bill else 0,
        draw=line.allocation is not None and line.allocation.source_bank_account is line.bank_account,
        confirmation=line.confirmation,
        real=how.real,
        imposed=how.imposed,
        by=how.by,
        authorised_by=how.authorised_by.id if how.authorised_by else None,
        signatory=how.authorised_by is not None and how.authorised_by.signatory,
    )
