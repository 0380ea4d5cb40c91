"""What a reasoning effort means for one model: which ones it can be asked for, how long its answers get and how long it thinks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from crew_router.config.ability import TYPICAL_OUTPUT_TOKENS, relative_output_tokens
from crew_router.config.reachability import LOCAL_PROVIDERS
from crew_router.types.vocabulary import EFFORT_ORDER, ModelCapability, Tier

if TYPE_CHECKING:
    from crew_router.types.model import ModelDefinition

PLAIN_VERBOSITY: Final = 0.1
"""Verbosity of an answer without thinking, on the registry's scale: that of GPT-6 Luna at none, the one that was measured."""

TYPICAL_FIRST_TOKEN_S: Final = {"none": 0.71, "minimal": 1.8, "low": 4.7, "medium": 11.0, "high": 30.0, "xhigh": 116.0, "max": 350.0}
"""Seconds to the first token of an answer by effort: geometric means of the packaged figures; minimal lies between its neighbours."""

TYPICAL_TOKENS_PER_S: Final = 114.0
"""Tokens a second of hosted models: the median of the packaged figures."""

LOCAL_TOKENS_PER_S: Final = 30.0  # guess, not measured: what runs on one's own machine

LEAST_WORK_TOKENS: Final = 50.0  # guess, not measured: a one-word answer is thought about as long as one of this length
_THINKING_MARGIN: Final = 2.0
_HARDLY_THINKS: Final = frozenset({"none", "minimal"})
_AT_ONCE_S: Final = 2.0
_SETTINGS: Final = ("reasoning_effort", "effort", "thinking_level", "reasoning", "output_config", "thinking", "thinking_budget")


def offered_efforts(model: ModelDefinition) -> tuple[str | None, ...]:
    """Return the efforts at which a model is a candidate; ``None`` alone where it has none or the user fixed how it thinks.

    A setting of the entry's ``kwargs``, or of a client given in code, fixes the effort.
    """
    if not model.efforts:
        return (None,)
    names = tuple(level.name for level in model.efforts)
    own = fixed_effort(model)
    if own is None:
        return names
    return (own,) if own in names else (None,)


def fixed_effort(model: ModelDefinition) -> str | None:
    """Return the effort that the user set in the entry or the client; an empty text for a setting that is no named effort."""
    for name in _SETTINGS:
        said: object = model.kwargs.get(name)
        if said is None and model.instance is not None:
            said = getattr(model.instance, name, None)
        if isinstance(said, Mapping):
            said = cast("Mapping[str, object]", said).get("effort", "")
        if isinstance(said, str) and said in EFFORT_ORDER:
            return said
        if isinstance(said, (str, int, float, Mapping)):
            return ""
    return None


def expected_lengths(model: ModelDefinition, effort: str | None) -> tuple[float, float]:
    """Return the tokens of an answer, thinking included, relative to those of a plain answer, and relative to its visible part.

    The first takes the model's measured verbosity where there is one. What is visible is not measured: the typical ratio of
    its effort to no thinking stands in for both where nothing better is known.
    """
    thinking = _typical_thinking(model, effort)
    if model.verbosity is None:
        return thinking, thinking
    relative, measured = relative_output_tokens(model, effort)
    if effort in _HARDLY_THINKS and not measured:
        return thinking, thinking
    return model.verbosity * relative / PLAIN_VERBOSITY, thinking


def thinking_allowance(model: ModelDefinition, answer_tokens: int) -> int:
    """Return the tokens that thinking may take before an answer of this length, twice what is expected.

    Providers count thinking against the limit of the output, so that a limit that is meant for the answer has to hold it too.

    Args:
        model: The model, under the reference of one of its efforts; without one nothing is added.
        answer_tokens: Tokens of the visible answer.
    """
    if model.ref.effort is None:
        return 0
    whole, thinking = expected_lengths(model, model.ref.effort)
    more = max(whole, thinking) - 1.0
    return math.ceil(_THINKING_MARGIN * more * max(answer_tokens, LEAST_WORK_TOKENS)) if more > 0 else 0


def first_token_s(model: ModelDefinition, effort: str | None) -> float | None:
    """Return the measured or stated seconds to the first token of the answer at an effort; ``None`` where nobody knows them."""
    level = model.effort(effort)
    if level is not None and level.ttft_s is not None:
        return level.ttft_s
    return model.latency.ttft_s if effort is None or effort == model.default_effort else None


def expected_first_token_s(model: ModelDefinition, effort: str | None) -> float:
    """Return the seconds to the first token where nobody measured them: those of other models at such an effort."""
    return TYPICAL_FIRST_TOKEN_S[_effort_like(model, effort)]


def expected_tokens_per_s(model: ModelDefinition) -> float:
    """Return the tokens a second where nobody measured them."""
    local = model.tier is Tier.LOCAL or (model.tier is None and model.ref.provider in LOCAL_PROVIDERS)
    return LOCAL_TOKENS_PER_S if local else TYPICAL_TOKENS_PER_S


def _typical_thinking(model: ModelDefinition, effort: str | None) -> float:
    return TYPICAL_OUTPUT_TOKENS[_effort_like(model, effort)] / TYPICAL_OUTPUT_TOKENS["none"]


def _effort_like(model: ModelDefinition, effort: str | None) -> str:
    """Return the effort that a candidate's thinking is like.

    A measured model that reasons and has no efforts thinks as others do at medium, unless its answers begin at once.
    """
    named = effort or (model.default_effort or model.efforts[0].name if model.efforts else None)
    if named is not None:
        return named
    thinks = ModelCapability.REASONING in model.capabilities and model.ability is not None
    waits = model.latency.ttft_s is None or model.latency.ttft_s > _AT_ONCE_S
    return "medium" if thinks and waits else "none"
