"""Reads the shape of a CrewAI project from its files; none of its code is run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from crew_router.errors import ConfigurationError
from crew_router_crewai.definitions import read_definitions
from crew_router_crewai.plan.prompt import missing, rendered
from crew_router_crewai.plan.shape import CrewShape, Guardrail, TaskShape, waits
from crew_router_crewai.routed import check

_TOOL_CHARS: Final = 270  # a tool's schema is 60 to 75 tokens (measured on twelve small crews)
_COMMENT: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING: Final = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')
_LOOKED: Final = (
    "crew.jsonc",
    "crew.json",
    "config/tasks.yaml",
    "tasks.yaml",
    "src/*/config/tasks.yaml",
    "src/*/crews/*/config/tasks.yaml",
)


def read_project(path: str | Path, inputs: Mapping[str, Any] | None = None) -> CrewShape:
    """Read a project as ``crewai create crew`` lays it out, in YAML or JSON.

    Args:
        path: The project's folder, or one that holds ``agents.yaml`` and ``tasks.yaml``.
        inputs: What the placeholders are filled with.

    Raises:
        ConfigurationError: There is no project, a file cannot be read, or a task names what is not there.
    """
    root = Path(path)
    for pattern in _LOOKED:
        found = sorted(root.glob(pattern))
        if len(found) > 1:
            names = ", ".join(str(each.parent.parent.relative_to(root)) for each in found)
            raise ConfigurationError(str(root), "", f"it holds several crews ({names})", cure="name one of them")
        if found:
            return _from_json(found[0], inputs or {}) if found[0].suffix.startswith(".json") else _from_yaml(found[0], inputs or {})
    raise ConfigurationError(str(root), "", "there is no CrewAI project", cure="give the folder of a project with tasks.yaml or crew.jsonc")


def _from_yaml(tasks_file: Path, inputs: Mapping[str, Any]) -> CrewShape:
    agents_file = tasks_file.with_name("agents.yaml")
    agents, tasks = read_definitions(agents_file), read_definitions(tasks_file)
    code = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in sorted(tasks_file.parent.parent.glob("*.py")))
    crew = {
        "planning": bool(re.search(r"\bplanning\s*=\s*True", code)),
        "memory": bool(re.search(r"\bmemory\s*=\s*(?!False|None)", code)),
        "process": "hierarchical" if "Process.hierarchical" in code else "sequential",
    }
    return _shape(tasks_file.parent.parent.name, agents, tasks, crew=crew, inputs=inputs, files=(agents_file, tasks_file), code=code)


def _from_json(file: Path, inputs: Mapping[str, Any]) -> CrewShape:
    crew = _jsonc(file)
    named = [str(each) for each in cast("Sequence[object]", crew.get("agents") or ())]
    agents = {name: _jsonc(_first(file.parent / "agents", name)) for name in named}
    tasks: dict[str, Mapping[str, Any]] = {}
    for at, each in enumerate(cast("Sequence[Any]", crew.get("tasks") or ())):
        task = _jsonc(_first(file.parent / "tasks", each)) if isinstance(each, str) else dict(each)
        tasks[str(task.get("name") or (each if isinstance(each, str) else f"task_{at + 1}"))] = task
    given = {**cast("Mapping[str, Any]", crew.get("inputs") or {}), **inputs}
    return _shape(str(crew.get("name") or file.parent.name), agents, tasks, crew=crew, inputs=given, files=(file, file), code="")


def _first(folder: Path, name: str) -> Path:
    for suffix in (".jsonc", ".json"):
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    raise ConfigurationError(str(folder), name, "there is no such file", cure=f"write {name}.jsonc")


def _jsonc(file: Path) -> dict[str, Any]:
    """Read JSON with comments and trailing commas."""
    try:
        text = _COMMENT.sub(lambda found: found[1] or " ", file.read_text(encoding="utf-8"))
        value = json.loads(_TRAILING.sub(lambda found: found[1] or "", text))
    except (OSError, ValueError) as error:
        raise ConfigurationError(str(file), "", " ".join(str(error).split()), cure="give a readable JSON file of CrewAI") from error
    if not isinstance(value, dict):
        raise ConfigurationError(str(file), "", "it holds no object", cure="give a JSON file of CrewAI")
    return value


def _shape(
    name: str,
    agents: Mapping[str, Mapping[str, Any]],
    tasks: Mapping[str, Mapping[str, Any]],
    *,
    crew: Mapping[str, Any],
    inputs: Mapping[str, Any],
    files: tuple[Path, Path],
    code: str,
) -> CrewShape:
    names = tuple(tasks)
    order = waits(names, tuple(bool(task.get("async_execution")) for task in tasks.values()))
    unfilled: set[str] = set()
    shapes: list[TaskShape] = []
    for at, (key, task) in enumerate(tasks.items()):
        who = _agent_of(key, task, agents, hierarchical=crew.get("process") == "hierarchical", file=files[1])
        agent = agents.get(who, {"role": "Crew Manager"})
        for block, file, owner in ((agent.get("routing"), files[0], who), (task.get("routing"), files[1], key)):
            check(block or {}, f"{file}: {owner}")
        for text in (agent.get("role"), agent.get("goal"), agent.get("backstory"), task.get("description"), task.get("expected_output")):
            unfilled |= missing(text, inputs)
        tools = _tools(who, key, agent=agent, task=task, code=code)
        context = task.get("context")
        shapes.append(
            TaskShape(
                key,
                who,
                messages=rendered(agent, task, inputs, tools=tools > 0),
                context=names[:at] if context is None else tuple(map(str, context)),
                tools=tools,
                tool_chars=tools * _TOOL_CHARS,
                schema=bool(task.get("output_pydantic") or task.get("output_json") or task.get("response_model")),
                guardrail=_guardrail(task),
                guardrail_retries=int(task.get("guardrail_max_retries", 3)),
                max_iter=int(agent.get("max_iter") or 25),
                retry_limit=int(agent.get("max_retry_limit", 2)),
                delegates=bool(agent.get("allow_delegation")) or crew.get("process") == "hierarchical",
                plans=_plans(agent),
                waits_for=order[at],
                routing={**(agent.get("routing") or {}), **(task.get("routing") or {})},
            )
        )
    return CrewShape(
        name, tuple(shapes),
        planner=bool(crew.get("planning")), memory=bool(crew.get("memory")), hierarchical=crew.get("process") == "hierarchical",
        tasks_file=files[1] if files[1].suffix in {".yaml", ".yml"} else None, placeholders=tuple(sorted(unfilled)),
    )  # fmt: skip


def _agent_of(key: str, task: Mapping[str, Any], agents: Mapping[str, Any], *, hierarchical: bool, file: Path) -> str:
    who = str(task.get("agent") or "")
    if who not in agents and not (hierarchical and not who):
        known = ", ".join(agents) or "none"
        raise ConfigurationError(str(file), f"{key}.agent", f"{who!r} is no agent of this project", cure=f"use one of {known}")
    return who or "manager"


def _tools(who: str, key: str, *, agent: Mapping[str, Any], task: Mapping[str, Any], code: str) -> int:
    """Count tools: those that the definitions list, else those that the agent's or the task's method of the project's code gives."""
    listed = len(agent.get("tools") or ()) + len(task.get("tools") or ())
    if listed:
        return listed
    for name in (who, key):
        body = re.search(rf"def {re.escape(name)}\(.*?(?=\n    @|\n    def |\Z)", code, re.DOTALL)
        given = re.search(r"tools\s*=\s*\[(.*?)\]", body[0], re.DOTALL) if body else None
        if given and given[1].strip():
            return len([part for part in given[1].split(",") if part.strip()])
    return 0


def _guardrail(task: Mapping[str, Any]) -> Guardrail:
    given = task.get("guardrail") or task.get("guardrails")
    if not given:
        return "none"
    return "text" if isinstance(given, str) or (isinstance(given, list) and any(isinstance(each, str) for each in given)) else "function"


def _plans(agent: Mapping[str, Any]) -> tuple[int, int | None]:
    """Return the calls that planning adds, expected and at most: a plan, two or three steps and a synthesis."""
    if agent.get("reasoning"):
        attempts = agent.get("max_reasoning_attempts")
        return 8, None if attempts is None else 2 + 2 * 20 + int(attempts)
    return (5, 2 + 20) if agent.get("planning") or agent.get("planning_config") else (0, 0)
