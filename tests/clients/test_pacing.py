"""One contract for both pacers, on real time with short windows; and what each of them adds."""

import heapq
import itertools
import threading
import time
import uuid
from dataclasses import replace

import pytest

from orchestrator.clients.pacing import RULES, LocalPacer
from orchestrator.clients.redis_pacing import FALLBACK, RedisPacer, redis_store
from orchestrator.domain.topics import Urgency
from orchestrator.errors import Paced

SHORT = replace(RULES, window=1.0, tail=0.1, margin=0.05, forgotten=0.4, probe_wait=0.02)
"""The same rules on windows of a second."""


@pytest.fixture(params=["local", "redis"])
def a_pacer(request):
    """Makes pacers; those of one test share one token."""
    if request.param == "local":
        yield lambda rules=RULES: LocalPacer(rules, jitter=lambda: 0)
        return
    store = request.getfixturevalue("store")
    token = uuid.uuid4().hex
    yield lambda rules=RULES: RedisPacer(store, lambda: token, rules, jitter=lambda: 0)


def spend(pacer, urgency=Urgency.SWEEPS, most=1000):
    """How many requests could be taken at once."""
    for taken in range(most):
        try:
            pacer.take(urgency)
        except Paced:
            return taken
    return most


def wait_of(pacer, urgency=Urgency.SWEEPS):
    with pytest.raises(Paced) as refusal:
        pacer.take(urgency)
    return refusal.value.retry_after


def knowing(pacer, limit=50, remaining=50, left=60.0):
    """The same pacer after one answer."""
    pacer.take(Urgency.INTERACTIVE)
    pacer.learn(limit=limit, remaining=remaining, reset=time.time() + left)
    return pacer


def test_F34_a_cold_start_only_probes(a_pacer):
    pacer = a_pacer()
    assert spend(pacer, Urgency.INTERACTIVE) == RULES.probes
    assert wait_of(pacer) == pytest.approx(RULES.probe_wait, abs=0.01)


def test_a_cold_start_is_over_with_the_first_answer(a_pacer):
    pacer = a_pacer()
    spend(pacer)
    pacer.learn(limit=50, remaining=49, reset=time.time() + 60)
    # 49 are left, and one of ours is still under way.
    assert spend(pacer, Urgency.INTERACTIVE) == 48


def test_a_probe_whose_answer_says_nothing_is_followed_by_another_probe(a_pacer):
    pacer = a_pacer()
    spend(pacer)
    pacer.learn(limit=None, remaining=None, reset=None)
    assert spend(pacer) == 1


def test_a_provider_that_announces_nothing_gets_no_more_than_the_assumed_limit(a_pacer):
    pacer = a_pacer(replace(RULES, limit=7))
    taken = 0
    for _ in range(20):
        taken += spend(pacer, Urgency.INTERACTIVE, most=1)
        pacer.learn(limit=None, remaining=None, reset=None)
    assert taken <= 7


def test_a_fifth_is_kept_for_interactive_work_and_money(a_pacer):
    pacer = knowing(a_pacer())
    assert spend(pacer, Urgency.SWEEPS) == 40
    assert spend(pacer, Urgency.MESSAGES) == 0
    assert spend(pacer, Urgency.MONEY) + spend(pacer, Urgency.INTERACTIVE) == 10


@pytest.mark.parametrize(("remaining", "left", "taken"), [(9, 59, 0), (9, 29, 4), (5, 2, 5)])
def test_what_is_kept_is_released_towards_the_end_of_the_window(a_pacer, remaining, left, taken):
    assert spend(knowing(a_pacer(), remaining=remaining, left=left)) == taken


def test_a_refusal_names_the_end_of_the_window(a_pacer):
    pacer = knowing(a_pacer(), remaining=0, left=30)
    assert wait_of(pacer, Urgency.INTERACTIVE) == pytest.approx(30 + RULES.margin, abs=0.5)


def test_a_refusal_for_want_of_the_kept_share_names_the_moment_it_is_released(a_pacer):
    pacer = knowing(a_pacer(), remaining=10, left=59)
    assert wait_of(pacer) == pytest.approx(5.6, abs=0.5)
    nearly = knowing(a_pacer(), remaining=1, left=59)
    assert wait_of(nearly) == pytest.approx(56, abs=0.5)


def test_while_answers_are_under_way_a_refusal_is_short(a_pacer):
    pacer = knowing(a_pacer(), remaining=5, left=30)
    assert spend(pacer, Urgency.MONEY) == 5
    assert wait_of(pacer, Urgency.MONEY) == pytest.approx(RULES.probe_wait, abs=0.01)


