"""Redis stopped, frozen, full, evicting and wiped: requests go on, health says so, everything catches up."""

import threading
import time

import pytest
import redis
from servers import RedisServer
from storage_samples import A

from crew_router import Router
from crew_router.clock import SystemClock
from crew_router.state import Observation, Refresh, open_state
from crew_router.testing import ScriptedModel


@pytest.fixture
def server():
    """A server that this test may harm."""
    running = RedisServer()
    yield running
    running.close()


@pytest.fixture
def opened(server):
    """A function that opens states of one project."""
    states = []

    def open_one():
        states.append(open_state(server.url, project="crew", clock=SystemClock(), refresh=Refresh(max_age_s=0.2)))
        return states[-1]

    yield open_one
    for state in states:
        state.close()


def observe(state, times=1):
    """Let the state see some successes."""
    for _ in range(times):
        state.observe(Observation(A, None, success=True, at=time.time(), latency_s=1.0))


def until(condition, within_s=10.0):
    """Wait until something holds; return whether it does."""
    end = time.monotonic() + within_s
    while time.monotonic() < end and not condition():
        time.sleep(0.02)
    return condition()


def test_no_request_fails_while_redis_is_stopped_and_started(server):
    """Under load from four threads a router answers every request, and says in health that the store was away."""
    router = Router(
        models={"lab:a": ScriptedModel(replies=["yes"], usage=(10, 5), price=(1.0, 2.0))}, state_url=server.url, ledger_url="sqlite://"
    )
    failures, answers, stop, seen = [], [], threading.Event(), set()

    def load():
        while not stop.is_set():
            try:
                answers.append(router.invoke("Say yes").text)
            except Exception as error:  # noqa: BLE001 - every failure counts
                failures.append(error)
            time.sleep(0.002)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for act in (server.stop, server.start):
        time.sleep(0.5)
        act()
        time.sleep(1.0)
        seen.add(bool(router._parts.state.health()["reachable"]))
    stop.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(answers) > 100
    assert False in seen
    assert until(lambda: router._parts.state.health()["reachable"])
    router.close()


def test_what_was_seen_while_redis_was_away_is_sent_when_it_is_back(server, opened):
    """Outcomes before, during and after an outage all count, although the server came back empty."""
    one, two = opened(), opened()
    observe(one, 10)
    one.sync()
    two.sync()
    server.stop()
    observe(one, 10)
    away = one.sync()
    decided_on = one.snapshot().performance[A, None].samples
    server.start()
    observe(one, 10)

    one.sync()
    one.sync()
    two.sync()

    assert not away
    assert decided_on == pytest.approx(20, rel=1e-3)
    assert one.performance(A, None).samples == pytest.approx(30, rel=1e-3)
    assert two.performance(A, None).samples == pytest.approx(30, rel=1e-3)


def test_a_frozen_server_does_not_hold_decisions_up(server, opened):
    """A server that accepts and never answers costs a reader at most the wait of one renewal."""
    state = opened()
    observe(state)
    state.sync()
    server.freeze()
    time.sleep(0.5)

    begun = time.perf_counter()
    for _ in range(1000):
        state.snapshot()
    took_s = time.perf_counter() - begun

    assert took_s < 0.5
    assert until(lambda: not state.health()["reachable"])
    server.thaw()
    assert until(lambda: (state.snapshot(), state.health()["reachable"])[1])


def test_a_full_server_keeps_what_was_seen_in_the_process(server, opened):
    """Writes are refused while memory is full; they are sent when there is room."""
    state, client = opened(), redis.Redis.from_url(server.url)
    client.config_set("maxmemory", "1")
    observe(state, 5)
    full = state.sync()
    client.config_set("maxmemory", "0")

    assert not full
    assert until(state.sync)
    assert opened().performance(A, None).samples == pytest.approx(5, rel=1e-3)
    client.close()


def test_evicted_figures_are_put_back(server, opened):
    """A figure that the server evicted comes back with its history when a process adds to it."""
    one, client = opened(), redis.Redis.from_url(server.url)
    observe(one, 10)
    one.sync()
    for key in client.scan_iter("moe:perf:crew:lab*"):
        client.delete(key)

    observe(one)
    one.sync()

    assert opened().performance(A, None).samples == pytest.approx(11, rel=1e-3)
    client.close()


def test_keys_are_named_as_the_document_names_them(server, opened):
    """Figures stand under namespace, project, encoded model and task, and expire after thirty days."""
    state, client = opened(), redis.Redis.from_url(server.url, decode_responses=True)
    observe(state)
    state.sync()

    key = "moe:perf:crew:lab%3Aa:all"

    assert float(client.hget(key, "samples")) == 1.0
    assert 29 * 86_400 < client.ttl(key) <= 30 * 86_400
    client.close()


def test_a_password_in_the_url_is_used_and_not_shown(server):
    """Credentials come from the url, and health names the server without them."""
    client = redis.Redis.from_url(server.url)
    client.config_set("requirepass", "hush")
    state = open_state(server.url.replace("redis://", "redis://:hush@"), project="crew")

    health = state.health()

    assert health["reachable"]
    assert "hush" not in str(health)
    state.close()
    client.close()
