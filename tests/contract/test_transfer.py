"""Questions, export, import and the end of old rows, on each database."""

import io
import json

import pytest
from storage_samples import NOON, attempt, decision, outcome

from crew_router.errors import StorageError
from crew_router.ledger import open_ledger
from crew_router.ledger.budgets import Scope
from crew_router.testing import FrozenClock
from crew_router.types import FeedbackData


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    """A ledger with three requests, a day apart, and some money spent."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite3" if request.param == "sqlite" else request.getfixturevalue("postgres_schema")
    book = open_ledger(url, project="crew", clock=FrozenClock(NOON))
    for day in range(3):
        at = NOON + day * 86_400
        book.decided(decision(day, at=at))
        book.attempted(f"d-{day}", attempt())
        book.finished(outcome(day, at=at, escalated=day == 2))
        book.said(FeedbackData(f"d-{day}", outcome="success"), reward=1.0, at=at)
    book.audited("override", {"pin": "lab:a"}, at=NOON)
    book.budgets().settle(book.budgets().reserve((Scope("day", 10**9),), 500), 500)
    book.flush()
    yield book
    book.close()


def exported(book, **which):
    """Return the lines of an export."""
    out = io.StringIO()
    book.export(out, **which)
    return out.getvalue().splitlines(keepends=True)


def test_breakdown_sums_by_model_and_task(ledger):
    """One model on one task has three requests."""
    (slot,) = ledger.breakdown()

    assert (slot.key, slot.requests, slot.successes, slot.escalations) == (("lab:a", "code_generation"), 3, 3, 1)
    assert (slot.cost_nano, slot.latency_s) == (3_000_000, 1.5)


def test_series_sums_by_period(ledger):
    """Three days have one request each; a period without requests is absent."""
    slots = ledger.series(bucket_s=86_400)

    assert [slot.requests for slot in slots] == [1, 1, 1]
    assert [slot.key for slot in slots] == [NOON // 86_400 * 86_400 + day * 86_400 for day in range(3)]


def test_an_export_has_every_row_and_no_money(ledger):
    """Each line is one row with its table; the count beforehand is the number of lines."""
    lines = exported(ledger)

    tables = [json.loads(line)["table"] for line in lines]
    assert {table: tables.count(table) for table in set(tables)} == {
        "decisions": 3,
        "attempts": 3,
        "outcomes": 3,
        "feedback": 3,
        "audit": 1,
    }
    assert ledger.count() == len(lines)


def test_an_export_can_be_taken_in_elsewhere_once(ledger, tmp_path):
    """Another ledger holds the same decisions, calls and outcomes; reading the file again adds nothing."""
    other = open_ledger(f"sqlite:///{tmp_path}/other.sqlite3", project="crew")
    lines = exported(ledger)

    taken = [other.take_in(lines), other.take_in(lines)]

    assert taken == [12, 0]
    assert other.decision("d-1") == ledger.decision("d-1")
    assert other.attempts("d-1") == ledger.attempts("d-1")
    assert list(other.outcomes(since=0)) == list(ledger.outcomes(since=0))
    other.close()


def test_a_line_that_is_no_row_is_named(ledger):
    """The error says which line."""
    with pytest.raises(StorageError, match="line 2"):
        ledger.take_in([exported(ledger)[0], "{}\n"])


def test_old_rows_are_deleted_and_money_stays(ledger):
    """Rows before a time are gone; spend, budgets and audit are as they were."""
    deleted = ledger.prune(before=NOON + 86_400)

    assert deleted == 1 + 3 + 1 + 1
    assert ledger.totals(since=0)["requests"] == 2
    assert ledger.select("SELECT count(*) FROM audit") == [(1,)]
    assert ledger.budgets().remaining_nano(Scope("day", 10**9)) == 10**9 - 500


def test_an_export_before_a_time_leaves_the_rest_out(ledger):
    """Only what is older is written."""
    tables = [json.loads(line)["table"] for line in exported(ledger, before=NOON + 1)]

    assert tables.count("outcomes") == 1
