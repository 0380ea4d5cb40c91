"""An OpenAI-compatible server on loopback that fails as planned, and records what it would bill.

Example:
    >>> from crew_router.testing.fault_server import FaultServer, FaultKind
    >>> with FaultServer(prices={"a": (1.0, 2.0)}) as server:
    ...     server.fail("a", FaultKind.DROP_MID)
    ...     server.url.startswith("http://127.0.0.1:")
    True
"""

from crew_router.testing.fault_server.bodies import answer_to
from crew_router.testing.fault_server.faults import FaultKind
from crew_router.testing.fault_server.server import FaultServer, Served

__all__ = ["FaultKind", "FaultServer", "Served", "answer_to"]
