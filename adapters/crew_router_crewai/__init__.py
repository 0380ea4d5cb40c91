"""CrewAI over a router: one :class:`RouterLLM` per agent, agents whose model is chosen from their ``routing:`` block.

Importing this package imports CrewAI, which takes seconds; ``import crew_router`` never does.
"""

from __future__ import annotations

from crew_router.errors import MissingDependencyError

try:
    import crewai as _crewai  # noqa: F401 - only to say what is missing
except ImportError as missing:
    raise MissingDependencyError("crewai", extra="crewai") from missing

from crew_router_crewai.agents import RoutedAgent
from crew_router_crewai.crews import routed_crew
from crew_router_crewai.factory import AgentFactory
from crew_router_crewai.llm import RouterLLM
from crew_router_crewai.plan import plan_crew
from crew_router_crewai.ready import routed_analyst, routed_coder, routed_researcher, routed_reviewer

__all__ = [
    "AgentFactory",
    "RoutedAgent",
    "RouterLLM",
    "plan_crew",
    "routed_analyst",
    "routed_coder",
    "routed_crew",
    "routed_researcher",
    "routed_reviewer",
]
