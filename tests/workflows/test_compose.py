"""docker-compose.yml and the Dockerfile: valid, hardened, and every command and health check of theirs run by hand."""

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis
from ruamel.yaml import YAML

from orchestrator.cli.meanings import MEANINGS
from tests.servers import free_port, redis_binary

ROOT = Path(__file__).parents[2]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
FILE = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = FILE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "orchestrator"]
PARTS = ["api", "worker", "beat"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
GIVEN = {
    "ORCH_PUBLIC_URL": "https://billing.firm.example", "ORCH_CLIO__CLIENT_ID": "app",
    "ORCH_MAIL__FROM": "billing@firm.example",
}  # fmt: skip


def filled(text):
    """A value as compose would fill it in; a variable that must be given and is not raises KeyError."""

    def fill(found):
        name, default = found["name"], found["default"]
        return GIVEN.get(name, default) if default is not None else GIVEN[name]

    return re.sub(r"\$\{(?P<name>\w+)(:-(?P<default>[^}]*)|:\?[^}]*)\}", fill, str(text))


def test_the_file_is_what_the_compose_specification_says():
    linter = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [linter, "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_part_of_production_is_there():
    assert set(SERVICES) == {"migrate", *PARTS, "postgres", "redis", "mail"}
    assert SERVICES["mail"]["profiles"] == ["sandbox"]
    assert all("profiles" not in service for name, service in SERVICES.items() if name != "mail")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_limited_watched_and_restarted(name):
    service = SERVICES[name]
    assert str(service["user"]).split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["tmpfs"]
    assert service["stop_grace_period"]
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert service["logging"]["options"]["max-size"]
    once = name == "migrate"
    assert service["restart"] == ("no" if once else "unless-stopped")
    assert service["healthcheck"] == {"disable": True} if once else service["healthcheck"]["test"]


def test_only_the_api_listens_outside_and_only_on_loopback():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"api"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["api"]["ports"])
    assert FILE["networks"]["inside"]["internal"] is True
    assert [SERVICES[name]["networks"] for name in ("postgres", "redis", "mail")] == [["inside"]] * 3


def test_redis_keeps_what_it_is_told_and_evicts_nothing(tmp_path):
    port = free_port()
    binary, *options = SERVICES["redis"]["command"]
    assert binary == "redis-server"
    server = subprocess.Popen(
        [redis_binary(), *options, "--port", str(port), "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    try:
        with redis.Redis(port=port, socket_timeout=5) as store:
            until(lambda: answers(store))
            assert store.config_get("appendonly")["appendonly"] == "yes"
            assert store.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
            memory = SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"]
            assert int(store.config_get("maxmemory")["maxmemory"]) < int(memory.removesuffix("M")) * 2**20
    finally:
        server.terminate()
        server.wait(timeout=20)


def answers(store):
    try:
        return store.ping()
    except redis.RedisError:
        return False


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_and_every_secret_is_a_file(name):
    service = SERVICES[name]
    settings = {f"ORCH_{meaning.upper().replace('.', '__')}" for meaning in MEANINGS}
    settings = {setting.replace("MAIL__SENDER", "MAIL__FROM") for setting in settings} | {"ORCH_LOG_LEVEL"}
    for variable, value in service["environment"].items():
        if variable.startswith("ORCH_"):
            assert variable.removesuffix("_FILE") in settings
        if variable.endswith("_FILE"):
            assert str(value).removeprefix("/run/secrets/") in service["secrets"]
    given = set(service["environment"])
    for setting in ("DATABASE_URL", "SECRET_KEY", "CLIO__CLIENT_SECRET", "MAIL__URL"):
        assert f"ORCH_{setting}" not in given, "a secret stands in no environment"
    assert set(service["secrets"]) <= set(FILE["secrets"])
    assert all("file" in secret for secret in FILE["secrets"].values())
    assert "/secrets/" in (ROOT / ".gitignore").read_text("utf-8")


def test_the_image_installs_by_hash_runs_as_nobody_special_and_names_no_host():
    assert "--require-hashes" in DOCKERFILE
    user = re.search(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)[1]
    assert {SERVICES[name]["user"] for name in OURS} == {user}
    for text in (DOCKERFILE, (ROOT / "docker-compose.yml").read_text("utf-8")):
        images = re.findall(r"^(?:FROM|\s+image:)\s+(\S+)", text, re.MULTILINE)
        assert images
        assert all(re.fullmatch(r"[a-z]+(:[\w.-]+)?", image) for image in images)
        assert not re.search(r"index-url|find-links|https?://", text)
    copied = re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert set(copied) == allowed
    assert all((ROOT / part).exists() for part in copied)


@pytest.mark.parametrize("name", ["migrate", *PARTS])
def test_the_mark_that_tells_an_old_copy_lies_on_a_volume_apart_from_the_database(name):
    service = SERVICES[name]
    volumes = dict(reversed(volume.split(":")[:2]) for volume in service["volumes"])
    volume = volumes[service["environment"]["ORCH_ENGINE__MARK_DIR"]]
    assert volume in FILE["volumes"]
    assert volume not in {mount.split(":")[0] for mount in SERVICES["postgres"]["volumes"]}
    assert f"-o orchestrator /run/orchestrator {service['environment']['ORCH_ENGINE__MARK_DIR']} " in DOCKERFILE


def test_the_image_can_dump_the_very_server_it_is_run_with():
    major = SERVICES["postgres"]["image"].split(":")[1]
    assert f"postgresql-client-{major} " in DOCKERFILE


def test_a_worker_has_longer_to_stop_than_its_grace_and_a_check_longer_than_it_takes():
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > 20 + 5 + 10
    for name in PARTS:
        check = SERVICES[name]["healthcheck"]
        assert seconds(check["timeout"]) < seconds(check["interval"]) < 90


def seconds(span):
    return int(span[:-1]) * {"s": 1, "m": 60}[span[-1]]


# ── by hand ──


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_very_commands_and_health_checks_of_the_file_run(tmp_path, empty_postgres_url, redis_url):
    """As the image would, with the file's environment; only hosts, ports and folders are this machine's."""
    with redis.Redis.from_url(redis_url) as store:
        store.flushdb()
    secrets = {
        "database_url": empty_postgres_url, "secret_key": "k" * 64, "clio_client_secret": "s3cret", "mail_url": "smtp://127.0.0.1:1",
    }  # fmt: skip
    for name, value in secrets.items():
        (tmp_path / name).write_text(f"{value}\n", "ascii")
    listen = f"127.0.0.1:{free_port()}"

    def environment(name):
        here = {
            "ORCH_CONFIG_DIR": str(ROOT / "config"), "ORCH_RUN_DIR": str(tmp_path / name),
            "ORCH_BROKER_URL": redis_url, "ORCH_LISTEN": listen, "ORCH_ENGINE__MARK_DIR": str(tmp_path / "marks"),
        }  # fmt: skip
        file = {key: filled(value) for key, value in SERVICES[name]["environment"].items()}
        file = {key: value.replace("/run/secrets", str(tmp_path)) for key, value in file.items()}
        assert file.keys() >= here.keys() - {"ORCH_CONFIG_DIR", "ORCH_RUN_DIR"}
        return CLEAN | file | here

    def command(*words):
        return [sys.executable, "-m", "orchestrator.cli", *words]

    def check(name):
        kind, program, *words = SERVICES[name]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "orchestrator")
        return subprocess.run(
            command(*words), cwd=ROOT, env=environment(name), capture_output=True, check=False
        ).returncode

    migrated = subprocess.run(
        command(*SERVICES["migrate"]["command"]), cwd=ROOT, env=environment("migrate"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert migrated.returncode == 0, migrated.stderr
    with psycopg.connect(empty_postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert [check(name) for name in PARTS] == [1, 1, 1]
    with ExitStack() as stack:
        running = {}
        for name in PARTS:
            log = stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            running[name] = subprocess.Popen(
                command(*SERVICES[name]["command"]), cwd=ROOT, env=environment(name), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            stack.callback(running[name].wait, timeout=60)
            stack.callback(running[name].terminate)
        until(lambda: [check(name) for name in PARTS] == [0, 0, 0])
        for name in PARTS:
            running[name].terminate()
        for name in PARTS:
            allowed = seconds(SERVICES[name]["stop_grace_period"])
            assert running[name].wait(timeout=allowed) == 0, (tmp_path / f"{name}.log").read_text("utf-8")
    said = "".join(path.read_text("utf-8") for path in tmp_path.glob("*.log"))
    assert "s3cret" not in said


def test_the_mail_catcher_of_the_file_catches_mail():
    port = free_port()
    program, *words = [word.replace("0.0.0.0:8025", f"127.0.0.1:{port}") for word in SERVICES["mail"]["entrypoint"]]
    assert program == "python"
    catcher = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    _, _, *check = SERVICES["mail"]["healthcheck"]["test"]
    probe = [word.replace("8025", str(port)) for word in check]
    try:
        until(lambda: subprocess.run([sys.executable, *probe], capture_output=True, check=False).returncode == 0)
    finally:
        catcher.terminate()
        catcher.communicate(timeout=20)


def until(holds, patience=60):
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.1)
