"""The rail `lawpay_page`: references that notice an edit, addresses that say cents, and accounts of the right class."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.domain.accounts import AccountClass, FirmAccount
from orchestrator.domain.bills import BillKind
from orchestrator.domain.ids import effect_key
from orchestrator.domain.lawpay_pages import (
    LONGEST_REFERENCE,
    RailRule,
    account_for_page,
    check_character,
    keys_in,
    looks_like_ours,
    page_address,
    parse_reference,
    rail_for,
    reference_of,
)
from orchestrator.domain.links import Rail
from orchestrator.errors import Rejected

KEY = effect_key("link", 7, 1, 60_000, "USD")
OURS = reference_of(KEY, matter_number="00012-Smith", bill_number="INV-2041")
numbers = st.text(max_size=80)


def account(key, kind="operating", **facts):
    known = {"clio_id": None, "lawpay_ids": (f"{key}-card",), "bank_id": None, "currency": "USD", "time_zone": "UTC"}
    return FirmAccount(key=key, account_class=AccountClass[kind.upper()], **{**known, **facts})


def chosen(kind=BillKind.REVENUE, *accounts, **facts):
    pages = {one.key: f"https://secure.lawpay.com/pages/firm/{one.key}" for one in accounts}
    given = {"pages": pages, "refused": (), "currency": "USD", "chosen": None} | facts
    found = account_for_page(kind, accounts, **given)
    return found and found.key


def test_a_reference_names_matter_and_bill():
    assert OURS.startswith("ORC-00012.SMITH-INV.2041-")
    assert parse_reference(OURS).matter_number == "00012.SMITH"
    assert parse_reference(OURS).bill_number == "INV.2041"


@given(numbers, numbers, st.integers(0, 2**64))
def test_parsing_is_the_inverse_of_building(matter, bill, fact):
    text = reference_of(effect_key("link", fact), matter_number=matter, bill_number=bill)
    assert len(text) <= LONGEST_REFERENCE
    assert text.isascii()
    found = parse_reference(text)
    body = f"ORC-{found.matter_number}-{found.bill_number}-{found.key}"
    assert text == f"{body}-{check_character(body)}"


@given(st.integers(0, len(OURS) - 1), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_F65_one_wrong_character_is_noticed(place, character):
    # A letter typed for a dot or a hyphen is one more character, not a wrong one: the key decides then, not the numbers.
    assume(OURS[place].isalnum())
    edited = OURS[:place] + character + OURS[place + 1 :]
    assert edited == OURS or parse_reference(edited) is None


@given(st.integers(0, len(OURS) - 2))
def test_F65_two_swapped_characters_are_noticed(place):
    edited = OURS[:place] + OURS[place + 1] + OURS[place] + OURS[place + 2 :]
    swapped = {OURS[place], OURS[place + 1]}
    # A hyphen or a dot is no part of the check: moving one changes the shape, or the numbers and not the key.
    if len(swapped) == 2 and not swapped & {"-", "."}:
        assert parse_reference(edited) is None


@pytest.mark.parametrize("text", [OURS.lower(), f"  {OURS} ", OURS])
def test_case_and_space_around_it_are_no_edit(text):
    assert parse_reference(text) == parse_reference(OURS)


@pytest.mark.parametrize("text", ["", "INV-2041", "ORC", "ORC-----", "retainer", OURS + "0", OURS[:-1]])
def test_anything_else_is_not_ours(text):
    assert parse_reference(text) is None


def test_an_edited_reference_is_recognised_as_having_been_ours():
    assert looks_like_ours(f"{OURS} for March")
    assert looks_like_ours(f"bill {parse_reference(OURS).key}")
    assert keys_in(f"bill {parse_reference(OURS).key}") == [parse_reference(OURS).key]
    assert not looks_like_ours("Retainer for the Ferris matter")


def test_an_address_carries_cents_reference_and_locks():
    address = page_address("https://secure.lawpay.com/pages/firm/operating", amount_cents=60_001, reference="A B/ü&c=1")
    assert "+" not in address
    assert "A%20B%2F" in address
    assert parse_qs(urlsplit(address).query) == {
        "amount": ["60001"],
        "reference": ["A B/ü&c=1"],
        "readOnlyFields": ["amount,reference"],
    }


def test_a_page_that_has_a_query_keeps_it():
    assert page_address("https://pay.test/p?x=1", amount_cents=1, reference="R").startswith(
        "https://pay.test/p?x=1&amount=1&"
    )


@pytest.mark.parametrize("cents", [0, -1])
def test_F69_nothing_or_less_is_never_asked_for(cents):
    with pytest.raises(Rejected):
        page_address("https://pay.test/p", amount_cents=cents, reference="R")


def test_T1_a_bill_for_work_is_paid_into_operating():
    assert chosen(BillKind.REVENUE, account("op"), account("iolta", "trust")) == "op"


def test_T2_a_request_for_a_deposit_is_paid_into_trust():
    assert chosen(BillKind.TRUST, account("op"), account("iolta", "trust")) == "iolta"


def test_T1_other_kinds_of_bill_have_no_account():
    assert chosen(BillKind.OTHER, account("op"), account("iolta", "trust")) is None


def test_T1_an_account_of_the_wrong_class_is_refused_even_when_chosen():
    with pytest.raises(Rejected, match="trust account"):
        chosen(BillKind.REVENUE, account("op"), account("iolta", "trust"), chosen="iolta")


def test_T1_an_account_that_lawpay_calls_otherwise_or_nothing_is_refused():
    assert chosen(BillKind.REVENUE, account("op"), refused={"op"}) is None


def test_T1_two_able_accounts_are_nobody_s_guess():
    assert chosen(BillKind.REVENUE, account("a"), account("b")) is None
    assert chosen(BillKind.REVENUE, account("a"), account("b"), chosen="b") == "b"


def test_F69_an_account_in_another_currency_is_refused():
    assert chosen(BillKind.REVENUE, account("op", currency="CAD")) is None


def test_an_account_without_a_page_or_a_gateway_account_is_refused():
    assert chosen(BillKind.REVENUE, account("op"), pages={}) is None
    assert chosen(BillKind.REVENUE, account("op", lawpay_ids=())) is None


CLIO, PAGE = RailRule(Rail.CLIO_PAYMENTS), RailRule(Rail.LAWPAY_PAGE)
ESTATES = RailRule(Rail.LAWPAY_PAGE, practice_area="Estates", account="estates")
AUSTIN = RailRule(Rail.LAWPAY_PAGE, office="Austin")


def test_the_first_rule_that_fits_decides():
    rules = (ESTATES, AUSTIN)
    assert rail_for(rules, CLIO, matters=[("estates ", "Austin")]) == ESTATES
    assert rail_for(rules, CLIO, matters=[("Torts", "austin")]) == AUSTIN
    assert rail_for(rules, CLIO, matters=[("Torts", None)]) == CLIO


def test_matters_that_disagree_take_the_firm_s_own_rail():
    assert rail_for((ESTATES,), CLIO, matters=[("Estates", None), ("Torts", None)]) == CLIO
    assert rail_for((ESTATES,), CLIO, matters=[]) == CLIO
