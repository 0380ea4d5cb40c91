"""A CrewAI project in a process of its own, with its own interpreter: the server never imports CrewAI."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from fastmcp.exceptions import ToolError

from crew_router.config.settings import CrewSettings

Heard = Callable[[str], Awaitable[None]]

_COMMAND: Final = "from crew_router.cli import main; main()"
_TASK_ENDED: Final = re.compile(r"(?P<task>.{1,200}): (?P<who>\S+), (?:\$[\d.]+|unknown|free); so far .*")
_LINE_BYTES: Final = 16 * 1024 * 1024
_END_S: Final = 5.0


async def crew_command(
    crew: CrewSettings, words: Sequence[str], *, inputs: Mapping[str, str], deadline_s: float, heard: Heard | None = None
) -> dict[str, Any]:
    """Run ``crew-router crew …`` for a project, and return the JSON that it prints.

    Args:
        crew: The project.
        words: ``plan`` or ``run``, with options.
        inputs: Inputs of the crew.
        deadline_s: Seconds after which the process and its children are ended.
        heard: Is told of each task that ended.

    Raises:
        ToolError: The process failed, said nothing, or took too long.
    """
    python = crew.python or sys.executable
    given = [word for name, value in inputs.items() for word in ("--inputs", f"{name}={value}")]
    argv = ["-c", _COMMAND, "crew", words[0], crew.path, "--json", *words[1:], *given]
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError(f"the interpreter of the crew cannot be started ({error.strerror}); check crews.….python.") from None
    try:
        async with asyncio.timeout(deadline_s):
            found, trouble, code = await asyncio.gather(_answer(process), _progress(process, heard), process.wait())
    except TimeoutError:
        raise ToolError(f"the crew did not end within {deadline_s:g} s; raise crews.….deadline_s.") from None
    finally:
        await _end(process)
    if code != 0 or found is None:
        raise ToolError(f"the crew ended with code {code}{': ' + trouble if trouble else ' and no answer; run it by hand to see why'}.")
    answer: dict[str, Any] = found
    return answer


async def _answer(process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    """Return the last line that is a JSON object: CrewAI prints on the same output."""
    found: dict[str, Any] | None = None
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"{"):
            with contextlib.suppress(ValueError):
                found = json.loads(line)
    return found


async def _progress(process: asyncio.subprocess.Process, heard: Heard | None) -> str:
    """Tell of each task that ended, and return the last line of ours that says what went wrong."""
    trouble = ""
    assert process.stderr is not None
    async for line in process.stderr:
        text = line.decode(errors="replace").strip()
        if text.startswith("crew-router: "):
            trouble = text.removeprefix("crew-router: ").rstrip(".")
        elif heard is not None and (ended := _TASK_ENDED.fullmatch(text)):
            await heard(f"{ended['task']}: {ended['who']}")
    return trouble


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process with all that it started, whatever the reason: a client that went away pays for nothing more."""
    if process.returncode is not None:
        return
    for end in (signal.SIGTERM, signal.SIGKILL) if os.name == "posix" else (signal.SIGTERM,):
        with contextlib.suppress(ProcessLookupError):
            _signal(process, end)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), _END_S)
            return


def _signal(process: asyncio.subprocess.Process, end: signal.Signals) -> None:
    if os.name == "posix":
        os.killpg(process.pid, end)
    else:
        process.kill()
