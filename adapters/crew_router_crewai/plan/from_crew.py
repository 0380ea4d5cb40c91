"""Reads the shape of a crew that stands already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crewai import Crew, Process
from crewai.tasks.llm_guardrail import LLMGuardrail

from crew_router_crewai.blocks import block_of
from crew_router_crewai.plan.prompt import missing, rendered
from crew_router_crewai.plan.shape import CrewShape, Guardrail, TaskShape, waits
from crew_router_crewai.scope import is_routed, routing_of


def read_crew(crew: Crew, inputs: Mapping[str, Any] | None = None) -> CrewShape:
    """Return the shape of a crew; the crew is not changed."""
    given = inputs or {}
    names = {id(task): task.name or f"task_{at + 1}" for at, task in enumerate(crew.tasks)}
    order = waits(tuple(names.values()), tuple(bool(task.async_execution) for task in crew.tasks))
    texts = [text for task in crew.tasks for text in (task.description, task.expected_output)]
    shapes = tuple(_task(crew, task, at=at, names=names, inputs=given, waits_for=order[at]) for at, task in enumerate(crew.tasks))
    return CrewShape(
        crew.name or "crew", shapes,
        planner=bool(crew.planning), memory=bool(crew.memory), hierarchical=crew.process == Process.hierarchical,
        placeholders=tuple(sorted(set[str]().union(*(missing(text, given) for text in texts)))),
    )  # fmt: skip


def _task(crew: Crew, task: Any, *, at: int, names: Mapping[int, str], inputs: Mapping[str, Any], waits_for: tuple[str, ...]) -> TaskShape:
    agent = task.agent or crew.manager_agent
    who = (
        {name: getattr(agent, name, "") or "" for name in ("role", "goal", "backstory")} if agent is not None else {"role": "Crew Manager"}
    )
    tools = list(task.tools or getattr(agent, "tools", None) or ())
    llm = getattr(agent, "llm", None)
    own = llm.routing if is_routed(llm) else block_of(agent)
    earlier = [names[id(other)] for other in crew.tasks[:at]]
    context = [names.get(id(other), "") for other in task.context] if isinstance(task.context, list) else earlier
    return TaskShape(
        names[id(task)], str(who["role"]).strip(),
        messages=rendered(who, {"description": task.description, "expected_output": task.expected_output}, inputs, tools=bool(tools)),
        context=tuple(filter(None, context)), tools=len(tools), tool_chars=sum(map(_chars, tools)),
        schema=bool(task.output_pydantic or task.output_json or task.response_model),
        guardrail=_guardrail(task), guardrail_retries=task.guardrail_max_retries,
        max_iter=getattr(agent, "max_iter", None) or 25, retry_limit=getattr(agent, "max_retry_limit", 2),
        delegates=bool(getattr(agent, "allow_delegation", False)) or crew.process == Process.hierarchical,
        plans=_plans(agent), waits_for=waits_for, routing={**own, **routing_of(task, crew)},
    )  # fmt: skip


def _chars(tool: Any) -> int:
    schema = getattr(tool, "args_schema", None)
    return len(str(getattr(tool, "description", ""))) + (len(json.dumps(schema.model_json_schema())) if schema is not None else 0)


def _guardrail(task: Any) -> Guardrail:
    made = [each for each in (task._guardrail, *(task._guardrails or ())) if each is not None]  # noqa: SLF001 - CrewAI keeps what it made of them there
    if not made:
        return "none"
    return "text" if any(isinstance(each, LLMGuardrail) for each in made) else "function"


def _plans(agent: Any) -> tuple[int, int | None]:
    planning = getattr(agent, "planning_config", None)
    if planning is None:
        return 0, 0
    if planning.reasoning_effort == "low" and planning.max_attempts == 1:
        return 5, 2 + 20
    return 8, None if planning.max_attempts is None else 2 + 2 * 20 + planning.max_attempts
