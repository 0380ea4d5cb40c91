"""A half-open breaker over several processes, each with a whole router and real clients."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire_worker import FIRST, HELLO, router_of

from crew_router.testing.fault_server import FaultKind, FaultServer

PROCESSES = 4
_WORKER = Path(__file__).parents[2] / "support" / "wire_worker.py"


@contextlib.contextmanager
def worker(server_url: str, state_url: str) -> Iterator[subprocess.Popen[str]]:
    """Run a worker until it is not needed any more."""
    command = [sys.executable, str(_WORKER), server_url, state_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own script
        yield process


@pytest.mark.timeout(300)  # five processes start, on a machine that may be busy
def test_one_call_probes_a_half_open_breaker_over_all_processes(tmp_path: Path) -> None:
    """When the breaker's time is over one process calls the dead model, and the others go elsewhere without asking it."""
    state_url = f"sqlite:///{tmp_path}/state.db"
    with FaultServer(prices={"a": (1.0, 2.0), "b": (1.0, 2.0)}, hang_s=5.0) as server, contextlib.ExitStack() as running:
        server.fail("a", FaultKind.OVERLOADED)
        with router_of(server.url, state_url) as router:
            for _ in range(6):
                router.invoke(HELLO, request=FIRST)
        opened = server.calls("a")
        workers = [running.enter_context(worker(server.url, state_url)) for _ in range(PROCESSES)]
        assert {process.stdout.readline() for process in workers if process.stdout} == {"ready\n"}
        server.fail("a", FaultKind.HANG)
        time.sleep(1.6)  # the breaker's second, with its jitter

        answers = [process.communicate()[0].strip() for process in _told(workers)]

    assert opened == 5
    assert (server.calls("a") - opened, answers) == (1, ["two:b"] * PROCESSES)


def _told(workers: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """Tell all workers to go before any of them is waited for."""
    for process in workers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return workers
