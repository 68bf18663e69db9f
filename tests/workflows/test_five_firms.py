"""Five firms in one process: a backlog, a broken database and a stranger cost the others nothing, and nobody's facts mix."""

from collections import deque
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.bootstrap import build
from orchestrator.engine.dispatch import fair_share, ring_due
from orchestrator.engine.run import run
from orchestrator.fleet import Registry
from orchestrator.settings import firms, load
from orchestrator.storage.migrate import migrate
from orchestrator.storage.tables import jobs, metadata
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from tests.firm import CONFIG, START
from workflows.book import BOOK

HANDS = 4
BACKLOG = 60


class House:
    """A config folder with these firms, their databases, and a broker that is a queue in this process."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        (folder / "firms").mkdir()
        for name in names:
            (folder / "firms" / f"{name}.toml").write_text(f'database_url = "sqlite:///{folder}/{name}.sqlite3"\n')
        (folder / "templates").symlink_to(CONFIG / "templates")
        (folder / "reminders").symlink_to(CONFIG / "reminders")
        self.queue: deque[tuple[str, int]] = deque()
        self.done: list[tuple[str, int]] = []
        self.registry = Registry(self.make)

    def make(self, firm: str):
        settings = load(firm, config_dir=self.folder, environment="test", clio={"access_token": firm})
        return build(settings, firm, clock=lambda: START)

    def migrate(self, firm: str) -> None:
        engine = connect(load(firm, config_dir=self.folder).database_url)
        migrate(engine)
        engine.dispose()

    def intend(self, firm: str, count: int, topic: str = "engine.tidy") -> None:
        with self.registry.lend(firm) as rt, rt.uow() as work:
            for number in range(count):
                work.jobs.add(topic, firm, number)

    def ring(self, firm: str) -> None:
        with self.registry.lend(firm) as rt:
            if rt is not None:
                share = fair_share(HANDS, len(self.queue))
                ring_due(rt, lambda name, job, _topic, _urgency: self.queue.append((name, job)), lambda: share)

    def take(self) -> None:
        """What a hand does with the next bell."""
        firm, job = self.queue.popleft()
        with self.registry.lend(firm) as rt:
            ran = rt is not None and run(rt, BOOK, job)
        if ran:
            self.done.append((firm, job))
            self.ring(firm)

    def work(self) -> None:
        """Until no bell is left: every firm's beat rings once for every bell that a hand takes."""
        names = firms(self.folder)
        for name in names:
            self.ring(name)
        while self.queue:
            self.take()
            for name in names:
                self.ring(name)

    def rows(self, firm: str) -> dict[str, list[object]]:
        engine = connect(f"sqlite:///{self.folder}/{firm}.sqlite3")
        with UnitOfWork(engine, lambda: START).read() as work:
            found = {
                table.name: [tuple(row) for row in work.connection.execute(sa.select(table))]
                for table in metadata.sorted_tables
            }
        engine.dispose()
        return found


@pytest.fixture
def house(database_url):
    with ExitStack() as stack:
        folder = Path(database_url.removeprefix("sqlite:///")).parent
        house = House(folder, "acme", "brown", "cole", "drew", "evans")
        stack.callback(house.registry.close)
        for firm in ("acme", "brown", "cole", "drew"):
            house.migrate(firm)
        # Nobody can open a folder as a database.
        (folder / "evans.sqlite3").mkdir()
        yield house


def test_a_firm_s_backlog_and_another_s_broken_database_delay_nobody_by_more_than_a_bell(house):
    house.intend("acme", BACKLOG)
    for firm in ("brown", "cole", "drew"):
        house.intend(firm, 5)
    house.ring("acme")
    house.queue += [("evans", 1), ("nobody", 1)]
    house.work()
    order = [firm for firm, _ in house.done]
    assert order.count("acme") == BACKLOG
    for firm in ("brown", "cole", "drew"):
        assert order.count(firm) == 5
        # Five jobs in turn with three other firms, and the few bells that acme had before anybody else came.
        last = len(order) - order[::-1].index(firm)
        assert last <= 5 * 4 + HANDS
    assert house.registry.strangers == 1


def test_nothing_of_one_firm_is_written_into_another_s_database(house):
    house.intend("acme", 3)
    house.intend("acme", 2, "engine.heartbeat")
    house.ring("brown")
    before = house.rows("brown")
    house.work()
    assert house.rows("brown") == before
    assert {row[jobs.c.keys().index("state")] for row in house.rows("acme")["jobs"]} == {"done"}


def test_a_message_with_one_firm_s_name_and_another_s_job_does_neither_any_harm(house):
    house.intend("acme", 3)
    house.intend("brown", 1)
    before = house.rows("acme"), house.rows("brown")
    [_, _, (job, *_)] = house.rows("acme")["jobs"]
    house.queue.append(("brown", job))
    house.take()
    assert house.done == []
    assert (house.rows("acme"), house.rows("brown")) == before
