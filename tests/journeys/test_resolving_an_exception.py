import pytest

from orchestrator.errors import Rejected
from orchestrator.usecases.resolve_exception import resolve_exception


def _reversed_payment(firm):
    bill = firm.mailed_bill()
    [link] = firm.links()
    payment = firm.sandbox.act("pay_link", link_id=link["id"], method="card", settle_after_seconds=0)
    firm.later(minutes=16)
    firm.sandbox.act("refund_payment", id=payment["id"])
    firm.later(minutes=16)
    with firm.rt.read() as work:
        [row] = work.exceptions.listed(kind="payment_reversed")
    return bill, row


def test_after_a_reversal_nobody_is_asked_again_until_a_person_has_decided(firm):
    _, exception = _reversed_payment(firm)
    firm.later(days=2)
    assert len(firm.links()) == 1
    resolve_exception(firm.rt, exception["id"], by="nora", note="client pays again")
    firm.later(minutes=1)
    assert len(firm.links()) == 2
    firm.later(minutes=2)
    assert len(firm.mails()) == 2
    firm.check()


def test_resolving_twice_says_that_it_is_settled(firm):
    _, exception = _reversed_payment(firm)
    resolve_exception(firm.rt, exception["id"], by="nora", note="")
    with pytest.raises(Rejected, match="already"):
        resolve_exception(firm.rt, exception["id"], by="nora", note="")


def test_an_exception_whose_job_is_parked_is_settled_by_retrying_it(firm):
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    with firm.rt.read() as work:
        [row] = work.exceptions.listed(kind="mail_outcome_unknown")
    with pytest.raises(Rejected, match="jobs retry"):
        resolve_exception(firm.rt, row["id"], by="nora", note="")
