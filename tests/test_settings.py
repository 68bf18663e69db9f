import pytest

from orchestrator.settings import Misconfigured, load
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
