"""Runs many storage workers at once, and says what became of the budget they shared."""

import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from storage_worker import LASTS_S

from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger

_WORKER = Path(__file__).with_name("storage_worker.py")


@dataclass(frozen=True)
class Spending:
    """What eight processes did to one budget; amounts are nano-dollars, waits seconds."""

    limit: int
    billed: int
    settled: int
    left_reserved: int
    agrees: bool
    remaining: int
    killed: int
    requests: int
    waits: tuple[float, ...]

    @property
    def usable(self) -> float:
        """Share of the limit that was really spent."""
        return self.billed / self.limit

    @property
    def p99_wait_s(self) -> float:
        """The 99th percentile of the waits for a reservation."""
        return sorted(self.waits)[int(len(self.waits) * 0.99)]


def start(*arguments):
    """Start a worker."""
    command = [sys.executable, str(_WORKER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own script


def spend(url, durability, folder, *, seed=1, processes=8, requests=2000, kills=3, limit=4_500_000_000):
    """Let processes spend one budget, kill some at seeded points of progress, and take stock after their leases have ended."""
    rng = random.Random(seed)
    doomed = {number: rng.randrange(50, requests // 4) for number in rng.sample(range(processes), kills)}
    logs = [folder / f"bill-{number}" for number in range(processes)]
    created = open_ledger(url, project="crew", durability=durability)
    created.totals()
    created.close()
    workers = [
        start("spend", url, durability, limit, requests, seed * 100 + number, doomed.get(number, -1), log)
        for number, log in enumerate(logs)
    ]
    while not all(log.with_suffix(".ready").exists() for log in logs) and all(worker.poll() is None for worker in workers):
        time.sleep(0.01)
    (folder / "go").touch()  # a process that starts late would find the budget spent before it is killed
    printed = [worker.communicate(timeout=400)[0] for worker in workers]
    killed = sum(worker.returncode == -9 for worker in workers)
    bills = [int(line) for log in logs for line in (log.read_text().split() if log.exists() else [])]
    time.sleep(2 * LASTS_S)
    ledger = open_ledger(url, project="crew", durability=durability)
    scope = Scope("project", limit + 1_000_000)
    budgets = ledger.budgets()
    budgets.release(budgets.reserve((scope,), 0, lasts_s=LASTS_S))
    budgets.close()
    (balance,) = ledger.reconcile()
    ((settled,),) = ledger.select("SELECT sum(amount_nano) FROM money WHERE kind = 'spent'")
    ledger.close()
    return Spending(
        limit=limit,
        billed=sum(bills),
        settled=int(settled),
        left_reserved=balance.leased_nano,
        agrees=balance.agrees,
        remaining=limit - balance.spent_nano,
        killed=killed,
        requests=len(bills),
        waits=tuple(wait for text in printed if text for wait in json.loads(text)["waits"]),
    )


def write(url, durability, folder, *, rows, kill_at):
    """Let one process write rows and die; return what it had been told was written."""
    log = folder / "acknowledged"
    worker = start("write", url, durability, rows, kill_at, log)
    worker.communicate(timeout=300)
    return [int(line) for line in log.read_text().split()]


def probe(url, folder, *, processes=8, seconds=8.0):
    """Let processes claim the probes of one breaker; return the opening that each claim was for."""
    logs = [folder / f"claims-{number}" for number in range(processes)]
    workers = [start("probe", url, seconds, log) for log in logs]
    for worker in workers:
        worker.communicate(timeout=120)
    return [int(line) for log in logs for line in log.read_text().split()]
