"""Fallbacks under every fault: crew-router, LiteLLM Router, with_fallbacks, ModelFallbackMiddleware, pydantic-ai, in one run.

A healthy fallback stands behind a model that fails in one way. Each cell shows what the caller got, the calls to the dead and
to the healthy model, and the seconds; both models have answered once before, so that clients are warm. LiteLLM and pydantic-ai
live in an environment of their own, made on the first run. ``--load N`` sends N requests through one router under 30 % random
faults instead, 64 at once, the router in one process and the server in another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fallbacks.setups import PROMPT, SETUPS, cell_models

from crew_router import Router, RoutingRequest
from crew_router.errors import AllModelsFailedError, ModelCallError
from crew_router.testing.fault_server import FaultKind, FaultServer, answer_to
from crew_router.testing.fault_server.faults import MID, TRANSIENT
from crew_router.types import Attempt, ErrorKind

ROOT = Path(__file__).resolve().parents[1]
# A benchmark beside this one is named as the package that it measures, and would be imported in its place.
sys.path = [folder for folder in sys.path if Path(folder).resolve() != ROOT / "benchmarks"]
OTHERS = {"litellm": "litellm", "pydantic-ai": "pydantic-ai-slim[openai]"}
FAULTS = [kind for kind in FaultKind if kind not in {FaultKind.INVALID, FaultKind.BAD_ARGUMENTS}]
MOST_CALLS = 50
RATE = 0.3
AT_ONCE = 64
LOAD_PRICES = {"a": (1.0, 2.0), "b": (3.0, 15.0), "c": (0.1, 0.4)}
ANYTHING = RoutingRequest()


def main() -> None:
    """Print the table, or the figures of the load."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--setups", nargs="*", default=list(SETUPS), choices=list(SETUPS))
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-faults", help="environment of LiteLLM and pydantic-ai")
    parser.add_argument("--load", type=int, default=0, help="send so many requests under random faults instead")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="requests of the load at once")
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        asyncio.run(load_client(*options.client, options.load, options.at_once))
    elif options.load:
        load(options.load, options.at_once)
    else:
        table(options.setups, options.venv)


def table(setups: Sequence[str], venv: Path) -> None:
    """Run every setup and print one row a fault."""
    cells = [(fault.value, stream) for fault in FAULTS for stream in (False, True)]
    with FaultServer(hang_s=3.0, retry_after_s=0.2) as server:
        for setup in setups:
            for fault, stream in cells:
                kind = FaultKind(fault)
                server.fail(cell_models(setup, fault, stream=stream)[0], None, *[kind] * MOST_CALLS)
        results = {setup: run(setup, server, cells, venv) for setup in setups}
        calls = {setup: [count(server, setup, cell) for cell in cells] for setup in setups}
    print("| fault | " + " | ".join(setups) + " |\n|---|" + "---|" * len(setups))
    for at, (fault, stream) in enumerate(cells):
        row = [cell_text(results[setup][at], calls[setup][at]) for setup in setups]
        print(f"| {fault} {'stream' if stream else 'plain'} | " + " | ".join(row) + " |")
    for setup in setups:
        handled = sum(result.get("text") == answer_to(PROMPT) for result in results[setup])
        pairs = zip(results[setup], calls[setup], strict=True)
        one = sum(result.get("text") == answer_to(PROMPT) and call == (1, 1) for result, call in pairs)
        print(f"{setup}: whole answer in {handled} of {len(cells)} cells, with exactly one dead call in {one}")


def run(setup: str, server: FaultServer, cells: Sequence[tuple[str, bool]], venv: Path) -> list[dict[str, object]]:
    """Run one setup in a process of its own."""
    python = sys.executable if setup not in OTHERS else str(other_python(venv))
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "CRITICAL"}
    command = [python, str(ROOT / "benchmarks" / "fallbacks" / "setups.py"), setup, server.url, json.dumps(cells)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"fault"')]
    if len(rows) != len(cells):
        sys.exit(f"{setup} ran {len(rows)} of {len(cells)} cells:\n{done.stderr[-3000:]}")
    return rows


def other_python(venv: Path) -> Path:
    """Return the interpreter of the other libraries' environment, made on the first run."""
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)  # noqa: S603 - our own interpreter
        subprocess.run([str(python), "-m", "pip", "install", "-q", *OTHERS.values()], check=True)  # noqa: S603 - as above
    return python


