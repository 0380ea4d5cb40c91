"""What is done about each kind of error; ``docs/faults.md`` shows the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crew_router.types.vocabulary import ErrorKind


@dataclass(frozen=True, slots=True)
class Treatment:
    """What one kind of error leads to.

    Args:
        fall_back: Whether another model may answer; otherwise the error is the caller's and is raised at once.
        retry: Whether the same model may be asked again once nothing else is left.
        unhealthy: Whether it counts against the model's breaker.
        opens_credential: Whether it opens the breaker of the credential at once (``CONTRACT.md`` rule 5).
        opens_model: Whether it opens the breaker of the model at once: asking again would find it gone again.
    """

    fall_back: bool = True
    retry: bool = False
    unhealthy: bool = True
    opens_credential: bool = False
    opens_model: bool = False


_TRANSIENT: Final = Treatment(retry=True)
TREATMENTS: Final[dict[ErrorKind, Treatment]] = {
    ErrorKind.RATE_LIMIT: _TRANSIENT,
    ErrorKind.OVERLOAD: _TRANSIENT,
    ErrorKind.TIMEOUT: _TRANSIENT,
    ErrorKind.CONNECTION: _TRANSIENT,
    ErrorKind.AUTH: Treatment(opens_credential=True),
    ErrorKind.NOT_FOUND: Treatment(opens_model=True),
    ErrorKind.INVALID_REQUEST: Treatment(fall_back=False, unhealthy=False),
    ErrorKind.REFUSED: Treatment(unhealthy=False),
    ErrorKind.CONTEXT_OVERFLOW: Treatment(unhealthy=False),
    ErrorKind.CONTENT_POLICY: Treatment(unhealthy=False),
    ErrorKind.MALFORMED: _TRANSIENT,
    ErrorKind.EMPTY: _TRANSIENT,
    ErrorKind.TRUNCATED: _TRANSIENT,
    ErrorKind.CANCELLED: Treatment(unhealthy=False),
    ErrorKind.UNKNOWN: _TRANSIENT,
}
