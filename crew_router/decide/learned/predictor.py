"""The predictor (see :mod:`crew_router.decide.predict.protocol`) that uses a trained model."""

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
    """Return the text of a request that the features are computed from."""
    return prompt_text(Payload(request.messages)) if request.messages else request.task_description


def _first_known(learned: TrainedModel, ref: ModelRef) -> int | None:
    """Return the place of a candidate in what was learnt; what was learnt of a model alone holds for all its efforts."""
    own = learned.index_of(ref)
    return learned.index_of(ref.model) if own is None and ref.effort is not None else own


@dataclass(frozen=True, slots=True)
class LearnedPredictor:
    """Predicts for the models of a trained artifact; NaN for all others, which keep their prior figures."""

    learned: TrainedModel

    def predict(self, request: RoutingRequest, profile: RequestProfile, *, model_table: ModelTable) -> Prediction:  # noqa: ARG002 - the text says more
        """Return the prediction for one request."""
        prediction = self.learned.predict(asked_text(request))
        indices = [_first_known(self.learned, ref) for ref in model_table.candidates]
        known = np.array([index is not None for index in indices], dtype=np.bool_)
        columns = np.array([index or 0 for index in indices], dtype=np.int64)
        quality = self.learned.quality

        def spread(values: Floats) -> Floats:
            return np.where(known, values[..., columns], np.nan)

        # Training outcomes of local models cost nothing, which does not tell what a priced model would cost.
        cost_usd = np.where(prediction.cost_usd > 0, prediction.cost_usd, np.nan)
        return Prediction(
            spread(prediction.quality), spread(prediction.tokens), spread(quality.tokens_band), spread(cost_usd), spread(quality.cost_band)
        )
