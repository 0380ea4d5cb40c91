"""The ledger's database gone, old or too slow: nothing is lost without being counted, and a hard budget holds."""

import sqlite3
import time
from contextlib import closing

import psycopg
import pytest
from servers import PostgresServer
from storage_samples import NOON, decision, outcome

from crew_router import Router
from crew_router.errors import BudgetExceededError, StorageError
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.ledger.schema import MIGRATIONS, OUTCOMES, statements
from crew_router.record.ledger.writer import WriterPolicy
from crew_router.testing import ScriptedModel

DAY = Scope("day", 3_200_000)


@pytest.fixture
def server():
    """A PostgreSQL that this test may harm."""
    running = PostgresServer()
    yield running
    running.close()


@pytest.fixture
def away(server):
    """A ledger that has spent a little, and whose database has gone since."""
    ledger = open_ledger(server.url, project="crew", policy=WriterPolicy(max_rows=500))
    budgets = ledger.budgets()
    budgets.settle(budgets.reserve((DAY,), 100), 100)
    ledger.finished(outcome(0))
    ledger.flush()
    server.stop()
    yield ledger
    ledger.close()


def test_without_a_budget_requests_go_on_and_the_rows_follow(server, away):
    """Rows wait in memory, are counted in health, and are written when the database is back."""
    for number in range(1, 101):
        away.finished(outcome(number))
    waiting = away.health()["unwritten"]

    server.start()
    end = time.monotonic() + 20
    while away.health()["unwritten"] and time.monotonic() < end:
        time.sleep(0.05)

    assert waiting == 100
    assert away.totals(since=0)["requests"] == 101


def test_a_router_that_starts_while_the_database_is_away_answers(server):
    """Requests are answered and counted as unwritten; with the database back their rows are there, without a restart."""
    server.stop()
    router = Router(models={"lab:a": ScriptedModel("yes")}, ledger_url=server.url, state_url="memory://", project="crew")
    texts = [router.invoke("Hi").text for _ in range(3)]
    while router.history.health()["reachable"]:
        time.sleep(0.01)
    unwritten = router.health()["ledger"]["unwritten"]

    server.start()
    router.history.flush()

    assert texts == ["yes"] * 3
    assert unwritten == 9
    assert router.stats()["requests"] == 3
    router.close()


def test_a_full_queue_drops_telemetry_and_counts_it_but_never_money(server, away):
    """Beyond the bound outcomes are dropped and counted; settlements are kept and written."""
    budgets = away.budgets()
    away.finished(outcome(1))
    while away.health()["reachable"]:
        time.sleep(0.01)
    for number in range(2, 1000):
        away.finished(outcome(number))
    for _ in range(20):
        budgets.settle(budgets.reserve((DAY,), 100), 100)
    health = away.health()

    server.start()
    end = time.monotonic() + 20
    while away.health()["unwritten"] and time.monotonic() < end:
        time.sleep(0.05)

    assert (health["dropped"], health["unwritten"]) == (499, 520)
    assert away.select("SELECT sum(amount_nano) FROM money WHERE kind = 'spent'")[0][0] == 2100
    assert away.health()["dropped"] == 499


@pytest.mark.usefixtures("server")
def test_a_hard_budget_stops_at_the_slices_held(away):
    """The slice is spent to its end, and then the error says that the database is gone."""
    budgets = away.budgets()
    held = DAY.limit_nano // 32

    for _ in range(held // 100 - 1):
        budgets.settle(budgets.reserve((DAY,), 100, lasts_s=1.0), 100)

    with pytest.raises(StorageError, match="used up"):
        budgets.reserve((DAY,), 100, lasts_s=1.0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
def test_a_ledger_of_an_older_schema_is_brought_up_to_date(tmp_path, request, kind, schema):
    """Rows written under any older schema are still there, questions are answered from the new indexes, and budgets work."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite3" if kind == "sqlite" else request.getfixturevalue("postgres_schema")
    row = ["crew", "d-1", NOON, "lab:a", "lab", None, 1, 1.5, 1000, 1, 2, 0, 0, None, None, 0, None, "engine", 0, None, None]
    mark = "?" if kind == "sqlite" else "%s"
    script = [statement for migration in MIGRATIONS[:schema] for statement in statements(migration, kind)]
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3") if kind == "sqlite" else psycopg.connect(url)) as old:
        for statement in script:
            old.execute(statement)
        old.execute("INSERT INTO meta VALUES ('schema', ?)".replace("?", mark), (str(schema),))
        old.execute(OUTCOMES.insert_rows(1).replace("?", mark), row)
        old.commit()

    ledger = open_ledger(url, project="crew")
    ledger.decided(decision(2))
    ledger.budgets().reserve((DAY,), 100)
    ledger.audited("override", {"pin": "lab:a"}, at=NOON)

    assert ledger.totals()["requests"] == 1
    assert [slot.requests for slot in (*ledger.breakdown(), *ledger.breakdown(since=NOON))] == [1, 1]
    assert ledger.decision("d-2").id == "d-2"
    ledger.flush()
    assert ledger.select("SELECT event FROM overrides") == [("override",)]
    ledger.close()


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path):
    """An older program does not write into a newer ledger."""
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", project="crew")
    with ledger.database.transaction() as cursor:
        cursor.run("UPDATE meta SET value = '99' WHERE name = 'schema'")
    ledger.close()

    with pytest.raises(StorageError, match="update crew-router"):
        open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", project="crew").totals()


def test_dropping_can_be_chosen_over_waiting(tmp_path):
    """With ``overflow: drop`` a burst beyond the bound is dropped and counted, row by row."""
    policy = WriterPolicy(overflow="drop", max_rows=50)
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", project="crew", policy=policy)
    with ledger.database.transaction():
        for number in range(200):
            ledger.finished(outcome(number))
    ledger.flush()

    totals = ledger.totals(since=0)

    assert totals["dropped"] > 0
    assert totals["requests"] + totals["dropped"] == 200
    ledger.close()


def test_waiting_loses_nothing(tmp_path):
    """With ``overflow: wait`` a burst beyond the bound waits for room."""
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", project="crew", policy=WriterPolicy(max_rows=50))
    for number in range(2000):
        ledger.finished(outcome(number))

    totals = ledger.totals(since=0)

    assert (totals["requests"], totals["dropped"]) == (2000, 0)
    ledger.close()


def test_an_overspent_budget_is_refused_after_the_database_is_back(server, away):
    """Nothing that was spent meanwhile is forgotten."""
    server.start()
    away.budgets().settle(away.budgets().reserve((DAY,), 3_199_900), 3_199_900)

    with pytest.raises(BudgetExceededError):
        away.budgets().reserve((DAY,), 1)
