"""How many second calls may be made because the first is slow."""

from __future__ import annotations

import threading
from typing import Final

from crew_router.types.fork_hooks import free_in_child

_MOST_SAVED: Final = 5.0


class HedgeBudget:
    """Allows hedges for a share of all requests; unused ones are saved up to five.

    Args:
        share: Hedges per request, for example 0.02.

    Example:
        >>> budget = HedgeBudget(0.5)
        >>> budget.request(), budget.request(), budget.spend(), budget.spend()
        (None, None, True, False)
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self._saved = 0.0
        self._lock = threading.Lock()
        free_in_child(self)

    def request(self) -> None:
        """Count a request."""
        with self._lock:
            self._saved = min(self._saved + self.share, _MOST_SAVED)

    def spend(self) -> bool:
        """Take leave for one hedge; false when the budget is used up."""
        with self._lock:
            if self._saved < 1.0:
                return False
            self._saved -= 1.0
            return True
