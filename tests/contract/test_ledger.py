"""What every ledger must do, on each database."""

import contextlib
import dataclasses
import time

import pytest
from storage_samples import NOON, attempt, decision, outcome

from crew_router.errors import ConfigurationError, UnknownDecisionError
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.ledger.writer import WriterPolicy
from crew_router.testing import FrozenClock
from crew_router.types import ErrorKind, FeedbackData, Risk


@pytest.fixture
def clock():
    """Time that stands at noon."""
    return FrozenClock(NOON)


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgresql"])
def opened(request, clock, tmp_path):
    """A function that opens one more ledger over the same database."""
    urls = {"sqlite-file": f"sqlite:///{tmp_path}/folder/ledger.sqlite3", "sqlite-memory": "sqlite://"}
    url = urls.get(request.param) or request.getfixturevalue("postgres_schema")
    ledgers = []

    def open_one(project="crew", **settings):
        ledgers.append(open_ledger(url, project=project, clock=clock, **settings))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()


def test_a_decision_read_back_is_equal(opened):
    """With texts kept every field comes back, the table of candidates with it."""
    ledger = opened(keep_text=True)
    made = decision(task_description="Write a parser")

    ledger.decided(made)
    found = ledger.decision("d-1")

    assert found == made
    assert found.table == made.table
    assert found.evidence == made.evidence


def test_without_kept_text_only_hash_and_length_stay(opened):
    """The prompt is nowhere in the row; equal prompts have equal hashes, and everything else comes back."""
    ledger = opened()
    made = decision(1, task_description="My secret plan", metadata={"note": "My secret plan"})

    ledger.decided(made)
    ledger.decided(decision(2), text="My secret plan")

    found = ledger.decision("d-1")
    everything = ledger.select("SELECT * FROM decisions")
    assert "secret plan" not in repr(everything)
    assert len({row[0] for row in ledger.select("SELECT text_hash FROM decisions")}) == 1
    assert found == dataclasses.replace(made, request=dataclasses.replace(made.request, task_description="", metadata={}))


def test_a_risky_text_is_not_kept_even_if_texts_are(opened):
    """Personal data and secrets never reach the ledger."""
    ledger = opened(keep_text=True)

    ledger.decided(decision(risk=[Risk.PII], task_description="Call Mrs Zebra"))

    assert "Zebra" not in repr(ledger.select("SELECT * FROM decisions"))


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800 half", "עברית 🙂", "'; DROP TABLE decisions; --", "x" * 100_000])
def test_any_text_can_be_kept(opened, text):
    """Empty, NUL, half of a surrogate pair, right-to-left, quotes and long texts are written and read."""
    ledger = opened(keep_text=True)

    ledger.decided(decision(), text=text)
    ledger.attempted("d-1", attempt(error=ErrorKind.UNKNOWN, message=text))
    ledger.finished(outcome(), answer=text)

    assert ledger.decision("d-1").id == "d-1"
    assert len(ledger.attempts("d-1")) == 1


def test_an_unknown_decision_is_a_typed_error(opened):
    """The error names the id."""
    with pytest.raises(UnknownDecisionError, match="d-99"):
        opened().decision("d-99")


def test_attempts_come_back_in_order(opened):
    """Calls are read in the order of their numbers, with unknown usage as None."""
    ledger = opened()
    second = attempt(2, usage=None, cost_nano=None, error=ErrorKind.OVERLOAD, message="busy", status_code=503)

    ledger.attempted("d-1", second)
    ledger.attempted("d-1", attempt(1))

    assert ledger.attempts("d-1") == (attempt(1), second)


def test_keys_in_messages_are_blotted_out(opened):
    """What looks like a credential in a provider's words is not kept."""
    ledger = opened()

    ledger.attempted("d-1", attempt(error=ErrorKind.AUTH, message="Incorrect API key: sk-abcdefghijklmnop1234"))

    assert "abcdefgh" not in ledger.attempts("d-1")[0].message


def test_outcomes_come_back_in_order_of_time(opened):
    """Thousands of outcomes are read in pages, from and until given times."""
    ledger = opened()
    written = [outcome(number, at=NOON + number % 7) for number in range(2500)]
    for one in written:
        ledger.finished(one)

    found = list(ledger.outcomes(since=NOON + 1, until=NOON + 6))

    assert found == sorted((one for one in written if NOON + 1 <= one.at < NOON + 6), key=lambda one: one.at)


