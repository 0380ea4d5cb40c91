"""Hard constraints (requirement A4): each looks at all models at once and can say why it removed one.

Unknown figures follow stated rules (``docs/routing.md``): an unknown price or latency passes (with a warning in the evidence)
unless a hard budget asks for priced models; an unknown context window passes; an unknown capability, region or moderation is
absent; a quality that nobody measured is that of the tier.
"""

from crew_router.decide.filter import availability, configured, requested
from crew_router.decide.filter.availability import AVAILABILITY, QUEUED, reaches_any
from crew_router.decide.filter.constraint import Filter, hard_filter, outward, rejections, surviving
from crew_router.decide.filter.requested import QUALITY_FLOOR, TASTE

__all__ = [
    "AVAILABILITY",
    "QUALITY_FLOOR",
    "QUEUED",
    "TASTE",
    "Filter",
    "availability",
    "configured",
    "hard_filter",
    "outward",
    "reaches_any",
    "rejections",
    "requested",
    "surviving",
]
