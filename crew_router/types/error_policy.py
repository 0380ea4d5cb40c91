"""What is done about each kind of error; ``docs/faults.md`` shows the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crew_router.types.vocabulary import ErrorKind


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """What one kind of error leads to.

    Args:
        fall_back: Whether another model may answer; otherwise the error is the caller's and is raised at once.
        retry: Whether the same model may be asked again once nothing else is left.
        unhealthy: Whether it counts against the model's breaker.
        opens_credential: Whether it opens the breaker of the credential at once (rule 5).
        opens_model: Whether it opens the breaker of the model at once: asking again would find it gone again.
    """

    fall_back: bool = True
    retry: bool = False
    unhealthy: bool = True
    opens_credential: bool = False
    opens_model: bool = False


_TRANSIENT: Final = ErrorPolicy(retry=True)
ERROR_POLICIES: Final[dict[ErrorKind, ErrorPolicy]] = {
    ErrorKind.RATE_LIMIT: _TRANSIENT,
    ErrorKind.OVERLOAD: _TRANSIENT,
    ErrorKind.TIMEOUT: _TRANSIENT,
    ErrorKind.CONNECTION: _TRANSIENT,
    ErrorKind.AUTH: ErrorPolicy(opens_credential=True),
    ErrorKind.NOT_FOUND: ErrorPolicy(opens_model=True),
    ErrorKind.INVALID_REQUEST: ErrorPolicy(fall_back=False, unhealthy=False),
    ErrorKind.REFUSED: ErrorPolicy(unhealthy=False),
    ErrorKind.CONTEXT_OVERFLOW: ErrorPolicy(unhealthy=False),
    ErrorKind.CONTENT_POLICY: ErrorPolicy(unhealthy=False),
    ErrorKind.MALFORMED: _TRANSIENT,
    ErrorKind.EMPTY: _TRANSIENT,
    ErrorKind.TRUNCATED: _TRANSIENT,
    ErrorKind.CANCELLED: ErrorPolicy(unhealthy=False),
    ErrorKind.UNKNOWN: _TRANSIENT,
}
