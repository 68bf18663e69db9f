"""Half a LawPay is no LawPay: what is missing or strange stops the process with a sentence that names it."""

import pytest

from orchestrator.settings import Misconfigured, load
from tests.firm import CONFIG

GIVEN = {"base_url": "https://api.lawpay.test", "secret_key": "hush-hush"}
OPERATING = {"key": "operating", "account_class": "operating", "lawpay_ids": ["a1"]}


def loaded(**facts):
    return load(config_dir=CONFIG, environment="test", clio={"access_token": "t"}, **facts)


def test_without_address_and_key_there_is_no_lawpay():
    assert not loaded().lawpay.configured


def test_with_both_there_is():
    found = loaded(lawpay=GIVEN)
    assert found.lawpay.configured
    assert "hush-hush" in found.secrets
    assert "hush-hush" not in repr(found)


def test_the_key_may_stand_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("ORCH_LAWPAY__SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("ORCH_LAWPAY__BASE_URL", "https://api.lawpay.test")
    assert loaded().lawpay.secret_key.get_secret_value() == "from-a-file"


@pytest.mark.parametrize("left_out", ["base_url", "secret_key"])
def test_one_of_them_alone_names_the_other(left_out):
    with pytest.raises(Misconfigured, match=f"ORCH_LAWPAY__{left_out.upper()} is missing"):
        loaded(lawpay={name: value for name, value in GIVEN.items() if name != left_out})


@pytest.mark.parametrize("address", ["https://api.lawpay.test/v1", "api.lawpay.test", "ftp://x", "https://x?y=1"])
def test_an_address_that_is_more_than_a_host_is_refused(address):
    with pytest.raises(Misconfigured, match="/v1 is added"):
        loaded(lawpay=GIVEN | {"base_url": address})


def test_in_production_it_is_https():
    with pytest.raises(Misconfigured, match="ORCH_LAWPAY__BASE_URL must start with https"):
        load(config_dir=CONFIG, environment="production", lawpay=GIVEN | {"base_url": "http://api.lawpay.test"})


def test_a_rail_that_nobody_connected_is_refused():
    with pytest.raises(Misconfigured, match="lawpay_page: set ORCH_LAWPAY__BASE_URL"):
        loaded(links={"rail": "lawpay_page"})
    with pytest.raises(Misconfigured, match="lawpay_page: set ORCH_LAWPAY__BASE_URL"):
        loaded(links={"rules": [{"rail": "lawpay_page", "practice_area": "Estates"}]})


def test_a_page_of_no_account_is_refused():
    with pytest.raises(Misconfigured, match="has the key typo"):
        loaded(lawpay=GIVEN | {"pages": {"typo": "https://pay.test/p"}}, trust={"accounts": [OPERATING]})


def test_a_page_of_an_account_is_taken():
    page = "https://secure.lawpay.com/pages/firm/operating"
    found = loaded(lawpay=GIVEN | {"pages": {"operating": page}}, trust={"accounts": [OPERATING]})
    assert found.lawpay.pages == {"operating": page}
