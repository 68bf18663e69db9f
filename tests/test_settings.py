import pytest

from orchestrator.settings import FLEET, Misconfigured, Settings, UnknownFirm, firms, load
from tests.firm import CONFIG


@pytest.fixture
def environment(monkeypatch):
    """Set ORCH_ variables for this test only."""
    return monkeypatch.setenv


def test_the_environment_overrides_the_firms_profile(environment):
    environment("ORCH_BILLING__THRESHOLD_CENTS", "12300")
    assert load(config_dir=CONFIG).billing.threshold_cents == 12_300


def test_a_secret_file_overrides_the_environment(environment, tmp_path):
    (tmp_path / "token").write_text("from-the-file\n")
    environment("ORCH_CLIO__ACCESS_TOKEN", "from-the-environment")
    environment("ORCH_CLIO__ACCESS_TOKEN_FILE", str(tmp_path / "token"))
    token = load(config_dir=CONFIG).clio.access_token
    assert token is not None
    assert token.get_secret_value() == "from-the-file"


def test_an_unreadable_secret_file_is_named(environment, tmp_path):
    environment("ORCH_SECRET_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(Misconfigured, match="ORCH_SECRET_KEY_FILE"):
        load(config_dir=CONFIG)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ORCH_APPROVAL__QUIET_SECONDS", "soon", "ORCH_APPROVAL__QUIET_SECONDS"),
        ("ORCH_CLIO__REGION", "mars", "ORCH_CLIO__REGION"),
        ("ORCH_CLOCK_URL", "http://127.0.0.1/clock", "ORCH_CLOCK_URL is only for"),
        ("ORCH_PUBLIC_URL", "http://firm.example", "must start with https"),
        ("ORCH_FIRM__TIME_ZONE", "Mars/Olympus", "not a time zone"),
        ("ORCH_CLIO__ALIASES", "not json", "JSON"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence_that_names_it(environment, name, value, said):
    environment(name, value)
    with pytest.raises(Misconfigured, match=said):
        load(config_dir=CONFIG)


def test_production_has_no_default_for_the_secret_key():
    with pytest.raises(Misconfigured, match="ORCH_SECRET_KEY is missing"):
        _ = load(config_dir=CONFIG).secret


def test_outside_production_a_ready_token_stands_in_for_the_secret_key():
    settings = load(config_dir=CONFIG, environment="sandbox", clio={"access_token": "ready"})
    assert settings.secret == "ready"


def test_a_firm_without_a_profile_is_refused():
    with pytest.raises(Misconfigured, match="no firm 'nobody'"):
        load("nobody", config_dir=CONFIG)


def test_the_name_of_the_firm_is_not_taken_for_its_settings(environment):
    environment("ORCH_FIRM", "main")
    assert load(config_dir=CONFIG).firm.name


def test_a_secret_is_never_part_of_a_refusal(environment):
    environment("ORCH_MAIL__URL", "smtp://user:hunter2@relay")
    environment("ORCH_MAIL__TIMEOUT_SECONDS", "never")
    with pytest.raises(Misconfigured) as refusal:
        load(config_dir=CONFIG)
    assert "hunter2" not in str(refusal.value)


# ── many firms, one environment ──


@pytest.fixture
def two_firms(tmp_path):
    """A configuration with the firms `acme` and `smith-jones` beside main."""
    (tmp_path / "firms").mkdir()
    (tmp_path / "firms" / "main.toml").write_text("")
    (tmp_path / "firms" / "smith-jones.toml").write_text('[firm]\nname = "Smith Jones"\n')
    (tmp_path / "firms" / "acme.toml").write_text(
        'public_url = "https://billing.acme.example"\ndatabase_url_file = "acme.database"\n'
        '[clio]\naccess_token_file = "acme.token"\n'
    )
    (tmp_path / "firms" / "acme.database").write_text("postgresql://acme@db/acme\n")
    (tmp_path / "firms" / "acme.token").write_text("acme-token\n")
    return tmp_path


def test_a_bare_name_speaks_to_main_and_no_secret_of_it_reaches_another_firm(environment, two_firms):
    environment("ORCH_DATABASE_URL", "postgresql://main@db/main")
    environment("ORCH_CLIO__ACCESS_TOKEN", "main-token")
    environment("ORCH_MAIL__FROM", "billing@main.example")
    environment("ORCH_SECRET_KEY_FILE", str(two_firms / "nowhere"))
    other = load("smith-jones", config_dir=two_firms)
    assert other.database_url == "sqlite:///var/smith-jones.sqlite3"
    assert (other.clio.access_token, other.mail.sender, other.secret_key) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("ORCH_ENVIRONMENT", "test", "environment"),
        ("ORCH_BROKER_URL", "redis://broker/0", "broker_url"),
        ("ORCH_LISTEN", "127.0.0.1:9", "listen"),
    ],
)
def test_a_bare_name_speaks_to_every_firm_about_the_fleet(environment, two_firms, name, value, place):
    environment(name, value)
    assert place in FLEET
    assert [getattr(load(firm, config_dir=two_firms), place) for firm in firms(two_firms)] == [value] * 3


