"""The router's own history as outcomes to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crew_router.errors import ConfigurationError, UnknownDecisionError
from crew_router.evaluate.outcomes import OutcomeTable
from crew_router.types import NANO_PER_USD, ModelRef
from crew_router.types.prompt import prompt_text
from crew_router.types.transport import Payload

if TYPE_CHECKING:
    from crew_router.record.ledger.protocol import Ledger, RequestOutcome


def outcomes_of(ledger: Ledger) -> OutcomeTable:
    """Return what was answered, by whom, for how much, and how good it was said to be.

    Only outcomes with a reported quality count, of requests whose text was kept; answers of the same prompt stand in one row.

    Raises:
        ConfigurationError: The history holds none of those.
    """
    ledger.flush()
    found: dict[str, dict[ModelRef, RequestOutcome]] = {}
    for outcome in ledger.outcomes():
        text = "" if outcome.quality is None or outcome.decision_id is None else _text(ledger, outcome.decision_id)
        if text:
            found.setdefault(text, {})[outcome.model] = outcome
    if not found:
        cure = "set `ledger: {keep_text: true}` and report quality with record_request_outcome."
        raise ConfigurationError("ledger", "", "it holds no prompt whose answer was judged", cure=cure)
    return _table(found)


def _text(ledger: Ledger, decision_id: str) -> str:
    try:
        request = ledger.decision(decision_id).request
    except UnknownDecisionError:
        return ""
    return prompt_text(Payload(request.messages)) if request.messages else request.task_description


def _table(found: dict[str, dict[ModelRef, RequestOutcome]]) -> OutcomeTable:
    models = sorted({ref for row in found.values() for ref in row})
    score, cost, latency, tokens = (np.full((len(found), len(models)), np.nan) for _ in range(4))
    for row, outcomes in enumerate(found.values()):
        for ref, outcome in outcomes.items():
            at = models.index(ref)
            score[row, at] = np.nan if outcome.quality is None else outcome.quality
            cost[row, at] = np.nan if outcome.cost_nano is None else outcome.cost_nano / NANO_PER_USD
            latency[row, at] = np.nan if outcome.latency_s is None else outcome.latency_s
            tokens[row, at] = np.nan if outcome.usage is None else outcome.usage.output_tokens
    return OutcomeTable(
        tuple(str(ref) for ref in models),
        tuple(found),
        ids=tuple(str(row) for row in range(len(found))),
        domains=("",) * len(found),
        answers=((None,) * len(models),) * len(found),
        score=score,
        cost_usd=cost,
        latency_s=latency,
        output_tokens=tokens,
    )
