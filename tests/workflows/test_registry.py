"""The firms of one process: strangers turned away, troubled ones left alone, connections bounded."""

import pytest
from sqlalchemy.exc import OperationalError

from orchestrator.bootstrap import build
from orchestrator.fleet import REST_SECONDS, UNUSED_SECONDS, Registry
from orchestrator.settings import Misconfigured, UnknownFirm, load
from orchestrator.storage.migrate import migrate
from orchestrator.telemetry import redaction


class Hand:
    """Seconds that a test moves by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds():
    return Hand()


@pytest.fixture
def profiles(tmp_path):
    (tmp_path / "firms").mkdir()
    for firm in ("one", "two", "three"):
        (tmp_path / "firms" / f"{firm}.toml").write_text(f'database_url = "sqlite:///{tmp_path}/{firm}.sqlite3"')
    return tmp_path


@pytest.fixture
def registry(profiles, seconds):
    def make(firm):
        settings = load(firm, config_dir=profiles, environment="test", clio={"access_token": firm})
        rt = build(settings.model_copy(update={"config_dir": load().config_dir}), firm)
        migrate(rt.uow.engine)
        return rt

    registry = Registry(make, open_databases=2, now=seconds)
    yield registry
    registry.close()


def test_a_firm_is_built_when_first_needed_and_once(registry):
    with registry.lend("one") as first, registry.lend("one") as second:
        assert first is second
        assert first.firm == "one"


def test_a_message_for_a_firm_that_does_not_exist_is_counted_and_dropped(registry):
    for stranger in ("nobody", "../../etc/passwd"):
        with registry.lend(stranger) as rt:
            assert rt is None
    assert registry.strangers == 2


def test_a_firm_in_trouble_is_left_alone_longer_and_longer_and_no_other_firm_is(registry, seconds):
    for rest in (*REST_SECONDS, REST_SECONDS[-1]):
        with registry.lend("one") as rt:
            assert rt is not None
            raise OperationalError("", {}, Exception())
        seconds.now += rest - 0.1
        with registry.lend("one") as rt:
            assert rt is None
        with registry.lend("two") as rt:
            assert rt is not None
        seconds.now += 0.2
    with registry.lend("one") as rt:
        assert rt is not None
    # It came back: the next trouble begins at the shortest rest again.
    with registry.lend("one"):
        raise OperationalError("", {}, Exception())
    seconds.now += REST_SECONDS[0] + 0.1
    with registry.lend("one") as rt:
        assert rt is not None


def test_a_firm_whose_profile_is_wrong_rests_and_works_once_it_is_mended(registry, profiles, seconds):
    profile = profiles / "firms" / "one.toml"
    good = profile.read_text()
    profile.write_text("this is not TOML")
    with registry.lend("one") as rt:
        assert rt is None
    profile.write_text(good)
    seconds.now += REST_SECONDS[-1]
    with registry.lend("one") as rt:
        assert rt is not None


def test_two_firms_never_work_on_one_database(registry, profiles, seconds):
    profile = profiles / "firms" / "two.toml"
    good = profile.read_text()
    profile.write_text((profiles / "firms" / "one.toml").read_text())
    with registry.lend("one"), registry.lend("two") as rt:
        assert rt is None
    profile.write_text(good)
    seconds.now += REST_SECONDS[-1]
    with registry.lend("two") as rt:
        assert rt is not None


def test_a_process_stays_connected_to_no_more_databases_than_it_may(registry, seconds):
    pools = {}
    for firm in ("one", "two", "three"):
        seconds.now += 1
        with registry.lend(firm) as rt:
            pools[firm] = rt.uow.engine
            with rt.uow.engine.connect():
                pass
    assert {firm: engine.pool.checkedin() for firm, engine in pools.items()} == {"one": 0, "two": 1, "three": 1}
    with registry.lend("one") as rt, rt.uow.engine.connect():
        pass
    assert {firm: engine.pool.checkedin() for firm, engine in pools.items()} == {"one": 1, "two": 0, "three": 1}


def test_a_firm_that_nobody_asks_for_is_closed_and_built_anew_when_it_is_asked_for_again(registry, seconds):
    with registry.lend("one") as first:
        pass
    seconds.now += UNUSED_SECONDS + 1
    with registry.lend("two"), registry.lend("one") as second:
        assert second is not first


def test_a_stop_passes_through_and_is_nobody_s_trouble(registry):
    with pytest.raises(SystemExit), registry.lend("one"):
        raise SystemExit
    with registry.lend("one") as rt:
        assert rt is not None


def test_an_unknown_firm_is_a_kind_of_misconfiguration():
    assert issubclass(UnknownFirm, Misconfigured)


def test_the_secrets_of_every_firm_that_was_built_are_hidden_in_the_logs(registry, profiles):
    (profiles / "firms" / "one.toml").write_text(
        f'database_url = "sqlite:///{profiles}/one.sqlite3"\nsecret_key = "a key of one alone"\n'
    )
    with registry.lend("one") as rt:
        assert rt is not None
    assert "a key of one alone" not in redaction.redacted("it said: a key of one alone")
