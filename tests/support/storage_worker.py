"""One process of a storage test or benchmark; it kills itself where it is told to, as ``kill -9`` would.

storage_worker.py spend URL DURABILITY LIMIT REQUESTS SEED KILL_AT LOG
storage_worker.py write URL DURABILITY ROWS KILL_AT LOG
storage_worker.py probe URL SECONDS LOG
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from crew_router.errors import BudgetExceededError
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.ledger.protocol import RequestOutcome
from crew_router.record.state.breaker import BreakerPolicy, admission
from crew_router.record.state.observation import Observation
from crew_router.record.state.opening import open_state
from crew_router.record.state.shared import Refresh
from crew_router.types import ErrorKind, ModelRef
from crew_router.types.clock import SystemClock

UPPER_NANO = 1_000_000
LASTS_S = 1.5
PATIENCE_S = 8.0
MODEL = ModelRef("lab:a")


def die():
    """End as a power cut would end the process."""
    os.kill(os.getpid(), signal.SIGKILL)


def await_start(log):
    """Say that this process is ready, and wait until all are."""
    log.with_suffix(".ready").touch()
    while not log.with_name("go").exists():
        time.sleep(0.01)


def spend(url, durability, limit, requests, seed, kill_at, log):  # noqa: PLR0917 - the command line's
    """Make calls under one budget; every cost is in the log, as a provider's own bill, before it is settled."""
    rng, scope = random.Random(int(seed)), Scope("project", int(limit))
    stage = rng.choice(["reserved", "called", "settled"])
    ledger = open_ledger(url, project="crew", clock=SystemClock(), durability=durability)
    budgets, waits, refused = ledger.budgets(), [], 0
    bill = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    await_start(Path(log))
    for number in range(int(requests)):
        reservation = None
        give_up = time.perf_counter() + PATIENCE_S
        while reservation is None and time.perf_counter() < give_up:
            begun = time.perf_counter()
            try:
                reservation = budgets.reserve((scope,), UPPER_NANO, lasts_s=LASTS_S)
            except BudgetExceededError:
                waits.append(time.perf_counter() - begun)
                time.sleep(0.2)
            else:
                waits.append(time.perf_counter() - begun)
        if reservation is None:
            refused += 1
            break
        doomed = number == int(kill_at)
        if doomed and stage == "reserved":
            die()
        cost = rng.randint(UPPER_NANO // 4, UPPER_NANO)
        os.write(bill, f"{cost}\n".encode())
        if doomed and stage == "called":
            die()
        budgets.settle(reservation, cost, decision_id=f"{seed}-{number}")
        if doomed:
            die()
    ledger.close()
    sys.stdout.write(json.dumps({"waits": waits, "refused": refused}))


def write(url, durability, rows, kill_at, log):
    """Write outcomes; a number is in the log once the call that wrote it has returned."""
    ledger = open_ledger(url, project="crew", clock=SystemClock(), durability=durability)
    acknowledged = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(int(rows)):
        ledger.finished(RequestOutcome(f"d-{number}", model=MODEL, task_type=None, success=True, at=float(number), cost_nano=1))
        os.write(acknowledged, f"{number}\n".encode())
        if number == int(kill_at):
            die()
        if number % 50 == 0:
            time.sleep(0.01)  # at most five thousand rows a second, so that the writer keeps up
    ledger.close()


def probe(url, seconds, log):
    """Claim probes of one breaker, and let each of them fail, so that the next window opens."""
    policy = BreakerPolicy(open_s=0.3, longest_s=0.3, jitter=0.0)
    state = open_state(url, project="crew", clock=SystemClock(), policy=policy, refresh=Refresh(max_age_s=0.1))
    claims = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        known = state.snapshot().breakers.get(MODEL)
        if known is not None and admission(known, at=time.time()) == "probe" and state.begin_probe(MODEL, lease_s=5.0):
            os.write(claims, f"{state.breaker(MODEL).openings}\n".encode())
            time.sleep(0.02)
            state.observe(Observation(MODEL, None, success=False, at=time.time(), error=ErrorKind.OVERLOAD))
            state.sync()
        time.sleep(0.002)
    state.close()


if __name__ == "__main__":
    {"spend": spend, "write": write, "probe": probe}[sys.argv[1]](*sys.argv[2:])