def test_F33_what_strangers_spend_is_missing_from_ours(a_pacer):
    pacer = knowing(a_pacer(), remaining=20)
    assert spend(pacer, Urgency.MONEY) == 20
    pacer.learn(limit=50, remaining=2, reset=time.time() + 60)
    assert spend(pacer, Urgency.MONEY) == 0


def test_F32_a_limit_that_drops_is_known_after_one_answer(a_pacer):
    pacer = knowing(a_pacer(), limit=120, remaining=60)
    pacer.take(Urgency.MONEY)
    pacer.learn(limit=50, remaining=0, reset=time.time() + 60)
    assert spend(pacer, Urgency.INTERACTIVE) == 0


def test_a_limit_that_rises_is_known_after_one_answer(a_pacer):
    pacer = knowing(a_pacer(), limit=50, remaining=0)
    pacer.learn(limit=120, remaining=70, reset=time.time() + 60)
    assert spend(pacer, Urgency.INTERACTIVE) == 70


def test_answers_that_come_out_of_order_do_not_give_budget_back(a_pacer):
    pacer = knowing(a_pacer(), remaining=10)
    pacer.learn(limit=50, remaining=30, reset=time.time() + 60)
    assert spend(pacer, Urgency.INTERACTIVE) == 10


def test_a_late_answer_of_the_last_window_changes_nothing(a_pacer):
    pacer = knowing(a_pacer(), remaining=40)
    pacer.take(Urgency.MONEY)
    pacer.learn(limit=50, remaining=0, reset=time.time() - 20)
    assert spend(pacer, Urgency.INTERACTIVE) == 39


def test_a_new_window_brings_a_new_budget(a_pacer):
    pacer = knowing(a_pacer(SHORT), remaining=0, left=0.2)
    assert spend(pacer, Urgency.INTERACTIVE) == 0
    time.sleep(0.3)
    assert spend(pacer, Urgency.INTERACTIVE) == 50


def test_a_request_that_was_never_answered_is_spent_and_forgotten(a_pacer):
    pacer = knowing(a_pacer(replace(SHORT, window=60)), remaining=3)
    assert spend(pacer, Urgency.MONEY) == 3
    time.sleep(0.5)
    assert spend(pacer, Urgency.MONEY) == 0
    assert wait_of(pacer, Urgency.MONEY) > 50


def test_F31_a_pause_holds_for_every_urgency(a_pacer):
    pacer = knowing(a_pacer())
    pacer.pause(40)
    pacer.pause(3)
    for urgency in Urgency:
        assert wait_of(pacer, urgency) == pytest.approx(40, abs=0.5)


def test_F31_a_pause_ends_with_a_single_probe(a_pacer):
    pacer = knowing(a_pacer())
    pacer.pause(0.1)
    pacer.learn(limit=50, remaining=40, reset=time.time() + 60)
    time.sleep(0.15)
    assert spend(pacer, Urgency.INTERACTIVE) == 1
    pacer.learn(limit=50, remaining=40, reset=time.time() + 60)
    assert spend(pacer, Urgency.INTERACTIVE) == 40


def test_no_more_is_taken_by_many_threads_than_is_there(a_pacer):
    pacer = knowing(a_pacer(), remaining=50)
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(spend(pacer, Urgency.MONEY))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 50


class Window:
    """A provider's limiter: fixed windows that open with their first call; keeps its own count of everything."""

    def __init__(self, limits, seconds, *, now=time.time):
        self.now = now
        self.limits, self.seconds = itertools.chain(limits, itertools.repeat(limits[-1])), seconds
        self.lock = threading.Lock()
        self.ends = self.calls = 0
        self.limit = 0
        self.offered = self.served = self.refused = 0

    def call(self, *, ours=True):
        with self.lock:
            now = self.now()
            if now >= self.ends:
                self.ends, self.calls, self.limit = now + self.seconds, 0, next(self.limits)
                self.offered += self.limit
            if self.calls >= self.limit:
                self.refused += ours
                return 429, {"limit": self.limit, "remaining": 0, "reset": self.ends}
            self.calls += 1
            self.served += 1
            return 200, {"limit": self.limit, "remaining": self.limit - self.calls, "reset": self.ends}


def work_for(seconds, pacer, window, *, urgency=Urgency.SWEEPS):
    """What a worker thread does all day: take, call, learn; wait when told to."""
    until = time.time() + seconds
    while time.time() < until:
        try:
            pacer.take(urgency)
        except Paced as held:
            time.sleep(min(held.retry_after, max(0, until - time.time())))
            continue
        time.sleep(0.002)
        status, said = window.call()
        pacer.learn(**said)
        if status == 429:
            pacer.pause(0.1)


