"""Old and new versions beside each other (F15, docs/adr/0009): schemas, rows and topics of the version before and after."""

import re
import time
from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from orchestrator.engine.run import run
from orchestrator.settings import Misconfigured
from orchestrator.storage.jobs import JobState
from orchestrator.storage.migrate import _config, migrate, newest, require_newest
from orchestrator.storage.tables import jobs
from orchestrator.storage.unit_of_work import connect
from workflows.book import BOOK

LINE = [script.revision for script in reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))]


# ── the schema ──


@pytest.fixture
def engine(database_url):
    engine = connect(database_url)
    yield engine
    engine.dispose()


def at(engine, revision):
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return sa.inspect(engine)


def named(engine, revision):
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def test_revisions_are_four_digits_in_one_line():
    assert all(re.fullmatch(r"\d{4}", revision) for revision in LINE)
    assert sorted(LINE) == LINE
    assert len(ScriptDirectory.from_config(_config()).get_heads()) == 1


def test_a_newer_schema_of_the_same_epoch_serves_this_program(engine):
    migrate(engine)
    future = newest()[0] + "999"
    named(engine, future)
    require_newest(engine)
    assert migrate(engine) == (future, future), "an older image's migrate step leaves it alone"


def test_a_schema_of_another_epoch_is_refused_with_what_to_do(engine):
    migrate(engine)
    named(engine, f"{int(newest()[0]) + 1}001")
    for attempt in (require_newest, migrate):
        with pytest.raises(
            Misconfigured, match="newer than this program can serve: start the version that migrated it"
        ):
            attempt(engine)


def test_F15_a_revision_within_its_epoch_only_adds(empty_database_url):
    """So that a program of the version before goes on reading and writing while the new one starts."""
    engine = connect(empty_database_url)
    schemas = {revision: schema(at(engine, revision)) for revision in LINE}
    engine.dispose()
    assert schemas[LINE[0]].keys() < schemas[LINE[-1]].keys()
    for before, after in pairwise(LINE):
        if before[0] != after[0]:
            continue  # a new epoch: every process is stopped for it
        old, new = schemas[before], schemas[after]
        for table, (known, unique) in old.items():
            found, uniques = new[table]
            for name, column in known.items():
                assert name in found, f"{after}: {table}.{name} is gone"
                assert str(found[name]["type"]) == str(column["type"]), f"{after}: {table}.{name} changed its type"
                assert found[name]["nullable"] >= column["nullable"], f"{after}: {table}.{name} must now be given"
            for name in found.keys() - known.keys():
                added = found[name]
                given = added["nullable"] or added["default"] is not None
                assert given, f"{after}: {table}.{name}: an old program does not give it"
            assert uniques <= unique, f"{after}: {table} refuses what an old program may write"


def schema(inspector):
    """Columns and refusals of every table."""
    return {table: (columns(inspector, table), refusals(inspector, table)) for table in inspector.get_table_names()}


def columns(inspector, table):
    return {column["name"]: column for column in inspector.get_columns(table)}


def refusals(inspector, table):
    unique = [tuple(one["column_names"]) for one in inspector.get_unique_constraints(table)]
    unique += [tuple(one["column_names"]) for one in inspector.get_indexes(table) if one["unique"]]
    return set(unique)


# ── rows ──

FUTURE = {"a_key_of_the_next_version": {"nested": [1]}}


def test_F15_payloads_with_keys_of_a_newer_version_are_done_as_ever(firm):
    bill = firm.issued_bill()
    for _ in range(4):
        with firm.rt.uow() as work:
            waiting = work.connection.execute(sa.select(jobs).where(jobs.c.state == JobState.READY)).mappings().all()
            for row in waiting:
                fuller = sa.update(jobs).where(jobs.c.id == row["id"]).values(payload=row["payload"] | FUTURE)
                work.connection.execute(fuller)
        firm.later(minutes=16)
    assert [link["bill_id"] for link in firm.links()] == [bill["id"]]
    assert len(firm.mails()) == 1
    firm.check()


FIRST = {
    "link.create": {"link_id", "bill_id"},
    "link.expire": {"link_id"},
    "message.send": {"message_id", "link_id", "bill_id"},
    "communication.log": {"message_id", "link_id", "bill_id"},
    "task.create": {"key", "matter_id", "name", "description"},
    "note.create": {"matter_id", "bill_id", "subject", "detail", "note_key"},
    "matter.mark": {"matter_id"},
}
"""All that the oldest rows of this epoch are sure to hold. A key that came later is not added here: its body has a default."""


def test_F15_payloads_that_lack_every_newer_key_are_done_as_ever(firm):
    """From approved time to money in, each row cut down to what the oldest version wrote, just before it runs."""
    cut = set()

    def later(**span):
        firm.sandbox.clock_advance(timedelta(**span).total_seconds())
        time.sleep(0.021)  # the moved clock is asked at most every 20 ms
        firm.tick()
        while bells := firm.bells():
            for job_id in bells:
                with firm.rt.uow() as work:
                    row = work.connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).mappings().one()
                    known = FIRST.get(row["topic"], set())
                    older = {key: value for key, value in row["payload"].items() if key in known}
                    cut.update((row["topic"], key) for key in row["payload"].keys() - older.keys())
                    work.connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(payload=older))
                run(firm.rt, BOOK, job_id)

    firm.log_time(dollars=150)
    for _ in range(4):
        later(minutes=16)
    later(hours=1)
    assert len(firm.effects("task.created")) == 1
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.sandbox.act("approve_bill", id=bill["id"])
    for _ in range(3):
        later(minutes=16)
    [link] = firm.links()
    assert len(firm.mails()) == len(firm.effects("communication.created")) == 1
    firm.sandbox.act("pay_link", link_id=link["id"], method="card", settle_after_seconds=0)
    for _ in range(3):
        later(minutes=16)
    assert len(firm.effects("note.created")) == 2
    assert len(firm.effects("matter.patched")) == 1
    assert {("message.send", "amount_cents"), ("task.create", "purpose"), ("matter.mark", "bill_id")} <= cut
    assert firm.exceptions() == {}
    firm.check()


def test_F15_a_topic_of_a_newer_version_is_left_for_it(firm):
    """With this version's book less one topic: what an older worker sees of a newer one's job."""
    older = {topic: body for topic, body in BOOK.items() if topic != "link.create"}
    firm.issued_bill()
    firm.sandbox.clock_advance(16 * 60)
    for _ in range(30):
        firm.tick()
        for job_id in firm.bells():
            run(firm.rt, older, job_id)
    [link] = firm.jobs("link.create")
    assert (link["state"], link["attempts"], link["reason"]) == (JobState.READY, 0, None)
    assert link["held_until"] is not None, "it rests, so that bells do not go round and round"
    assert firm.exceptions() == {}
    firm.later(minutes=2)
    firm.later(minutes=2)
    assert len(firm.links()) == 1
    firm.check()
