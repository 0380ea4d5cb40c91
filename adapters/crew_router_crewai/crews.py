"""A crew from definitions, every agent routed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crewai import Crew, Task

from crew_router.errors import ConfigurationError
from crew_router.router.router import Router
from crew_router_crewai.agents import RoutedAgent
from crew_router_crewai.definitions import Definitions, read_definitions
from crew_router_crewai.factory import AgentFactory


def routed_crew(router: Router, *, agents: Definitions | str | Path, tasks: Definitions | str | Path, **fields: Any) -> Crew:
    """Return a crew of routed agents.

    Args:
        router: Decides and calls; it is not closed here.
        agents: Definitions by name, or the path of an ``agents.yaml``; each may hold a ``routing:`` block.
        tasks: The same for tasks; ``agent`` and ``context`` name agents and earlier tasks.
        fields: More fields of CrewAI's ``Crew``, for example ``process`` or ``verbose``.

    Raises:
        ConfigurationError: A task names an agent or a task that is not defined before it.
        NoCandidateError: No model satisfies the ``routing`` block of an agent.
    """
    factory = AgentFactory(router, agents=agents, tasks=tasks)
    members = {name: factory.agent(name) for name in read_definitions(agents)}
    made: dict[str, Task] = {}
    for name, definition in read_definitions(tasks).items():
        made[name] = _task(name, definition, members=members, earlier=made)
    return Crew(agents=list(members.values()), tasks=list(made.values()), **fields)


def _task(name: str, definition: Mapping[str, Any], *, members: Mapping[str, RoutedAgent], earlier: Mapping[str, Task]) -> Task:
    values = {key: value for key, value in definition.items() if key != "routing"}
    if "agent" in values:
        values["agent"] = _named(values["agent"], members, place=f"{name}.agent")
    if values.get("context"):
        values["context"] = [_named(other, earlier, place=f"{name}.context") for other in values["context"]]
    return Task(**{"name": name, **values})


def _named(name: str, known: Mapping[str, Any], *, place: str) -> Any:
    if name not in known:
        raise ConfigurationError("tasks", place, f"{name!r} is not defined before it", cure=f"use one of {', '.join(known) or 'none'}.")
    return known[name]
