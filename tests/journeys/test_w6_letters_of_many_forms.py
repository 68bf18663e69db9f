"""W6: whose name a letter is in and which language it speaks; and a relay that knows a letter it was handed before."""

from tests.firm import Firm


def mailed(firm: Firm) -> list[dict]:
    firm.later(minutes=16)
    firm.later(minutes=2)
    return firm.mails()


def test_an_office_writes_in_its_own_language_and_name(opened, tiny):
    tiny["custom_fields"].append({"key": "office", "name": "Office", "field_type": "text_line"})
    tiny["matters"][0].setdefault("custom", {})["Office"] = "Montréal"
    brand = {"office": "montréal", "locale": "fr-CA", "firm_name": "Hart et Lane", "footer": ["Barreau du Québec"]}
    firm = opened(scenario=tiny, letters={"brands": [brand]})
    firm.issued_bill()
    [mail] = mailed(firm)
    assert mail["subject"].startswith("Facture ")
    assert "Barreau du Québec" in mail["text"]
    assert mail["headers"]["Content-Language"] == "fr-CA"
    firm.check()


def test_a_client_s_language_may_stand_on_the_matter(opened, tiny):
    tiny["custom_fields"].append({"key": "language", "name": "Language", "field_type": "text_line"})
    tiny["matters"][0].setdefault("custom", {})["Language"] = "Français"
    firm = opened(scenario=tiny, letters={"language_field": "Language", "languages": {"Français": "fr-CA"}})
    firm.issued_bill()
    [mail] = mailed(firm)
    assert mail["subject"].startswith("Facture ")
    firm.check()


def test_F75_a_relay_that_knows_its_keys_is_handed_the_letter_again(opened):
    firm = opened(scenario="tiny", mail={"key_header": "X-Idempotency-Key", "relay_knows_keys": True})
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.issued_bill()
    mailed(firm)
    firm.later(minutes=2)
    [job] = firm.jobs("message.send")
    assert job["state"] == "done"
    assert len(firm.mails()) == 1
    assert firm.exceptions() == {}
    firm.check()


def test_F75_that_a_letter_carries_a_key_does_not_mean_that_the_relay_looks_at_it(opened):
    firm = opened(scenario="tiny", mail={"key_header": "X-Idempotency-Key"})
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.issued_bill()
    mailed(firm)
    firm.later(minutes=2)
    assert firm.exceptions() == {"mail_outcome_unknown": 1}
    firm.check()
