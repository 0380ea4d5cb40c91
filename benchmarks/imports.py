"""CPU time of importing the core, as a ratio to importing LangChain's chat models, in one run on one machine.

Target: at most 0.35. Each is imported in fresh processes, in turns; the least CPU time of the rounds counts.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

_CORE = "import crew_router"
_PUBLIC = "from crew_router import Router, RoutingRequest, RoutingDecision, FeedbackData"
_LANGCHAIN = "import langchain_core.language_models"


def main() -> None:
    """Print the CPU seconds of each import over a bare interpreter, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    least_s = dict.fromkeys(("pass", _CORE, _PUBLIC, _LANGCHAIN), float("inf"))
    for _ in range(rounds):
        for code in least_s:
            least_s[code] = min(least_s[code], _cpu_s(code))
    bare_s = least_s.pop("pass")
    base_s = least_s[_LANGCHAIN] - bare_s
    for code, cpu_s in least_s.items():
        print(f"{cpu_s - bare_s:.3f} s  {(cpu_s - bare_s) / base_s:.3f}x  {code}")


def _cpu_s(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
