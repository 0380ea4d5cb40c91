"""The seam for predictions that were learnt from outcomes (``crew-router train``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crew_router.decide.model_table import Columns
    from crew_router.types import RequestProfile, RoutingRequest
    from crew_router.types.arrays import Floats


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is known of one request by place of the model; NaN where nothing is.

    Args:
        success: P(success), 0..1.
        output_tokens: Tokens of the answer.
        output_band: What the tokens were of those expected in the worst of twenty calls, too low and too high; two rows of factors.
        cost_usd: Price of the call, as it was paid for prompts like this one.
        cost_band: The same of the price.
    """

    success: Floats
    output_tokens: Floats | None = None
    output_band: Floats | None = None
    cost_usd: Floats | None = None
    cost_band: Floats | None = None


class Predictor(Protocol):
    """Predicts, for one request, how likely each model is to be right. Pure, no I/O."""

    def predict(self, request: RoutingRequest, profile: RequestProfile, *, columns: Columns) -> Prediction | None:
        """Return the prediction, or ``None`` when nothing is known of a request like this."""
        ...
