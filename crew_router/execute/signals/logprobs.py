"""How sure the model was of its own tokens."""

from __future__ import annotations

from typing import Final

from crew_router.execute.signals.protocol import Drafted

_USUAL: Final = -0.25  # mean log-probability that says nothing either way; guess, not measured
_SLOPE: Final = 4.0  # guess, not measured
_MOST: Final = 1.5


def token_logprobs(draft: Drafted) -> float | None:
    """Return evidence from the mean log-probability of the answer's tokens, where the transport gives them."""
    logprobs = draft.reply.logprobs
    if not logprobs:
        return None
    mean = sum(logprobs) / len(logprobs)
    return max(-_MOST, min(_MOST, _SLOPE * (mean - _USUAL)))
