import json
import logging
import os
import subprocess
import sys
from uuid import uuid4

import pytest

from orchestrator.telemetry.redaction import HIDDEN, hide, placed, redacted, scrub, template

NAME, EMAIL, CARD = "Zephyrine Quillfeather", "zq@canary-client.test", "4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"to {EMAIL}: later", f"to {HIDDEN}: later"),
        (f"RCPT TO:<{EMAIL}>", f"RCPT TO:<{HIDDEN}>"),
        (f"card {CARD} declined", f"card {HIDDEN} declined"),
        ("card 4111-1111-1111-1111", f"card {HIDDEN}"),
        ("Authorization: Bearer abc.def", f"Authorization: {HIDDEN}"),
        ("password=hunter2&x=1", f"{HIDDEN}&x=1"),
        ("postgresql://ann:hunter2@db:5432/firm", "postgresql://db:5432"),
        ("smtp://ann%40x:p%2Fw@relay.test:25?starttls=1", "smtp://relay.test:25"),
        ("GET https://app.clio.com/links/1?key=zzz", "GET https://app.clio.com"),
        ("eyJhbGciOiJIUzI1NiJ9abcd1234", HIDDEN),
        ("/api/v4/clio_payments/links/123456.json", "/api/v4/clio_payments/links/123456.json"),
        ("sync.bill of 1234567890", "sync.bill of 1234567890"),
    ],
)
def test_what_a_pattern_can_know_is_hidden_and_what_helps_is_left(said, left):
    assert redacted(said) == left


def test_our_own_secrets_are_hidden_wherever_they_turn_up():
    secret = f"k{uuid4().hex[:12]}"
    hide([secret, "abc"])
    assert redacted(f"x{secret}y abc") == f"x{HIDDEN}y abc"


def test_a_line_holds_known_fields_only_and_ids_as_they_are():
    line = {
        "event": "job.done",
        "job": 7,
        "trace_id": "ab" * 16,
        "client": NAME,
        "ids": [1, 2],
        "seconds": 0.25,
        "error": object(),
    }
    assert scrub(None, "info", line) == {
        "event": "job.done", "job": 7, "trace_id": "ab" * 16, "ids": [1, 2], "seconds": 0.25, "error": "object",
    }  # fmt: skip


def test_a_field_that_may_look_like_a_secret_is_text_when_it_has_another_shape():
    assert scrub(None, "info", {"trace_id": EMAIL}) == {"trace_id": HIDDEN}


def test_an_exception_leaves_its_types_and_places_and_none_of_its_words():
    def fails():
        {}[NAME]

    def quotes():
        try:
            fails()
        except KeyError as cause:
            raise ValueError(EMAIL) from cause

    with pytest.raises(ValueError) as caught:
        quotes()
    seen = placed(caught.value)
    assert seen["error"] == "ValueError from KeyError"
    assert all(place.startswith("test_redaction.py:") for place in seen["at"])


def test_of_a_library_s_line_only_what_its_authors_wrote_is_left():
    record = logging.LogRecord(
        "celery",
        logging.ERROR,
        "x.py",
        1,
        "Task %s of %s after %d raised %r\nand more",
        ("sync.bill", NAME, 3, ValueError(EMAIL)),
        None,
    )
    assert template(record) == {
        "event": "Task %s of %s after %d raised %r",
        "logger": "celery",
        "args": [3, "ValueError"],
    }


PROGRAM = """
import asyncio, gc, logging, sys, threading, warnings
from orchestrator.cli import logs
NAME, EMAIL, CARD, SECRET = sys.argv[1:]
logs.configure(production=True, secrets=[SECRET])

def in_thread():
    raise ValueError(NAME)

thread = threading.Thread(target=in_thread, name="hands")
thread.start()
thread.join()
warnings.warn(f"{NAME} is deprecated", UserWarning)
logging.getLogger("sqlalchemy.engine").info("INSERT %s", NAME)
logging.getLogger("httpx").info("GET https://pay.test/%s", SECRET)
logging.getLogger("kombu").error("no %s for %s", NAME, SECRET, exc_info=OSError(EMAIL))
logging.getLogger("uvicorn.error").error(f"preformatted {EMAIL} {CARD} {SECRET}")

class Unheard:
    def __del__(self):
        raise ValueError(NAME)

Unheard()
gc.collect()

async def lost():
    async def fails():
        raise ValueError(NAME)
    task = asyncio.ensure_future(fails())
    await asyncio.sleep(0.01)
    del task
    gc.collect()

asyncio.run(lost())

raise RuntimeError(f"{NAME} {SECRET}")
"""


@pytest.mark.parametrize("level", ["info", "debug"])
def test_I7_whatever_goes_wrong_around_our_code_is_told_as_json_without_its_words(level):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, NAME, EMAIL, CARD, "s3cr3t-key"],
        env=os.environ | {"ORCH_LOG_LEVEL": level}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line.get("error")) for line in told] == [
        ("thread.died", "ValueError"),
        ("warning", None),
        ("no %s for %s", "OSError"),
        (f"preformatted {HIDDEN} {HIDDEN} {HIDDEN}", None),
        ("error.unheard", "ValueError"),
        ("Task exception was never retrieved", "ValueError"),
        ("process.died", "RuntimeError"),
    ]
    for canary in (*NAME.split(), EMAIL, CARD, "s3cr3t-key"):
        assert canary not in done.stderr + done.stdout
