"""Shared numbers that may be lost: performance, breakers, windows, learned weights."""

from crew_router.state.opening import open_state
from crew_router.state.protocol import Observation, State
from crew_router.state.shared import Refresh, SharedState

__all__ = ["Observation", "Refresh", "SharedState", "State", "open_state"]
