"""A ledger that is damaged, gone or refuses to be written is trouble of the database, never of its rows."""

import logging
import os
import sqlite3
import time
from contextlib import closing

import psycopg
import pytest
from storage_samples import decision, outcome

from crew_router import Router
from crew_router.errors import StorageError
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.ledger.writer import WriterPolicy
from crew_router.testing import ScriptedModel

SCOPE = Scope("project", 1_000_000)
NUL_MODEL = "lab:\0"


@pytest.fixture
def path(tmp_path):
    """The file of a ledger."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger_of():
    """A function that opens a ledger, which is closed at the end."""
    opened = []

    def open_one(url, **settings):
        opened.append(open_ledger(url, project="crew", **settings))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


def written(ledger):
    """Wait until no row waits any more."""
    end = time.monotonic() + 20
    while ledger.health()["unwritten"] and time.monotonic() < end:
        time.sleep(0.02)


def overwrite(path):
    """Damage every page of a database, as a bad disk would."""
    path.write_bytes(os.urandom(max(path.stat().st_size, 8192)))


def fill(path):
    """Put more into a ledger than a connection keeps in memory, all of it into the file itself."""
    ledger = open_ledger(f"sqlite:///{path}", project="crew")
    for number in range(3000):
        ledger.decided(decision(number))
    ledger.close()


@pytest.mark.parametrize("when", ["before it is opened", "while it is used"])
def test_a_damaged_file_is_an_error_with_full_durability_and_one_line_in_the_log(path, tmp_path, caplog, when):
    """No request is told that its rows are on disk; health says what is wrong, the log says it once."""
    caplog.set_level(logging.WARNING)
    config = {"ledger": {"url": f"sqlite:///{path}", "durability": "full"}, "state": {"url": f"sqlite:///{tmp_path}/state.db"}}
    router = Router(config, models={"lab:a": ScriptedModel("yes")}, project="crew")
    fill(path)
    if when == "while it is used":
        router.invoke("Hi")
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(path)

    begun = time.monotonic()
    for _ in range(3):
        with pytest.raises(StorageError, match="damaged"):
            router.invoke("Hi")
    took_s = time.monotonic() - begun
    health = router.health()["ledger"]

    assert took_s < 5
    assert (health["reachable"], health["refused"]) == (False, 0)
    assert health["unwritten"] >= 3
    assert "damaged" in health["problem"]
    lines = [record.name for record in caplog.records if str(path) in record.getMessage()]
    assert lines.count("crew_router.record.ledger.writer") == 1
    assert len(lines) <= 2  # the other is of operators' orders, which are read from there too
    path.unlink()
    router.close()


def test_rows_follow_when_a_damaged_file_is_replaced_by_a_good_one(path, ledger_of):
    """What waited while the file was damaged is written into the one that takes its place."""
    ledger = ledger_of(f"sqlite:///{path}")
    path.write_bytes(os.urandom(8192))
    ledger.finished(outcome(1))
    while ledger.health()["reachable"]:
        time.sleep(0.01)

    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        name.unlink(missing_ok=True)
    written(ledger)

    assert ledger.select("SELECT decision_id FROM outcomes") == [("d-1",)]
    assert ledger.health()["reachable"]


def test_rows_go_to_the_file_that_bears_the_name(path, ledger_of):
    """A file that was moved away is not written to any more: rows go where a reader would look for them."""
    ledger = ledger_of(f"sqlite:///{path}", durability="full")
    ledger.finished(outcome(0))
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        if name.exists():
            name.rename(name.with_name("old-" + name.name))

    ledger.finished(outcome(1))

    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT decision_id FROM outcomes").fetchall() == [("d-1",)]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, path):
    """The address of an empty ledger."""
    return f"sqlite:///{path}" if request.param == "sqlite" else request.getfixturevalue("postgres_schema")


def rename_tables(url, path, names):
    """Rename tables of the database behind the ledger's back."""
    statements = [f"ALTER TABLE {old} RENAME TO {new}" for old, new in names.items()]
    with closing(sqlite3.connect(path)) if url.startswith("sqlite") else psycopg.connect(url) as other:
        for statement in statements:
            other.execute(statement)
        other.commit()


def break_it(url, path):
    """Make the database refuse every row, by taking its tables away."""
    rename_tables(url, path, {"money": "hidden", "outcomes": "hidden_outcomes"})


def mend_it(url, path):
    """Put the tables back."""
    rename_tables(url, path, {"hidden": "money", "hidden_outcomes": "outcomes"})


def test_a_database_that_refuses_everything_loses_nothing(url, path, ledger_of):
    """Rows and settlements wait while no table takes them, and are written once one does."""
    ledger = ledger_of(url)
    budgets = ledger.budgets()
    ledger.finished(outcome(0))
    reservations = [budgets.reserve((SCOPE,), 100) for _ in range(5)]
    ledger.flush()
    break_it(url, path)

    for number, reservation in enumerate(reservations, start=1):
        budgets.settle(reservation, 100)
        ledger.finished(outcome(number))
    while ledger.health()["reachable"]:
        time.sleep(0.01)
    mend_it(url, path)
    written(ledger)

    assert ledger.health()["refused"] == 0
    assert ledger.select("SELECT count(*) FROM outcomes") == [(6,)]
    assert ledger.select("SELECT count(*), sum(amount_nano) FROM money WHERE kind = 'spent'") == [(5, 500)]


def test_money_is_kept_when_the_database_goes_away_among_refused_rows(postgres_harmed, ledger_of):
    """A row that is no row is counted and left out; all others are written when the server is back, money among them."""
    server, url = postgres_harmed
    ledger = ledger_of(url, policy=WriterPolicy(linger_s=0.5))
    budgets = ledger.budgets()
    ledger.finished(outcome(0))
    reservations = [budgets.reserve((SCOPE,), 100) for _ in range(20)]
    ledger.flush()
    with psycopg.connect(url, autocommit=True) as other:
        # The third row of the batch stops the server: the database goes in the middle of writing one by one.
        other.execute(_STOPS)

    ledger.finished(outcome(1, cost_nano=2**70))
    for number, reservation in enumerate(reservations):
        ledger.finished(outcome(100 + number))
        budgets.settle(reservation, 100)
    while ledger.health()["reachable"]:
        time.sleep(0.01)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("DROP TRIGGER gone ON outcomes")
    written(ledger)

    assert server.port
    assert ledger.health()["refused"] == 1
    assert ledger.select("SELECT count(*), sum(amount_nano) FROM money WHERE kind = 'spent'") == [(20, 2000)]
    assert ledger.select("SELECT count(*) FROM outcomes") == [(21,)]


_STOPS = """
CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.decision_id = 'd-102' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN new;
END $$;
CREATE TRIGGER gone BEFORE INSERT ON outcomes FOR EACH ROW EXECUTE FUNCTION gone();
"""


@pytest.fixture
def postgres_harmed(postgres, postgres_schema):
    """A server with the address of an empty schema whose sessions end in the middle."""
    return postgres, postgres_schema
