"""`orchestrator audit`: the record, whether it is whole, and a copy of it to take away."""

import json

import sqlalchemy as sa

from orchestrator.domain.audit_chain import line_hash
from orchestrator.storage.audit import to_line
from orchestrator.storage.tables import audit
from tests.cli.conftest import Cli, environment
from tests.cli.test_cli_desk import said
from tests.cli.test_cli_reads import promised
from tests.firm import open_firm


def test_the_record_is_shown_newest_first_and_by_what_it_is_about(cli):
    rows = cli.json("audit", "show")
    assert set(rows[0]) == promised(cli, ("audit", "show"))
    assert [row["seq"] for row in rows] == sorted((row["seq"] for row in rows), reverse=True)
    sent = cli.json("audit", "show", "--action", "message.")
    assert {row["action"] for row in sent} <= {"message.sent", "message.withheld"}
    about = f"{sent[0]['subject_kind']}:{sent[0]['subject_id']}"
    assert {row["subject_id"] for row in cli.json("audit", "show", "--about", about)} == {sent[0]["subject_id"]}
    assert cli.json("audit", "show", "--actor", "nobody") == []
    assert cli.json("audit", "show", "--since", "2030-01-01") == []
    assert "Audit lines" in said(cli("audit", "show", "--limit", 3))
    assert cli("audit", "show", "--about", "bill").exit_code == 2


def test_a_whole_record_is_said_to_be_whole(cli):
    found = cli.json("audit", "verify")
    assert set(found) == promised(cli, ("audit", "verify"))
    assert (found["intact"], found["first_bad_seq"]) == (True, None)
    assert said(cli("audit", "verify")).startswith(f"All {found['lines']} lines are as they were written")


def test_what_is_taken_away_carries_its_hashes(cli, tmp_path):
    file = tmp_path / "audit.jsonl"
    words = said(cli("audit", "export", file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert words == f"{len(lines)} lines are in {file}.\n"
    assert [line["prev"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert "is there already" in said(cli("audit", "export", file), 1)


def test_F82_the_first_bad_line_is_named_with_exit_code_1(sandbox, database_url):
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        firm.mailed_bill()
        with firm.rt.uow() as work:
            work.connection.execute(sa.update(audit).where(audit.c.seq == 3).values(action="link.expired"))
        cli = Cli(environment(sandbox, database_url))
        done = cli("audit", "verify")
        assert (done.exit_code, done.stdout) == (1, "The record was changed. Line 3 is not as it was written.\n")
        assert json.loads(cli("audit", "verify", "--json").stdout)["first_bad_seq"] == 3


def test_F82_a_clock_put_back_is_told_with_exit_code_3(sandbox, database_url):
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        firm.mailed_bill()
        with firm.rt.uow() as work:
            last = work.audit.rows(sa.select(audit).order_by(audit.c.seq.desc()).limit(1))[0]
            back = to_line(dict(last) | {"at": firm.rt.clock().replace(year=2020)})
            values = {"at": back.at, "hash": line_hash(back, back.prev)}
            work.connection.execute(sa.update(audit).where(audit.c.seq == back.seq).values(**values))
        done = Cli(environment(sandbox, database_url))("audit", "verify")
        assert (done.exit_code, done.stdout.splitlines()[1]) == (
            3,
            f"Line {back.seq} is dated before the line above it: a clock was put back.",
        )


def test_T46_an_evidence_pack_is_whole_or_not_there(cli, tmp_path):
    file = tmp_path / "march.zip"
    words = said(cli("audit", "export", file, "--month", "2026-03"))
    assert words.splitlines()[1] == "The audit lines are as they were written."
    assert file.read_bytes().startswith(b"PK")
    assert "is there already" in said(cli("audit", "export", file, "--month", "2026-03"), 1)
    other = tmp_path / "none.zip"
    assert "is not known here" in said(cli("audit", "export", other, "--matter", 4711), 1)
    assert list(tmp_path.iterdir()) == [file]
    found = json.loads(said(cli("audit", "export", other, "--month", "2026-03", "--json")))
    assert found.keys() >= {"file", "format", "of", "rows", "files", "audit"}
    assert cli("audit", "export", tmp_path / "x", "--month", "2026-03", "--matter", 1).exit_code == 2
