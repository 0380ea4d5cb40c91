"""What a run came to, told to the routers that served it, so that nobody has to be asked."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

from crewai.hooks.dispatch import HookAborted

from crew_router.errors import CrewRouterError
from crew_router.types import FeedbackData

if TYPE_CHECKING:
    from crew_router.router.router import Router

_log: Final = logging.getLogger(__name__)


def outcome_of(status: str, error: BaseException | None) -> Literal["success", "failure"] | None:
    """Return what a run's end says of the answers in it; ``None`` when it says nothing.

    A run that a person or a policy stopped, or that ended because no model could be called, is no verdict on the answers before.
    """
    if status == "completed":
        return "success"
    return None if error is None or isinstance(error, (HookAborted, CrewRouterError)) else "failure"


def credit(run_id: str, outcome: Literal["success", "failure"], routers: Iterable[Router]) -> None:
    """Credit every step of a run with its result."""
    for router in routers:
        try:
            router.record_feedback(FeedbackData(f"run:{run_id}", outcome=outcome))
        except CrewRouterError:
            _log.warning("the result of run %s could not be credited to its steps", run_id, exc_info=True)
