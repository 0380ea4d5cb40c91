"""Append-only history: decisions, attempts, outcomes, feedback, money, overrides, audit."""

from crew_router.ledger.opening import open_ledger
from crew_router.ledger.protocol import Ledger, RequestOutcome
from crew_router.ledger.writer import WriterPolicy

__all__ = ["Ledger", "RequestOutcome", "WriterPolicy", "open_ledger"]
