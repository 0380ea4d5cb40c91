"""Asynchronous requests wait for the disk, and for money, without holding up the event loop."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from crew_router import Router, RoutingRequest
from crew_router.errors import StorageError
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.ledger.writer import WriterPolicy
from crew_router.testing import ScriptedModel, runtime_of


@pytest.fixture
def path(tmp_path):
    """The file of a ledger."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def router(path, tmp_path):
    """A router with a budget whose ledger is a file, after its first request."""
    config = {
        "ledger": {"url": f"sqlite:///{path}", "durability": "full"},
        "state": {"url": f"sqlite:///{tmp_path}/state.sqlite3"},
        "budgets": {"project": 1, "run": 0.5},
    }
    models = {"lab:a": ScriptedModel("yes", price=(1.0, 2.0), usage=(10, 5))}
    with Router(config, models=models, project="crew") as made:
        made.invoke("Hi")
        yield made


async def answer(router):
    """Take an answer whole."""
    return (await router.ainvoke("Hi")).decision.id


async def stream(router):
    """Take an answer in pieces."""
    return [chunk async for chunk in router.astream("Hi")][-1].response.decision.id


async def choose(router):
    """Take the decision alone."""
    return (await router.aselect_model(RoutingRequest(task_description="Hi"))).id


@pytest.mark.parametrize("ask", [answer, stream, choose])
async def test_the_loop_goes_on_while_a_commit_waits(router, path, ask):
    """While another process holds the database the loop turns, the request waits; then its rows are on disk and it ends."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(ask(router))
        for _ in range(20):
            await asyncio.sleep(0.01)
        waited = not task.done()
        other.execute("ROLLBACK")
        decision_id = await task
        found = other.execute("SELECT count(*) FROM decisions WHERE id = ?", (decision_id,)).fetchone()
        outcomes = other.execute("SELECT count(*) FROM outcomes WHERE decision_id = ?", (decision_id,)).fetchone()
        spent = other.execute("SELECT count(*) FROM money WHERE kind = 'spent'").fetchone()

    assert waited
    assert (found, outcomes, spent) == ((1,), (0,) if ask is choose else (1,), (1,) if ask is choose else (2,))


async def test_requests_that_wait_together_are_committed_together(router, path):
    """A hundred requests at once end with all their rows on disk and nothing reserved any more."""
    answers = await router.abatch(["Hi"] * 100, max_concurrency=100)

    with closing(sqlite3.connect(path)) as other:
        found = other.execute("SELECT count(*) FROM outcomes").fetchone()
    assert found == (101,)
    assert all(answer.text == "yes" for answer in answers)
    assert runtime_of(router).ledger.budgets().left_nano()["project"] == 1_000_000_000 - 101 * 20_000


async def test_a_commit_that_does_not_come_is_an_error(path):
    """The error says how many rows are not on disk; they are kept, and written later."""
    ledger = open_ledger(f"sqlite:///{path}", project="crew", durability="full", policy=WriterPolicy(commit_wait_s=0.2))
    ledger.audited("before", {}, at=1.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="1 rows are not on disk"):
            async with ledger.deferred("d-1"):
                ledger.audited("asked", {"decision_id": "d-1"}, at=2.0)
        other.execute("ROLLBACK")

    await asyncio.to_thread(ledger.close)

    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM audit").fetchone() == (2,)


async def test_the_loop_goes_on_while_a_reservation_waits(router, path):
    """The first call of a run asks the database for a part of its budget; others may hold that up, but not the loop."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(router.ainvoke("Hi", request=RoutingRequest(run_id="r1")))
        for _ in range(20):
            await asyncio.sleep(0.01)
        waited = not task.done()
        other.execute("ROLLBACK")
        answer = await task

    assert (waited, answer.text) == (True, "yes")
    assert router.budget_remaining("run:r1") == pytest.approx(0.5 - 20e-6)


async def test_a_request_that_is_given_up_while_its_reservation_waits_leaves_nothing_reserved(router, path):
    """What comes for nobody goes back, and the whole budget can be spent."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(router.ainvoke("Hi", request=RoutingRequest(run_id="r2")))
        await asyncio.sleep(0.1)
        task.cancel()
        other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await task

    budgets, scope = runtime_of(router).ledger.budgets(), Scope("run:r2", 500_000_000)
    for _ in range(100):
        if budgets.left_nano().get("run:r2") == scope.limit_nano:
            break
        await asyncio.sleep(0.02)

    budgets.release(budgets.reserve((scope,), scope.limit_nano))
    assert budgets.left_nano()["run:r2"] == scope.limit_nano
