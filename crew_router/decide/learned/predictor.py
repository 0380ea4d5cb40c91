"""P(success) and length of the answer of every model, as training left them, for the seam of :mod:`crew_router.decide.predict.protocol`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crew_router.decide.learned.trained_model import TrainedModel
from crew_router.decide.predict.protocol import Prediction
from crew_router.types import ModelRef, RequestProfile, RoutingRequest
from crew_router.types.prompt import prompt_text
from crew_router.types.transport import Payload

if TYPE_CHECKING:
    from crew_router.decide.model_table import ModelTable
    from crew_router.types.arrays import Floats


def asked_text(request: RoutingRequest) -> str:
    """Return the text of a request that training prompts are compared with."""
    return prompt_text(Payload(request.messages)) if request.messages else request.task_description


def _first_known(learned: TrainedModel, ref: ModelRef) -> int | None:
    """Return the place of a candidate in what was learnt; what was learnt of a model alone holds for all its efforts."""
    own = learned.place_of(ref)
    return learned.place_of(ref.model) if own is None and ref.effort is not None else own


@dataclass(frozen=True, slots=True)
class LearnedPredictor:
    """Predicts for the models that were learnt; NaN leaves all others to their priors."""

    learned: TrainedModel

    def predict(self, request: RoutingRequest, profile: RequestProfile, *, model_table: ModelTable) -> Prediction:  # noqa: ARG002 - the text says more
        """Return the prediction for one request."""
        foreseen = self.learned.foresee(asked_text(request))
        places = [_first_known(self.learned, ref) for ref in model_table.candidates]
        known = np.array([at is not None for at in places], dtype=np.bool_)
        of = np.array([at or 0 for at in places], dtype=np.int64)
        quality = self.learned.quality

        def spread(values: Floats) -> Floats:
            return np.where(known, values[..., of], np.nan)

        # Outcomes that cost nothing (local models) say nothing of a price.
        paid = np.where(foreseen.cost_usd > 0, foreseen.cost_usd, np.nan)
        return Prediction(
            spread(foreseen.quality), spread(foreseen.tokens), spread(quality.tokens_band), spread(paid), spread(quality.cost_band)
        )
