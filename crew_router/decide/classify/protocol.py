"""What a classifier is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crew_router.types import RequestProfile, RoutingRequest


class Classifier(Protocol):
    """Reads the profile of a request; pure, no I/O, any text is accepted."""

    def classify(self, request: RoutingRequest) -> RequestProfile:
        """Return the profile; whatever the caller said wins."""
        ...
