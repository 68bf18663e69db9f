"""Celery as DESIGN §4 and §6 want it: at-least-once bells that name a job and hold nothing else."""

import inspect
import json

import pytest
from kombu import Connection

from orchestrator.domain.topics import TOPICS, Urgency
from orchestrator.fleet import Registry
from workflows.app import HARD_LIMIT_SECONDS, QUEUES, VISIBILITY_SECONDS, bell, celery_app, serve_book
from workflows.book import BOOK, workflow

REDIS = "redis://127.0.0.1:1/0"


def test_the_book_has_a_body_for_every_topic_and_no_other():
    assert BOOK.keys() == TOPICS.keys()


def test_a_body_under_an_undeclared_topic_is_refused():
    with pytest.raises(KeyError):
        workflow("bill.explode")(lambda _job, _rt: None)
    assert "bill.explode" not in BOOK


def test_every_task_takes_a_firm_and_a_job_id():
    app = serve_book(celery_app(REDIS), Registry())
    ours = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
    assert ours.keys() == TOPICS.keys()
    for task in ours.values():
        assert list(inspect.signature(task.run).parameters) == ["firm", "job_id"]
        assert task.ignore_result
        assert task.acks_late


@pytest.mark.parametrize("broker", [REDIS, "memory://"])
def test_the_settings_that_make_it_at_least_once_are_all_there(broker):
    conf = celery_app(broker).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_ignore_result
    assert conf.result_backend is None
    assert conf.task_serializer == "json"
    assert list(conf.accept_content) == ["json"]


def test_a_message_is_not_given_to_a_second_worker_while_the_first_may_still_be_at_it():
    options = celery_app(REDIS).conf.broker_transport_options
    assert options["visibility_timeout"] == VISIBILITY_SECONDS == 600
    assert options["unacked_restore_throttle"] == 1
    assert VISIBILITY_SECONDS > 2 * HARD_LIMIT_SECONDS


def test_there_is_one_queue_an_urgency_the_most_urgent_first():
    assert QUEUES == ("interactive", "money", "messages", "sweeps")


@pytest.mark.parametrize("urgency", Urgency)
def test_a_bell_is_a_message_with_firm_and_job_id_and_no_date(urgency):
    app = celery_app(f"memory://{urgency.name}")
    bell(app)("main", 4711, "link.create", urgency)
    with Connection(app.conf.broker_url, transport_options={"polling_interval": 0.01}) as connection:
        queue = connection.SimpleQueue(urgency.name.lower())
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    args, kwargs, _ = message.payload
    assert (args, kwargs) == (["main", 4711], {})
    assert message.headers["task"] == "link.create"
    assert message.headers["eta"] is None
    assert message.headers["expires"] is None
    assert message.content_type == "application/json"
    assert len(json.dumps(message.payload)) < 200
