"""T1: configuration and Clio must call an account the same, or nobody posts to it."""

import pytest

from orchestrator.domain.accounts import AccountClass
from orchestrator.usecases.confirm_accounts import LAWPAY, confirm, refused
from tests.firm import open_firm


@pytest.fixture
def with_accounts(sandbox, database_url):
    def open_(account_class, **facts):
        ident = sandbox.state()["bank_accounts"]["trust"]
        row = {"key": "iolta", "account_class": account_class, "clio_id": ident} | facts
        return open_firm(sandbox, database_url, environment={"trust": {"accounts": [row]}})

    return open_


def is_refused(firm):
    with firm.rt.read() as work:
        return refused(work, firm.rt.settings.trust.account_of(key="iolta"))


def test_T1_an_account_is_refused_until_clio_has_said_what_it_is(with_accounts):
    with with_accounts("trust") as firm:
        assert is_refused(firm)
        firm.work()
        assert not is_refused(firm)
        assert firm.exceptions() == {}


def test_T1_a_disagreement_with_clio_is_an_exception_and_refuses_the_account(with_accounts):
    with with_accounts("operating") as firm:
        firm.work()
        assert firm.exceptions() == {"account_class_disagrees": 1}
        assert is_refused(firm)
    with with_accounts("trust") as firm:
        firm.later(hours=12)
        assert firm.exceptions() == {}
        assert not is_refused(firm)


def test_T1_an_account_that_clio_does_not_have_is_refused(with_accounts):
    with with_accounts("trust", clio_id=999) as firm:
        firm.work()
        assert firm.exceptions() == {"account_class_disagrees": 1}
        assert is_refused(firm)


def test_T1_an_unknown_flag_at_lawpay_refuses_the_account_too(with_accounts):
    with with_accounts("trust") as firm:
        firm.work()
        account = firm.rt.settings.trust.account_of(key="iolta")
        with firm.rt.uow() as work:
            assert not confirm(work, account, said=None, by=LAWPAY)
        assert is_refused(firm)
        with firm.rt.uow() as work:
            assert confirm(work, account, said=AccountClass.TRUST, by=LAWPAY)
        assert not is_refused(firm)
