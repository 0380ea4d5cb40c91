"""Routes a crew that stands already: every LLM in it becomes one that is routed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from crewai.tasks.llm_guardrail import LLMGuardrail

from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router.types import RoutingRequest
from crew_router_crewai.blocks import Given, block_of, keep
from crew_router_crewai.existing import ExistingLLM, taken_from
from crew_router_crewai.llm import RouterLLM
from crew_router_crewai.scope import is_routed

if TYPE_CHECKING:
    from crewai import Crew

    from crew_router.router.router import Router

Blocks = Mapping[str, Mapping[str, Any]]
MOST_REFINEMENTS: Final = 3  # of the plan of an agent that reasons; guess, not measured


def route(crew: Crew, router: Router, *, agents: Blocks, tasks: Blocks, existing: ExistingLLM) -> Crew:
    """Replace every LLM of a crew by a routed one, and return the crew.

    Args:
        crew: The crew; it is changed.
        router: Decides and calls.
        agents: Definitions by name, for their ``routing:`` blocks; an agent is found by its role.
        tasks: Definitions by name, for the same.
        existing: How LLMs count that agents name themselves.

    Raises:
        ConfigurationError: A block cannot be read, or a model that has to be called is unknown.
    """
    for task in crew.tasks:
        if not block_of(task) and (named := tasks.get(task.name or "", {}).get("routing")):
            keep(task, Given(dict(named)))
        check(block_of(task), f"task {task.name or task.description[:40]!r}")
    by_name = {task.name: dict(block_of(task)) for task in crew.tasks if task.name and block_of(task)}
    by_role = {str(each.get("role") or "").strip(): each.get("routing") for each in agents.values()}

    def routed(routing: Mapping[str, Any], **settings: Any) -> RouterLLM:
        return RouterLLM(router, routing=routing, task_routing=by_name, **settings)

    for agent in _agents(crew):
        block = dict(block_of(agent) or getattr(agent, "routing", None) or by_role.get(agent.role.strip()) or {})
        check(block, f"agent {agent.role.strip()!r}")
        if not is_routed(agent.llm):
            taken = taken_from(agent, existing, router)
            agent.llm = routed({**taken.routing, **block}, baseline=taken.baseline, **taken.settings)
        if vars(agent).get("function_calling_llm") is not None and not is_routed(vars(agent)["function_calling_llm"]):
            agent.function_calling_llm = routed(block)
        _bound_reasoning(agent, functools.partial(routed, block))
        _route_memory(getattr(agent, "memory", None), functools.partial(routed, block))
    _route_crew(crew, functools.partial(routed, {}))
    return crew


def check(block: Mapping[str, Any], place: str) -> None:
    """Check a ``routing:`` block.

    Raises:
        ConfigurationError: A key is unknown or a value out of range; the message names place, key and cure.
    """
    try:
        RoutingRequest.from_mapping(block)
    except InvalidRequestError as error:
        raise ConfigurationError(place, f"routing.{error.field}", f"{error.value!r} is not valid", cure=f"give {error.expected}") from error


def _agents(crew: Crew) -> list[Any]:
    found = [*crew.agents, *(task.agent for task in crew.tasks), crew.manager_agent]
    return list({id(agent): agent for agent in found if agent is not None and hasattr(agent, "llm")}.values())


def _bound_reasoning(agent: Any, make: Callable[[], RouterLLM]) -> None:
    """Bound the refinements of an agent that reasons, which CrewAI does not, and route what it plans with."""
    planning = getattr(agent, "planning_config", None)
    if planning is None:
        return
    if planning.max_attempts is None:
        planning.max_attempts = MOST_REFINEMENTS
    if planning.llm is not None and not is_routed(planning.llm):
        planning.llm = make()


def _route_crew(crew: Crew, make: Callable[[], RouterLLM]) -> None:
    if crew.manager_llm is not None and not is_routed(crew.manager_llm):
        crew.manager_llm = make()
    if (crew.planning or crew.planning_llm is not None) and not is_routed(crew.planning_llm):
        crew.planning_llm = make()  # CrewAI would call a model of its own choice
    if crew.chat_llm is not None and not is_routed(crew.chat_llm):
        crew.chat_llm = make()
    if vars(crew).get("function_calling_llm") is not None:
        for agent in _agents(crew):
            if vars(agent).get("function_calling_llm") is None:
                agent.function_calling_llm = make()
        vars(crew)["function_calling_llm"] = None  # the field takes CrewAI's own class only
    _route_memory(getattr(crew, "_memory", None), make)
    for task in crew.tasks:
        _route_guardrails(task)


def _route_memory(memory: Any, make: Callable[[], RouterLLM]) -> None:
    """Have memory ask a routed LLM; scopes and slices of one memory lead to the same."""
    backing = getattr(memory, "_memory", None) or memory
    if backing is None or isinstance(backing, bool) or is_routed(getattr(backing, "llm", None)):
        return
    if hasattr(backing, "_llm_instance"):
        backing.llm = made = make()
        backing._llm_instance = made  # noqa: SLF001 - CrewAI makes it when the memory is made, and has no way to change it


def _route_guardrails(task: Any) -> None:
    """A guardrail written as a text holds the LLM that the agent had when the task was made."""
    for guardrail in (task._guardrail, *(task._guardrails or ())):  # noqa: SLF001 - CrewAI keeps what it made of them there
        if isinstance(guardrail, LLMGuardrail) and task.agent is not None and is_routed(task.agent.llm):
            guardrail.llm = task.agent.llm
