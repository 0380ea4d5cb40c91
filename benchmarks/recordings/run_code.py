"""Running a written function in a process of its own, with little time, memory and nothing to write to."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from typing import Any, Final

SECONDS: Final = 5
_BYTES: Final = 512 * 1024 * 1024
# Reads {"source", "name", "cases"}; ends with 0 if every case gives its result. What the code prints is not looked at.
_DRIVER: Final = """
import json, sys
job = json.load(sys.stdin)
sys.stdin = open("/dev/null")
space = {"__name__": "answer"}
exec(job["source"], space)
for arguments, wanted in job["cases"]:
    if space[job["name"]](*arguments) != wanted:
        sys.exit(1)
print("every case passed " + job["word"])
"""


def passes(source: str, name: str, cases: list[tuple[list[Any], Any]]) -> bool:
    """Say whether the function gives the result of every case within five seconds.

    The limits guard against endless loops and big lists, which small models write; they are no wall against hostile code.
    """
    word = f"{id(cases):x}"  # so that code which merely ends the process with 0 does not count as right
    job = json.dumps({"source": source, "name": name, "cases": cases, "word": word})
    with tempfile.TemporaryDirectory() as folder:
        try:
            ended = subprocess.run(  # noqa: S603 - our driver, in a process with limits
                [sys.executable, "-I", "-S", "-c", _DRIVER],
                input=job,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=2 * SECONDS,
                cwd=folder,
                env={},
                preexec_fn=_limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return ended.returncode == 0 and ended.stdout.rstrip().endswith(f"every case passed {word}")


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
