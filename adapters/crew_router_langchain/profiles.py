"""What every model of a pool can do: the AND of abilities, the least of limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from crew_router.types.vocabulary import ModelCapability

if TYPE_CHECKING:
    from langchain_core.language_models.model_profile import ModelProfile

    from crew_router.types.model import ModelDefinition

ABILITIES: Final = {
    "image_inputs": ModelCapability.VISION,
    "audio_inputs": ModelCapability.AUDIO,
    "video_inputs": ModelCapability.VIDEO,
    "pdf_inputs": ModelCapability.DOCUMENTS,
    "tool_calling": ModelCapability.TOOLS,
    "structured_output": ModelCapability.JSON,
    "reasoning_output": ModelCapability.REASONING,
}


def common_profile(models: Iterable[ModelDefinition]) -> ModelProfile | None:
    """Return the profile that holds whichever of the models answers, or ``None`` when nothing is known of one of them."""
    profiles = [_profile(model) for model in models]
    if not profiles or not all(profiles):
        return None
    shared = set.intersection(*(set(profile) for profile in profiles))
    common: dict[str, Any] = {}
    for key in sorted(shared):
        values = [profile[key] for profile in profiles]
        if all(isinstance(value, bool) for value in values):
            common[key] = all(values)
        elif all(isinstance(value, int) for value in values):
            common[key] = min(values)
    return common or None  # type: ignore[return-value]  # only keys of ModelProfile come in


def _profile(model: ModelDefinition) -> Mapping[str, Any]:
    """Return a model's profile: what the registry says, over what an instance says of itself."""
    own = dict(getattr(model.instance, "profile", None) or {})
    if model.context_window is not None:
        own["max_input_tokens"] = model.context_window
    if model.max_output_tokens is not None:
        own["max_output_tokens"] = model.max_output_tokens
    if model.capabilities:
        own |= {key: capability in model.capabilities for key, capability in ABILITIES.items()}
    return own
