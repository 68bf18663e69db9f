"""The ladder's rules by themselves: whatever the order, certain or silent (F74)."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.batches import Credit, batches, nets
from orchestrator.domain.first_look import Look, clean
from orchestrator.domain.ladder import LADDER
from orchestrator.domain.matching import SAME_REFERENCE_DAYS, SET, Item, Leg, Verdict, decide

DAY = date(2026, 3, 2)


def item(ident, *, right, cents=100, key="k", day=0, status="settled", matter=None, source=None, kind="deposit"):
    where = source or ("clio_ledger" if right else "lawpay")
    on = DAY + timedelta(days=day)
    return Item(key, int(right), ident, where, f"x{ident}", cents, on, kind, status, "", matter, None, None, None)


items = st.builds(
    item,
    st.integers(1, 10_000),
    right=st.booleans(),
    cents=st.sampled_from([100, 100, 200, -100]),
    key=st.sampled_from("abc"),
    day=st.integers(0, 9),
    status=st.sampled_from(["settled", "settled", "failed", "pending"]),
    matter=st.sampled_from([None, 5, 6]),
)
groups = st.lists(items, max_size=12, unique_by=lambda one: one.id).map(sorted)


def everything(verdict: Verdict):
    matched = [one for match in verdict.matches for one in (*match.lefts, *match.rights)]
    broken = [one.id for difference in verdict.differences for one in difference.items]
    return matched, broken, [one.id for one in verdict.left_over]


@given(groups, st.sampled_from(LADDER))
def test_every_movement_is_matched_broken_or_left_over_and_only_once(members, rule):
    matched, broken, left = everything(decide(rule, members, {}))
    assert sorted([*matched, *broken, *left]) == [one.id for one in sorted(members, key=lambda one: one.id)]


@given(groups, st.sampled_from(LADDER))
def test_the_sides_of_a_match_are_worth_the_same(members, rule):
    cents = {one.id: 0 if one.status == "failed" else one.amount_cents for one in members}
    for match in decide(rule, members, {}).matches:
        lefts, rights = (sum(cents[one] for one in side) for side in (match.lefts, match.rights))
        assert lefts == (-rights if match.rule in ("client_level_draw", "internal_transfer") else rights)
        assert min(len(match.lefts), len(match.rights)) == 1 or match.rule.endswith(SET)
        if match.rule.endswith(SET):
            days = {one.id: one.on for one in members}
            assert len(match.lefts) == len(match.rights)
            assert all(
                abs((days[one] - days[other]).days) <= SAME_REFERENCE_DAYS
                for one in match.lefts
                for other in match.rights
            )


AT_BANK = {rule.name: rule for rule in LADDER if rule.leg is Leg.BANK}


def at_bank(lefts, rights, key="100"):
    """The days of equal lines in the ledger and at the bank; what is matched, broken and left over."""
    members = [item(n, right=False, day=day, key=key) for n, day in enumerate(lefts)]
    members += [item(100 + n, right=True, day=day, key=key) for n, day in enumerate(rights)]
    verdict = decide(AT_BANK["amount_days"], sorted(members), {})
    matched = [(one.rule, one.lefts, one.rights) for one in verdict.matches]
    return matched, [one.kind for one in verdict.differences], [one.id for one in verdict.left_over]


def test_equal_amounts_at_the_bank_are_matched_as_a_set_and_nobody_is_paired():
    assert at_bank([0, 1, 1], [1, 2, 3]) == ([("amount_days_set", (0, 1, 2), (100, 101, 102))], [], [])


def test_of_equal_amounts_at_the_bank_only_what_is_more_is_left_over():
    assert at_bank([0, 1, 4], [1, 2]) == ([("amount_days_set", (0, 1), (100, 101))], [], [2])
    assert at_bank([0, 7], [2]) == ([("amount_days_set", (0,), (100,))], [], [1])
    assert at_bank([1], [1, 2, 3]) == ([("amount_days_set", (0,), (100,))], [], [101, 102])


def test_F74_equal_amounts_at_the_bank_that_are_not_all_near_each_other_are_a_person_s():
    matched, kinds, left = at_bank([0, 4, 8], [1, 5, 9])
    assert (matched, kinds, left) == ([], ["ambiguous_match"], [])


def test_one_on_each_side_is_a_pair_and_no_set():
    for name, rule in AT_BANK.items():
        pair = [item(1, right=False), item(2, right=True)]
        assert {one.rule for one in decide(rule, pair, {}).matches} <= {name}


def test_two_cheques_of_one_number_and_amount_are_a_set_and_three_against_two_a_duplicate():
    rule = AT_BANK["exact_reference"]
    twice = [item(n, right=n % 2, day=n) for n in range(1, 5)]
    assert [(one.rule, one.lefts, one.rights) for one in decide(rule, sorted(twice), {}).matches] == [
        ("exact_reference_set", (2, 4), (1, 3))
    ]
    more = decide(rule, sorted([*twice, item(6, right=False, day=3)]), {})
    assert ([one.kind for one in more.differences], more.matches) == (["duplicate"], [])


@given(groups, st.sampled_from(LADDER), st.randoms())
def test_T42_the_order_in_which_equals_come_changes_nothing(members, rule, random):
    shuffled = list(members)
    random.shuffle(shuffled)
    again = decide(rule, sorted(shuffled, key=lambda one: one.key), {})
    assert {(*match.lefts, *match.rights) for match in again.matches} == {
        (*match.lefts, *match.rights) for match in decide(rule, members, {}).matches
    }


@given(groups)
def test_the_first_look_says_what_the_rule_would(members):
    payments = {one.key: one for one in members if not one.right}.values()
    lines = [one for one in members if one.right]
    looks = [
        Look(p.id, p.on, p.amount_cents, p.status, p.kind, p.source, "", p.matter_id, p.key, *line)
        for p in payments
        for line in [(one.id, one.amount_cents, one.status, one.matter_id) for one in lines if one.key == p.key]
        or [(None,) * 4]
    ]
    found = clean(sorted(looks), {})
    whole = decide(LADDER[0], sorted([*payments, *lines]), {})
    assert {((left,), (right,)) for left, right, _ in found.pairs} <= {(one.lefts, one.rights) for one in whole.matches}
    assert {look.id for look in found.alone} <= {one.id for one in whole.left_over}
    assert sorted([pair[0] for pair in found.pairs] + [look.id for look in found.alone] + found.rest) == sorted(
        payment.id for payment in payments
    )


def test_F74_a_line_that_two_payments_of_one_name_could_have_left_is_neither_s_at_first_sight():
    line = (9, 100, "settled", None)
    looks = [Look(n, DAY, 100, "settled", "deposit", "lawpay", "", None, "k", *line) for n in (1, 2)]
    assert (clean(looks, {}).pairs, clean(looks, {}).rest) == ([], [1, 2])


def test_F74_two_equal_amounts_of_one_day_are_never_picked():
    rule = next(rule for rule in LADDER if rule.name == "amount_matter_days")
    twice = [item(n, right=n > 2, matter=5, key="100|5") for n in range(1, 5)]
    verdict = decide(rule, twice, {})
    assert verdict.matches == []
    assert [one.kind for one in verdict.differences] == ["ambiguous_match"]


def test_a_weekend_s_deposits_are_one_line_of_the_bank_s():
    totals = {DAY: 100, DAY + timedelta(days=1): 250, DAY + timedelta(days=2): 70}
    line = Credit(1, DAY + timedelta(days=4), 420)
    assert batches(totals, [line]) == {1: tuple(totals)}


def test_a_line_that_could_be_either_of_two_days_is_neither_s():
    totals = {DAY: 100, DAY + timedelta(days=1): 100}
    assert batches(totals, [Credit(1, DAY + timedelta(days=2), 100)]) == {}


def test_T16_a_day_that_arrives_with_a_fee_taken_out_is_seen():
    assert nets({DAY: 10_000}, [Credit(1, DAY + timedelta(days=2), 9_700)]) == {1: DAY}
    assert nets({DAY: 10_000}, [Credit(1, DAY + timedelta(days=2), 9_000)]) == {}
    assert nets({DAY: 10_000}, [Credit(n, DAY + timedelta(days=2), 9_700) for n in (1, 2)]) == {}
