"""Measures what state and ledger promise: ``python benchmarks/state.py [hot|rows|writer|stores|exchange|analytics|export|crowd|all]``.

Every figure is measured in this run on this machine; a bar stands beside it.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / "support")]

import redis  # noqa: E402 - below the line above, as all of these
import storage_crowd  # noqa: E402
from servers import PostgresServer, RedisServer  # noqa: E402
from storage_samples import A, attempt, outcome  # noqa: E402

from crew_router import ModelRef, Router, RoutingRequest, TaskType  # noqa: E402
from crew_router.record.ledger.budgets import Scope  # noqa: E402
from crew_router.record.ledger.opening import open_ledger  # noqa: E402
from crew_router.record.state.observation import Observation  # noqa: E402
from crew_router.record.state.opening import open_state  # noqa: E402
from crew_router.record.state.windows import Claim  # noqa: E402
from crew_router.testing import ScriptedModel  # noqa: E402
from crew_router.types.clock import SystemClock  # noqa: E402

if TYPE_CHECKING:
    from crew_router.record.ledger.sql_ledger import SqlLedger

_MILLION = 1_000_000
_SQLITE_SIZE = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
_POSTGRES_SIZE = "SELECT pg_database_size(current_database())"


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


def fill(path: Path, count: int) -> None:
    """Put outcomes into a ledger; by the front door a million would take a minute."""
    ledger = open_ledger(f"sqlite:///{path}", project="bench")
    ledger.reset(before=0.0)
    with ledger._database.transaction() as cursor:  # noqa: SLF001 - as said
        cursor.run(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO outcomes (project, decision_id, at, model, provider, task_type, success, latency_s, cost_nano, input_tokens, "
            "output_tokens, cached_tokens, estimated, quality, confidence, escalated, source, answer_chars) "
            "SELECT 'bench', 'd-' || i, 1800000000 + i * 2.6, 'lab:m' || (i * 7919 % 12), 'lab', 'task' || (i * 104729 % 14), "
            "i % 20 <> 0, 1.5, 1000000 + i % 7, 100, 200, 0, 0, 0.8, 0.7, i % 9 = 0, 'engine', 0 FROM n",
            (count - 1,),
        )
    ledger.close()


def analytics(folder: Path) -> None:
    """Questions over a million requests on SQLite."""
    path = folder / "million.sqlite3"
    fill(path, _MILLION)
    ledger = open_ledger(f"sqlite:///{path}", project="bench")
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
            taken = timed(lambda state=state: state.take([Claim("rpm", 1, limit=10**9)], window_s=60.0), times=1000)
            print(f"{name:8} send and renew      {micros(synced)}")
            print(f"{name:8} rate window         {micros(taken)}")
            state.close()
    finally:
        server.close()


def rows(folder: Path) -> None:
    """Bytes and processor time that each kind of row takes: of this process on SQLite, of the server with PostgreSQL."""
    models = {f"lab:m{number}": ScriptedModel("yes", price=(1.0, 2.0), usage=(10, 5)) for number in range(18)}
    with Router(models=models, ledger_url=f"sqlite:///{folder}/made.sqlite3", state_url="memory://", project="bench") as router:
        made = router.select_model(RoutingRequest(task_description="Write a parser"))
    kinds: dict[str, Callable[[SqlLedger, int], object]] = {
        "decision, 18 models": lambda book, number: book.decided(replace(made, id=f"d-{number}")),
        "call": lambda book, number: book.attempted(f"d-{number}", attempt()),
        "outcome": lambda book, number: book.finished(outcome(number)),
        "settlement": lambda book, _: book.budgets().settle(book.budgets().reserve((Scope("day", 10**15),), 1000), 900),
    }
    server = PostgresServer()
    try:
        for number, (name, hand) in enumerate(kinds.items()):
            path = folder / f"{name}.sqlite3"
            size, caller, whole, _ = written(f"sqlite:///{path}", hand, size=_SQLITE_SIZE)
            print(f"{name:20} {size:6.0f} bytes   {whole:6.1f} µs, {caller:4.1f} of them the caller's")
            size, _, _, backend = written(server.database(f"rows{number}"), hand, size=_POSTGRES_SIZE)
            print(f"{'':20} {size:6.0f} bytes   {backend:6.1f} µs of the server, in PostgreSQL")
    finally:
        server.close()


def written(url: str, hand: Callable[[SqlLedger, int], object], *, size: str) -> tuple[float, float, float, float]:
    """Return bytes, and microseconds of the caller, of this process and of the database's, for each of 4,000 rows."""
    book = open_ledger(url, project="bench")
    hand(book, -1)
    book.flush()
    server = int(book.select("SELECT pg_backend_pid()")[0][0] or 0) if url.startswith("postgresql") else 0
    before = int(book.select(size)[0][0] or 0), time.process_time(), _cpu_s(server)
    caller = time.thread_time()
    for number in range(4000):
        hand(book, number)
    caller = time.thread_time() - caller
    book.flush()
    after = int(book.select(size)[0][0] or 0), time.process_time(), _cpu_s(server)
    book.close()
    grown, own, theirs = ((new - old) / 4000 for new, old in zip(after, before, strict=True))
    return grown, caller / 4000 * 1e6, own * 1e6, theirs * 1e6


