"""Read the router's own ledger as a table of outcomes to train on."""

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
    """Return the outcomes of the ledger: score, cost, latency and output tokens by prompt and model.

    Only outcomes with a reported quality are used, and only of requests whose text was kept; equal prompts share a row.

    Raises:
        ConfigurationError: The ledger holds no such outcome.
    """
    ledger.flush()
    outcomes_by_prompt: dict[str, dict[ModelRef, RequestOutcome]] = {}
    for outcome in ledger.outcomes():
        text = "" if outcome.quality is None or outcome.decision_id is None else _text(ledger, outcome.decision_id)
        if text:
            outcomes_by_prompt.setdefault(text, {})[outcome.model] = outcome
    if not outcomes_by_prompt:
        cure = "set `ledger: {keep_text: true}` and report quality with record_request_outcome."
        raise ConfigurationError("ledger", "", "it holds no prompt whose answer was judged", cure=cure)
    return _table(outcomes_by_prompt)


def _text(ledger: Ledger, decision_id: str) -> str:
    try:
        request = ledger.decision(decision_id).request
    except UnknownDecisionError:
        return ""
    return prompt_text(Payload(request.messages)) if request.messages else request.task_description


def _table(outcomes_by_prompt: dict[str, dict[ModelRef, RequestOutcome]]) -> OutcomeTable:
    models = sorted({ref for row in outcomes_by_prompt.values() for ref in row})
    score, cost, latency, tokens = (np.full((len(outcomes_by_prompt), len(models)), np.nan) for _ in range(4))
    for row, outcomes in enumerate(outcomes_by_prompt.values()):
        for ref, outcome in outcomes.items():
            column = models.index(ref)
            score[row, column] = np.nan if outcome.quality is None else outcome.quality
            cost[row, column] = np.nan if outcome.cost_nano is None else outcome.cost_nano / NANO_PER_USD
            latency[row, column] = np.nan if outcome.latency_s is None else outcome.latency_s
            tokens[row, column] = np.nan if outcome.usage is None else outcome.usage.output_tokens
    return OutcomeTable(
        tuple(str(ref) for ref in models),
        tuple(outcomes_by_prompt),
        ids=tuple(str(row) for row in range(len(outcomes_by_prompt))),
        domains=("",) * len(outcomes_by_prompt),
        answers=((None,) * len(models),) * len(outcomes_by_prompt),
        score=score,
        cost_usd=cost,
        latency_s=latency,
        output_tokens=tokens,
    )
