"""CPU time that a routed call of an agent takes over one of CrewAI's own ``LLM``, on the same loopback server in one run.

    python benchmarks/crewai_call.py [--calls 300] [--rounds 5]

The server runs in a process of its own, so that its work does not count.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Final

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")

_MESSAGES: Final = [
    {"role": "system", "content": "You are Writer. You are brief.\nYour personal goal is: write"},
    {"role": "user", "content": "\nCurrent Task: Write one sentence about cats.\n\nProvide your complete response:"},
]
_ANSWER: Final = {
    "id": "1", "object": "chat.completion", "created": 0, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Cats sleep."}}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 4, "total_tokens": 44},
}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    _body: Final = json.dumps(_ANSWER).encode()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(self._body)))
        self.end_headers()
        self.wfile.write(self._body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def _serve(pipe: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    pipe.send(server.server_port)
    server.serve_forever()


def _cpu_us(call: Callable[[], object], calls: int) -> float:
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls * 1e6


def main() -> None:
    """Measure both in turns, and print medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"

    from crewai import LLM

    from crew_router import Router
    from crew_router_crewai import RouterLLM

    entry = {
        "provider": "openai", "model": "m", "base_url": url, "api_key": "none", "context_window": 64_000, "quality": 0.8,
        "price": {"input": 0.1, "output": 0.4}, "capabilities": ["tools", "json"], "source": "unmeasured",
    }  # fmt: skip
    own = LLM(model="openai/m", base_url=url, api_key="none")
    with Router(models={"lab:a": entry, "lab:b": {**entry, "quality": 0.7}}, ledger_url="sqlite://") as router:
        routed = RouterLLM(router)
        for llm in (own, routed):
            _cpu_us(lambda llm=llm: llm.call(_MESSAGES), 50)  # type: ignore[misc]  # mypy cannot infer the default of a lambda
        pairs = [
            (_cpu_us(lambda: own.call(_MESSAGES), given.calls), _cpu_us(lambda: routed.call(_MESSAGES), given.calls))
            for _ in range(given.rounds)
        ]
    mine, theirs = statistics.median(pair[1] for pair in pairs), statistics.median(pair[0] for pair in pairs)
    added = statistics.median(pair[1] - pair[0] for pair in pairs)
    print(f"CrewAI's LLM {theirs:.0f} µs, RouterLLM {mine:.0f} µs, added {added:.0f} µs of CPU time a call")
    server.terminate()


if __name__ == "__main__":
    main()
