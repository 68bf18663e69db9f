"""T47, F82: whatever is done to the record, the first line that was touched is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.audit_chain import GENESIS, Fault, Head, Line, check, line_hash

THEN = datetime(2026, 3, 2, 15, tzinfo=UTC)


def chain(count, *, gaps=(), recovered=()):
    """A chain of so many lines; after a seq in `gaps` a number is skipped, as PostgreSQL does after a rollback."""
    lines, prev, seq = [], GENESIS, 0
    for step in range(count):
        seq += 2 if seq in gaps else 1
        action, subject = ("recovery.began", f"era{seq}") if seq in recovered else ("link.created", str(step))
        line = Line(seq, THEN + timedelta(minutes=step), "worker", action, "link", subject, {"cents": step}, prev)
        prev = line_hash(line, prev)
        lines.append(replace(line, hash=prev))
    return lines


def first(lines, heads=()):
    found = check(lines, heads).first
    return (found.seq, found.fault) if found else None


@given(st.integers(0, 12), st.sets(st.integers(0, 12)))
def test_an_untouched_chain_is_whole_gaps_or_not(count, gaps):
    lines = chain(count, gaps=gaps)
    found = check(lines, [Head(line.seq, line.hash) for line in lines])
    assert (found.findings, found.lines) == ([], count)


CHANGES = {
    "seq": lambda line: replace(line, seq=line.seq * 1000),
    "at": lambda line: replace(line, at=line.at + timedelta(microseconds=1)),
    "actor": lambda line: replace(line, actor="nora"),
    "action": lambda line: replace(line, action="link.expired"),
    "subject_kind": lambda line: replace(line, subject_kind="bill"),
    "subject_id": lambda line: replace(line, subject_id="4711"),
    "facts": lambda line: replace(line, facts={"cents": 1_000_000}),
    "prev": lambda line: replace(line, prev="f" * 64),
    "hash": lambda line: replace(line, hash="f" * 64),
    "unhashed": lambda line: replace(line, hash=None),
}


@given(st.integers(2, 15), st.data())
def test_T47_any_single_edit_is_found_and_its_line_is_the_first_that_is_named(count, data):
    lines = chain(count, gaps=data.draw(st.sets(st.integers(0, 15))))
    place = data.draw(st.integers(0, count - 2))
    name = data.draw(st.sampled_from(sorted(CHANGES)))
    touched = sorted([*lines[:place], CHANGES[name](lines[place]), *lines[place + 1 :]], key=lambda line: line.seq)
    found = first(touched)
    assert found is not None
    if name != "seq":
        assert found[0] == lines[place].seq


@given(st.integers(2, 15), st.data())
def test_T47_a_line_edited_and_hashed_anew_is_found_by_the_next(count, data):
    lines = chain(count)
    place = data.draw(st.integers(0, count - 2))
    forged = replace(lines[place], actor="nora")
    lines[place] = replace(forged, hash=line_hash(forged, forged.prev))
    assert first(lines) == (lines[place].seq, Fault.EDITED)


@given(st.integers(2, 15), st.data())
def test_T47_a_line_taken_out_is_missed(count, data):
    lines = chain(count)
    place = data.draw(st.integers(0, count - 2))
    gone = lines.pop(place)
    assert first(lines) == (gone.seq, Fault.MISSING)


@given(st.integers(1, 15), st.data())
def test_F82_a_tail_that_was_cut_is_missed_by_the_head_that_was_noted(count, data):
    lines = chain(count)
    kept = data.draw(st.integers(0, count - 1))
    head = Head(lines[-1].seq, lines[-1].hash)
    assert first(lines[:kept], [head]) == (kept + 1, Fault.CUT)
    assert first(lines[:kept]) is None, "without a head outside nobody can know"


def test_F82_a_chain_written_anew_from_somewhere_on_is_found_by_a_head():
    lines = chain(9)
    heads = [Head(line.seq, line.hash) for line in (lines[2], lines[5], lines[8])]
    prev, forged = lines[3].hash, lines[:4]
    for line in lines[4:]:
        changed = replace(line, actor="nora", prev=prev)
        prev = line_hash(changed, prev)
        forged.append(replace(changed, hash=prev))
    assert first(forged) is None
    assert first(forged, heads) == (6, Fault.EDITED)


def test_F82_a_clock_put_back_is_named_and_changes_nothing_else():
    lines, prev = [], GENESIS
    for seq, minutes in enumerate((0, 10, -50, -49), 1):
        line = Line(seq, THEN + timedelta(minutes=minutes), "worker", "a", "b", "c", {}, prev)
        prev = line_hash(line, prev)
        lines.append(replace(line, hash=prev))
    found = check(lines)
    assert (found.first, found.clock.seq) == (None, 3)


def test_F60_clocks_that_differ_by_a_minute_and_a_half_are_no_matter():
    lines, prev = [], GENESIS
    for seq, seconds in enumerate((0, 90, 0, 5), 1):
        line = Line(seq, THEN + timedelta(seconds=seconds), "worker", "a", "b", "c", {}, prev)
        prev = line_hash(line, prev)
        lines.append(replace(line, hash=prev))
    assert check(lines).findings == []


def test_F57_heads_of_a_life_that_was_lost_are_not_missed_after_the_recovery():
    present = chain(6, recovered=[4])
    lost = [Head(3, present[2].hash, "first"), Head(5, "e" * 64, "first"), Head(90, "f" * 64, "first")]
    assert first(present, lost) is None
    assert first(present, [Head(3, "d" * 64, "first")]) == (3, Fault.EDITED)
    assert first(present, [Head(90, "f" * 64, "era4...")]) == (7, Fault.CUT)


@pytest.mark.parametrize("many", [1, 3])
def test_lines_of_an_older_version_wait_at_the_end_to_be_sealed(many):
    lines = chain(5)
    loose = [Line(6 + n, THEN + timedelta(hours=1), "worker", "a", "b", "c", {}) for n in range(many)]
    found = check([*lines, *loose])
    assert (found.findings, found.unsealed, found.lines) == ([], many, 5 + many)