def test_a_name_with_a_firm_in_it_speaks_to_that_firm_alone(environment, two_firms):
    (two_firms / "key").write_text("jones-key")
    environment("ORCH_FIRM_SMITH_JONES__DATABASE_URL", "postgresql://jones@db/jones")
    environment("ORCH_FIRM_SMITH_JONES__CLIO__REGION", "ca")
    environment("ORCH_FIRM_SMITH_JONES__SECRET_KEY_FILE", str(two_firms / "key"))
    found = {firm: load(firm, config_dir=two_firms) for firm in firms(two_firms)}
    assert {firm: each.clio.region for firm, each in found.items()} == {"main": "us", "acme": "us", "smith-jones": "ca"}
    assert found["smith-jones"].database_url == "postgresql://jones@db/jones"
    assert found["smith-jones"].secret == "jones-key"
    assert found["smith-jones"].firm.name == "Smith Jones"
    assert found["main"].secret_key is None


def test_a_secret_file_of_one_firm_that_cannot_be_read_keeps_no_other_from_loading(environment, two_firms):
    environment("ORCH_FIRM_ACME__SECRET_KEY_FILE", str(two_firms / "absent"))
    assert load("smith-jones", config_dir=two_firms)
    with pytest.raises(Misconfigured, match="ORCH_FIRM_ACME__SECRET_KEY_FILE names"):
        load("acme", config_dir=two_firms)


def test_a_profile_names_the_files_of_its_secrets(two_firms):
    acme = load("acme", config_dir=two_firms)
    assert acme.database_url == "postgresql://acme@db/acme"
    assert acme.clio.access_token is not None
    assert acme.clio.access_token.get_secret_value() == "acme-token"
    (two_firms / "firms" / "acme.token").unlink()
    with pytest.raises(Misconfigured, match=r"access_token_file in acme\.toml names"):
        load("acme", config_dir=two_firms)


def test_every_firm_has_a_door_of_its_own_below_the_public_address(environment, two_firms):
    environment("ORCH_PUBLIC_URL", "https://billing.example/")
    found = {firm: load(firm, config_dir=two_firms).public_address for firm in firms(two_firms)}
    assert found == {
        "acme": "https://billing.acme.example",
        "main": "https://billing.example",
        "smith-jones": "https://billing.example/firms/smith-jones",
    }


def test_without_a_public_address_a_firm_s_door_is_below_the_listening_one(environment, two_firms):
    environment("ORCH_LISTEN", "127.0.0.1:9")
    assert load("smith-jones", config_dir=two_firms).public_address == "http://127.0.0.1:9/firms/smith-jones"


@pytest.mark.parametrize("name", ["../main", "Acme", "a--b", "", "a/b", "a_b"])
def test_what_cannot_be_a_firm_s_name_is_never_looked_up(two_firms, name):
    with pytest.raises(UnknownFirm, match="cannot be a firm"):
        load(name, config_dir=two_firms)


def test_what_the_fleet_has_in_common_are_settings():
    assert Settings.model_fields.keys() >= FLEET


IOLTA = {"key": "iolta", "account_class": "trust", "clio_id": 34, "lawpay_ids": ["card", "echeck"], "bank_id": "0123"}
FIRM_ACCOUNT = {"key": "operating", "account_class": "operating", "clio_id": 12, "lawpay_ids": ["op"]}


def with_trust(**said):
    return load(config_dir=CONFIG, environment="test", trust={"accounts": [IOLTA, FIRM_ACCOUNT], **said})


def test_T1_an_account_is_found_by_each_of_its_names_and_by_nothing_like_them():
    trust = with_trust().trust
    iolta = trust.account_of(key="iolta")
    assert iolta is not None
    assert iolta.is_trust
    assert iolta == trust.account_of(clio_id=34) == trust.account_of(lawpay_id="echeck")
    assert iolta == trust.account_of(bank_id="0123")
    assert trust.account_of(clio_id=35) is None
    assert trust.account_of(bank_id="123") is None
    assert trust.account_of() is None


def test_T49_an_account_is_in_the_firm_s_zone_and_its_region_s_currency_unless_it_says_otherwise():
    own = {**IOLTA, "time_zone": "America/Denver", "currency": "CAD"}
    settings = load(
        config_dir=CONFIG, environment="test", clio={"region": "eu"},
        trust={"accounts": [own, FIRM_ACCOUNT]},
    )  # fmt: skip
    assert [(one.time_zone, one.currency) for one in settings.trust.firm_accounts] == [
        ("America/Denver", "CAD"),
        ("America/New_York", "GBP"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"account_class": "savings"}, "account_class|Account_class|ACCOUNT_CLASS"),
        ({"clio_id": 12}, "two accounts have the clio_id 12"),
        ({"lawpay_ids": ["op"]}, "two accounts have the lawpay_ids op"),
        ({"key": "operating"}, "two accounts have the key operating"),
        ({"time_zone": "Mars/Olympus"}, "not a time zone"),
    ],
)
def test_T1_an_account_of_unknown_class_or_with_another_s_name_is_refused(row, said):
    with pytest.raises(Misconfigured, match=said):
        with_trust(accounts=[{**IOLTA, **row}, FIRM_ACCOUNT])


def test_T19_a_signatory_is_known_by_name_or_by_clio_user():
    trust = with_trust(signatories=["Nora Harbor", {"name": "Ada Quill", "clio_user_id": 7}]).trust
    assert trust.signatory(name="nora harbor").name == "Nora Harbor"
    assert trust.signatory(clio_user_id=7).name == "Ada Quill"
    assert trust.signatory(name="Iris") is None
    assert trust.signatory(clio_user_id=8) is None
    assert trust.signatory() is None
