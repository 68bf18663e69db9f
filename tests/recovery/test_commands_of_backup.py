"""`orchestrator backup` and `orchestrator restore`, as an administrator runs them."""

import json
import logging
import re
import shutil
import sqlite3
from contextlib import closing

import pytest
import structlog

from orchestrator.storage.lineage import Gate
from orchestrator.storage.migrate import migrate, newest
from orchestrator.storage.unit_of_work import connect
from tests.cli.conftest import Cli
from tests.firm import CONFIG, open_firm
from tests.recovery.past import Past
from tests.servers import postgres_programs


@pytest.fixture(autouse=True)
def _own_logs():
    """A command configures the logs of its process; here that process is everybody's."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def orchestrator(sandbox, tmp_path):
    """Runs the real command on a database."""

    def run(url, *words):
        environment = {
            "ORCH_ENVIRONMENT": "test", "ORCH_DATABASE_URL": url, "ORCH_CLOCK_URL": f"{sandbox.url}/clock",
            "ORCH_CLIO__BASE_URL": sandbox.clio_base_url, "ORCH_CLIO__ACCESS_TOKEN": sandbox.access_token,
            "ORCH_ENGINE__MARK_DIR": str(tmp_path / "mark"), "ORCH_CONFIG_DIR": str(CONFIG), "COLUMNS": "200",
        }  # fmt: skip
        return Cli(environment)(*words)

    return run


def refused(done):
    """The one sentence of a command that would not."""
    assert (done.exit_code, done.stdout) == (1, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_F57_the_commands_themselves_take_a_copy_and_bring_it_back(orchestrator, sandbox, either_url, tmp_path):
    past = Past(sandbox, either_url, tmp_path)
    kept = tmp_path / "kept.backup"
    with postgres_programs(), past.firm() as firm:
        firm.work()
        bill = firm.issued_bill(dollars=100)
        firm.work()
        said = json.loads(orchestrator(either_url, "backup", kept, "--json").stdout)
        assert said == {"file": str(kept), "size_bytes": kept.stat().st_size, "revision": newest(), "at": said["at"]}
        assert kept.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
        assert "is there already" in refused(orchestrator(either_url, "backup", kept))
        firm.later(minutes=16)
        firm.later(minutes=2)
        [link], [mail] = firm.links(), firm.mails()
        assert "The firm is running" in refused(orchestrator(either_url, "restore", kept, "--replace"))
    past.fall_silent()
    with postgres_programs():
        assert "not empty" in refused(orchestrator(either_url, "restore", kept))
        done = orchestrator(either_url, "restore", kept, "--replace", "--json")
        assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["revision_before"], said["revision"]) == (newest(), newest())
    assert re.search(r"before[-_]\d{8}T\d{6}$", said["kept"])
    assert "Recovering (restored from a backup)" in orchestrator(either_url, "status").stdout
    assert "wait until Clio has been read" in orchestrator(either_url, "jobs", "list").stdout
    said = json.loads(orchestrator(either_url, "status", "--json").stdout)
    assert (said["ready"], said["recovery"]["cause"], said["recovery"]["recovering"]) == (False, "restored", True)
    with past.firm() as firm:
        firm.work()
        firm.later(minutes=2)
        firm.later(minutes=2)
        with firm.rt.read() as work:
            assert work.lineage.life().gate is Gate.OPEN
            assert [row["clio_id"] for row in work.links.of_bill(bill["id"])] == [link["id"]]
        assert (firm.links(), firm.mails()) == ([link], [mail])
        firm.check()


def test_a_backup_that_is_none_or_damaged_or_too_new_is_refused_in_a_sentence(orchestrator, database_url, tmp_path):
    engine = connect(database_url)
    migrate(engine)
    engine.dispose()
    good, bad, newer = tmp_path / "good", tmp_path / "bad", tmp_path / "newer"
    assert orchestrator(database_url, "backup", good).exit_code == 0
    assert "There is no file" in refused(orchestrator(database_url, "restore", tmp_path / "nowhere"))
    assert "is not a folder" in refused(orchestrator(database_url, "backup", tmp_path / "no" / "where"))
    bad.write_bytes(good.read_bytes()[:-4096])
    assert str(bad) in refused(orchestrator(database_url, "restore", bad))
    bad.write_bytes(b"not a database at all")
    assert str(bad) in refused(orchestrator(database_url, "restore", bad))
    shutil.copy(good, newer)
    with closing(sqlite3.connect(newer)) as copy:
        copy.execute("UPDATE alembic_version SET version_num = '9999'")
        copy.commit()
    assert "revision 9999, which this version does not know" in refused(orchestrator(database_url, "restore", newer))
    assert orchestrator(database_url, "restore", good).exit_code == 0, "nothing had been done in it yet"


def test_a_database_without_its_programs_says_which_and_where_to_get_them(
    orchestrator, postgres_url, tmp_path, monkeypatch
):
    engine = connect(postgres_url)
    migrate(engine)
    engine.dispose()
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused(orchestrator(postgres_url, "backup", tmp_path / "copy"))
    assert said.startswith("pg_dump is not on the PATH.")
    assert "--format=custom" in said
    assert "postgres@" not in said


def test_a_database_that_was_never_one_of_ours_is_not_replaced(orchestrator, sandbox, tmp_path, database_url):
    with open_firm(sandbox, database_url):
        pass
    assert orchestrator(database_url, "backup", tmp_path / "copy").exit_code == 0
    other = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(other)) as strange:
        strange.execute("CREATE TABLE theirs (id INTEGER)")
    said = refused(orchestrator(f"sqlite:///{other}", "restore", tmp_path / "copy", "--replace"))
    assert "tables that are not ours" in said
