"""A real worker process whose jobs only take time: `python -m tests.workflows.hands BROKER DATABASE FOLDER GRACE DEAF`."""

import sys
import time
from pathlib import Path

from orchestrator.bootstrap import build
from orchestrator.engine.effects import step
from orchestrator.engine.run import run
from orchestrator.fleet import Registry
from orchestrator.settings import load
from tests.firm import CONFIG
from workflows.app import celery_app
from workflows.worker import run_worker

HANDS = 2


def take_time(job, rt):
    started = Path(job.payload["folder"]) / f"started-{job.id}-{time.monotonic_ns()}"
    started.touch()
    time.sleep(job.payload["seconds"])
    with step(rt, job):
        pass


def runtime(firm, database_url):
    return build(
        load(config_dir=CONFIG, environment="test", database_url=database_url, clio={"access_token": "t"}), firm
    )


def main(broker_url, database_url, folder, grace, deaf):
    registry = Registry(lambda firm: runtime(firm, database_url))
    app = celery_app(broker_url)

    @app.task(name="note.create", ignore_result=True)
    def do(firm: str, job_id: int) -> None:
        with registry.lend(firm) as rt:
            assert rt is not None
            run(rt, {"note.create": take_time}, job_id)

    return run_worker(
        app, concurrency=HANDS, run_dir=Path(folder), grace_seconds=float(grace), deaf_seconds=float(deaf)
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
