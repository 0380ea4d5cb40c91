"""Crews of the configuration, each in a process of its own; a program that speaks as `crew-router crew` does stands for the interpreter."""

from __future__ import annotations

import json
import os
import stat
import sys

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from crew_router import Router
from crew_router.testing import ScriptedModel
from crew_router_mcp import create_server

_PROGRAM = f"""#!{sys.executable}
import json, os, pathlib, sys, time
words = sys.argv[3:]
here = pathlib.Path(words[2])
(here / "words.json").write_text(json.dumps(words))
(here / "pid").write_text(str(os.getpid()))
print("CrewAI prints what it likes")
print("{{broken", flush=True)
if words[1] == "plan":
    spread = {{"min": 0.01, "expected": 0.02, "max": 0.03}}
    tasks = [{{"task": name, "candidate": "lab:a#low", "cost_usd": spread}} for name in ("search", "write")]
    print(json.dumps({{"tasks": tasks, "cost_usd": spread, "latency_s": 3.5, "advice": []}}))
elif "topic=slow" in words:
    time.sleep(600)
elif "topic=broken" in words:
    sys.exit("crew-router: the crew has no tasks.")
else:
    print("search: lab:a#low, $0.010000; so far $0.010000", file=sys.stderr, flush=True)
    print("swordfish from the crew", file=sys.stderr)
    print("write: lab:a#low, $0.010000; so far $0.020000", file=sys.stderr, flush=True)
    done = [{{"task": name, "candidate": "lab:a#low", "cost_usd": 0.01, "calls": 1}} for name in ("search", "write")]
    print(json.dumps({{"output": "a report", "plan": {{}}, "actual": done, "cost_usd": 0.02}}))
"""


@pytest.fixture
def crew(tmp_path):
    """Return the settings of a crew whose interpreter is the stand-in."""
    program = tmp_path / "python"
    program.write_text(_PROGRAM, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"path": str(tmp_path), "python": str(program), "inputs": ["topic"], "max_usd": 0.5, "deadline_s": 60}


def _router(crew, **approval):
    settings = {"crews": {"research": crew}, "mcp": {"approval": approval}}
    return Router(settings, models={"lab:a": ScriptedModel("ok")}, ledger_url="sqlite://")


async def test_a_crew_is_planned(crew, tmp_path):
    """plan_crew tells who does which task and the price; the budget is the tighter of the asked and the configured."""
    with _router(crew) as router:
        async with Client(create_server(router)) as client:
            plan = (
                await client.call_tool("plan_crew", {"crew": "research", "inputs": '{"topic": "tea"}', "budget_usd": 9})
            ).structured_content

    assert [(task["task"], task["who"]) for task in plan["tasks"]] == [("search", "lab:a#low"), ("write", "lab:a#low")]
    assert plan["cost_usd"] == 0.02
    words = json.loads((tmp_path / "words.json").read_text())
    assert words[words.index("--budget") + 1] == "0.5"
    assert "topic=tea" in words


async def test_a_crew_is_run_and_its_tasks_are_told(crew, tmp_path):
    """execute_crew returns the output and the cost of each task, tells of each as it ends, and gives the crew its plan as an input."""
    heard = []

    async def listen(progress, total, message):
        heard.append((progress, total, message))

    with _router(crew) as router:
        async with Client(create_server(router)) as client:
            run = await client.call_tool("execute_crew", {"crew": "research", "inputs": {"topic": "tea"}}, progress_handler=listen)

    assert run.structured_content["output"] == "a report"
    assert run.structured_content["cost_usd"] == 0.02
    assert heard == [(1, 2, "search: lab:a#low"), (2, 2, "write: lab:a#low")]
    assert 'crew_router_plan={"search": "lab:a#low", "write": "lab:a#low"}' in json.loads((tmp_path / "words.json").read_text())


async def test_a_dear_run_asks_first(crew, tmp_path):
    """A run above the configured cost is planned, and nothing more, until a person agrees."""
    with _router(crew, above_usd=0.01) as router:
        async with Client(create_server(router)) as client:
            waiting = (await client.call_tool("execute_crew", {"crew": "research"})).structured_content
            last = json.loads((tmp_path / "words.json").read_text())[1]
            token = waiting["pending"]["confirmation_token"]
            done = (await client.call_tool("execute_crew", {"crew": "research", "confirmation_token": token})).structured_content

    assert (waiting["status"], last, done["status"]) == ("needs_approval", "plan", "done")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"crew": "other"}, "one that the configuration lists: research"),
        ({"crew": "research", "inputs": {"path": "/"}}, "inputs of this crew: topic"),
        ({"crew": "research", "inputs": {"topic": "broken"}}, "ended with code 1: the crew has no tasks"),
    ],
)
async def test_only_what_is_listed_is_run(crew, arguments, said):
    """A crew or an input that the configuration does not list is refused; a crew that fails says why."""
    with _router(crew) as router:
        async with Client(create_server(router)) as client:
            with pytest.raises(ToolError, match=said):
                await client.call_tool("execute_crew", arguments)


async def test_a_crew_ends_at_its_deadline(crew, tmp_path):
    """A run that takes too long is ended with its process, and the error says what to raise."""
    with _router({**crew, "deadline_s": 3}) as router:
        async with Client(create_server(router)) as client:
            with pytest.raises(ToolError, match="did not end within 3 s"):
                await client.call_tool("execute_crew", {"crew": "research", "inputs": {"topic": "slow"}})

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_a_missing_interpreter_is_a_sentence(crew):
    """An interpreter that is not there is named as the setting to check."""
    with _router({**crew, "python": "/no/such/python"}) as router:
        async with Client(create_server(router)) as client:
            with pytest.raises(ToolError, match="cannot be started"):
                await client.call_tool("plan_crew", {"crew": "research"})
