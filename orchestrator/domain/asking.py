"""Whether a bill's balance should be asked for, how much, and into which account: a pure decision (W5)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.domain.accounts import AccountClass, BankAccount, FirmAccount
from orchestrator.domain.bills import GONE, UNISSUED, Bill, BillKind
from orchestrator.domain.links import Rail
from orchestrator.errors import Rejected


@dataclass(frozen=True, slots=True)
class Ask:
    """One link for this much, into this account; on the rail of pages `account` is its configured key."""

    amount_cents: int
    currency: str
    account_id: int
    rail: Rail = Rail.CLIO_PAYMENTS
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """No link, and why; `loud` when a person must be told."""

    reason: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class OnPage:
    """The rail of payment pages, and the account whose page may collect this bill; None when there is no such account."""

    account: FirmAccount | None


@dataclass(frozen=True, slots=True)
class Deposit:
    """That a trust request may be asked for: into which of Clio's accounts, and why not now, if so."""

    accounts: frozenset[int]
    quiet: str | None = None


def decide(
    bill: Bill, *, accounts: Sequence[BankAccount], currency: str, account_id: int | None, reversed_: bool,
    elsewhere: Silence | None = None, page: OnPage | None = None, promised_cents: int = 0,
    deposit: Deposit | None = None,
) -> Ask | Silence:  # fmt: skip
    """What to ask for on a bill: balance less what is on its way, in the region's `currency`, else the first reason not to.

    `account_id` is the firm's choice of account, `reversed_` whether a payment of this bill came back and nobody has
    decided yet (T28), `elsewhere` why a payment that Clio does not know of silences it, `page` the other rail, `promised_cents`
    what trust money is planned to pay of it (W9). A request for a deposit is asked for only with `deposit`, which names the
    trust accounts that may take it (T2).
    """
    asked = bill.open_cents - promised_cents
    for applies, silence in (
        (bill.kind is not BillKind.REVENUE and deposit is None, Silence("trust_request")),
        (
            deposit is not None and deposit.quiet is not None,
            Silence(deposit.quiet if deposit and deposit.quiet else ""),
        ),
        (bill.state in UNISSUED, Silence("bill_not_issued")),
        (bill.state in GONE, Silence("bill_gone")),
        (bill.balance_cents <= 0, Silence("nothing_open")),
        (bill.open_cents <= 0, Silence("payment_under_way")),
        ((bill.currency or currency) != currency, Silence("currency_mismatch", loud=True)),
        (reversed_, Silence("payment_reversed")),
        (elsewhere is not None, elsewhere or Silence("payment_in_question")),
        (asked <= 0, Silence("trust_available")),
        (bill.client is None, Silence("client_missing", loud=True)),
    ):
        if applies:
            return silence
    if bill.client is not None and bill.client.email_problem is not None:
        return Silence(bill.client.email_problem, loud=True)
    if page is not None:
        if page.account is None:
            return Silence("no_page_account", loud=True)
        return Ask(asked, currency, page.account.clio_id or 0, Rail.LAWPAY_PAGE, page.account.key)
    if deposit is not None:
        into = [one for one in accounts if one.id in deposit.accounts]
        account = account_for(into, currency=currency, chosen=None, wanted=AccountClass.TRUST)
    else:
        account = account_for(accounts, currency=currency, chosen=account_id)
    if account is None:
        return Silence("no_link_account", loud=True)
    return Ask(asked, currency, account.id)


@dataclass(frozen=True, slots=True)
class Together:
    """One link for several bills of one client: `parts` says how many cents of each."""

    ask: Ask
    client_id: int
    parts: Mapping[int, int]

    @property
    def lead(self) -> int:
        """The bill under which the link is kept."""
        return next(iter(self.parts))


def together(bills: Collection[Bill], decided: Mapping[int, Ask | Silence]) -> Together | None:
    """One link for everything that a client owes; None where each bill is asked for by itself.

    What is paid on such a link goes to the client's oldest open bill first, at Clio's choice: a bill of theirs that should
    not be paid now, or not all of it, keeps all of them from sharing one.
    """
    owed = sorted(
        (bill for bill in bills if bill.kind is BillKind.REVENUE and bill.state not in UNISSUED | GONE and bill.balance_cents),
        key=lambda bill: (str(bill.issued_on), bill.id),
    )  # fmt: skip
    asks = [decided[bill.id] for bill in owed]
    whole = [
        ask
        for ask, bill in zip(asks, owed, strict=True)
        if isinstance(ask, Ask) and ask.rail is Rail.CLIO_PAYMENTS and ask.amount_cents == bill.balance_cents
    ]
    if len(owed) < 2 or len(whole) < len(owed) or len({(ask.account_id, ask.currency) for ask in whole}) > 1:  # noqa: PLR2004
        return None
    client = owed[0].client
    assert client is not None
    parts = {bill.id: ask.amount_cents for bill, ask in zip(owed, whole, strict=True)}
    return Together(replace(whole[0], amount_cents=sum(parts.values())), client.id, parts)


def account_for(
    accounts: Sequence[BankAccount],
    *,
    currency: str,
    chosen: int | None,
    wanted: AccountClass = AccountClass.OPERATING,
) -> BankAccount | None:
    """The account a link pays into: operating for work, trust for a deposit; an ambiguity is nobody's guess (T1).

    Raises `Rejected` when the firm chose an account that is not an operating one.
    """
    if chosen is not None:
        named = next((account for account in accounts if account.id == chosen), None)
        if named is not None and named.account_class is not AccountClass.OPERATING:
            raise Rejected(
                f"Account {chosen} is not an operating account: a bill is never paid into it.", reason="no_link_account"
            )
        return named if named is not None and named.takes_clio_payments else None
    able = [
        account
        for account in accounts
        if account.account_class is wanted and account.takes_clio_payments and account.currency in (None, currency)
    ]
    preferred = [account for account in able if account.is_default] or able
    return preferred[0] if len(preferred) == 1 else None
