"""Of several differences with one root, only the root asks for a person."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.breaks import BREAKS
from orchestrator.domain.consequences import Found, Seen, roots

DAY = date(2026, 3, 2)


def seen(ident, source, cents=100, day=0):
    return Seen(ident, source, DAY + timedelta(days=day), cents)


CHARGE, LINE = seen(1, "lawpay"), seen(2, "clio_ledger", day=1)


def test_a_line_that_the_bank_cannot_show_follows_from_what_contradicts_it():
    found = [Found("a", "wrong_matter", (CHARGE, LINE)), Found("b", "stale_item", (LINE,))]
    assert roots(found) == {"b": "a"}


def test_a_line_that_is_the_only_candidate_of_a_payment_follows_from_it():
    found = [Found("a", "unmapped_reference", (CHARGE,), (2,)), Found("b", "missing_at_bank", (LINE,))]
    assert roots(found) == {"b": "a"}
    assert roots([Found("a", "unmapped_reference", (CHARGE,), (2, 3)), found[1]]) == {}


def test_the_bank_s_sight_of_a_payment_follows_from_it():
    found = [Found("a", "missing_in_clio", (CHARGE,)), Found("b", "missing_in_clio", (seen(3, "bank", day=2),))]
    assert roots(found) == {"b": "a"}
    assert roots([found[0], Found("b", "missing_in_clio", (seen(3, "bank", cents=99, day=2),))]) == {}
    assert roots([found[0], Found("b", "missing_in_clio", (seen(3, "bank", day=8),))]) == {}


def test_what_could_follow_from_two_stands_by_itself():
    twice = [Found(name, "missing_in_clio", (seen(n, "lawpay"),)) for n, name in ((1, "a"), (2, "b"))]
    assert roots([*twice, Found("c", "missing_in_clio", (seen(3, "bank", day=2),))]) == {}
    lines = [Found(name, "missing_in_clio", (seen(n, "bank", day=2),)) for n, name in ((3, "c"), (4, "d"))]
    assert roots([twice[0], *lines]) == {}


def test_nothing_worse_hides_under_something_milder():
    fee = [Found("a", "amount_differs", (CHARGE, LINE)), Found("b", "fee_from_trust", (LINE,))]
    assert roots(fee) == {}
    back = [Found("a", "missing_in_clio", (CHARGE,)), Found("b", "late_return", (seen(3, "bank", day=2),))]
    assert roots(back) == {}


movements = st.builds(
    seen,
    st.integers(1, 6),
    st.sampled_from(["lawpay", "clio_ledger", "bank"]),
    st.sampled_from([100, 200]),
    st.integers(0, 9),
)
everything = st.lists(
    st.builds(
        Found, st.uuids().map(str), st.sampled_from(sorted(BREAKS)), st.lists(movements, max_size=3).map(tuple),
        st.lists(st.integers(1, 6), max_size=2).map(tuple),
    ),
    max_size=8,
    unique_by=lambda one: one.fingerprint,
)  # fmt: skip


@given(everything)
def test_a_root_follows_from_nothing_and_is_at_least_as_bad(found):
    kinds = {one.fingerprint: one.kind for one in found}
    under = roots(found)
    assert not under.keys() & set(under.values())
    assert all(BREAKS[kinds[root]].severity <= BREAKS[kinds[one]].severity for one, root in under.items())