def test_totals_add_up(opened):
    """Counts and sums over all outcomes; an unknown cost is left out of the sum and counted."""
    ledger = opened()
    ledger.finished(outcome(1))
    ledger.finished(outcome(2, success=False, escalated=True, cost_nano=None, error=ErrorKind.TIMEOUT))

    totals = ledger.totals()

    assert (totals["requests"], totals["successes"], totals["escalations"], totals["priced"]) == (2, 1, 1, 1)
    assert (totals["cost_usd"], totals["latency_s"], totals["unwritten"]) == (0.001, 1.5, 0)


def test_reset_begins_a_new_epoch(opened, clock):
    """Statistics begin afresh while the rows stay."""
    ledger = opened()
    ledger.finished(outcome(1))
    clock.advance(10)

    ledger.reset()
    ledger.finished(outcome(2, at=clock.now()))

    assert ledger.totals()["requests"] == 1
    assert ledger.totals(since=0)["requests"] == 2


def test_feedback_and_audit_rows_are_kept(opened):
    """Feedback with its reward, and an event with its detail."""
    ledger = opened()

    ledger.said(FeedbackData("d-1", outcome="success", user_rating=5, pr_merged=True), reward=1.0, at=NOON)
    ledger.audited("override", {"pin": "lab:a", "until": None}, at=NOON)
    ledger.flush()

    assert ledger.select("SELECT outcome, user_rating, pr_merged, pr_reverted, reward FROM feedback") == [("success", 5.0, 1, None, 1.0)]
    assert ledger.select("SELECT event, detail FROM audit") == [("override", '{"pin": "lab:a", "until": null}')]


def test_the_view_has_the_thirteen_columns_of_document_c(opened):
    """Names and values as the older analytics expect them; the objective is null unless texts are kept."""
    ledger = opened()
    ledger.decided(decision(task_description="Write a parser"))
    ledger.finished(outcome())
    ledger.flush()

    (row,) = ledger.select(
        "SELECT id, reasoning, timestamp, objective, task_type, complexity, selected_model, estimated_cost, actual_cost, "
        "execution_time, estimated_time, success, tokens_used FROM routing_decisions"
    )

    assert row[2:] == (NOON, None, "code_generation", 4, "lab:a", 0.001, 0.001, 1.5, 2.0, 1, 500)
    assert "lab:a" in row[1]


def test_projects_do_not_see_each_other(opened):
    """One project's rows are not in another's totals."""
    one, other = opened("crew"), opened("other")
    one.finished(outcome())
    one.flush()

    assert other.totals()["requests"] == 0


def test_full_durability_has_the_row_on_disk_when_the_call_returns(opened):
    """Nothing waits after the call."""
    ledger = opened(durability="full")

    ledger.finished(outcome())

    assert ledger.health()["unwritten"] == 0


def test_what_is_handed_over_is_there_after_closing(tmp_path, clock):
    """A clean exit loses nothing, and closing twice does nothing the second time."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    ledger = open_ledger(url, project="crew", clock=clock)
    for number in range(5000):
        ledger.finished(outcome(number))

    ledger.close()
    ledger.close()

    with contextlib.closing(open_ledger(url, project="crew", clock=clock)) as opened_again:
        assert opened_again.totals()["requests"] == 5000


@pytest.mark.timeout(20)
def test_reading_and_closing_wait_for_no_batch(tmp_path, clock):
    """A writer that collects rows for a minute writes what is there as soon as somebody reads or closes."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    ledger = open_ledger(url, project="crew", clock=clock, policy=WriterPolicy(linger_s=60.0))

    for number in range(2):
        ledger.finished(outcome(number))
        time.sleep(0.05)  # the writer has begun to collect
        assert number or ledger.totals()["requests"] == 1
    ledger.close()

    with contextlib.closing(open_ledger(url, project="crew", clock=clock)) as opened_again:
        assert opened_again.totals()["requests"] == 2


def test_an_unknown_scheme_names_the_known_ones():
    """The error says what can be written instead."""
    with pytest.raises(ConfigurationError, match="sqlite"):
        open_ledger("mysql://x", project="crew")