def count(server: FaultServer, setup: str, cell: tuple[str, bool]) -> tuple[int, int]:
    """Return the calls to the dead and to the healthy model of a cell, without those that warmed the clients."""
    dead, well = cell_models(setup, cell[0], stream=cell[1])
    return server.calls(dead) - 1, server.calls(well) - 1


def cell_text(result: dict[str, object], calls: tuple[int, int]) -> str:
    """Return one cell of the table."""
    text, whole = result.get("text"), answer_to(PROMPT)
    if "error" in result:
        got = str(result["error"])
    elif text == whole:
        got = "ok"
    elif not text:
        got = "**empty**"
    else:
        got = "**glued**" if whole in str(text) else "**cut**"
    return f"{got} {calls[0]}/{calls[1]} {result['seconds']:.2f} s"


def load(requests: int, at_once: int) -> None:
    """Send requests through a router in a process of its own; check that each ends well, the money adds up, and memory stays flat."""
    with FaultServer(prices=LOAD_PRICES) as server, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--client", server.url, folder, "--load", str(requests), "--at-once", str(at_once)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:  # noqa: S603 - ourselves
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdout.readline()  # warm
            server.fail_randomly("abc", RATE, TRANSIENT)
            client.stdin.write("go\n")
            client.stdin.flush()
            told = json.loads(client.stdout.read())
        report(told, server, f"{folder}/ledger.db")


async def load_client(url: str, folder: str, requests: int, at_once: int) -> None:
    """Be the process with the router: warm up, wait for the word, send everything, and print what came of it."""
    models = {f"{name}:{name}": wire_entry(name, url, price) for name, price in LOAD_PRICES.items()}
    config = {"registry": "none", "models": models, "attempts": {"timeout_s": 300, "stall_s": 300}}
    router = Router(config, ledger_url=f"sqlite:///{folder}/ledger.db", state_url="memory://")
    for name in LOAD_PRICES:
        for number in (0, 1):
            await ask(router, number, RoutingRequest(force_model=f"{name}:{name}"))
    print("warm", flush=True)
    sys.stdin.readline()
    cancelled: list[tuple[str, str]] = []
    outcomes, memory = await send(router, requests, at_once=at_once, cancelled=cancelled)
    await asyncio.sleep(0.2)
    left = len(asyncio.all_tasks()) - 1
    await router.aclose()
    counts = {kind: sum(each[0] == kind for each in outcomes) for kind in ("whole", "typed error", "wrong")}
    switches = sorted(1000 * each[1] for each in outcomes if each[1] >= 0)
    print(json.dumps({"counts": counts, "switches": switches, "memory": memory, "left": left, "cancelled": cancelled}))


