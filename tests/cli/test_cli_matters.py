"""`orchestrator matters`: the lookup table at the desk."""

import json
from datetime import date

import pytest

from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from tests.cli.conftest import Cli, environment
from tests.cli.test_cli_desk import said
from tests.cli.test_cli_reads import promised
from tests.firm import open_firm


@pytest.fixture
def desk(sandbox, database_url):
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        yield firm, Cli(environment(sandbox, database_url))


def test_a_reference_is_mapped_looked_up_and_taken_back(desk):
    firm, cli = desk
    ident = firm.matter()
    assert said(cli("matters", "map", "retainer bo", ident, "--dry-run")) == (
        f"'retainer bo' would mean matter {ident}; no break waits for it.\n"
    )
    assert cli.json("matters", "show", "retainer bo")["resolution"] == {"outcome": "unknown"}
    done = json.loads(said(cli("matters", "map", "retainer bo", ident, "--by", "Nora", "--json")))
    assert set(done) == promised(cli, ("matters", "map"))
    found = cli.json("matters", "show", "RETAINER BO")
    assert set(found) == promised(cli, ("matters", "show"))
    assert found["resolution"] == {"outcome": "resolved", "matter_id": ident, "rung": "normalised_reference"}
    assert "means matter" in said(cli("matters", "show", "retainer bo"))
    assert "no longer means matter" in said(cli("matters", "unmap", "retainer bo"))
    assert "Nobody mapped" in said(cli("matters", "unmap", "retainer bo"), 1)
    assert [line["kind"] for line in cli.json("matters", "list")] == ["display_number"]
    history = cli.json("matters", "show", "--matter", ident)["lines"]
    assert [line["withdrawn_at"] is None for line in history] == [True, False]


def test_every_matter_is_read_and_its_numbers_known(desk):
    _, cli = desk
    assert said(cli("matters", "backfill", "--dry-run")) == "Would begin anew, 200 matters a call.\n"
    assert said(cli("matters", "backfill")) == "1 matters read; their numbers are known.\n"
    found = cli.json("matters", "backfill", "--queue")
    assert (found["queued"], found["read"], found["total"]) == (True, 1, 1)
    assert set(found) == promised(cli, ("matters", "backfill"))
    assert said(cli("matters", "backfill", "--queue")) == "A worker is at it already.\n"


def test_a_file_goes_out_and_comes_in(desk, tmp_path):
    firm, cli = desk
    file = tmp_path / "references.csv"
    assert said(cli("matters", "export", file)) == f"1 lines are in {file}.\n"
    assert "is there already" in said(cli("matters", "export", file), 1)
    with file.open("a") as more:
        more.write(f"lawpay,mapped,x,{firm.matter()}\n")
    assert said(cli("matters", "import", file, "--dry-run")).startswith("1 of 2 lines would be new")
    assert said(cli("matters", "import", file, "--by", "Nora")).startswith("1 of 2 lines are new")
    file.write_bytes(b"provider,kind,reference,matter_id\nlawpay,mapped,x,4711\nlawpay,mapped,y\n")
    refused = said(cli("matters", "import", file), 1)
    assert [line[:7] for line in refused.splitlines()] == ["Nothing", "Line 2:", "Line 3:"]
    file.write_bytes(b"provider\xff")
    assert "is not UTF-8" in said(cli("matters", "import", file), 1)


def test_texts_that_nobody_can_place_are_listed_with_their_money_until_they_are_mapped(desk):
    firm, cli = desk
    lines = [("lawpay", "1", "RETAINER 4711", 60_000), ("lawpay", "2", "RETAINER 4711", -20_000), ("bank", "3", "WIRE", 100),
             ("lawpay", "4", "00001-Ferris", 500_000), ("lawpay", "5", "INV 9 / 00001-Ferris", 700)]  # fmt: skip
    with firm.rt.uow() as work:
        work.movements.see([
            Movement(
                source=Source(source), external_id=ident, account="iolta", amount_cents=cents, currency="USD",
                on=date(2026, 3, 2), at=None, kind=MovementKind.DEPOSIT, status=MovementStatus.SETTLED, reference=text,
            )
            for source, ident, text, cents in lines
        ])  # fmt: skip
    rows = cli.json("matters", "unmapped")
    assert set(rows[0]) == promised(cli, ("matters", "unmapped"))
    assert [(row["reference"], row["money_cents"], row["movements"]) for row in rows] == [
        ("RETAINER 4711", 80_000, 2), ("INV 9 / 00001-Ferris", 700, 1), ("WIRE", 100, 1),
    ]  # fmt: skip
    assert [hint["matter_id"] for hint in rows[1]["hints"]] == [firm.matter()]
    assert [row["reference"] for row in cli.json("matters", "unmapped", "--source", "bank")] == ["WIRE"]
    assert "RETAINER 4711" in said(cli("matters", "unmapped"))
    assert f"would mean matter {firm.matter()}: look there first" in said(
        cli("matters", "show", "INV 9 / 00001-Ferris")
    )
    said(cli("matters", "map", "retainer 4711", firm.matter()))
    assert [row["reference"] for row in cli.json("matters", "unmapped")] == ["INV 9 / 00001-Ferris", "WIRE"]


def test_a_merged_matter_names_the_other(desk):
    firm, cli = desk
    other = firm.sandbox.act("create_matter", client="bo", attorney="ada")["id"]
    firm.later(minutes=16)
    words = said(cli("matters", "merge", firm.matter(), "--into", other))
    assert words == f"1 references of matter {firm.matter()} name matter {other}; no break waits for it.\n"
    assert cli.json("matters", "show", "00001-Ferris")["resolution"]["matter_id"] == other


def test_usage_that_contradicts_itself_is_said_to_be_wrong(desk):
    _, cli = desk
    assert cli("matters", "show").exit_code == 2
    assert cli("matters", "map", "x", "1", "--provider", "paypal").exit_code == 2
    assert "not known here" in said(cli("matters", "map", "x", "4711"), 1)
