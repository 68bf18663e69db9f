"""T46, T47: a pack of one matter or one month holds all of it and nothing else, proves itself, and is the same every time."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import date

import pytest
import sqlalchemy as sa

from orchestrator.domain.audit_chain import GENESIS
from orchestrator.domain.bounces import Bounced, Report
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.domain.silence import HoldKind, Subject
from orchestrator.errors import Rejected
from orchestrator.storage.bounces import key_of
from orchestrator.storage.evidence import PARTS
from orchestrator.storage.tables import audit, breaks, metadata
from orchestrator.usecases.export_evidence import export_evidence
from orchestrator.usecases.hold_reminders import hold
from orchestrator.usecases.map_reference import map_reference
from orchestrator.usecases.note_bounce import note_bounce
from tests.databases import either_url
from tests.firm import open_firm

__all__ = ["either_url"]


def moved(ident, reference, cents=60_000, **facts):
    return Movement(
        source=Source.LAWPAY, external_id=ident, account="iolta", amount_cents=cents, currency="USD", on=date(2026, 3, 2),
        at=None, kind=MovementKind.DEPOSIT, status=MovementStatus.SETTLED, reference=reference, **facts,
    )  # fmt: skip


def a_break(firm, reference):
    with firm.rt.uow() as work:
        [row] = [row for row in work.movements.rows_of(range(1, 100)).values() if row["reference"] == reference]
        work.connection.execute(
            sa.insert(breaks).values(
                fingerprint=reference, kind="unmapped_reference", account="iolta", state="open", run_id=1, reference=reference,
                money_cents=60_000, currency="USD", cause="nobody knows it", candidates=[], movement_ids=[row["id"]],
                since=work.now.date(), opened_at=work.now, updated_at=work.now,
            )
        )  # fmt: skip


def lived(firm):
    """Two matters, each with a bill; one of them with a payment, and money that only a mapping brings to it."""
    other = firm.sandbox.act("create_matter", client="bo", attorney="ada", display_number="=00002-Other")["id"]
    firm.later(minutes=16)
    bill = firm.mailed_bill()
    link = firm.links()[-1]["id"]
    firm.sandbox.act("pay_link", link_id=link, method="card", settle_after_seconds=0)
    firm.later(minutes=16)
    foreign = firm.mailed_bill(matter_id=other)
    with firm.rt.uow() as work:
        work.movements.see([
            moved("t1", "RETAINER"), moved("t2", "somebody else's"), moved("t3", "x", matter_id=other),
            moved("t4", "00001-Ferris", cents=1),
        ])  # fmt: skip
    a_break(firm, "RETAINER")
    map_reference(firm.rt, "retainer", firm.matter(), provider="lawpay", by="nora", note="letter of 2 March")
    return other, bill, foreign


@pytest.fixture
def either_firm(sandbox, either_url):
    with open_firm(sandbox, either_url) as firm:
        firm.work()
        yield firm


def pack(firm, **scope):
    out = io.BytesIO()
    export_evidence(firm.rt, out, **({"matter_id": None, "month": None} | scope))
    return out.getvalue()


def opened(data):
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        assert zipped.testzip() is None
        return {name: zipped.read(name).decode() for name in zipped.namelist()}


def rows(files, name):
    found = json.loads(files[f"{name}.json"])
    as_csv = list(csv.DictReader(io.StringIO(files[f"{name}.csv"])))
    assert len(as_csv) == len(found)
    return found


def test_T46_a_matter_s_pack_holds_all_of_the_matter_and_nothing_of_another(either_firm):
    firm = either_firm
    other, bill, foreign = lived(firm)
    files = opened(pack(firm, matter_id=firm.matter()))
    assert {row["id"] for row in rows(files, "bills")} == {bill["id"]}
    assert [row["bill_id"] for row in rows(files, "messages")] == [bill["id"]]
    assert sorted(row["external_id"] for row in rows(files, "movements")) == ["t1", "t4"]
    assert [row["reference"] for row in rows(files, "breaks")] == ["RETAINER"]
    assert len(rows(files, "payments")) == 1
    assert sum(row["amount_cents"] for row in rows(files, "journal")) == 0
    said = {row["action"] for row in rows(files, "audit")}
    assert {"message.sent", "link.created", "payment_received", "reference.mapped", "break_reopened"} <= said
    assert not [row for row in rows(files, "audit") if row["subject_id"] in (str(foreign["id"]), str(other))]
    assert "bo@clients.test" not in "".join(files.values())
    theirs = opened(pack(firm, matter_id=other))
    assert [row["external_id"] for row in rows(theirs, "movements")] == ["t3"]
    assert {row["id"] for row in rows(theirs, "bills")} == {foreign["id"]}


def test_T46_a_pack_shows_what_the_client_was_told_and_why_not(either_firm):
    firm = either_firm
    other = firm.sandbox.act("create_matter", client="bo", attorney="ada", display_number="00002-Other")["id"]
    firm.later(minutes=16)
    firm.mailed_bill(due_at="2026-03-12")
    firm.mailed_bill(matter_id=other, due_at="2026-06-12")
    firm.later(days=17)
    firm.later(minutes=2)
    invoice, theirs, reminder = firm.mails()
    with firm.rt.uow() as work:
        note_bounce(work, Report(key_of(reminder["message_id"]), Bounced.HARD, "5.1.1"), source="imap")
    bo = firm.ids["contacts"]["bo"]
    hold(firm.rt, Subject.CLIENT, bo, HoldKind.PAUSE, until=None, why="=she called", by="nora", dry_run=False)
    firm.later(days=14)
    files = opened(pack(firm, matter_id=firm.matter()))
    sent = {row["message_id"]: row for row in rows(files, "letters_sent")}
    assert set(sent) == {invoice["message_id"], reminder["message_id"]}
    told = hashlib.sha256(b"v1|address|bo@clients.test").hexdigest()
    assert {row["address"] for row in sent.values()} == {told}, "as README.txt says"
    assert "v1|address|" in files["README.txt"]
    assert sent[reminder["message_id"]]["bounced"] == "hard"
    [letter] = rows(files, "reminder_letters")
    assert (letter["message_id"], letter["subject"]) == (reminder["message_id"], reminder["subject"])
    [bounce] = rows(files, "bounces")
    assert (bounce["address"], bounce["code"]) == (told, "5.1.1")
    [held] = rows(files, "reminder_holds")
    assert (held["kind"], held["why"], held["made_by"]) == ("pause", "=she called", "nora")
    steps = {row["step"]: row for row in rows(files, "reminders")}
    assert steps["overdue-7"]["state"] == "sent"
    assert {one["reason"] for one in steps["overdue-21"]["reasons"]} == {"client_paused", "address_bounced"}
    assert "bo@clients.test" not in "".join(files.values())
    assert {row["message_id"] for row in rows(opened(pack(firm, matter_id=other)), "letters_sent")} == {
        theirs["message_id"]
    }
    march, april, may = (opened(pack(firm, month=f"2026-0{month}")) for month in (3, 4, 5))
    assert [len(rows(one, "letters_sent")) for one in (march, april, may)] == [3, 0, 0]
    assert [len(rows(one, "reminder_holds")) for one in (march, april, may)] == [1, 1, 1], "it stands"


def test_T46_a_month_s_pack_holds_what_happened_in_it_by_the_office_s_calendar(either_firm):
    firm = either_firm
    lived(firm)
    march, april = opened(pack(firm, month="2026-03")), opened(pack(firm, month="2026-04"))
    with firm.rt.read() as work:
        total = work.audit.head()[0]
    assert len(rows(march, "audit")) == total
    assert len(rows(march, "movements")) == 4
    assert len(rows(march, "bills")) == 2
    assert rows(april, "audit") == rows(april, "movements") == rows(april, "messages") == []
    assert len(rows(april, "breaks")) == 1, "it stands, and so it is of every month since"
    assert march["audit.csv"].splitlines()[1].split(",")[1].endswith("-05:00"), "the office's own time"
    assert json.loads(march["audit.json"])[0]["at"].endswith("+00:00")


def test_T47_a_pack_proves_itself(firm):
    lived(firm)
    files = opened(pack(firm, month="2026-03"))
    manifest = json.loads(files["manifest.json"])
    assert manifest["files"].keys() == files.keys() - {"manifest.json"}
    for name, said in manifest["files"].items():
        assert hashlib.sha256(files[name].encode()).hexdigest() == said["sha256"]
        assert len(files[name].encode()) == said["bytes"]
    assert manifest["audit"]["intact"] is True
    prev = GENESIS
    for line in json.loads(files["audit.json"]):
        # By what README.txt says, and nothing else.
        said = [
            "v1",
            prev,
            *(line[name] for name in ("seq", "at", "actor", "action", "subject_kind", "subject_id", "facts")),
        ]
        assert line["prev"] == prev
        prev = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        assert line["hash"] == prev
    assert manifest["audit"]["head"]["hash"] == prev


def test_the_same_facts_make_the_same_bytes(firm):
    lived(firm)
    for scope in ({"matter_id": firm.matter()}, {"month": "2026-03"}):
        first = pack(firm, **scope)
        firm.sandbox.clock_advance(3600)
        assert pack(firm, **scope) == first


def test_F82_a_pack_of_a_record_that_was_changed_says_so(firm):
    lived(firm)
    with firm.rt.uow() as work:
        work.connection.execute(sa.update(audit).where(audit.c.seq == 4).values(actor="nora"))
    manifest = json.loads(opened(pack(firm, matter_id=firm.matter()))["manifest.json"])
    assert (manifest["audit"]["intact"], manifest["audit"]["first_bad_seq"]) == (False, 4)


def test_F79_no_cell_of_a_pack_is_run_by_a_spreadsheet(firm):
    other, *_ = lived(firm)
    files = opened(pack(firm, matter_id=other))
    [row] = list(csv.DictReader(io.StringIO(files["references.csv"])))
    assert row["reference"] == "'=00002-Other"


@pytest.mark.parametrize("month", ["2026-13", "March", "2026-3-1", ""])
def test_what_is_no_month_is_refused(firm, month):
    with pytest.raises(Rejected, match="write it as 2026-03"):
        pack(firm, month=month)


def test_a_matter_that_nobody_knows_is_refused(firm):
    with pytest.raises(Rejected, match="is not known here"):
        pack(firm, matter_id=4711)


def test_parts_name_columns_that_exist_and_nobody_s_name_or_address():
    hidden = {"client_name", "client_email", "client_email_problem", "body", "url", "party"}
    for part in PARTS:
        assert set(part.columns) <= set(metadata.tables[part.table.name].columns.keys())
        assert not hidden & set(part.columns)
