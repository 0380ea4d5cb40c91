"""Questions, export, import and the end of old rows, on each database."""

import dataclasses
import io
import json
import time
import tracemalloc

import pytest
from storage_samples import NOON, attempt, decision, outcome

from crew_router.errors import StorageError
from crew_router.record.ledger import export_import
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.ledger.retention import Retention
from crew_router.record.ledger.sql_ledger import SqlLedger
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


def test_what_was_reported_without_a_decision_and_what_was_said_later_is_taken_in_once(ledger, tmp_path):
    """An outcome of nobody's decision counts once however often its file is read, and new feedback on a known decision is added."""
    other = open_ledger(f"sqlite:///{tmp_path}/other.sqlite3", project="crew")
    ledger.finished(dataclasses.replace(outcome(9), decision_id=None, source="caller"))
    before = exported(ledger)
    ledger.said(FeedbackData("d-1", outcome="failure"), reward=0.0, at=NOON + 5)

    taken = [other.take_in(lines) for lines in (before, before, exported(ledger))]

    assert taken == [13, 0, 1]
    assert [said.outcome for said in other.feedback("d-1")] == ["success", "failure"]
    other.close()


def test_an_export_and_an_import_take_constant_memory(tmp_path, monkeypatch):
    """Ten times the rows take less than one and a half times the memory."""
    monkeypatch.setattr(export_import, "PAGE_ROWS", 50)
    peaks = {}
    for rows in (300, 3000):
        book = open_ledger(f"sqlite:///{tmp_path}/{rows}.sqlite3", project="crew")
        other = open_ledger(f"sqlite:///{tmp_path}/{rows}-too.sqlite3", project="crew")
        for number in range(rows):
            book.finished(outcome(number))
        book.flush()
        other.flush()
        tracemalloc.start()
        with (tmp_path / "out.jsonl").open("w") as out:
            book.export(out)
        with (tmp_path / "out.jsonl").open() as lines:
            assert other.take_in(lines) == rows
        peaks[rows] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        book.close()
        other.close()

    assert peaks[3000] < 1.5 * peaks[300]


def test_texts_that_are_too_old_go_and_hashes_stay(ledger):
    """Prompts, answers and comments of the first two days are nowhere any more; counts, hashes and the third day's texts stay."""
    kept = SqlLedger(ledger.database, "crew", clock=FrozenClock(NOON + 2 * 86_400), keep_text=True, retention=Retention(texts_s=3600.0))
    for day in range(3):
        at = NOON + day * 86_400
        kept.decided(decision(10 + day, at=at, messages=("zebra",)), text="zebra")
        kept.finished(outcome(10 + day, at=at), answer="zebra")
        kept.said(FeedbackData(f"d-{10 + day}", outcome="success", comment="zebra"), reward=1.0, at=at)

    kept.retain()
    kept.retain()

    asked = {"decisions": "SELECT * FROM decisions", "outcomes": "SELECT * FROM outcomes", "feedback": "SELECT * FROM feedback"}
    rows = {table: ledger.select(sql) for table, sql in asked.items()}
    assert {table: sum("zebra" in repr(row) for row in found) for table, found in rows.items()} == dict.fromkeys(rows, 1)
    assert len(ledger.select("SELECT 1 FROM decisions WHERE text_hash IS NOT NULL")) == 3
    assert ledger.decision("d-10").request.messages == ()
    assert ledger.decision("d-12").request.messages == ("zebra",)
    assert ledger.select("SELECT detail FROM audit WHERE event = 'retention'") == [('{"deleted_rows": 0, "texts": 6}',)]
    kept.close()


def test_rows_that_are_too_old_go_by_themselves(tmp_path):
    """With a limit on their age old rows are deleted in the background, and the audit says how many."""
    url, clock = f"sqlite:///{tmp_path}/old.sqlite3", FrozenClock(NOON + 86_400)
    book = open_ledger(url, project="crew", clock=clock, retention=Retention(rows_s=3600.0, first_s=0.5, every_s=0.05))
    for number in range(1200):
        book.finished(outcome(number))
    book.finished(outcome(5000, at=clock.now()))
    book.flush()

    end = time.monotonic() + 10
    while book.totals()["requests"] > 1 and time.monotonic() < end:
        time.sleep(0.02)

    assert book.totals()["requests"] == 1
    audited = book.select("SELECT detail FROM audit WHERE event = 'retention'")
    assert sum(json.loads(detail)["deleted_rows"] for (detail,) in audited) == 1200
    book.close()


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
