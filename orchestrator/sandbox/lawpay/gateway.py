"""The gateway's record and the life of its money: authorised, captured at midnight, sent back, returned late."""

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from orchestrator.sandbox.clock import Clock
from orchestrator.sandbox.journal import Journal
from orchestrator.sandbox.lawpay import shapes
from orchestrator.sandbox.lawpay.refusals import Declined, invalid, wrong_status
from orchestrator.sandbox.lawpay.shapes import EASTERN
from orchestrator.sandbox.lawpay.things import LIVE, Account, Event, Facts, Page, Transaction

HOLD = timedelta(days=7)
REFUNDABLE = timedelta(days=180)
MOST = 10**14 - 1
LONGEST = 128
LONGEST_URLS = 1024


@dataclass(kw_only=True)
class GatewayRules:
    """How long things take at the gateway, in seconds of sandbox time."""

    echeck_completes_after: float = 3 * 86_400
    search_lag: float = 1.0
    reference_required: bool = False


Heard = Callable[[Event, Transaction], None]


class Gateway:
    """Everything behind the gateway's doors; the only place where a transaction changes."""

    def __init__(self, *, clock: Clock, journal: Journal, seed: int, firm: str, rules: GatewayRules) -> None:
        self.clock = clock
        self.journal = journal
        self.firm = firm
        self.rules = rules
        # Words of its own: an account more at LawPay must not change what Clio's side draws from the same seed.
        self._random = random.Random(f"lawpay {seed}")
        self.merchant_id = self.opaque()
        self.secret_key = f"sandbox_{self.opaque()}"
        self.public_key = f"m_{self.opaque()}"
        self.live_events_urls = ""
        self.accounts: dict[str, Account] = {}
        self.pages: dict[str, Page] = {}
        self.transactions: dict[str, Transaction] = {}
        self.events: dict[str, Event] = {}
        self.tokens: dict[str, Facts] = {}
        self.listeners: list[Heard] = []

    def opaque(self) -> str:
        """An id of 22 characters of the URL-safe alphabet, which may begin with any of them."""
        return base64.urlsafe_b64encode(self._random.randbytes(16)).decode().rstrip("=")

    def set_addresses(self, urls: str) -> None:
        """Replace the firm's webhook addresses: one string for every integration it has."""
        if len(urls) > LONGEST_URLS:
            raise invalid("live_events_urls", "invalid_length")
        self.live_events_urls = urls

    def addresses(self) -> list[str]:
        return [url.strip() for url in self.live_events_urls.split(",") if url.strip()]

    def account(self, ident: object, kind: str) -> Account:
        """The account a charge names; without a name the primary one for that way of paying, as at the real gateway."""
        own = [account for account in self.accounts.values() if account.kind == kind]
        if ident is None:
            found = next((account for account in own if account.primary), None)
            if found is None:
                raise Declined(422, "no_account_for_payment_method")
            return found
        named = self.accounts.get(str(ident))
        if named is None:
            raise Declined(404, "resource_not_found", context="account_id")
        if named not in own:
            raise Declined(422, "incorrect_payment_type", context="account_id")
        if named.status != "ACTIVE":
            raise Declined(422, "account_not_active", context="account_id")
        return named

    def find(self, ident: str) -> Transaction:
        found = self.transactions.get(ident)
        if found is None:
            raise Declined(404, "resource_not_found", context="transaction")
        return found

    def searchable(self) -> list[Facts]:
        """Every transaction as the search index has it, which lags behind the truth."""
        horizon = self.clock.now() - timedelta(seconds=self.rules.search_lag)
        found = []
        for one in self.transactions.values():
            seen = [facts for moment, facts in one.indexed if moment <= horizon]
            found += seen[-1:]
        return found

    # -- money in ---------------------------------------------------------------------------------------------------

    def charge(
        self,
        account: Account,
        amount: object,
        method: Facts,
        *,
        reference: str = "",
        data: Facts | None = None,
        auto_capture: bool = True,
        decline: str = "",
    ) -> Transaction:
        """Authorise a payment; cards are captured at midnight Eastern, eChecks complete some days later."""
        self._check_reference(reference)
        one = self._new("CHARGE", account, cents(amount), method, reference)
        one.data, one.auto_capture = data or {}, auto_capture
        if decline:
            self._move(one, "FAILED", failure_code=decline, event="")
            raise Declined(422, decline, entity_id=one.id, facility="payment_processor")
        self._emit("transaction.created", one)
        one.authorization_code = f"{self._random.randrange(10**6):06d}"
        self._move(one, "AUTHORIZED")
        if not auto_capture:
            self.clock.at(self.clock.now() + HOLD, partial(self._void_hold, one))
        elif one.by_card:
            self.clock.at(self._midnight(), partial(self._complete, one))
        else:
            self.clock.after(self.rules.echeck_completes_after, partial(self._complete, one))
        return one

    def capture(self, one: Transaction, amount: object = None, reference: str = "") -> Transaction:
        """Take a held card charge, whole or less."""
        if one.type != "CHARGE" or one.status != "AUTHORIZED" or one.auto_capture or not one.by_card:
            raise wrong_status(f"Transaction {one.id} cannot be captured.")
        taken = one.amount if amount is None else cents(amount)
        if taken > one.amount:
            raise Declined(422, "exceeds_authorized_amount", context="amount")
        one.amount, one.capture_reference = taken, reference
        self._move(one, "COMPLETED")
        return one

    def settles_at(self, one: Transaction) -> datetime:
        """When a payment made now will have completed, unless something happens to it."""
        return self._midnight() if one.by_card else one.created + timedelta(seconds=self.rules.echeck_completes_after)

    # -- money out --------------------------------------------------------------------------------------------------

    def refund(
        self,
        charge: Transaction,
        amount: object = None,
        reference: str = "",
        *,
        data: Facts | None = None,
        pays: str = "",
    ) -> Transaction:
        """Send a charge back in whole or part: a transaction of its own, out of the account of the charge."""
        self._check_reference(reference, required=False)
        left = charge.amount - charge.amount_refunded
        wanted = left if amount is None else cents(amount)
        if charge.type != "CHARGE" or charge.status not in {"AUTHORIZED", "COMPLETED"}:
            raise wrong_status(f"Transaction {charge.id} is {charge.status} and cannot be refunded.")
        if charge.created + REFUNDABLE < self.clock.now():
            raise wrong_status(f"Transaction {charge.id} is older than 180 days.")
        if not 0 < wanted <= left:
            raise Declined(422, "refund_exceeds_transaction", context="amount")
        one = self._new("REFUND", charge.account, wanted, charge.method, reference)
        one.charge, one.data, one.pays = charge, data or {}, pays
        charge.refunds.append(one)
        charge.modified = self.clock.now()
        self._index(charge)
        if charge.status == "COMPLETED":
            self._move(one, "COMPLETED")
        elif charge.by_card:
            self._move(one, "AUTHORIZED")
        else:
            self._emit("transaction.pending_parent_settlement", one)
        return one

    def credit(
        self, account: Account, amount: object, method: Facts, reference: str = "", *, pays: str = ""
    ) -> Transaction:
        """Money to a payee without a charge before it; `pays` is the firm's own bank account, if it is that."""
        self._check_reference(reference, required=False)
        one = self._new("CREDIT", account, cents(amount), method, reference)
        one.pays = pays
        self._move(one, "AUTHORIZED")
        self.clock.at(self._midnight(), partial(self._complete, one))
        return one

    def void(self, one: Transaction, reference: str = "") -> Transaction:
        """Undo what is only authorised and has no live refund."""
        if one.status != "AUTHORIZED" or any(refund.status in LIVE for refund in one.refunds):
            raise wrong_status(f"Transaction {one.id} is {one.status} and cannot be voided.")
        one.void_reference = reference
        self._move(one, "VOIDED")
        if one.charge is not None:
            one.charge.modified = self.clock.now()
            self._index(one.charge)
        return one

    def fail(self, one: Transaction, code: str) -> Transaction:
        """A failure after authorisation: capture, settlement, or the late return of an eCheck."""
        late = one.status == "COMPLETED" and not one.by_card
        if one.status not in {"PENDING", "AUTHORIZED"} and not late:
            raise wrong_status(f"Transaction {one.id} is {one.status} and cannot fail.")
        self._move(one, "FAILED", failure_code=code)
        for refund in one.refunds:
            if refund.status == "PENDING":
                self._move(refund, "FAILED", failure_code="ach_deferred_refund_rejected_charge_failed")
        return one

    # -- the steps --------------------------------------------------------------------------------------------------

    def _new(self, kind: str, account: Account, amount: int, method: Facts, reference: str) -> Transaction:
        now = self.clock.now()
        one = Transaction(
            id=self.opaque(),
            type=kind,
            account=account,
            amount=amount,
            currency=account.currency,
            method=method,
            reference=reference,
            created=now,
            modified=now,
        )
        self.transactions[one.id] = one
        return one

    def _complete(self, one: Transaction) -> None:
        if one.status != "AUTHORIZED":
            return
        self._move(one, "COMPLETED")
        for refund in one.refunds:
            if refund.status in {"PENDING", "AUTHORIZED"}:
                self._move(refund, "COMPLETED")

    def _void_hold(self, one: Transaction) -> None:
        if one.status == "AUTHORIZED":
            self._move(one, "VOIDED")

    def _move(self, one: Transaction, status: str, *, failure_code: str = "", event: str | None = None) -> None:
        one.status, one.failure_code, one.modified = status, failure_code, self.clock.now()
        self.journal.add(
            f"lawpay.{status.lower()}",
            one.id,
            type=one.type,
            account=one.account.bank_key,
            trust=one.account.trust,
            amount_cents=one.amount,
            reference=one.reference,
            method=one.account.kind,
            charge_id=one.charge.id if one.charge else None,
        )
        self._emit(f"transaction.{status.lower()}" if event is None else event, one)

    def _emit(self, kind: str, one: Transaction) -> None:
        """Index the transaction, and put it as it is now on the change feed."""
        self._index(one)
        if not kind:
            return
        data = shapes.transaction(one)
        # A documented refund event lacks it; who needs the charge reads the refund by its id.
        data.pop("charge_id", None)
        event = Event(id=self.opaque(), type=kind, created=self.clock.now(), data=data)
        self.events[event.id] = event
        for listener in self.listeners:
            listener(event, one)

    def _index(self, one: Transaction) -> None:
        one.indexed.append((self.clock.now(), shapes.transaction(one, write=shapes.offset)))

    def _midnight(self) -> datetime:
        local = self.clock.now().astimezone(EASTERN)
        return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)

    def _check_reference(self, reference: str, *, required: bool = True) -> None:
        if len(reference) > LONGEST:
            raise invalid("reference", "invalid_length")
        if required and self.rules.reference_required and not reference:
            raise invalid("reference", "not_blank")


def cents(amount: object) -> int:
    """An amount as a number or numeric string of whole cents."""
    text = str(amount)
    if isinstance(amount, bool) or not text.isdigit():
        raise invalid("amount", "invalid" if amount is not None else "not_null")
    if not 0 < int(text) <= MOST:
        raise invalid("amount", "number_out_of_range")
    return int(text)
