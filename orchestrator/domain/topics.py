"""Every topic of work, and how urgent it is. A topic is also the name of its Celery task."""

from enum import IntEnum


class Urgency(IntEnum):
    """High to low; a fifth of the request budget is kept for the first two (DESIGN §4)."""

    INTERACTIVE = 0
    MONEY = 1
    MESSAGES = 2
    SWEEPS = 3


TOPICS: dict[str, Urgency] = {
    # reading the truth
    "sync.activity": Urgency.SWEEPS,
    "sync.matter": Urgency.SWEEPS,
    "sync.contact": Urgency.SWEEPS,
    "sync.task": Urgency.SWEEPS,
    "sync.bill": Urgency.MONEY,
    "sync.link": Urgency.MONEY,
    "sync.payment": Urgency.MONEY,
    "sync.ledger": Urgency.MONEY,
    "sweep": Urgency.SWEEPS,
    "account.read": Urgency.SWEEPS,
    "lawpay.poll": Urgency.MONEY,
    "matters.backfill": Urgency.SWEEPS,
    "trust.watch": Urgency.SWEEPS,
    "bounces.read": Urgency.SWEEPS,
    "bounces.note": Urgency.MESSAGES,
    "reminders.stop": Urgency.INTERACTIVE,
    # deciding
    "time.approve": Urgency.SWEEPS,
    "billing.plan": Urgency.SWEEPS,
    "links.allot": Urgency.MONEY,
    "links.compare": Urgency.SWEEPS,
    "links.upkeep": Urgency.SWEEPS,
    "reminders.plan": Urgency.SWEEPS,
    "reconcile.window": Urgency.SWEEPS,
    "reconcile.nightly": Urgency.SWEEPS,
    "reconcile.run": Urgency.SWEEPS,
    # effects
    "task.create": Urgency.MESSAGES,
    "note.create": Urgency.SWEEPS,
    "matter.mark": Urgency.SWEEPS,
    "bill.move": Urgency.MESSAGES,
    "page.open": Urgency.MESSAGES,
    "link.create": Urgency.MESSAGES,
    "link.expire": Urgency.MONEY,
    "link.revoke": Urgency.MONEY,
    "message.send": Urgency.MESSAGES,
    "notice.send": Urgency.MESSAGES,
    "reminder.send": Urgency.MESSAGES,
    "reminder.flag": Urgency.MESSAGES,
    "ledger.enter": Urgency.MESSAGES,
    "trust.request": Urgency.MESSAGES,
    "communication.log": Urgency.SWEEPS,
    # upkeep
    "webhooks.upkeep": Urgency.SWEEPS,
    "webhook.create": Urgency.MONEY,
    "webhook.renew": Urgency.MONEY,
    "webhook.confirm": Urgency.MONEY,
    "webhook.delete": Urgency.SWEEPS,
    "buttons.upkeep": Urgency.SWEEPS,
    "button.create": Urgency.SWEEPS,
    "button.move": Urgency.SWEEPS,
    "button.delete": Urgency.SWEEPS,
    "recovery.adopt": Urgency.MONEY,
    "recovery.finish": Urgency.SWEEPS,
    "engine.heartbeat": Urgency.INTERACTIVE,
    "engine.tidy": Urgency.SWEEPS,
}

PASSING = frozenset({"sweep", "reconcile.nightly", "account.read", "matters.backfill", "lawpay.poll", "time.approve",
                     "billing.plan", "links.allot", "links.compare", "links.upkeep", "reminders.plan", "webhooks.upkeep",
                     "buttons.upkeep", "engine.heartbeat", "engine.tidy", "trust.watch", "bounces.read",
                     *(topic for topic in TOPICS if topic.startswith("sync."))})  # fmt: skip
"""Topics whose keys are moments or generations: their finished rows can be forgotten without anything happening twice."""

ADOPTING = frozenset({"recovery.adopt", "engine.heartbeat"})
"""What may run first of all after a regression: nothing is decided before our own links at Clio are known again (F57)."""

SWEEPING = ADOPTING | {
    "recovery.finish",
    "sweep",
    "lawpay.poll",
    *(topic for topic in TOPICS if topic.startswith("sync.")),
}
"""What may run next: reading the truth. Everything else waits until all of it was read."""


def urgency_of(topic: str) -> Urgency:
    """The urgency of a topic; an unknown one raises KeyError, so that nothing is queued that nobody will do."""
    return TOPICS[topic]
