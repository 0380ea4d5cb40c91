"""Agents that are ready to work (requirement C6): a coder, a reviewer, a researcher and an analyst."""

from __future__ import annotations

from typing import Any, Final

from crew_router.router.router import Router
from crew_router_crewai.agents import RoutedAgent
from crew_router_crewai.factory import AgentFactory

_CODER: Final = {
    "role": "Software Developer",
    "goal": "Write correct, readable code that does what was asked and nothing else",
    "backstory": "You read the surrounding code first, follow its style, handle errors, and show complete files or functions.",
    "routing": {"task_type": "code_generation"},
}
_REVIEWER: Final = {
    "role": "Code Reviewer",
    "goal": "Find the mistakes that matter in a change, and say how to mend them",
    "backstory": "You look for wrong results, missing cases, security holes and unclear names, in this order, and quote the line you mean.",
    "routing": {"task_type": "code_review"},
}
_RESEARCHER: Final = {
    "role": "Researcher",
    "goal": "Gather facts that can be checked, each with where it comes from",
    "backstory": "You tell what is known from what is guessed, and say so where you found nothing.",
    "routing": {},  # the tasks of a researcher differ too much to name one type
}
_ANALYST: Final = {
    "role": "Analyst",
    "goal": "Draw conclusions from data and texts, with the figures that carry them",
    "backstory": "You check figures twice, name assumptions, and put the conclusion first.",
    "routing": {"task_type": "analysis"},
}


def routed_coder(router: Router, **fields: Any) -> RoutedAgent:
    """Return an agent that writes code; ``fields`` are those of CrewAI's ``Agent`` and win."""
    return _made(router, _CODER, fields)


def routed_reviewer(router: Router, **fields: Any) -> RoutedAgent:
    """Return an agent that reviews code; ``fields`` are those of CrewAI's ``Agent`` and win."""
    return _made(router, _REVIEWER, fields)


def routed_researcher(router: Router, **fields: Any) -> RoutedAgent:
    """Return an agent that gathers facts; ``fields`` are those of CrewAI's ``Agent`` and win."""
    return _made(router, _RESEARCHER, fields)


def routed_analyst(router: Router, **fields: Any) -> RoutedAgent:
    """Return an agent that draws conclusions; ``fields`` are those of CrewAI's ``Agent`` and win."""
    return _made(router, _ANALYST, fields)


def _made(router: Router, definition: dict[str, Any], fields: dict[str, Any]) -> RoutedAgent:
    routing = {**definition["routing"], **(fields.pop("routing", None) or {})}
    return AgentFactory(router).agent({**definition, "routing": routing}, **fields)
