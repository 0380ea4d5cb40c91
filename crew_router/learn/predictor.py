"""P(success) and length of the answer of every model, as training left them, for the seam of :mod:`crew_router.predict.protocol`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.execute.prompt import prompt_text
from crew_router.execute.transport import Payload
from crew_router.learn.learned import Learned
from crew_router.predict.protocol import Prediction
from crew_router.types import RequestProfile, RoutingRequest

if TYPE_CHECKING:
    from crew_router.columns import Columns


def asked_text(request: RoutingRequest) -> str:
    """Return the text of a request that training prompts are compared with."""
    return prompt_text(Payload(request.messages)) if request.messages else request.task_description


@dataclass(frozen=True, slots=True)
class LearnedPredictor:
    """Predicts for the models that were learnt; NaN leaves all others to their priors."""

    learned: Learned

    def predict(self, request: RoutingRequest, profile: RequestProfile, *, columns: Columns) -> Prediction:  # noqa: ARG002 - the text says more
        """Return the prediction for one request."""
        foreseen = self.learned.foresee(asked_text(request))
        success, tokens = (np.full(len(columns.refs), np.nan) for _ in range(2))
        for at, ref in enumerate(columns.refs):
            place = self.learned.place_of(ref)
            if place is not None:
                success[at], tokens[at] = foreseen.quality[place], foreseen.tokens[place]
        return Prediction(success, tokens)
