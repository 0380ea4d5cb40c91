"""Agents made from definitions, each with the model that was chosen for it and its fallbacks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from crewai import Crew, Task

from crew_router.errors import ConfigurationError, NoCandidateError
from crew_router.router.router import Router
from crew_router.types import RoutingDecision, RoutingRequest
from crew_router_crewai.agents import RoutedAgent
from crew_router_crewai.definitions import Definitions, read_definitions
from crew_router_crewai.existing import ExistingLLM
from crew_router_crewai.llm import RouterLLM
from crew_router_crewai.routed import check, route
from crew_router_crewai.shared import shared_router


class AgentFactory:
    """Chooses a model for each agent before it is made, and injects it with its fallbacks.

    The chosen model is called first; a fault moves the call on to a fallback, and a hard constraint that removes the
    model for one call (a full context, an open breaker) lets the router choose again for that call.

    Args:
        router: Decides and calls; it is not closed here.
        agents: Definitions of agents by name, or the path of an ``agents.yaml``. Each may hold a ``routing:`` block with
            the keys of :class:`~crew_router.RoutingRequest`.
        tasks: The same for tasks; a ``routing:`` block of a task wins while the agent works on it.

    Raises:
        ConfigurationError: A file cannot be read or is no mapping of names to definitions.

    Example:
        >>> from crew_router.testing import ScriptedModel
        >>> router = Router(models={"lab:a": ScriptedModel("Paris")}, ledger_url="sqlite://")
        >>> guide = {"role": "Guide", "goal": "answer", "backstory": "-", "routing": {"quality_requirement": 0.1}}
        >>> AgentFactory(router, agents={"guide": guide}).agent("guide").llm.chosen
        'lab:a'
    """

    def __init__(
        self, router: Router, *, agents: Definitions | str | Path | None = None, tasks: Definitions | str | Path | None = None
    ) -> None:
        self._router = router
        self._agents, self._tasks = read_definitions(agents), read_definitions(tasks)
        for source, definitions in ((agents, self._agents), (tasks, self._tasks)):
            if isinstance(source, (str, Path)):
                for name, definition in definitions.items():
                    check(definition.get("routing") or {}, f"{source}: {name}")
        self._task_routing = {name: dict(task["routing"]) for name, task in self._tasks.items() if task.get("routing")}

    @classmethod
    def from_yaml(cls, agents: str | Path, tasks: str | Path | None = None, *, router: Router | None = None) -> Self:
        """Return a factory over the files of a project; a router with the default configuration is shared when none is given.

        Raises:
            ConfigurationError: A file cannot be read, or holds a ``routing:`` block that means nothing.
        """
        return cls(router or shared_router(), agents=agents, tasks=tasks)

    def agent(self, definition: str | Mapping[str, Any] | None = None, **fields: Any) -> RoutedAgent:
        """Make an agent.

        Args:
            definition: The name of one of the factory's definitions, or a definition; nothing when the fields say it all.
            fields: More fields of CrewAI's ``Agent``, for example ``tools``, and ``routing``; they win over the definition.

        Raises:
            ConfigurationError: No definition has this name.
            InvalidRequestError: A key of ``routing`` is unknown, or a value is out of range.
            NoCandidateError: No model satisfies the ``routing`` block.
        """
        values = {**(self._named(definition) if isinstance(definition, str) else definition or {}), **fields}
        routing = dict(values.get("routing") or {})
        llm = RouterLLM(self._router, routing=routing, task_routing=self._task_routing, decision=self.decide(values))
        return RoutedAgent(**{**values, "routing": routing, "llm": llm})

    def crew(self, **fields: Any) -> Crew:
        """Make the crew of all definitions.

        Args:
            fields: More fields of CrewAI's ``Crew``, for example ``process`` or ``verbose``.

        Raises:
            ConfigurationError: A task names an agent or a task that is not defined before it.
            NoCandidateError: No model satisfies the ``routing`` block of an agent.
        """
        members = {name: self.agent(name) for name in self._agents}
        made: dict[str, Task] = {}
        for name, definition in self._tasks.items():
            made[name] = _task(name, definition, members=members, earlier=made)
        crew = Crew(agents=list(members.values()), tasks=list(made.values()), **fields)
        return route(crew, self._router, agents=self._agents, tasks=self._tasks, existing=ExistingLLM.BASELINE)

    def _named(self, name: str) -> Mapping[str, Any]:
        if name not in self._agents:
            known = ", ".join(map(repr, self._agents)) or "none"
            raise ConfigurationError("agents", name, "no agent is defined by this name", cure=f"use one of {known}, or give a definition")
        return self._agents[name]

    def decide(self, definition: Mapping[str, Any]) -> RoutingDecision:
        """Choose the model for an agent from what its definition says of its work; no model is called.

        The choice is looked at, not recorded: each call of the agent makes and records a decision of its own.

        Raises:
            InvalidRequestError: A key of ``routing`` is unknown, or a value is out of range.
            NoCandidateError: No model satisfies the ``routing`` block.
        """
        described = " ".join(str(definition.get(key) or "") for key in ("role", "goal", "backstory")).strip()
        keys = {"task_description": described, **(definition.get("routing") or {})}
        request = RoutingRequest.from_mapping(keys)
        if definition.get("tools"):
            with contextlib.suppress(NoCandidateError):  # CrewAI describes tools in the text to models that cannot be given them
                return self._router.select_model(replace(request, requires_tools=True), record=False)
        return self._router.select_model(request, record=False)


def _task(name: str, definition: Mapping[str, Any], *, members: Mapping[str, RoutedAgent], earlier: Mapping[str, Task]) -> Task:
    values = dict(definition)
    if "agent" in values:
        values["agent"] = _defined(values["agent"], members, place=f"{name}.agent")
    if values.get("context"):
        values["context"] = [_defined(other, earlier, place=f"{name}.context") for other in values["context"]]
    return Task(**{"name": name, **values})


def _defined(name: str, known: Mapping[str, Any], *, place: str) -> Any:
    if name not in known:
        raise ConfigurationError("tasks", place, f"{name!r} is not defined before it", cure=f"use one of {', '.join(known) or 'none'}.")
    return known[name]