async def send(
    router: Router, requests: int, *, at_once: int, cancelled: list[tuple[str, str]]
) -> tuple[list[tuple[str, float]], list[float]]:
    """Send requests, a fixed number at once; return outcomes with seconds to switch, and memory at each tenth in MiB.

    Prompt and model of calls that were cancelled are added to a list.
    """
    outcomes, memory = [("", -1.0)] * requests, [resident_mib()]
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            outcomes[number] = await ask(router, 1 + number, cancelled=cancelled)
            if (number + 1) % max(requests // 10, 1) == 0:
                memory.append(resident_mib())

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return outcomes, memory


async def ask(
    router: Router, number: int, request: RoutingRequest = ANYTHING, *, cancelled: list[tuple[str, str]] | None = None
) -> tuple[str, float]:
    """Ask once, every other time as a stream; return what came and our own seconds between a dead call and the next one."""
    prompt = f"Request {number}."
    try:
        if number % 2:
            chunks = [chunk async for chunk in router.astream(prompt, request=request)]
            text, response = "".join(chunk.text for chunk in chunks), chunks[-1].response
        else:
            response = await router.ainvoke(prompt, request=request)
            text = response.text
    except (AllModelsFailedError, ModelCallError) as error:
        note(cancelled, prompt, error.attempts)
        return "typed error", -1.0
    assert response is not None
    attempts, switch_s = response.attempts, -1.0
    note(cancelled, prompt, attempts)
    if len({attempt.model for attempt in attempts[:2]}) > 1:
        switch_s = attempts[1].started_at - attempts[0].started_at - attempts[0].latency_s
    return ("whole" if text == answer_to(prompt) else "wrong"), switch_s


def note(cancelled: list[tuple[str, str]] | None, prompt: str, attempts: Sequence[Attempt]) -> None:
    """Add the calls that were cancelled because a hedge or the call it stood in for came first."""
    if cancelled is not None:
        cancelled.extend((prompt, attempt.model.name) for attempt in attempts if attempt.error is ErrorKind.CANCELLED)


def report(told: dict[str, Any], server: FaultServer, path: str) -> None:
    """Print the figures of a load."""
    counts, switches = told["counts"], told["switches"]
    with sqlite3.connect(path) as ledger:
        tables = ("decisions", "outcomes", "attempts")
        rows = {name: ledger.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608 - fixed names
    print(f"requests {sum(counts.values())}: {counts}; ledger rows {rows}; calls served {len(server.served)}; tasks left {told['left']}")
    late = switches[int(len(switches) * 0.95)]
    print(f"time to switch, ms: median {statistics.median(switches):.2f}, 95 % {late:.2f}, of {len(switches)}")
    print("memory, MiB: " + ", ".join(f"{each:.0f}" for each in told["memory"]))
    cancelled = {tuple(each) for each in told["cancelled"]}
    reached = [each for each in server.served if (each.asked, each.model) in cancelled]
    # A cancelled model may be called again by the same request, if all others fail: then nobody can say which of the two calls was read.
    unread = [each for each in reached if each.reported]
    print(
        f"calls cancelled: {len(told['cancelled'])}; the server saw {len(reached)} of them, and had sent the usage of {len(unread)}, "
        f"{sum(each.cost_nano for each in unread)} nano-dollars, when they were"
    )
    known = [each for each in server.served if each.reported and (each.asked, each.model) not in cancelled]
    billed = [sum(each.cost_nano for each in known), sum(each.cost_nano for each in server.served if not each.reported)]
    billed[1] += sum(each.cost_nano for each in unread)
    booked = spend_of(path)
    print(f"spend where usage arrived, nano-dollars: server {billed[0]}, ledger {booked[0]}")
    print(f"spend where it did not: server {billed[1]}, ledger's estimate {booked[1]} ({booked[1] / max(billed[1], 1):.3f} of it)")


def spend_of(path: str) -> tuple[int, int]:
    """Return what the ledger booked for attempts with reported usage and for estimated ones, in nano-dollars."""
    with sqlite3.connect(path) as ledger:
        query = "SELECT coalesce(sum(cost_nano), 0) FROM attempts WHERE input_tokens IS NOT NULL AND estimated = ?"
        return ledger.execute(query, (0,)).fetchone()[0], ledger.execute(query, (1,)).fetchone()[0]


def wire_entry(name: str, url: str, price: tuple[float, float]) -> dict[str, object]:
    """Return a registry entry for a model of the fault server."""
    priced = {"input": price[0], "output": price[1]}
    return {"provider": "openai", "model": name, "base_url": url, "api_key": f"key-{name}", "price": priced, "quality": 0.7}


def resident_mib() -> float:
    """Return the memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    if "--client" not in sys.argv:
        print(f"{time.perf_counter() - began:.0f} s; after the first chunk: {', '.join(sorted(MID))}")
