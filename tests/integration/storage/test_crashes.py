"""Processes that are killed, forked and crowded: no money too much, no row lost, one probe."""

import os
import random
import threading

import pytest
import storage_crowd
from storage_samples import NOON, A, outcome

from crew_router import Router
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.ledger.writer import WriterPolicy
from crew_router.record.state.observation import Observation
from crew_router.record.state.opening import open_state
from crew_router.testing import ScriptedModel, runtime_of
from crew_router.types import ErrorKind
from crew_router.types.clock import SystemClock


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of an empty ledger."""
    return f"sqlite:///{tmp_path}/ledger.sqlite3" if request.param == "sqlite" else request.getfixturevalue("postgres_schema")


@pytest.mark.timeout(500)
def test_eight_processes_never_overspend_though_three_are_killed(url, tmp_path):
    """The providers' bills stay within the limit, nothing stays reserved, accounts agree, and 95 % is usable."""
    check(storage_crowd.spend(url, "full", tmp_path), usable=0.95)


@pytest.mark.timeout(500)
def test_killed_processes_forfeit_their_slices_without_full_durability(tmp_path):
    """The same holds with ``batch``, at the price of what the dead had not settled."""
    check(storage_crowd.spend(f"sqlite:///{tmp_path}/ledger.sqlite3", "batch", tmp_path), usable=0.8)


def check(spending, *, usable):
    """Hold what must hold for every crowd."""
    assert spending.killed == 3
    assert spending.billed <= spending.limit
    assert spending.settled <= spending.billed
    assert spending.left_reserved == 0
    assert spending.agrees
    assert spending.usable >= usable
    assert spending.p99_wait_s <= 0.25


@pytest.mark.parametrize("seed", range(2))
def test_no_acknowledged_row_is_lost_with_full_durability(url, tmp_path, seed):
    """Whatever the process had been told was written is there after kill -9."""
    told = storage_crowd.write(url, "full", tmp_path, rows=400, kill_at=random.Random(seed).randrange(20, 300))

    ledger = open_ledger(url, project="crew")
    found = {int(str(row[0])[2:]) for row in ledger.select("SELECT decision_id FROM outcomes")}
    ledger.close()
    assert set(told) <= found


def test_at_most_the_last_batch_is_lost_otherwise(url, tmp_path):
    """What is missing after kill -9 is the end, and no more than one batch."""
    told = storage_crowd.write(url, "batch", tmp_path, rows=100_000, kill_at=10_000)

    ledger = open_ledger(url, project="crew")
    found = {int(str(row[0])[2:]) for row in ledger.select("SELECT decision_id FROM outcomes")}
    ledger.close()
    missing = sorted(set(told) - found)
    assert missing == told[len(told) - len(missing) :]
    assert len(missing) <= WriterPolicy().batch_rows


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_one_probe_for_each_half_open_window_over_eight_processes(store, tmp_path, request):
    """No opening of a breaker is probed twice, and windows follow one another."""
    url = f"sqlite:///{tmp_path}/state.sqlite3" if store == "sqlite" else request.getfixturevalue("redis_server").url
    first = open_state(url, project="crew")
    for _ in range(5):
        first.observe(Observation(A, None, success=False, at=SystemClock().now() - 60, error=ErrorKind.OVERLOAD))
    first.close()

    claims = storage_crowd.probe(url, tmp_path)

    assert len(claims) >= 3
    assert len(claims) == len(set(claims))


def test_forked_workers_open_their_own_connections(url, tmp_path):
    """Under prefork every row is written once, by the process that handed it over, and budgets hold."""
    ledger = open_ledger(url, project="crew")
    scope = Scope("project", 1_000_000)
    state = open_state(f"sqlite:///{tmp_path}/state.sqlite3", project="crew")
    ledger.finished(outcome(0))
    ledger.budgets().settle(ledger.budgets().reserve((scope,), 100), 100)
    state.observe(Observation(A, None, success=True, at=NOON))

    children = []
    for child in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                for number in range(100):
                    ledger.finished(outcome(1000 * (child + 1) + number))
                    ledger.budgets().settle(ledger.budgets().reserve((scope,), 100), 100)
                    state.observe(Observation(A, None, success=True, at=NOON))
                ledger.close()
                state.close()
            except BaseException:  # noqa: BLE001 - a child of the test must not go on into pytest
                os._exit(1)
            os._exit(0)
        children.append(pid)
    ledger.finished(outcome(1))
    codes = [os.waitpid(pid, 0)[1] for pid in children]

    state.sync()
    assert codes == [0, 0, 0, 0]
    assert ledger.select("SELECT count(*), count(DISTINCT decision_id) FROM outcomes") == [(402, 402)]
    assert ledger.budgets().remaining_nano(scope) == 1_000_000 - 401 * 100
    assert state.performance(A, None).samples == pytest.approx(401, rel=1e-6)
    ledger.close()
    state.close()


def serve(router, requests, failures):
    """Answer requests on two threads, as a worker of gunicorn or celery does."""

    def answer():
        try:
            for _ in range(requests // 2):
                assert router.invoke("Hi").text == "yes"
        except BaseException as error:  # noqa: BLE001 - told to the parent by the exit code
            failures.append(error)

    threads = [threading.Thread(target=answer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("durability", ["batch", "full"])
def test_a_router_made_before_the_fork_serves_in_every_worker(url, tmp_path, durability):
    """Four workers and their parent answer with all threads of the router running; rows, ids, budget and figures add up."""
    config = tmp_path / "crew_router.yaml"
    config.write_text(f"budgets: {{project: 1}}\nledger: {{durability: {durability}}}\n")
    models = {"lab:a": ScriptedModel("yes", price=(1.0, 2.0), usage=(10, 5))}
    router = Router(config, models=models, project="crew", ledger_url=url, state_url=f"sqlite:///{tmp_path}/state.sqlite3")
    router.invoke("Hi")
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            failures = []
            try:
                serve(router, 40, failures)
                router.close()
            except BaseException as error:  # noqa: BLE001 - a child of the test must not go on into pytest
                failures.append(error)
            os._exit(len(failures))
        children.append(pid)
    serve(router, 40, failures := [])
    codes = [os.waitpid(pid, 0)[1] for pid in children]

    ledger = router.history
    assert (codes, failures) == ([0, 0, 0, 0], [])
    assert ledger.select("SELECT count(*), count(DISTINCT id) FROM decisions") == [(201, 201)]
    assert ledger.select("SELECT count(*) FROM outcomes WHERE success = 1") == [(201,)]
    assert router.budget_remaining("project") == pytest.approx(1 - 201 * 20e-6)
    runtime_of(router).state.sync()
    assert router.performance("lab:a").samples == pytest.approx(201, rel=1e-3)
    router.close()