def _cpu_s(process: int) -> float:
    """Return the seconds that a process has run, on Linux."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9 if process else 0.0


def export(folder: Path) -> None:
    """A million rows out of a ledger, and into another, each in a process of its own whose memory is watched."""
    for count in (10_000, _MILLION):
        path = folder / f"{count}.sqlite3"
        fill(path, count)
        for act in ("export", "import"):
            command = [sys.executable, __file__, "carry", act, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this script
            print(f"{act} of {count:>9,} rows   {done.stdout.strip()}")


def carry(act: str, path: Path) -> None:
    """Export or import, and tell the seconds and the most memory it took."""
    begun, file = time.perf_counter(), path.with_suffix(".jsonl")
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    book = open_ledger(f"sqlite:///{path if act == 'export' else path.with_suffix('.copy')}", project="bench")
    with file.open("w" if act == "export" else "r") as lines:
        count = book.export(lines) if act == "export" else book.take_in(lines)
    took, peak = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    book.close()
    print(f"{count / took:8,.0f} rows a second, memory grew by {(peak - base) / 1024:.0f} MiB")


def exchange(_: Path) -> None:
    """What one process costs a Redis that tells it 140 changed figures: bytes, and processor time of the server."""
    server = RedisServer()
    try:
        states = [open_state(server.url, project="bench") for _ in range(2)]
        client, times = redis.Redis.from_url(server.url), 50
        before = client.info()
        for _ in range(times):
            for model in [ModelRef(f"lab:m{number}") for number in range(20)]:
                for task in list(TaskType)[:6]:
                    states[0].observe(Observation(model, task, success=True, at=time.time(), latency_s=1.0, cost_usd=0.01))
            states[0].sync()
        after, keys = client.info(), client.dbsize()
        bytes_in, bytes_out = (after[name] - before[name] for name in ("total_net_input_bytes", "total_net_output_bytes"))
        cpu_s = sum(after[name] - before[name] for name in ("used_cpu_user", "used_cpu_sys"))
        print(
            f"send and renew, 140 figures: {bytes_in / times / 1024:.0f} kB in, {bytes_out / times / 1024:.0f} kB out, "
            f"{cpu_s / times * 1e3:.1f} ms of the server's CPU; {keys} keys"
        )
        for state in states:
            state.close()
        client.close()
    finally:
        server.close()


def main() -> None:
    """Run the parts that are asked for."""
    if sys.argv[1:2] == ["carry"]:  # a part of `export`, in a process of its own
        carry(sys.argv[2], Path(sys.argv[3]))
        return
    parts = {
        "hot": hot,
        "rows": rows,
        "writer": writer,
        "stores": stores,
        "exchange": exchange,
        "analytics": analytics,
        "export": export,
        "crowd": crowd,
    }
    asked = sys.argv[1:] or ["all"]
    for name, part in parts.items():
        if name in asked or "all" in asked:
            print(f"-- {name}")
            with tempfile.TemporaryDirectory() as folder:
                part(Path(folder))


if __name__ == "__main__":
    main()
