"""Lines in the firm's bank ledgers. A line is never changed; a mistake is another line."""

from decimal import Decimal

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Allocation, BankTransaction, Bill
from orchestrator.sandbox.firm.things import ZERO, BankAccount, Contact, Matter, cents
from orchestrator.sandbox.refusal import unprocessable


def post(
    books: Books,
    account: BankAccount,
    amount: Decimal,
    *,
    matter: Matter | None = None,
    client: Contact | None = None,
    bill: Bill | None = None,
    allocation: Allocation | None = None,
    description: str = "",
    online: bool = False,
    confirmation: str | None = None,
) -> BankTransaction:
    """Add one ledger line and move the account's balance by exactly its amount."""
    account.balance += amount
    account.bank_transactions_count += 1
    books.touch(account, quietly=True)
    return books.add(
        BankTransaction(
            bank_account=account,
            amount=amount,
            date=books.today(),
            currency=account.currency,
            client=client or (matter.client if matter else None),
            matter=matter,
            bill=bill,
            allocation=allocation,
            description=description,
            source="client" if client or matter else "firm",
            confirmation=confirmation,
            transaction_type="deposit" if amount > 0 else "withdrawal",
            clio_payments_transaction=online,
            read_only_confirmation=online,
            current_account_balance=account.balance,
        )
    )


def hold(books: Books, matter: Matter, account: BankAccount, amount: Decimal) -> None:
    """Move what the matter holds in an account; a trust ledger never goes below zero."""
    held = matter.held.get(account, ZERO) + amount
    if held < 0:
        raise unprocessable(f"{account.name} holds {matter.held.get(account, ZERO)} for {matter.display_number}.")
    matter.held[account] = held
    books.touch(matter)


def deposit_trust(books: Books, matter: Matter, account: BankAccount, amount: Decimal, why: str) -> BankTransaction:
    """Client money in (or, negative, back out) of a trust account."""
    if account.type != "Trust":
        raise unprocessable(f"{account.name} is not a trust account.")
    hold(books, matter, account, cents(amount))
    books.journal.add("trust.moved", matter.id, account_id=account.id, amount=float(amount), why=why)
    return post(books, account, cents(amount), matter=matter, description=why)
