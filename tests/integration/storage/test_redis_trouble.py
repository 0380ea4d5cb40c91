"""Redis stopped, frozen, full, evicting and wiped: requests go on, health says so, everything catches up."""

import ssl
import threading
import time
from typing import ClassVar
from unittest.mock import patch

import pytest
import redis
from servers import Front, RedisServer, certificate
from storage_samples import A

from crew_router import Router, RoutingRequest
from crew_router.record.state.observation import Observation
from crew_router.record.state.opening import open_state
from crew_router.record.state.shared import Refresh
from crew_router.testing import ScriptedModel, runtime_of
from crew_router.types.clock import SystemClock


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


@pytest.fixture
def replica(server):
    """A server that has what the other one has."""
    running = RedisServer("--replicaof", "127.0.0.1", str(server.port))
    yield running
    running.close()


@pytest.fixture
def front(server):
    """An address before the server that can be slow, or move to another."""
    standing = Front(server.port)
    yield standing
    standing.close()


@pytest.fixture(autouse=True)
def _routers_are_closed(server):  # noqa: ARG001 - its end comes after this one
    """Close the routers of a test before its server goes, so that none of their threads outlives it."""
    yield
    while Load.routers:
        Load.routers.pop().close()


class Load:
    """Four threads that ask a router over a state again and again."""

    routers: ClassVar[list] = []

    def __init__(self, url):
        model = ScriptedModel(replies=["yes"], usage=(10, 5), price=(1.0, 2.0))
        self.router = Router(models={"lab:a": model}, state_url=url, ledger_url="sqlite://", project="crew")
        self.routers.append(self.router)
        self.failures, self.answers, self._stop = [], [], threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def __enter__(self):
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        """End, and wait for what runs."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        while not self._stop.is_set():
            try:
                self.answers.append(self.router.invoke("Say yes").text)
            except Exception as error:  # noqa: BLE001 - every failure counts
                self.failures.append(error)
            time.sleep(0.002)

    def reachable(self):
        """Tell what health says of the state."""
        return self.router.health()["state"]["reachable"]


def server_calls(router):
    """Return how often a hundred decisions made this thread ask the server."""
    asked, ask = [], redis.Redis.execute_command

    def counted(client, *command, **options):
        asked.append(threading.get_ident())
        return ask(client, *command, **options)

    with patch.object(redis.Redis, "execute_command", counted):
        for _ in range(100):
            router.select_model(RoutingRequest(task_description="Hi"))
    return asked.count(threading.get_ident())


def stopped_and_started(server, _):
    """Kill the server, and begin an empty one."""
    server.stop()
    yield
    server.start()


def frozen_and_thawed(server, _):
    """Let the server accept and answer nobody for a while."""
    server.freeze()
    yield
    server.thaw()


def full_and_not(_, client):
    """Let the server refuse what needs memory, with the policy that evicts nothing."""
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    yield
    client.config_set("maxmemory", "0")


@pytest.mark.parametrize("trouble", [stopped_and_started, frozen_and_thawed, full_and_not])
def test_no_request_fails_while_redis_is_in_trouble(server, front, trouble):
    """Under load every request is answered, health says that the store is away, and afterwards every outcome is in it."""
    client = redis.Redis.from_url(server.url)
    with Load(f"redis://127.0.0.1:{front.port}/0") as load:
        time.sleep(0.3)
        acts = trouble(server, client)
        next(acts)
        noticed = until(lambda: not load.reachable())
        next(acts, None)
        back = until(load.reachable)
    state, answers = runtime_of(load.router).state, len(load.answers)

    assert load.failures == []
    assert (noticed, back, answers > 100) == (True, True, True)
    assert until(lambda: state.sync() and state.health()["unsent"] == 0)
    assert float(client.hget("moe:perf:crew:lab%3Aa:all", "samples")) == pytest.approx(answers, rel=1e-3)
    load.router.close()
    client.close()


def test_a_slow_store_costs_no_request_its_time(front):
    """With 50 ms to every answer of the store decisions still come from the snapshot, which stays as young as it may be."""
    front.delay_s = 0.05
    with Load(f"redis://127.0.0.1:{front.port}/0") as load:
        time.sleep(1.5)
        age_s = load.router.health()["state"]["snapshot_age_s"]
        sent = server_calls(load.router)

    assert load.failures == []
    assert load.reachable()
    assert age_s < 1.5
    assert sent <= 1  # a background thread that a busy machine keeps waiting is stood in for, once
    assert len(load.answers) > 50
    load.router.close()


@pytest.mark.parametrize("old_primary", ["gone", "demoted"])
def test_after_a_failover_the_promoted_replica_is_used(server, replica, front, old_primary):
    """The address moves to a replica that has every figure; a connection to a demoted primary is given up, and nothing is lost."""
    client, promoted = redis.Redis.from_url(server.url), redis.Redis.from_url(replica.url, decode_responses=True)
    with Load(f"redis://127.0.0.1:{front.port}/0") as load:
        assert until(lambda: client.info("replication").get("connected_slaves") == 1)
        time.sleep(0.7)
        client.wait(1, 1000)
        front.target = replica.port
        promoted.replicaof("NO", "ONE")
        server.stop() if old_primary == "gone" else client.replicaof("127.0.0.1", replica.port)
        time.sleep(1.5)
        back = until(load.reachable)
    state, answers = runtime_of(load.router).state, len(load.answers)

    assert load.failures == []
    assert back
    assert until(lambda: state.sync() and state.health()["unsent"] == 0)
    assert float(promoted.hget("moe:perf:crew:lab%3Aa:all", "samples")) == pytest.approx(answers, rel=0.02)
    load.router.close()
    client.close()
    promoted.close()


def test_tls_and_credentials_come_from_the_url(server, tmp_path):
    """Over TLS the server's certificate is checked, user and password are sent, and health shows neither."""
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    standing, client = Front(server.port, context), redis.Redis.from_url(server.url)
    client.acl_setuser("crew", enabled=True, passwords=["+hush"], keys=["*"], commands=["+@all"])
    client.config_set("requirepass", "other")
    url = f"rediss://crew:hush@127.0.0.1:{standing.port}/0?ssl_ca_certs={file}"
    trusting, doubting = open_state(url, project="crew"), open_state(url.partition("?")[0], project="crew")
    wrong = open_state(url.replace("hush", "hash"), project="crew")
    observe(trusting)
    trusting.sync()

    health = [state.health() for state in (trusting, doubting, wrong)]

    assert [each["reachable"] for each in health] == [True, False, False]
    assert client.hget("moe:perf:crew:lab%3Aa:all", "samples") == b"1"
    assert "CERTIFICATE_VERIFY_FAILED" in health[1]["problem"]
    assert all("hush" not in str(each) and "hash" not in str(each) for each in health)
    for each in (trusting, doubting, wrong, client, standing):
        each.close()


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


def test_an_empty_server_gets_what_every_process_saw_meanwhile(server, opened):
    """What the first one puts back does not take the place of what another saw during the outage."""
    one, two = opened(), opened()
    observe(one, 10)
    observe(two, 10)
    for state in (one, two, one):
        state.sync()
    server.stop()
    observe(one, 5)
    observe(two, 7)
    server.start()

    for state in (one, two, one, two):
        state.sync()

    assert [state.performance(A, None).samples for state in (one, two)] == pytest.approx([32, 32], rel=1e-3)


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


def test_a_newer_schema_is_refused_with_what_to_do(server, opened):
    """An older program goes on from what it knows instead of misreading figures of a newer one, and health says why."""
    client = redis.Redis.from_url(server.url)
    opened()
    client.hset("moe:perf:crew:meta", "schema", 99)

    health = opened().health()

    assert not health["reachable"]
    assert "update crew-router" in health["problem"]
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
