"""However a process ends in order, what its router had not written yet is written; nobody needs to call ``close``."""

import ast
import gc
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from crew_router import Router
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.state.opening import open_state
from crew_router.testing import ScriptedModel
from crew_router.types import ModelRef

_WORKER = Path(__file__).parents[2] / "support" / "ending_worker.py"
LIMIT_NANO = 1_000_000_000
CALL_NANO = 20_000


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of an empty ledger."""
    return f"sqlite:///{tmp_path}/ledger.sqlite3" if request.param == "sqlite" else request.getfixturevalue("postgres_schema")


@pytest.fixture
def file(tmp_path):
    """The address of an empty ledger in a file."""
    return f"sqlite:///{tmp_path}/ledger.sqlite3"


@pytest.fixture
def ledger_of():
    """A function that opens a ledger, which is closed at the end."""
    opened = []

    def open_one(url):
        opened.append(open_ledger(url, project="crew"))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


def end(how, folder, url):
    """Let a program run to its end; return it with what it printed."""
    command = [sys.executable, str(_WORKER), how, str(folder), url]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)  # noqa: S603 - our own script


ENDS = ["plain", "late_handler", "system_exit", "exception", "handled_sigterm", "thread"]
CHILDREN = ["forked", "process", "executor", "pool_closed", "pool_terminated"]
AFRESH = ["spawned", "forkserver"]


@pytest.mark.parametrize("how", [*ENDS, *CHILDREN, *AFRESH])
def test_a_program_that_ends_without_closing_loses_no_row(how, tmp_path, file, ledger_of):
    """Thirty requests leave thirty decisions, outcomes and settlements, and the budget is what they left of it."""
    ended = end(how, tmp_path, file)

    ledger = ledger_of(file)
    assert ended.returncode == {"system_exit": 3, "exception": 1}.get(how, 0), ended.stderr
    assert ledger.select("SELECT count(DISTINCT id) FROM decisions") == [(30,)]
    assert ledger.select("SELECT count(DISTINCT decision_id), count(*) FROM outcomes WHERE success = 1") == [(30, 30)]
    assert ledger.budgets().remaining_nano(Scope("project", LIMIT_NANO)) == LIMIT_NANO - 30 * CALL_NANO


@pytest.mark.parametrize("how", ["plain", "pool_closed"])
def test_the_same_holds_where_the_ledger_is_a_server(how, tmp_path, postgres_schema, ledger_of):
    """A connection of one's own to PostgreSQL writes what is pending too."""
    ended = end(how, tmp_path, postgres_schema)

    assert ended.returncode == 0, ended.stderr
    assert ledger_of(postgres_schema).select("SELECT count(DISTINCT decision_id) FROM outcomes WHERE success = 1") == [(30,)]


@pytest.mark.parametrize("how", ["plain", "process", "pool_terminated"])
def test_the_shared_figures_hear_of_every_request_too(how, tmp_path, file):
    """What was to be told the shared state is told before the process is gone."""
    end(how, tmp_path, file)

    state = open_state(f"sqlite:///{tmp_path}/state.db", project="crew")
    samples = state.performance(ModelRef("lab:a"), None).samples
    state.close()
    assert samples == pytest.approx(30, rel=1e-3)


def test_what_is_reported_after_a_pause_reaches_the_shared_state(tmp_path, file):
    """Ten idle seconds later outcomes and feedback are shared without another decision, though the process is killed."""
    ended = end("late_feedback", tmp_path, file)

    state = open_state(f"sqlite:///{tmp_path}/state.db", project="crew")
    samples = state.performance(ModelRef("lab:a"), None).samples
    weights = state.snapshot().weights
    state.close()
    assert ended.returncode == -signal.SIGKILL
    assert samples == pytest.approx(4, rel=1e-3)
    assert weights


