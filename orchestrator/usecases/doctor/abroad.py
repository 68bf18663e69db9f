"""What is not ours: Clio's account, permissions and fields, LawPay, webhooks, the public address, mail, quotas."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from orchestrator.domain.accounts import AccountClass, BankAccount, FirmAccount
from orchestrator.domain.front_door import fault_of
from orchestrator.domain.gateway import GatewayAccount
from orchestrator.domain.lawpay_payments import doubt_about
from orchestrator.domain.reasons import meaning
from orchestrator.domain.topics import Urgency
from orchestrator.errors import Shut
from orchestrator.ports import PracticeManagement
from orchestrator.storage.links import PER_USER
from orchestrator.usecases.doctor.findings import Check, Finding, Patient, ok, problem, warning
from orchestrator.usecases.show_webhooks import remedies, show_health

NOBODY = 1
"""An id that no record has: the cheapest question that still needs the permission."""

NEARLY = 0.8
PAID_TYPES, DATE_TYPES = {"checkbox", "text_line"}, {"date"}
CONNECT = "Run `orchestrator connect clio` as a billing administrator."


def _clio(patient: Patient) -> PracticeManagement:
    return patient.runtime.practice(Urgency.INTERACTIVE)


def connection(patient: Patient) -> Finding:
    found = _clio(patient).connection()
    return ok(f"Account {found.account_id} ({found.account_name}) as user {found.user_id} ({found.user_name}).")


READS: dict[str, Callable[[PracticeManagement], object]] = {
    "activities": lambda clio: clio.activities.by_ids([NOBODY]),
    "matters": lambda clio: clio.matters.by_ids([NOBODY]),
    "bills": lambda clio: clio.bills.by_ids([NOBODY]),
    "tasks": lambda clio: clio.tasks.by_ids([NOBODY]),
    "users": lambda clio: clio.users(),
    "contacts": lambda clio: clio.contacts.by_ids([NOBODY]),
    "credit memos": lambda clio: clio.credits.by_ids([NOBODY]),
    "client balances": lambda clio: next(iter(clio.client_balances()), None),
    "communications": lambda clio: clio.communications_keyed("doctor"),
    "bank accounts": lambda clio: clio.bank_accounts(),
    "payment links": lambda clio: clio.links.by_ids([NOBODY]),
    "payments": lambda clio: clio.payments([NOBODY]),
    "webhooks": lambda clio: clio.webhooks(),
}


def permissions(patient: Patient) -> Finding:
    clio, denied = _clio(patient), []
    for name, read in READS.items():
        try:
            read(clio)
        except Shut:
            denied.append(name)
    if denied:
        return problem(
            f"Clio denies reading {', '.join(denied)}.",
            "Give the app and its user these permissions in Clio, then `orchestrator connect clio` again.",
        )
    return ok(f"{len(READS)} kinds can be read. What may be written shows only when it is.")


def bank_accounts(patient: Patient) -> Finding:
    accounts, wanted = _clio(patient).bank_accounts(), patient.settings.links.account_id
    chosen = next((account for account in accounts if account.id == wanted), None)
    if wanted is not None and (chosen is None or chosen.account_class is not AccountClass.OPERATING):
        return problem(f"Account {wanted} is no operating account of this firm.", "Correct [links] account_id.")
    able = [one for one in accounts if one.takes_clio_payments and one.account_class is AccountClass.OPERATING]
    if not able or (chosen is not None and chosen not in able):
        said = (
            "No operating account takes Clio Payments" if chosen is None else f"Account {wanted} takes no Clio Payments"
        )
        return problem(f"{said}: no link can be made.", "Switch Clio Payments on for it in Clio.")
    return _currency(patient, [chosen] if chosen is not None else able, accounts)


def _currency(patient: Patient, able: list[BankAccount], accounts: list[BankAccount]) -> Finding:
    fitting = [one for one in able if one.currency in {None, patient.runtime.currency}]
    if not fitting:
        return problem(
            f"None holds {patient.runtime.currency}, the currency of region {patient.settings.clio.region}.",
            "Check [clio] region, and the account's currency in Clio.",
        )
    if len(fitting) > 1:
        return warning(f"{len(fitting)} accounts could take the money.", "Name one in [links] account_id.")
    vague = [one.id for one in accounts if one.account_class is None]
    if vague:
        return warning(
            f"Clio does not say whether accounts {vague} are trust or operating.", "Correct their type in Clio."
        )
    return ok(f"Links pay into account {fitting[0].id}.")


def custom_fields(patient: Patient) -> Finding:
    paid, dated = patient.settings.notes.paid_field, patient.settings.billing.flat_fee_date_field
    there = _clio(patient).matter_fields()
    if paid is not None and paid not in there:
        return problem(
            f"Clio has no matter field {paid!r}.", "Create it (checkbox, matters), or correct [notes] paid_field."
        )
    if missing := _missing_holds(patient, there):
        return problem(
            f"No matter and no contact in Clio has a field {', '.join(map(repr, missing))}: nobody is held back by it.",
            "Create it, or correct [reminders.fields].",
        )
    wanted = {
        name: types for name, types in ((paid, PAID_TYPES), (dated, DATE_TYPES)) if name is not None and name in there
    }
    wrong = [f"{name!r} is a {there[name]}" for name, types in wanted.items() if there[name] not in types]
    if wrong:
        return problem(f"Of the wrong type: {', '.join(wrong)}.", "Make them anew, as checkbox and as date.")
    without = "" if dated in there else f" Without {dated!r} flat fees fall due by stage or close only."
    return ok(f"{', '.join(map(repr, wanted)) or 'None wanted'}: there, and of the right type.{without}")


def _missing_holds(patient: Patient, of_matters: Mapping[str, str]) -> list[str]:
    """Fields that should hold reminders and are nowhere: a name mistyped would let every client with a plan be chased."""
    named = sorted(set(patient.settings.reminders.fields.values()) - of_matters.keys())
    return sorted(set(named) - _clio(patient).contact_fields().keys()) if named else []


def webhooks(patient: Patient) -> Finding:
    rows = show_health(patient.runtime)
    if not rows:
        return ok("None are wanted.")
    unwell = [f"{row['model']} {row['state']}" for row in rows if row["state"] != "enabled"]
    if unwell:
        return problem(
            f"Not at work: {', '.join(unwell)}. Sweeps keep everything true, later.",
            "Start the worker and see `orchestrator webhooks health`; the public address below must be reached.",
        )
    told = [row["model"] for row in rows if row["troubles"]]
    if told:
        return warning(f"Trouble with {', '.join(told)}.", " ".join(remedies(patient.runtime, rows)))
    refused = sum(row["refused"] for row in rows)
    if refused:
        return warning(
            f"{refused} deliveries were refused.",
            "See `orchestrator webhooks health`: let the proxy pass bodies through untouched.",
        )
    ends = min((row["expires_at"] for row in rows if row["expires_at"] is not None), default=None)
    until = f", the first ends {ends:%Y-%m-%d}" if ends is not None else ", Clio names no end"
    heard = max((row["delivered_at"] for row in rows if row["delivered_at"] is not None), default=None)
    last = f"; the last delivery came {heard:%Y-%m-%d %H:%M} UTC" if heard is not None else "; no delivery yet"
    return ok(f"{len(rows)} enabled{until}{last}.")


def public_address(patient: Patient) -> Finding:
    address = patient.settings.public_address
    assert patient.runtime.door is not None
    found = fault_of(patient.runtime.door(), address)
    if found is None:
        return ok(f"{address} leads to us.")
    return (problem if found.certain else warning)(
        found.said, "Then run this again; deliveries need it, sweeps keep everything true meanwhile."
    )


def mail(patient: Patient) -> Finding:
    settings = patient.settings.mail
    if settings.url is None or settings.sender is None:
        return problem("No mail relay: every message waits for a person.", "Set ORCH_MAIL__URL and ORCH_MAIL__FROM.")
    found = patient.probe.mail()
    if found["tls"] is None and patient.settings.production:
        return warning("The relay is spoken to in clear.", "Use smtps://…, or ?starttls=1.")
    size = f", up to {found['size']} bytes" if found["size"] else ""
    return ok(
        f"The relay answers{', ' + found['tls'] if found['tls'] else ''}{size}; messages leave as {settings.sender}."
    )


def quota(patient: Patient) -> Finding:
    users = sum(user.enabled for user in _clio(patient).users())
    active = sum(1 for _ in _clio(patient).active_links())
    with patient.runtime.read() as work:
        budget = work.links.budget()
    limit = PER_USER * users
    if active >= NEARLY * limit or (budget is not None and budget.created >= NEARLY * limit):
        made = f", {budget.created} made in 24 h" if budget is not None else ""
        return warning(
            f"{active} of {limit} links are active{made}.", "See `orchestrator links budget`; new bills go first."
        )
    return ok(f"{active} of {limit} links ({users} users) are active.")


def lawpay(patient: Patient) -> Finding:
    """The key, the accounts that it opens, and what LawPay says of each account that the firm configured."""
    gateway, configured = patient.runtime.gateway, patient.settings.trust.firm_accounts
    if gateway is None:
        return ok("Not connected: no address and no key are set.")
    known = {account.id: account for account in gateway.accounts()}
    wrong = [_wrong(lawpay_id, one, known.get(lawpay_id)) for one in configured for lawpay_id in one.lawpay_ids]
    if any(wrong):
        return problem(
            f"{'; '.join(filter(None, wrong))}.",
            "Correct [[trust.accounts]], or have LawPay correct the account; nothing is collected there meanwhile.",
        )
    served = {one.key for one in configured if one.lawpay_ids}
    if pageless := sorted(patient.settings.lawpay.pages.keys() - served):
        return problem(f"No account is known behind the page of {', '.join(pageless)}.", "Name its lawpay_ids.")
    strange = sorted(known.keys() - {lawpay_id for one in configured for lawpay_id in one.lawpay_ids})
    if strange:
        return warning(
            f"Nobody configured {', '.join(strange)}.",
            "Name them in [[trust.accounts]] lawpay_ids, or their money is reconciled with nothing.",
        )
    return ok(
        f"{len(known)} accounts at {urlsplit(str(patient.settings.lawpay.base_url)).hostname}, all as configured."
    )


def _wrong(lawpay_id: str, account: FirmAccount, said: GatewayAccount | None) -> str | None:
    """What is wrong with one of an account's names at LawPay; None when nothing is."""
    if said is None or not said.active:
        return f"{lawpay_id} of {account.key} is {'unknown' if said is None else 'closed'} at LawPay"
    doubt = doubt_about(account, said)
    return None if doubt is None else f"{lawpay_id} of {account.key}: {meaning(doubt)}"


CHECKS = (
    Check("connection", connection, "database"),
    Check("permissions", permissions, "connection"),
    Check("bank accounts", bank_accounts, "connection"),
    Check("custom fields", custom_fields, "connection"),
    Check("quota", quota, "connection"),
    Check("LawPay", lawpay, "database"),
    Check("webhooks", webhooks, "database"),
    Check("public address", public_address, "settings"),
    Check("mail", mail, "settings"),
)
