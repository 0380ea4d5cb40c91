"""What a crew will cost before it starts, who should do which task within a budget, and a run held against that plan."""

from __future__ import annotations

from crew_router_crewai.plan.build import plan_crew
from crew_router_crewai.plan.value import Plan, PlannedTask, Spread

__all__ = ["Plan", "PlannedTask", "Spread", "plan_crew"]