def signalled(how, folder, url, number):
    """Send a signal to a program in the middle of its stream; return what it ended with."""
    command = [sys.executable, str(_WORKER), how, str(folder), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:  # noqa: S603 - our own script
        running.stdout.readline()
        time.sleep(0.5)
        running.send_signal(number)
        return running.wait(30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_request_that_its_process_did_not_live_to_end_is_closed_by_the_next_one(tmp_path, url, ledger_of, number):
    """Killed in mid-stream it has one outcome and one call, both cancelled, as soon as somebody opens the ledger, and once."""
    code = signalled("mid_stream", tmp_path, url, number)

    found = [ledger_of(url).select(OPEN) for _ in range(2)]

    assert code == -number
    assert found == [[(1, 1, 0, "cancelled", "cancelled")]] * 2


def test_a_process_that_lives_keeps_its_requests_open(tmp_path, file, ledger_of):
    """Whoever opens the ledger beside it closes nothing; the request ends as it would have."""
    command = [sys.executable, str(_WORKER), "mid_stream", str(tmp_path), file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - our own script
        running.stdout.readline()
        time.sleep(0.5)
        beside = ledger_of(file).select("SELECT count(*) FROM decisions WHERE process IS NOT NULL")
        outcomes = ledger_of(file).select("SELECT count(*) FROM outcomes")
        running.communicate(timeout=30)

    assert (beside, outcomes) == ([(1,)], [(0,)])
    assert ledger_of(file).select("SELECT count(*), sum(success) FROM outcomes") == [(1, 1)]


@pytest.mark.parametrize("how", ["in_threads", "suspended"])
def test_a_request_that_still_runs_when_its_program_ends_is_closed(tmp_path, url, ledger_of, how):
    """A stream on another thread, or one that nobody reads on, has its call with tokens and its outcome, both cancelled."""
    code = signalled(how, tmp_path, url, signal.SIGTERM) if how == "in_threads" else end(how, tmp_path, url).returncode

    ledger = ledger_of(url)
    assert code == 0
    assert ledger.select(OPEN) == [(1, 1, 0, "cancelled", "cancelled")]
    assert ledger.select("SELECT count(*) FROM attempts WHERE input_tokens > 0") == [(1,)]
    assert ledger.select("SELECT count(*) FROM processes") == [(0,)]


OPEN = "SELECT (SELECT count(*) FROM decisions), count(*), max(success), max(error), (SELECT max(error) FROM attempts) FROM outcomes"


def test_routers_that_nobody_holds_any_more_leave_neither_threads_nor_files(tmp_path, file, ledger_of):
    """After twenty of them there are at most two threads and four files more than before, and every row is on disk."""
    ended = end("forgotten", tmp_path, file)

    (threads, files), (threads_after, files_after) = map(ast.literal_eval, ended.stdout.replace(") (", ")\n(").splitlines())
    assert threads_after - threads <= 2
    assert files_after - files <= 4
    assert ledger_of(file).select("SELECT count(*) FROM outcomes WHERE success = 1") == [(20,)]


def test_a_history_that_is_kept_answers_when_its_router_is_gone():
    """The router's end takes neither a ledger in memory nor the rows in it from whoever holds the ledger."""
    router = Router(models={"lab:a": ScriptedModel("yes")}, ledger_url="sqlite://", project="crew")
    decision, history = router.invoke("Hi").decision, router.history
    del router
    gc.collect()
    released()

    assert history.decision(decision.id).selected_model == "lab:a"
    history.close()


def released():
    """Wait until the threads of routers that are gone have ended."""
    end_at = time.monotonic() + 10
    while any(thread.name == "crew-router-ledger" for thread in threading.enumerate()) and time.monotonic() < end_at:
        time.sleep(0.01)


def test_children_that_are_forked_while_other_threads_work_do_not_hang(tmp_path):
    """Four threads answer without a pause; each of a hundred children answers too and ends."""
    command = [sys.executable, str(_WORKER.with_name("fork_worker.py")), str(tmp_path), "100"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 - our own script

    assert (ended.returncode, ended.stdout) == (0, "0"), ended.stderr
