"""What one engine compiled serves the next of its kind, and of no other."""

import pytest
import sqlalchemy as sa

from orchestrator.storage.dialects import COMPILED, PostgreSQL, SQLite
from orchestrator.storage.tables import jobs
from orchestrator.storage.unit_of_work import connect

STATEMENT = sa.select(jobs.c.topic, sa.literal("said by nothing else").label("by"))


def say(url):
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(STATEMENT)
    engine.dispose()


def test_a_second_engine_compiles_nothing_that_the_first_of_its_kind_did(either_url):
    say(either_url)
    known = set(COMPILED)
    say(either_url)
    assert set(COMPILED) == known


def test_what_was_compiled_for_one_kind_is_not_for_the_other(database_url, postgres_url):
    say(database_url)
    say(postgres_url)
    said = {type(key[0]) for key, compiled in COMPILED.items() if "said by nothing else" in compiled.params.values()}
    assert said == {SQLite, PostgreSQL}


@pytest.mark.parametrize("kind", [SQLite, PostgreSQL])
def test_a_server_of_another_version_is_another_kind(kind):
    older, newer, same = kind(), kind(), kind()
    older.server_version_info = (16, 1)
    newer.server_version_info = same.server_version_info = (18, 0)
    assert older != newer == same
