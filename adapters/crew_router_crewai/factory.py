"""Agents made from definitions, each with the model that was chosen for it and its fallbacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crew_router.router.router import Router
from crew_router.types import RoutingDecision, RoutingRequest
from crew_router_crewai.agents import RoutedAgent
from crew_router_crewai.definitions import Definitions, read_definitions
from crew_router_crewai.llm import RouterLLM


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
        self._agents = read_definitions(agents)
        self._task_routing = {name: dict(task["routing"]) for name, task in read_definitions(tasks).items() if task.get("routing")}

    def agent(self, definition: str | Mapping[str, Any], **fields: Any) -> RoutedAgent:
        """Make an agent.

        Args:
            definition: The name of one of the factory's definitions, or a definition.
            fields: More fields of CrewAI's ``Agent``, for example ``tools``; they win over the definition.

        Raises:
            KeyError: No definition has this name.
            InvalidRequestError: A key of ``routing`` is unknown, or a value is out of range.
            NoCandidateError: No model satisfies the ``routing`` block.
        """
        values = {**(self._agents[definition] if isinstance(definition, str) else definition), **fields}
        routing = dict(values.get("routing") or {})
        llm = RouterLLM(self._router, routing=routing, task_routing=self._task_routing, decision=self.decide(values))
        return RoutedAgent(**{**values, "routing": routing, "llm": llm})

    def decide(self, definition: Mapping[str, Any]) -> RoutingDecision:
        """Choose the model for an agent from what its definition says of its work; no model is called.

        The choice is looked at, not recorded: each call of the agent makes and records a decision of its own.

        Raises:
            InvalidRequestError: A key of ``routing`` is unknown, or a value is out of range.
            NoCandidateError: No model satisfies the ``routing`` block.
        """
        described = " ".join(str(definition.get(key) or "") for key in ("role", "goal", "backstory")).strip()
        keys = {"task_description": described, **(definition.get("routing") or {})}
        if definition.get("tools"):
            keys["requires_tools"] = True
        return self._router.select_model(RoutingRequest.from_mapping(keys), record=False)