def test_a_saturated_budget_is_used_up_without_a_429(redis_url):
    rules = replace(SHORT, window=1.4, tail=0.3)
    window = Window([50, 120, 50], 1.4)
    token = uuid.uuid4().hex
    with redis_store(redis_url) as one, redis_store(redis_url) as other:
        pacers = [RedisPacer(store, lambda: token, rules) for store in (one, other, one, other)]
        threads = [threading.Thread(target=work_for, args=(4.2, pacer, window)) for pacer in pacers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert window.refused == 0
    assert window.served >= 0.95 * window.offered - 50 * (window.ends > time.time())


@pytest.mark.parametrize("latency", [0.05, 1.0])
@pytest.mark.parametrize("rounding", [int, lambda ends: int(ends) + 1, float])
def test_half_an_hour_of_saturation_uses_98_percent_of_a_changing_budget_without_a_429(rounding, latency):
    """Eight workers with nothing but background work, on a clock that is moved by hand."""
    clock = [1_800_000_000.0]
    window = Window([50, 120, 50, 90] * 7, 60.0, now=lambda: clock[0])
    pacer = LocalPacer(now=lambda: clock[0])
    agenda = [(clock[0] + number / 100, number, None) for number in range(8)]
    began, waits = clock[0], 0
    while clock[0] < began + 1740:
        clock[0], number, answer = heapq.heappop(agenda)
        if answer is not None:
            pacer.learn(**answer)
        try:
            pacer.take(Urgency.SWEEPS)
        except Paced as held:
            waits += 1
            heapq.heappush(agenda, (clock[0] + held.retry_after, number, None))
            continue
        said = window.call()[1]
        heapq.heappush(agenda, (clock[0] + latency, number, said | {"reset": rounding(said["reset"])}))
    assert window.refused == 0
    assert window.served >= 0.98 * (window.offered - window.limit)
    assert waits < 10 * window.served


def test_F33_a_stranger_on_the_token_costs_few_429(a_pacer):
    window = Window([50], 1.0)
    pacer = a_pacer(SHORT)
    over = threading.Event()

    def stranger():
        while not over.wait(0.05):
            window.call(ours=False)

    threads = [threading.Thread(target=stranger)]
    threads += [threading.Thread(target=work_for, args=(3.0, pacer, window)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    over.set()
    threads[0].join()
    assert window.refused <= 0.05 * window.served
    assert window.served >= 0.7 * window.offered - 50


def test_F34_a_flushed_store_in_mid_window_never_bursts(store):
    window, token = Window([50], 30.0), uuid.uuid4().hex
    pacer = RedisPacer(store, lambda: token, RULES, jitter=lambda: 0)
    for _ in range(35):
        pacer.take(Urgency.MONEY)
        pacer.learn(**window.call()[1])
    store.delete(*store.keys("pacer:*"))
    for _ in range(40):
        batch = spend(pacer, Urgency.MONEY)
        for _ in range(batch):
            pacer.learn(**window.call()[1])
    assert (window.served, window.refused) == (50, 0)


def test_two_processes_share_one_budget_and_two_tokens_do_not(store):
    mine, other = uuid.uuid4().hex, uuid.uuid4().hex
    first = knowing(RedisPacer(store, lambda: mine), remaining=10)
    second = RedisPacer(store, lambda: mine)
    stranger = knowing(RedisPacer(store, lambda: other), remaining=10)
    assert spend(first, Urgency.MONEY, most=4) + spend(second, Urgency.MONEY) == 10
    assert spend(stranger, Urgency.MONEY) == 10


def test_an_answer_is_never_hidden_by_trouble_with_the_token(store):
    tokens = iter([uuid.uuid4().hex])
    pacer = RedisPacer(store, lambda: next(tokens))
    pacer.take(Urgency.MONEY)
    pacer.learn(limit=50, remaining=49, reset=time.time() + 60)
    pacer.pause(5)


def test_no_token_is_stored(store):
    token = "secret-" + uuid.uuid4().hex
    knowing(RedisPacer(store, lambda: token))
    assert all(b"secret" not in key for key in store.keys("*"))


def test_F51_without_redis_each_process_keeps_to_a_share_and_says_so(tmp_path, lines):
    with redis_store(f"unix://{tmp_path / 'nobody'}") as nowhere:
        pacer = knowing(RedisPacer(nowhere, lambda: "t", jitter=lambda: 0), limit=48, remaining=48)
        began = time.monotonic()
        assert spend(pacer, Urgency.INTERACTIVE) == 12 - 1
        pacer.pause(30)
        assert wait_of(pacer, Urgency.INTERACTIVE) == pytest.approx(30, abs=0.5)
        assert time.monotonic() - began < 1
    assert [line["event"] for line in lines] == ["pacer.redis_away"]
    assert FALLBACK.own == 0.25
