import pytest

from orchestrator.domain.accounts import AccountClass, FirmAccount, agree
from orchestrator.errors import Rejected


def an_account(account_class=AccountClass.TRUST, key="iolta"):
    return FirmAccount(key, account_class, 34, ("lp-card", "lp-echeck"), "0123", "USD", "America/New_York")


@pytest.mark.parametrize("said", ["Trust", "trust", "TRUST"])
def test_a_class_is_known_by_its_word_however_a_provider_writes_it(said):
    assert AccountClass(said) is AccountClass.TRUST


@pytest.mark.parametrize("said", ["Savings", "", "Trust (IOLTA)", "iolta"])
def test_T1_a_class_is_never_guessed_from_something_like_it(said):
    with pytest.raises(ValueError):
        AccountClass(said)


def test_T1_an_account_that_everybody_calls_the_same_is_agreed():
    agree(an_account(), said=AccountClass.TRUST, by="Clio")


@pytest.mark.parametrize(
    ("said", "words"), [(AccountClass.OPERATING, "Clio calls it operating"), (None, "Clio does not say what it is")]
)
def test_T1_a_disagreement_or_an_unknown_class_is_refused(said, words):
    with pytest.raises(Rejected, match=words) as refusal:
        agree(an_account(), said=said, by="Clio")
    assert refusal.value.reason == "account_class_disagrees"
