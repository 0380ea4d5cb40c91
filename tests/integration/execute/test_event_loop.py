"""No call of the router holds an event loop up, whatever hangs: servers, locks, imports. A heartbeat on the loop says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crew_router import Router
from crew_router.errors import InvalidRequestError
from crew_router.testing import ScriptedModel

_WORKER = Path(__file__).parents[2] / "support" / "loop_worker.py"
_MOST_S = 0.020


def run(what, folder):
    """Run the watched program once; return what it printed, put together."""
    command = [sys.executable, str(_WORKER), what, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own script
    return {name: value for line in ended.stdout.splitlines() for name, value in json.loads(line).items()}


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the machine does not tell how long a thread waited")
@pytest.mark.parametrize("what", ["first", "servers", "locked", "package"])
def test_the_loop_beats_on(what, tmp_path):
    """With hanging servers, a locked ledger or a slow import it stalls for 20 ms at most, or twice what a busy thread causes here."""
    stalls = []
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        found = run(what, folder)
        stalls.append(found["longest_s"] / max(_MOST_S, 2 * found["machine_s"]))
        if stalls[-1] <= 1.0:
            break

    assert min(stalls) <= 1.0


def test_a_locked_ledger_delays_the_first_request_by_a_second_at_most(tmp_path):
    """What operators ordered is waited for that long; then what is known holds, and the next request does not wait at all."""
    assert run("locked", tmp_path)["took_s"] < 3.0


def test_of_eight_threads_one_looks_for_servers(tmp_path):
    """Three servers that hang are asked at once and by one thread: all eight requests have ended after about a second."""
    assert run("look_once", tmp_path)["took_s"] < 2.0


@pytest.mark.parametrize("at_once", [0, -1, 1.5, True])
async def test_a_batch_needs_room_for_one(at_once):
    """Zero at once is refused with a word of what would do, in both batches, and nothing hangs."""
    with Router(models={"lab:a": ScriptedModel("yes")}, ledger_url="sqlite://") as router:
        with pytest.raises(InvalidRequestError, match="max_concurrency"):
            router.batch(["Hi"], max_concurrency=at_once)
        with pytest.raises(InvalidRequestError, match="max_concurrency"):
            await router.abatch(["Hi"], max_concurrency=at_once)
