"""The tables that code, people and documents share."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.domain.bills import GONE, TRANSITIONS, UNISSUED, BillState
from orchestrator.domain.breaks import BREAKS
from orchestrator.domain.contacts import EmailProblem
from orchestrator.domain.kinds import KINDS, SWEPT
from orchestrator.domain.links import LINK_TRANSITIONS, LinkState
from orchestrator.domain.payments import FELL_THROUGH, RECEIVED, UNDER_WAY, PaymentState
from orchestrator.domain.reasons import REASONS, advice, meaning
from orchestrator.domain.topics import PASSING, TOPICS, urgency_of

SOURCE = Path(__file__).parents[2] / "orchestrator"
WORKER = [path for path in SOURCE.rglob("*.py") if not {"sandbox", "demo", "cli"} & set(path.parts)]


@pytest.mark.parametrize(
    ("table", "states"), [(LINK_TRANSITIONS, LinkState), (TRANSITIONS, BillState)], ids=["links", "bills"]
)
def test_a_table_of_states_is_closed(table, states):
    assert set(table) == set(states)
    assert {later for others in table.values() for later in others} <= set(states)
    assert all(state not in table[state] for state in states)


def test_a_link_that_is_over_stays_over():
    for state in (LinkState.USED, LinkState.EXPIRED, LinkState.WITHDRAWN):
        assert LINK_TRANSITIONS[state] == set()


def test_every_link_state_can_be_reached():
    reached, edge = {LinkState.WAITING}, {LinkState.WAITING}
    while edge:
        edge = {later for state in edge for later in LINK_TRANSITIONS[state]} - reached
        reached |= edge
    assert reached == set(LinkState)


def test_payment_states_fall_into_three_kinds():
    assert set(PaymentState) == UNDER_WAY | RECEIVED | FELL_THROUGH
    assert len(UNDER_WAY) + len(RECEIVED) + len(FELL_THROUGH) == len(PaymentState)


def test_unissued_and_gone_are_different_ends_of_a_bill():
    assert not UNISSUED & GONE


def test_every_kind_has_a_drain():
    assert {f"sync.{kind}" for kind in KINDS} <= TOPICS.keys()
    assert set(SWEPT) <= set(KINDS)


def test_only_known_topics_can_be_queued():
    assert TOPICS.keys() >= PASSING
    with pytest.raises(KeyError):
        urgency_of("billing.exploded")


# ── reasons ──

CALLS = {"Silence": 0, "Unneeded": 0, "Decision": 1}
"""Classes whose n-th argument is a reason."""


def codes() -> Iterator[tuple[str, str]]:
    """Every literal reason code of the worker, and where it stands."""
    for path in WORKER:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                where = f"{path.relative_to(SOURCE)}:{node.lineno}"
                yield from ((code, where) for code in _codes_of(node))


def _codes_of(call: ast.Call) -> Iterator[str]:
    name = (
        call.func.id
        if isinstance(call.func, ast.Name)
        else call.func.attr
        if isinstance(call.func, ast.Attribute)
        else ""
    )
    holder = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    for keyword in call.keywords:
        if keyword.arg == "reason" and not isinstance(keyword.value, ast.JoinedStr):
            yield from _literals(keyword.value)
    place = CALLS.get(name, 0 if name in {"open", "close"} and holder.endswith("exceptions") else None)
    # A code that is put together is tested where its parts are known.
    if place is not None and len(call.args) > place and not isinstance(call.args[place], ast.JoinedStr):
        yield from _literals(call.args[place])


def _literals(node: ast.expr) -> Iterator[str]:
    # What a table is asked with is no code; what it answers is told by the table's own test.
    keys = {id(part) for one in ast.walk(node) if isinstance(one, ast.Subscript) for part in ast.walk(one.slice)}
    for found in ast.walk(node):
        if (
            id(found) not in keys
            and isinstance(found, ast.Constant)
            and isinstance(found.value, str)
            and re.fullmatch(r"[a-z_]+", found.value)
        ):
            yield found.value


INTERNAL = {"time", "reason"}
"""Why a link row is over when nothing but time passed, and the name of an error's field: never shown as a reason."""


def test_every_reason_the_code_gives_is_one_that_people_can_read_about():
    found = set(codes())
    assert len({code for code, _ in found}) > 25
    unknown = sorted((code, where) for code, where in found if code not in REASONS and code not in INTERNAL)
    assert unknown == []


def test_reasons_held_in_tables_are_known_too():
    tables = set(EmailProblem)
    for node in (node for path in WORKER for node in ast.walk(ast.parse(path.read_text("utf-8")))):
        match node:
            case ast.Assign(targets=[ast.Name(id="LOUD" | "DATA_PROBLEMS" | "HELD_BY_ACCOUNT")]):
                tables |= {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
    assert len(tables) > 8
    assert tables <= REASONS.keys()


@pytest.mark.parametrize("code", ["clio_refused", "clio_not_found", "clio_forbidden", "clio_version_retired"])
def test_what_the_provider_s_answers_mean_is_known(code):
    assert code in REASONS


def test_every_reason_completes_a_sentence():
    for code, reason in REASONS.items():
        assert re.fullmatch(r"[a-z_]+", code)
        assert reason.meaning
        assert not reason.meaning.endswith(".")
        assert reason.meaning[0].islower() or reason.meaning.split()[0] in {"Clio", "Clio's", "LawPay", "LawPay's"}
        assert not reason.advice or reason.advice.endswith((".", "`."))


def test_an_unknown_code_is_shown_as_it_is():
    assert meaning("never_heard") == "never heard"
    assert advice("never_heard") == ""
    assert meaning(None) == ""


def test_every_kind_of_break_is_a_reason():
    assert {f"break_{kind}" for kind in BREAKS} <= REASONS.keys()
