"""Measures what state and ledger promise: ``python benchmarks/state.py [hot|writer|crowd|analytics|stores|all]``.

Every figure is measured in this run on this machine; a bar stands beside it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import storage_crowd  # noqa: E402 - found by the line above
from servers import PostgresServer, RedisServer  # noqa: E402
from storage_samples import A, outcome  # noqa: E402

from crew_router.clock import SystemClock  # noqa: E402
from crew_router.ledger import open_ledger  # noqa: E402
from crew_router.ledger.budgets import Scope  # noqa: E402
from crew_router.state import Observation, open_state  # noqa: E402

_MILLION = 1_000_000


def micros(times: list[float]) -> str:
    """Return the median and the 99th percentile in microseconds."""
    ordered = sorted(times)
    return f"p50 {statistics.median(ordered) * 1e6:7.2f} µs   p99 {ordered[int(len(ordered) * 0.99)] * 1e6:7.2f} µs"


def timed(call: Callable[[], object], *, times: int = 20_000) -> list[float]:
    """Return how long each call took."""
    taken = list[float]()
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return taken


def hot(folder: Path) -> None:
    """State and money on the hot path."""
    state = open_state(f"sqlite:///{folder}/state.sqlite3", project="bench")
    ledger = open_ledger(f"sqlite:///{folder}/hot.sqlite3", project="bench")
    budgets, scope = ledger.budgets(), Scope("project", 10**18)
    seen = Observation(A, None, success=True, at=time.time(), latency_s=1.0, cost_usd=0.001)
    print(f"snapshot                   {micros(timed(state.snapshot))}   bar p50 <= 5 µs")
    print(f"observe                    {micros(timed(lambda: state.observe(seen), times=5000))}")
    print(f"reserve, from a slice      {micros(timed(lambda: budgets.reserve((scope,), 1), times=5000))}   bar p50 <= 30 µs")
    print(f"reserve and settle         {micros(timed(lambda: budgets.settle(budgets.reserve((scope,), 1), 1), times=5000))}")
    row = outcome(1)
    print(f"hand an outcome over       {micros(timed(lambda: ledger.finished(row), times=5000))}")
    state.close()
    ledger.close()


@dataclass(frozen=True, slots=True)
class Spin:
    """What a busy thread got done: rounds of work, seconds, and how many of them it ran or stood in line for a processor."""

    rounds: int
    took_s: float
    ran_s: float
    queued_s: float

    @property
    def held_up(self) -> float:
        """Share of the time it could have run in that it waited for the interpreter."""
        blocked_s = max(self.took_s - self.ran_s - self.queued_s, 0.0)
        return blocked_s / (self.ran_s + blocked_s)

    @property
    def pace(self) -> float:
        """Rounds a second of its own processor time."""
        return self.rounds / self.ran_s


def spin(seconds: float) -> Spin:
    """Work for so long on something that no other thread shares; needs Linux, which says how long a thread stood in line."""
    stats, rounds = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat"), 0
    ran, queued, _ = map(int, stats.read_text().split())
    begun = time.perf_counter()
    while time.perf_counter() < begun + seconds:
        sum(i * i for i in range(200))
        rounds += 1
    ran_to, queued_to, _ = map(int, stats.read_text().split())
    return Spin(rounds, time.perf_counter() - begun, (ran_to - ran) / 1e9, (queued_to - queued) / 1e9)


def writer(folder: Path) -> None:
    """How much a busy thread slows down beside 20,000 rows a second, over alternating rounds.

    What other programs take of the processors is not the writer's doing, so it is left out: the slowdown is what the thread
    waited for the interpreter and what it got done less in the time that it ran.
    """
    ledger = open_ledger(f"sqlite:///{folder}/writer.sqlite3", project="bench")
    row, stop, handed = outcome(1), threading.Event(), [0]

    def hand_over() -> None:
        while not stop.is_set():
            for _ in range(1050):
                ledger.finished(row)
            handed[0] += 1050
            stop.wait(0.05 - (time.perf_counter() % 0.05))

    slowdowns, rates, queued = list[float](), list[float](), list[float]()
    spin(0.5)
    for _ in range(5):
        alone = spin(1.0)
        stop.clear()
        handed[0], begun = 0, time.perf_counter()
        thread = threading.Thread(target=hand_over)
        thread.start()
        beside = spin(3.0)
        stop.set()
        thread.join()
        ledger.flush()
        rates.append(handed[0] / (time.perf_counter() - begun))
        after = spin(1.0)
        slowdowns.append(1 - (1 - beside.held_up) * beside.pace * 2 / (alone.pace + after.pace))
        queued.append(beside.queued_s / beside.took_s)
    print(f"rows a second, on disk     {statistics.median(rates):,.0f}   bar >= 20,000")
    print(f"busy thread slows by       {statistics.median(slowdowns):.1%} (rounds {[f'{s:.1%}' for s in slowdowns]})   bar <= 5 %")
    print(f"other programs held it up  {[f'{share:.0%}' for share in queued]} of each round")
    ledger.close()


def crowd(folder: Path) -> None:
    """Eight processes on one budget, three of them killed."""
    server = PostgresServer()
    try:
        for name, url in (("SQLite", f"sqlite:///{folder}/crowd.sqlite3"), ("PostgreSQL", server.url)):
            place = folder / name
            place.mkdir()
            begun = time.perf_counter()
            found = storage_crowd.spend(url, "full", place)
            print(
                f"{name:11}full, 8 x 2,000, {found.killed} killed: overspent {max(found.billed - found.limit, 0)} nano, "
                f"reserved for ever {found.left_reserved}, agrees {found.agrees}, usable {found.usable:.2%}, "
                f"p99 wait {found.p99_wait_s * 1e3:.1f} ms, longest {max(found.waits) * 1e3:.0f} ms, {time.perf_counter() - begun:.0f} s"
            )
    finally:
        server.close()


def analytics(folder: Path) -> None:
    """Questions over a million requests on SQLite."""
    path = folder / "million.sqlite3"
    ledger = open_ledger(f"sqlite:///{path}", project="bench")
    ledger.reset(before=0.0)
    with ledger._database.transaction() as cursor:  # noqa: SLF001 - a million rows by the front door would take a minute
        cursor.run(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO outcomes (project, decision_id, at, model, provider, task_type, success, latency_s, cost_nano, input_tokens, "
            "output_tokens, cached_tokens, estimated, quality, confidence, escalated, source, answer_chars) "
            "SELECT 'bench', 'd-' || i, 1800000000 + i * 2.6, 'lab:m' || (i * 7919 % 12), 'lab', 'task' || (i * 104729 % 14), "
            "i % 20 <> 0, 1.5, "
            "1000000 + i % 7, 100, 200, 0, 0, 0.8, 0.7, i % 9 = 0, 'engine', 0 FROM n",
            (_MILLION - 1,),
        )
    for name, ask in (
        ("summary", ledger.totals),
        ("by model and task", ledger.breakdown),
        ("time series, days", lambda: ledger.series(bucket_s=86_400.0)),
    ):
        begun, worked = time.perf_counter(), time.thread_time()
        ask()
        took, worked = time.perf_counter() - begun, time.thread_time() - worked
        print(f"{name:26} {took:6.3f} s ({worked:.3f} s of CPU) over {_MILLION:,} requests   bar < 1 s")
    print(f"bytes a request            {path.stat().st_size / _MILLION:.0f} (outcome alone)")
    ledger.close()


def stores(folder: Path) -> None:
    """Round trips of the shared stores."""
    server = RedisServer()
    try:
        for name, url in (("SQLite", f"sqlite:///{folder}/stores.sqlite3"), ("Redis", server.url)):
            state = open_state(url, project="bench", clock=SystemClock())
            for number in range(20):
                state.observe(Observation(type(A)(f"lab:m{number}"), None, success=True, at=time.time(), latency_s=1.0))
            synced = timed(lambda state=state: (state.observe(Observation(A, None, success=True, at=time.time())), state.sync()), times=300)
            taken = timed(lambda state=state: state.take("rpm", 1, limit=10**9, window_s=60.0), times=1000)
            print(f"{name:8} send and renew      {micros(synced)}")
            print(f"{name:8} rate window         {micros(taken)}")
            state.close()
    finally:
        server.close()


def main() -> None:
    """Run the parts that are asked for."""
    parts = {"hot": hot, "writer": writer, "stores": stores, "analytics": analytics, "crowd": crowd}
    asked = sys.argv[1:] or ["all"]
    for name, part in parts.items():
        if name in asked or "all" in asked:
            print(f"-- {name}")
            with tempfile.TemporaryDirectory() as folder:
                part(Path(folder))


if __name__ == "__main__":
    main()
