"""Tools for tests without a network: scripted and recorded models, a clock set by hand, a simulator, a guard against paid calls.

Example:
    >>> from crew_router.testing import ScriptedModel
    >>> model = ScriptedModel("Hello.", usage=(10, 2), price=(1.0, 2.0), faults=["rate_limit"])
"""

from crew_router.testing.clock import FrozenClock
from crew_router.testing.guard import no_paid_calls
from crew_router.testing.recorded import RecordedModel
from crew_router.testing.runtime_access import runtime_of, take_over_changes
from crew_router.testing.script import ScriptedFault, ScriptedFaultError, ScriptedReply
from crew_router.testing.scripted import ScriptedModel
from crew_router.testing.simulator import Outcome, World, check_seeds

__all__ = [
    "FrozenClock",
    "Outcome",
    "RecordedModel",
    "ScriptedFault",
    "ScriptedFaultError",
    "ScriptedModel",
    "ScriptedReply",
    "World",
    "check_seeds",
    "no_paid_calls",
    "runtime_of",
    "take_over_changes",
]
