"""Every table. Unique constraints carry the idempotency; a row's comment says what makes it unique."""

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Date, Double, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from orchestrator.storage.types import Instant, Json, Ordered, Serial

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _when(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that match `where`, on both databases; only a query that says the same words goes by it."""
    return Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _partial(name: str, *columns: str, where: str) -> Index:
    """A unique index over the rows that match `where`, on both databases."""
    return Index(name, *columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


# ── The engine ───────────────────────────────────────────────────────────────────────────────────────────────────────

jobs = Table(
    "jobs",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("topic", String(64), nullable=False),
    Column("key", String(200), nullable=False),
    Column("payload", Json, nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Instant, nullable=False),
    # Nobody may claim before this moment of the database's clock: a lease while claimed or sent, a pause while ready.
    Column("held_until", Double),
    Column("fence", Integer, nullable=False, default=0),
    Column("holder", String(120)),
    Column("rung_at", Double),
    Column("sent_at", Instant),
    # When it was taken for sent because a database restored from a backup could not know (F57).
    Column("doubted_at", Instant),
    Column("intent", Json),
    Column("evidence", Json),
    Column("reason", String(64)),
    Column("detail", Text),
    # Which delivery or tick this goes back to: 32 hex digits. NULL in rows of an older version.
    Column("trace_id", String(32)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("topic", "key"),
    Index("ix_jobs_due", "state", "not_before", "urgency"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("source", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("kind", String(32)),
    Column("object_id", sa.BigInteger),
    Column("event", String(32)),
    Column("status", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("seen", Integer, nullable=False, default=1),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("source", "digest"),
)

dirty = Table(
    "dirty",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("object_id", sa.BigInteger, primary_key=True),
    Column("mark", Integer, nullable=False, default=1),
    Column("marked_at", Instant, nullable=False),
)

# One row a kind: `generation` names the drain job that will read the marks made from now on, the rest is the sweep's.
drains = Table(
    "drains",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("generation", Integer, nullable=False, default=1),
    Column("watermark", Instant),
    # A sweep that stopped in the middle of its list: when it began, and the query of the page it goes on with.
    Column("sweep_began", Instant),
    Column("sweep_at", Text),
    # What no webhook had told: how much in all, and when the last of it was found.
    Column("found_by_sweep", Integer, nullable=False, default=0),
    Column("found_at", Instant),
)

# One row: which life of the database this is, how far it came, and whether effects may leave (F57).
lineage = Table(
    "lineage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("era", String(64), nullable=False),
    Column("count", sa.BigInteger, nullable=False, default=0),
    Column("gate", String(16), nullable=False, default="open"),
    Column("past_era", String(64)),
    Column("cause", String(32)),
    # The last moment this database certainly knew; NULL when nothing can be said.
    Column("since", Instant),
    Column("began_at", Instant),
    Column("adopted_at", Instant),
    Column("recovered_at", Instant),
)

pulses = Table(
    "pulses",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at_real", Double, nullable=False),
    Column("at", Instant, nullable=False),
    Column("facts", Json),
)

# ── What Clio told us ────────────────────────────────────────────────────────────────────────────────────────────────

entries = Table(
    "entries",
    metadata,
    Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("etag", String(80), nullable=False),
    Column("type", String(32), nullable=False),
    Column("worked_on", Date, nullable=False),
    Column("quantity_seconds", String(40)),
    Column("price_cents", sa.BigInteger),
    Column("total_cents", sa.BigInteger),
    Column("flat_rate", Boolean, nullable=False),
    Column("contingency_fee", Boolean, nullable=False),
    Column("non_billable", Boolean, nullable=False),
    Column("no_charge", Boolean, nullable=False),
    Column("on_bill", Boolean, nullable=False),
    Column("billed", Boolean, nullable=False),
    Column("matter_id", sa.BigInteger, index=True),
    Column("user_id", sa.BigInteger),
    Column("bill_id", sa.BigInteger, index=True),
    Column("updated_at", Instant, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("gone", Boolean, nullable=False, default=False),
)

matters = Table(
    "matters",
    metadata,
    Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("etag", String(80), nullable=False),
    Column("display_number", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("billable", Boolean, nullable=False),
    Column("billing_method", String(16), nullable=False),
    Column("client_id", sa.BigInteger, index=True),
    Column("client_name", Text),
    Column("client_email", Text),
    Column("client_email_problem", String(32)),
    Column("responsible_attorney_id", sa.BigInteger),
    Column("practice_area", Text),
    Column("stage", Text),
    Column("closed_on", Date),
    Column("currency", String(3)),
    Column("custom_fields", Json, nullable=False),
    Column("custom_number", Text),
    Column("client_reference", Text),
    Column("updated_at", Instant, nullable=False),
)

bills = Table(
    "bills",
    metadata,
    Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("etag", String(80), nullable=False),
    Column("number", String(80), nullable=False),
    # What `domain.references.normalise` makes of the number; NULL in rows that an older version wrote since.
    Column("number_normalised", String(255), index=True),
    Column("state", String(32), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("issued_on", Date),
    Column("due_on", Date),
    Column("total_cents", sa.BigInteger, nullable=False),
    Column("paid_cents", sa.BigInteger, nullable=False),
    Column("balance_cents", sa.BigInteger, nullable=False),
    Column("pending_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3)),
    Column("client_id", sa.BigInteger, index=True),
    Column("client_name", Text),
    Column("client_email", Text),
    Column("client_email_problem", String(32)),
    Column("matter_ids", Json, nullable=False),
    Column("next_states", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("read_at", Instant, nullable=False),
    Column("request_id", sa.BigInteger),
    # Why no link is asked for at the moment; NULL when one is, or was.
    Column("silence", String(64)),
    Column("credited_cents", sa.BigInteger, nullable=False, server_default="0"),
    Column("sent_by_clio", Boolean, nullable=False, server_default=sa.false()),
)

bill_matters = Table(
    "bill_matters",
    metadata,
    Column("bill_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("matter_id", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
)

# What a client's contact and balance say about reminders; no row says nothing. Name and address stand with their bills.
clients = Table(
    "clients",
    metadata,
    Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("clio_reminds", Boolean, nullable=False, server_default=sa.false()),
    Column("custom_fields", Json, nullable=False),
)

credit_memos = Table(
    "credit_memos",
    metadata,
    Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("client_id", sa.BigInteger, index=True),
    Column("unapplied_cents", sa.BigInteger, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

# Lists of Clio that are read before reminders are judged: when each was last read to its end.
readings = Table(
    "readings",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("read_at", Instant, nullable=False),
)

payments = Table(
    "payments",
    metadata,
    Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("state", String(40), nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("link_id", sa.BigInteger, index=True),
    Column("bill_ids", Json, nullable=False),
    Column("matter_ids", Json, nullable=False),
    Column("account_id", sa.BigInteger),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # The ledger line that it left at Clio, once there is one.
    Column("line_id", sa.BigInteger, index=True),
    # What our books hold of it now: received less reversed.
    Column("booked_cents", sa.BigInteger, nullable=False, default=0),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("account_class", String(16)),
    Column("currency", String(3)),
    Column("takes_clio_payments", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
)

# The matter-ID lookup table (W11): what a matter is called, and by whom. Nothing is deleted: a number that the matter no longer
# has stays, not `current`, and still resolves; one that a person took back has `withdrawn_at`, and resolves no more.
matter_references = Table(
    "matter_references",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("provider", String(16), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("reference", String(255), nullable=False, index=True),
    Column("normalised", String(255), nullable=False, index=True),
    Column("matter_id", sa.BigInteger, nullable=False, index=True),
    Column("source", String(16), nullable=False),
    Column("current", Boolean, nullable=False, default=True),
    Column("since", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("withdrawn_at", Instant),
    _partial(
        "uq_matter_references_standing", "provider", "kind", "reference", "matter_id", where="withdrawn_at IS NULL"
    ),
    # One word of a person on one text.
    _partial("uq_matter_references_mapped", "provider", "reference", where="kind = 'mapped' AND withdrawn_at IS NULL"),
)

# A long reading of Clio that is done once: where it stopped, and how far it is.
backfills = Table(
    "backfills",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("place", Text),
    Column("read", Integer, nullable=False, default=0),
    Column("total", Integer),
    Column("done_at", Instant),
)

# ── What LawPay told us ──────────────────────────────────────────────────────────────────────────────────────────────

# One row: how far its list of events was read, in its own time, which poll reads what rings from now on, and our secret path.
lawpay_feed = Table(
    "lawpay_feed",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation", Integer, nullable=False, default=1),
    Column("watermark", Instant),
    Column("began_at", Instant, nullable=False),
    Column("accounts_read_at", Instant),
    # When the list was last read to its end.
    Column("polled_at", Instant),
    Column("path_token", String(64), nullable=False),
    Column("rung_at", Instant),
)

# Unique by the event's own id: one that comes twice, or on two pages, is read once (F43).
lawpay_events = Table(
    "lawpay_events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(64), nullable=False),
    Column("transaction_id", String(64), index=True),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)

lawpay_accounts = Table(
    "lawpay_accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("takes", String(16), nullable=False),
    # NULL where the gateway does not say: never taken for operating (T1).
    Column("trust", Boolean),
    Column("currency", String(3), nullable=False),
    Column("active", Boolean, nullable=False),
)

lawpay_transactions = Table(
    "lawpay_transactions",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("account_id", String(64), nullable=False),
    Column("account", String(40)),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reference", Text, nullable=False),
    Column("method", String(16), nullable=False),
    Column("refunded_cents", sa.BigInteger, nullable=False),
    Column("charge_id", String(64), index=True),
    Column("failure_code", String(64)),
    Column("created_at", Instant, nullable=False),
    Column("modified_at", Instant, nullable=False),
    Column("read_at", Instant, nullable=False),
    # When it was first known to be COMPLETED: what reads FAILED later is a return.
    Column("completed_at", Instant),
    # Of a charge: the link its reference names, whether it is what that asked for, and every way in which it is not.
    Column("link_id", sa.BigInteger, index=True),
    Column("matched", Boolean, nullable=False, default=False),
    Column("deviations", Json, nullable=False),
    # What of it is with the firm now, and what of that our books show.
    Column("standing_cents", sa.BigInteger, nullable=False, default=0),
    Column("booked_cents", sa.BigInteger, nullable=False, default=0),
)

# ── What we decided ──────────────────────────────────────────────────────────────────────────────────────────────────

approvals = Table(
    "approvals",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("entry_id", sa.BigInteger, nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("total_cents", sa.BigInteger, nullable=False),
    Column("approved_by", String(120), nullable=False),
    Column("signal", String(32), nullable=False),
    Column("approved_at", Instant, nullable=False),
    Column("withdrawn_at", Instant),
    _partial("uq_approvals_standing", "entry_id", where="withdrawn_at IS NULL"),
)

billing_requests = Table(
    "billing_requests",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("matter_id", sa.BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("period_start", Date, nullable=False),
    Column("period_end", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("entry_ids", Json, nullable=False),
    Column("key", String(64), nullable=False),
    Column("task_id", sa.BigInteger),
    Column("bill_id", sa.BigInteger),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("matter_id", "period_start", "period_end", "kind"),
    # A matter is asked for one bill at a time: the article's double-billing question.
    _partial("uq_billing_requests_open", "matter_id", where="state = 'asked'"),
)

# The last billing decision of each matter, with its reason: why there is no request is as important as that there is one.
billing_decisions = Table(
    "billing_decisions",
    metadata,
    Column("matter_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("decided_at", Instant, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("purpose", String(32), nullable=False),
    Column("matter_id", sa.BigInteger),
    Column("facts", Json, nullable=False),
    Column("clio_id", sa.BigInteger, unique=True),
    Column("complete", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("bill_id", sa.BigInteger, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("rail", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # Clio's account; 0 where the rail's account has no name at Clio.
    Column("account_id", sa.BigInteger, nullable=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("clio_id", sa.BigInteger, unique=True),
    Column("etag", String(80)),
    Column("url", Text),
    Column("expires_at", Instant),
    Column("reason", String(64)),
    # When the creation quota was taken; a link counts against 24 h from here unless it was refused.
    Column("reserved_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Of a payment page only: the configured account, what we asked to be told back, which part of that names the link, what
    # was paid of the bill when it was asked for, and the transaction that used it.
    Column("account", String(40)),
    Column("reference", String(128)),
    Column("reference_key", String(12), index=True),
    Column("paid_before_cents", sa.BigInteger),
    Column("used_by", String(64)),
    # The client whose open bills one link collects, `link_parts`; `bill_id` is then the first of them.
    Column("client_id", sa.BigInteger, index=True),
    # What brings it to the client: `message`, or the `reminder` that waits for it.
    Column("brought_by", String(16), nullable=False, default="message", server_default="message"),
    UniqueConstraint("bill_id", "cycle"),
    # One live link per balance, always.
    _partial("uq_links_alive", "bill_id", where="state IN ('waiting', 'reserved', 'live')"),
)

link_parts = Table(
    "link_parts",
    metadata,
    Column("link_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("bill_id", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("amount_cents", sa.BigInteger, nullable=False),
)

# One row: what the account allows and what others use of it. Locked while reservations are taken.
link_budget = Table(
    "link_budget",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("users", Integer, nullable=False),
    Column("foreign_active", Integer, nullable=False, default=0),
    Column("foreign_created", Integer, nullable=False, default=0),
    Column("shut_until", Instant),
    Column("counted_at", Instant, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("bill_id", sa.BigInteger, nullable=False),
    Column("step", String(32), nullable=False),
    Column("link_id", sa.BigInteger, nullable=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("message_id", Text),
    Column("reason", String(64)),
    Column("sent_at", Instant),
    Column("communication_id", sa.BigInteger),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("bill_id", "step"),
)

# What became of each step of each bill's sequence. One that is over never changes again.
reminders = Table(
    "reminders",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("bill_id", sa.BigInteger, nullable=False),
    Column("step", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    # Of everything that keeps it silent the first, and all of it with the last day of each where that is known.
    Column("reason", String(64)),
    Column("reasons", Json, nullable=False),
    # When it fell due, when it was last judged, and since when it has been silent: dates at the office.
    Column("due_on", Date, nullable=False),
    Column("looked_on", Date, nullable=False),
    Column("silent_since", Date),
    Column("letter_id", sa.BigInteger, index=True),
    Column("sent_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("bill_id", "step"),
    Index("ix_reminders_state", "state", "looked_on"),
)

# One message to one client on one day of the office, about every bill that is due (F72).
reminder_letters = Table(
    "reminder_letters",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("client_id", sa.BigInteger, nullable=False),
    Column("on", Date, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("reason", String(64)),
    # Of client, day, bills and steps, once they are certain: just before it leaves.
    Column("key", String(64)),
    Column("message_id", Text),
    # The Message-IDs before it in the same sequences, oldest first.
    Column("thread", Json, nullable=False),
    Column("subject", Text),
    Column("sent_at", Instant),
    Column("communication_id", sa.BigInteger),
    Column("approved_by", String(120)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("client_id", "on"),
)

# Every letter from the moment it may have left, by the local part of its Message-ID: which bounces are about one of ours.
posted = Table(
    "posted",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("address", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("bill_ids", Json, nullable=False),
    Column("posted_at", Instant, nullable=False),
    Column("bounced", String(8)),
)

# Unique by the address, of which only the digest is kept; the other columns are of the last letter that came back from it.
bounces = Table(
    "bounces",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("address", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("soft", Integer, nullable=False),
    Column("code", String(32), nullable=False),
    Column("source", String(16), nullable=False),
    Column("key", String(64), nullable=False),
    Column("bill_ids", Json, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("released_by", Text),
    Column("released_at", Instant),
)

# One row: our secret path for the relay's webhook, and how far the mailbox of bounces was read.
bounce_box = Table(
    "bounce_box",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("path_token", String(64), nullable=False),
    Column("validity", sa.BigInteger),
    Column("uid", sa.BigInteger, nullable=False, default=0),
    Column("read_at", Instant),
)

# What people said that Clio has no place for. Append-only: a hold ends by a row that names it, once.
reminder_holds = Table(
    "reminder_holds",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("subject_kind", String(16), nullable=False),
    Column("subject_id", sa.BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    # Its last office day; NULL until it is ended.
    Column("until", Date),
    Column("why", Text, nullable=False),
    Column("made_by", String(120), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("ends", sa.BigInteger, unique=True),
    Index("ix_reminder_holds_subject", "subject_kind", "subject_id"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("event", String(32), nullable=False),
    # On rail clio_payments Clio's payment, on lawpay_page the number of our row of the transaction.
    Column("rail", String(16), nullable=False, server_default="clio_payments"),
    Column("payment_id", sa.BigInteger, nullable=False, index=True),
    Column("account", String(64), nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("bill_id", sa.BigInteger, index=True),
    Column("matter_id", sa.BigInteger),
    Column("at", Instant, nullable=False),
)

exceptions = Table(
    "exceptions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("key", String(200), nullable=False),
    Column("subject_kind", String(32)),
    Column("subject_id", sa.BigInteger),
    Column("job_id", sa.BigInteger),
    Column("money_cents", sa.BigInteger),
    Column("summary", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("times", Integer, nullable=False, default=1),
    Column("owner", String(120)),
    Column("opened_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    _partial("uq_exceptions_open", "kind", "key", where="state = 'open'"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject_kind", String(32), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("facts", Json, nullable=False),
    # The chain (`domain.audit_chain`); NULL in lines of an older version until the next line seals them.
    Column("prev", String(64)),
    Column("hash", String(64), index=True),
)

# ── Reconciliation ───────────────────────────────────────────────────────────────────────────────────────────────────

# Append-only: a changed sighting is a new version, and `ended_by` names the row that followed. Whoever looks at the rows
# up to an id sees what was known then (T44).
movements = Table(
    "movements",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("source", String(16), nullable=False),
    Column("external_id", Ordered, nullable=False),
    Column("version", Integer, nullable=False),
    Column("account", String(64)),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("on", Date, nullable=False),
    Column("at", Instant),
    Column("kind", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reference", Text, nullable=False),
    Column("matter_id", sa.BigInteger, index=True),
    Column("client_id", sa.BigInteger),
    Column("bill_id", sa.BigInteger),
    Column("payment_id", sa.BigInteger),
    Column("parent", Ordered),
    # What it says it belongs to: the parent, or else its very reference, which people fill with the payment's id.
    Column("link", Ordered, nullable=False, server_default=""),
    # What ledger lines and payments find each other by: any reference, and a payment's id, as people write them.
    Column("reference_normalised", Ordered, nullable=False, server_default=""),
    Column("name_normalised", Ordered, nullable=False, server_default=""),
    Column("digest", String(64), nullable=False),
    Column("ended_by", sa.BigInteger),
    Column("seen_at", Instant, nullable=False),
    UniqueConstraint("source", "external_id", "version"),
    Index("ix_movements_by_id", "account", "source", "external_id"),
    Index("ix_movements_by_link", "account", "source", "link"),
    _when("ix_movements_by_reference", "account", "source", "reference_normalised", where="reference_normalised <> ''"),
    _when("ix_movements_by_name", "account", "name_normalised", where="name_normalised <> ''"),
    Index("ix_movements_by_amount", "amount_cents", "on"),
)

breaks = Table(
    "breaks",
    metadata,
    Column("id", Serial, primary_key=True),
    # Kind, account and the movements concerned: the same difference in the next run is the same break, and grows older.
    Column("fingerprint", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("account", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("run_id", sa.BigInteger, nullable=False),
    Column("reference", Text, nullable=False, default=""),
    Column("matter_id", sa.BigInteger),
    Column("money_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("cause", Text, nullable=False),
    Column("candidates", Json, nullable=False),
    Column("movement_ids", Json, nullable=False),
    # The day of its oldest movement: its age is counted from here.
    Column("since", Date, nullable=False),
    Column("owner", String(120)),
    Column("why", Text),
    Column("cure_by", Date),
    Column("opened_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    _partial("uq_breaks_standing", "fingerprint", where="state IN ('open', 'reopened')"),
)

# ── Trust ────────────────────────────────────────────────────────────────────────────────────────────────────────────

# One row a ledger. Only a frozen one may be short of zero or of what it promised: a fact of the bank's or of Clio's books froze
# it, and no line of ours and no promise is made on it until it is whole again (T8, T14). 0 stands for "no client", "no matter".
trust_ledgers = Table(
    "trust_ledgers",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("client_id", sa.BigInteger, nullable=False, default=0),
    Column("matter_id", sa.BigInteger, nullable=False, default=0, index=True),
    Column("currency", String(3), nullable=False),
    Column("balance_cents", sa.BigInteger, nullable=False, default=0),
    # Promised to draws that are proposed or authorised: what keeps two bills from counting the same dollar.
    Column("reserved_cents", sa.BigInteger, nullable=False, default=0),
    # Held for a third party, whatever the client says (T29).
    Column("claimed_cents", sa.BigInteger, nullable=False, default=0),
    Column("frozen", Boolean, nullable=False, default=False),
    Column("frozen_by", String(64)),
    Column("moved_on", Date),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("account", "kind", "client_id", "matter_id"),
    sa.CheckConstraint(
        "frozen OR (balance_cents >= 0 AND reserved_cents <= balance_cents)", name="ck_trust_ledgers_covered"
    ),
    sa.CheckConstraint("reserved_cents >= 0 AND claimed_cents >= 0", name="ck_trust_ledgers_promises"),
)

# Append-only, and the database itself refuses anything else: a correction is a line that reverses another (T12).
trust_lines = Table(
    "trust_lines",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("ledger_id", sa.BigInteger, nullable=False, index=True),
    Column("account", String(64), nullable=False),
    Column("origin", String(8), nullable=False),
    Column("external_id", String(80), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("balance_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # When it posts, and which day it belongs to: a correction posts today and belongs to the day of what it corrects.
    Column("on", Date, nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("party", String(80), nullable=False),
    Column("purpose", String(80), nullable=False),
    Column("reference", Text, nullable=False),
    Column("clears_on", Date),
    Column("bill_id", sa.BigInteger, index=True),
    Column("reverses", sa.BigInteger, unique=True),
    Column("actor", String(120), nullable=False),
    Column("authoriser", String(120)),
    Column("why", Text),
    # When Clio had last changed it: an older reading never replaces a newer one (F17).
    Column("told_at", Instant),
    Column("known_at", Instant, nullable=False),
    UniqueConstraint("origin", "external_id", "version"),
)

draws = Table(
    "draws",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("bill_id", sa.BigInteger, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ledger_id", sa.BigInteger, nullable=False, index=True),
    Column("account", String(64), nullable=False),
    Column("client_id", sa.BigInteger, nullable=False),
    Column("matter_id", sa.BigInteger, nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("reason", String(64)),
    # The notice that went before it, and from which day it may be authorised (T18).
    Column("notice", String(200)),
    Column("notice_channel", String(32)),
    Column("noticed_at", Instant),
    Column("draw_from", Date),
    Column("proposed_at", Instant, nullable=False),
    Column("authorised_at", Instant),
    Column("authorised_by", String(120)),
    Column("line_id", sa.BigInteger, unique=True),
    Column("posted_at", Instant),
    Column("reconciled_at", Instant),
    Column("updated_at", Instant, nullable=False),
    # Replaying an event, a task or a file any number of times makes one draw (T23).
    UniqueConstraint("bill_id", "purpose", "sequence"),
    _partial("uq_draws_open", "bill_id", "purpose", where="state IN ('proposed', 'authorised')"),
)

# What may not be touched, and why: a disputed part of a bill, or a third party's claim on a ledger (T26–T29).
trust_holds = Table(
    "trust_holds",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("bill_id", sa.BigInteger, index=True),
    Column("ledger_id", sa.BigInteger, index=True),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_by", String(120), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("released_by", String(120)),
    Column("released_why", Text),
    Column("released_at", Instant),
)

# One account, one period, one state of knowledge: `inputs` says which, and the same are never decided twice (T42).
runs = Table(
    "runs",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("cut_off", Date, nullable=False),
    Column("version", Integer, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("asked_by", String(120), nullable=False),
    # running, finished, or abandoned: killed, and never gone on with because more was known by then.
    Column("state", String(16), nullable=False),
    Column("inputs", Json, nullable=False),
    Column("inputs_digest", String(64), nullable=False),
    # How far it came, and how often that was written: of two workers on one run the second changes nothing.
    Column("place", Json, nullable=False),
    Column("steps", Integer, nullable=False, default=0),
    Column("counts", Json, nullable=False),
    Column("statement", Json),
    Column("digest", String(64)),
    Column("began_at", Instant, nullable=False),
    Column("finished_at", Instant),
    # Since when its matches are let go; its figures stay.
    Column("pruned_at", Instant),
    UniqueConstraint("account", "opened_on", "cut_off", "version"),
    _partial("uq_runs_inputs", "account", "opened_on", "cut_off", "inputs_digest", where="state <> 'abandoned'"),
)

# Which movements are the same money, an edge a row; edges that share a movement on one side are one match.
matches = Table(
    "matches",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("run_id", sa.BigInteger, nullable=False),
    Column("leg", String(16), nullable=False),
    Column("rule", String(32), nullable=False),
    Column("left_id", sa.BigInteger),
    Column("right_id", sa.BigInteger),
    # The left side's day; a day's deposit at the bank names its days here instead of every line.
    Column("on", Date, nullable=False),
    Index("ix_matches_of_right", "run_id", "leg", "right_id"),
)

# What no rule has matched yet, while a run is under way; when it is finished, its outstanding items.
unmatched = Table(
    "unmatched",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("run_id", sa.BigInteger, nullable=False),
    Column("leg", String(16), nullable=False),
    Column("right", Integer, nullable=False),
    Column("movement_id", sa.BigInteger, nullable=False),
    Column("matter_id", sa.BigInteger),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("on", Date, nullable=False),
    # open, break, or outstanding.
    Column("state", String(16), nullable=False),
    # What the rules group by: empty where there is nothing to go by.
    Column("name", Ordered, nullable=False),
    Column("reference", Ordered, nullable=False),
    Column("money", Ordered, nullable=False),
    Column("client", Ordered, nullable=False),
    Column("matter", Ordered, nullable=False),
    Index("ix_unmatched_movement", "run_id", "leg", "movement_id"),
    Index("ix_unmatched_name", "run_id", "leg", "name", "right"),
    Index("ix_unmatched_reference", "run_id", "leg", "reference", "right"),
    _when("ix_unmatched_money", "run_id", "leg", "money", "right", where="money <> ''"),
    _when("ix_unmatched_amount", "run_id", "leg", "amount_cents", where="money <> ''"),
)

# A run's own words about each difference, as they were then.
differences = Table(
    "differences",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("run_id", sa.BigInteger, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("money_cents", sa.BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("matter_id", sa.BigInteger),
    Column("candidates", Json, nullable=False),
    Column("movement_ids", Json, nullable=False),
    Column("since", Date, nullable=False),
    # The fingerprint of the difference of the same run that this one only follows from.
    Column("root", String(64)),
    UniqueConstraint("run_id", "fingerprint"),
)

# Statement files of the bank: the same bytes are recognised (F73), and only they say what the bank holds (T38).
bank_files = Table(
    "bank_files",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("format", String(8), nullable=False),
    Column("begins_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("opening_cents", sa.BigInteger, nullable=False),
    Column("closing_cents", sa.BigInteger, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("imported_by", String(120), nullable=False),
    Column("imported_at", Instant, nullable=False),
    UniqueConstraint("account", "digest"),
)

# Signed and thereby locked: what comes later about these days goes into the open period (T41).
periods = Table(
    "periods",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("closed_on", Date, nullable=False),
    Column("run_id", sa.BigInteger, nullable=False),
    Column("reviewer", String(120), nullable=False),
    Column("waiver", Text),
    Column("inputs_digest", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("signed_at", Instant, nullable=False),
    UniqueConstraint("account", "closed_on"),
)

# ── A dry run ────────────────────────────────────────────────────────────────────────────────────────────────────────

# One row: whether this database was begun as a dry run. What a dry run believes to be outside must never be worked on live.
origin = Table(
    "origin",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dry_run", Boolean, nullable=False),
    Column("begun_at", Instant, nullable=False),
)

# What a dry run would have done, in order; its negated id stands for the object that was not made.
imagined = Table(
    "imagined",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("verb", String(32), nullable=False, index=True),
    Column("subject_kind", String(32), nullable=False),
    Column("subject_id", sa.BigInteger),
    Column("facts", Json, nullable=False),
    Column("at", Instant, nullable=False),
)

# ── The connection ───────────────────────────────────────────────────────────────────────────────────────────────────

tokens = Table(
    "tokens",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("access_token", LargeBinary, nullable=False),
    Column("refresh_token", LargeBinary),
    Column("expires_at", Instant),
    Column("revoked", Boolean, nullable=False, default=False),
    Column("refreshing_until", Double),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("model", String(32), primary_key=True),
    Column("path_token", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("webhook_id", sa.BigInteger),
    Column("etag", String(80)),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("secret", LargeBinary),
    Column("previous_secret", LargeBinary),
    # Secrets offered by handshakes while a creation is pending; only one that the API confirms becomes `secret` (F23).
    Column("offered", Json, nullable=False),
    Column("expires_at", Instant),
    Column("updated_at", Instant, nullable=False),
    # Since when this address waits for its handshake, and how many addresses before it waited in vain.
    Column("asked_at", Instant),
    Column("tries", Integer, nullable=False, default=0, server_default="0"),
    Column("confirmed_at", Instant),
    # The last address that was confirmed, served with its own secret until nothing can be on its way to it (F24).
    Column("previous_path_token", String(64)),
    Column("delivered_at", Instant),
    Column("refused", Integer, nullable=False, default=0, server_default="0"),
    Column("refused_in_a_row", Integer, nullable=False, default=0, server_default="0"),
    Column("refused_at", Instant),
)

# Whose data this database holds, remembered from the first connection; `proof` is the digest of the last token checked.
connections = Table(
    "connections",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("account_id", sa.BigInteger, nullable=False),
    Column("account_name", Text, nullable=False),
    Column("user_id", sa.BigInteger, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("host", String(255), nullable=False),
    Column("proof", String(64), nullable=False),
    Column("connected_at", Instant, nullable=False),
    Column("checked_at", Instant, nullable=False),
)

# Attempts to connect in a browser: the digest of each one's nonce, and the code once it has come, encrypted.
authorisations = Table(
    "authorisations",
    metadata,
    Column("state", String(64), primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("code", LargeBinary),
    Column("declined", Boolean, nullable=False, default=False),
)

# ── Approval inside Clio ─────────────────────────────────────────────────────────────────────────────────────────────

# Our buttons at Clio, one for each place: what has to be taken away when the signal is switched off.
custom_actions = Table(
    "custom_actions",
    metadata,
    Column("place", String(32), primary_key=True),
    Column("clio_id", sa.BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

# Who of the firm signed in with a token of their own, kept under `clio:USER` in `tokens`.
people = Table(
    "people",
    metadata,
    Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("signed_in_at", Instant, nullable=False),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("state", String(64), primary_key=True),
    Column("made_at", Instant, nullable=False),
)

# A press of the button that Clio confirmed. Unique by its nonce, so none counts twice; `secret` is the digest of what only
# the browser that opened the page holds, `shown` the entries of the page with the digests of their values.
presses = Table(
    "presses",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("nonce", String(64), nullable=False, unique=True),
    Column("user_id", sa.BigInteger, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("subject_kind", String(16), nullable=False),
    Column("subject_id", sa.BigInteger, nullable=False),
    Column("matter_id", sa.BigInteger),
    Column("secret", String(64), nullable=False),
    Column("shown", Json, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("result", Json),
)

# ── Retainers ────────────────────────────────────────────────────────────────────────────────────────────────────────

# A request to fill a matter's trust money up again. One open at a time for each matter; `bill_id` is Clio's trust bill.
retainers = Table(
    "retainers",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("matter_id", sa.BigInteger, nullable=False, index=True),
    Column("client_id", sa.BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount_cents", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("threshold_cents", sa.BigInteger, nullable=False),
    Column("balance_cents", sa.BigInteger, nullable=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("request_id", sa.BigInteger),
    Column("bill_id", sa.BigInteger, unique=True),
    Column("reason", String(64)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    _partial("uq_retainers_open", "matter_id", where="state IN ('wanted', 'asked', 'tasked')"),
)
