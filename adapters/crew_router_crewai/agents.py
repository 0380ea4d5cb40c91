"""An agent that says in its own definition how it wants to be routed."""

from __future__ import annotations

from typing import Any

from crewai import Agent
from pydantic import ConfigDict, Field, model_validator

from crew_router.router.router import Router
from crew_router.types.keywords import refuse_routing_keys
from crew_router_crewai.llm import RouterLLM
from crew_router_crewai.routed import MOST_REFINEMENTS


class RoutedAgent(Agent):
    """An agent whose calls are routed; ``routing`` is read from its arguments, its ``config`` or a JSON crew.

    An ``llm`` that is given wins, and ``routing`` then does nothing.

    Args:
        routing: Constraints and wishes with the keys of :class:`~crew_router.RoutingRequest`.
        router: Decides and calls; one with the default configuration is shared when not given.

    Example:
        >>> from crew_router.testing import ScriptedModel
        >>> router = Router(models={"lab:a": ScriptedModel("Paris")}, ledger_url="sqlite://")
        >>> agent = RoutedAgent(role="Guide", goal="answer", backstory="-", routing={"cost_budget": 0.01}, router=router)
        >>> agent.llm.routing
        {'cost_budget': 0.01}
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    routing: dict[str, Any] | None = Field(default=None, description="Constraints and wishes for every call of this agent")
    router: Router | None = Field(default=None, exclude=True, description="Decides and calls")
    max_retry_limit: int = Field(default=0, description="Whole tasks repeated after an error; the router has already retried every call")

    @model_validator(mode="before")
    @classmethod
    def _route(cls, data: Any) -> Any:
        """Give an agent without an LLM one that routes."""
        if not isinstance(data, dict):
            return data
        refuse_routing_keys(data, but=cls.model_fields)
        config = data.get("config") or {}
        if (data.get("reasoning") or config.get("reasoning")) and data.get("max_reasoning_attempts") is None:
            # CrewAI would refine a plan without end.
            data = {**data, "max_reasoning_attempts": config.get("max_reasoning_attempts") or MOST_REFINEMENTS}
        if data.get("llm") or config.get("llm"):
            return data
        routing = data.get("routing") or config.get("routing")
        return {**data, "llm": RouterLLM(data.get("router"), routing=routing)}
