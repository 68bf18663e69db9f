"""A bill is called what the client reads on it, or by its id; what may mean two bills means none."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.errors import Rejected
from orchestrator.usecases.find_bill import find_bill


@pytest.fixture
def numbered(firm):
    """Two bills, and a way to give one a number as Clio would."""
    bills = [firm.issued_bill(), firm.issued_bill()]
    firm.later(minutes=16)

    def renumber(bill, number):
        with firm.rt.uow() as work:
            [known] = work.mirror.bills([bill["id"]]).values()
            renamed = replace(known, number=number, updated_at=work.now + timedelta(hours=1))
            work.mirror.put_bills([renamed], read_at=work.now)

    return firm, bills, renumber


def test_a_bill_is_found_by_its_number_however_it_is_written_and_by_its_id(numbered):
    firm, (one, other), renumber = numbered
    renumber(one, "INV-00417")
    renumber(other, "INV-00418")
    for named in ("INV-00417", "inv 417", str(one["id"])):
        assert find_bill(firm.rt, named) == one["id"], named


def test_the_number_just_as_it_is_written_comes_before_one_that_only_looks_alike(numbered):
    firm, (one, other), renumber = numbered
    renumber(one, "0417")
    renumber(other, "417")
    assert find_bill(firm.rt, "417") == other["id"]
    assert find_bill(firm.rt, "0417") == one["id"]


def test_what_may_mean_two_bills_is_refused_and_both_are_named(numbered):
    firm, (one, other), renumber = numbered
    renumber(other, str(one["id"]))
    with pytest.raises(Rejected, match=rf"may be any of 2 bills: .*{one['id']}.*{other['id']}"):
        find_bill(firm.rt, str(one["id"]))


@pytest.mark.parametrize("nothing", ["", "-", "0", "9" * 40, "no such number", "'; --"])
def test_nothing_is_found_where_nothing_is_meant(firm, nothing):
    firm.issued_bill()
    firm.later(minutes=16)
    with pytest.raises(Rejected, match="There is no bill"):
        find_bill(firm.rt, nothing)
