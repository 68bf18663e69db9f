"""What a dry run would have done, in the words of a billing administrator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.money import Money, figures
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work


def _money(facts: Mapping[str, Any]) -> Money:
    return Money(facts["amount_cents"], facts["currency"])


@dataclass(frozen=True, slots=True)
class About:
    """What an act was about, named as people name it."""

    bill: str
    matter: str


Words = Callable[[Mapping[str, Any], About], str]

WOULD: dict[str, tuple[str, Words]] = {
    "create_link": ("payment links made", lambda f, a: f"make a payment link of {_money(f)} for {a.bill}"),
    "expire_link": ("payment links expired", lambda _, a: f"expire the payment link of {a.bill}"),
    "send_message": ("messages sent", lambda f, a: f"send “{f['subject']}” for {a.bill} to {f['recipient']}"),
    "enter_line": ("ledger lines entered", lambda f, a: f"enter {_money(f)} in the ledger for {a.matter}"),
    "create_trust_request": (
        "deposits asked for", lambda f, a: f"ask for {figures(f['amount_cents'])} into trust for {a.matter}"
    ),
    "create_task": ("tasks given", lambda f, a: f"give a task about {a.matter}: {f['name']}"),
    "create_note": ("notes written", lambda f, a: f"note on {a.matter}: {f['subject']}"),
    "log_email": ("messages logged in Clio", lambda f, a: f"log a message on {a.matter}: {f['subject']}"),
    "set_matter_field": ("matter fields set", lambda f, a: f"set “{f['name']}” of {a.matter} to {f['value']}"),
    "move_bill": ("bills moved", lambda f, a: f"move {a.bill} to {f['state'].replace('_', ' ')}"),
    "create_webhook": ("webhooks asked for", lambda f, _: f"ask Clio for the {f['model']} webhook"),
    "renew_webhook": ("webhooks renewed", lambda f, _: f"renew the {f['model']} webhook"),
    "delete_webhook": ("webhooks deleted", lambda _, __: "delete a webhook"),
    "create_custom_action": ("buttons asked for", lambda f, _: f"put our button on {f['place']} in Clio"),
    "move_custom_action": ("buttons led elsewhere", lambda f, _: f"lead a button to {f['url']}"),
    "delete_custom_action": ("buttons deleted", lambda _, __: "delete a button"),
}  # fmt: skip
"""Each verb of a dry run: its name in a count, and what one act of it would have been."""


def show_would(rt: Runtime, *, limit: int) -> dict[str, Any] | None:
    """Everything this dry run would have done, counted, and its newest acts in words; None when it is no dry run."""
    with rt.read() as work:
        begun = work.imagined.begun()
        if begun is None or not begun["dry_run"]:
            return None
        rows = work.imagined.listed(limit=limit)
        abouts = _abouts(work, rows)
        counts = work.imagined.counts()
    return {
        "begun_at": begun["begun_at"],
        "counts": {WOULD[verb][0]: count for verb, count in counts.items()},
        "acts": [
            {
                "id": row["id"], "at": row["at"], "verb": row["verb"], "subject_kind": row["subject_kind"],
                "subject_id": row["subject_id"], "would": WOULD[row["verb"]][1](row["facts"], about), "facts": row["facts"],
            }
            for row, about in zip(rows, abouts, strict=True)
        ],
    }  # fmt: skip


def _abouts(work: Work, rows: list[Row]) -> list[About]:
    def ids(kind: str) -> set[int]:
        return {row["subject_id"] for row in rows if row["subject_kind"] == kind and row["subject_id"] is not None}

    bills, matters = work.mirror.bills(ids("bill")), work.mirror.matters(ids("matter"))
    found = []
    for row in rows:
        bill = bills.get(row["subject_id"]) if row["subject_kind"] == "bill" else None
        matter = matters.get(row["subject_id"]) if row["subject_kind"] == "matter" else None
        client = f" ({bill.client.name})" if bill is not None and bill.client is not None else ""
        found.append(
            About(
                bill=f"bill {bill.number}{client}" if bill else f"bill {row['subject_id']}",
                matter=f"matter {matter.display_number}" if matter else "several matters",
            )
        )
    return found
