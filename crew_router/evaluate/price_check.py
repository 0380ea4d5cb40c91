"""Compare the registry's list prices with those of the installed package genai-prices; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from importlib.util import find_spec
from typing import Final

from crew_router.errors import MissingDependencyError
from crew_router.types.model import ModelDefinition, Price

_PROVIDERS: Final = {
    "azure_openai": "azure",
    "bedrock_converse": "aws",
    "google_genai": "google",
    "mistralai": "mistral",
    "xai": "x-ai",
}
_UTC: Final = datetime.fromisoformat("2026-01-01T00:00+00:00").tzinfo
_RELATIVE_TOLERANCE: Final = 1e-6
_TOKENS: Final = 1000


@dataclass(frozen=True, slots=True)
class MovedPrice:
    """One price that differs, USD per million tokens; ``was`` is the registry's, ``now`` that of genai-prices."""

    model: str
    key: str
    was: float
    now: float


def moved_prices(models: Iterable[ModelDefinition], on: date) -> list[MovedPrice]:
    """Return the registry's prices that differ from those of genai-prices at noon UTC of a day.

    Models that the package does not know, and models without a price, are skipped.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    if find_spec("genai_prices") is None:
        raise MissingDependencyError("genai-prices", extra="prices")
    noon = datetime.combine(on, time(12), tzinfo=_UTC)
    moved: list[MovedPrice] = []
    for model in models:
        if model.price is not None and model.price.input:
            listed = _listed_prices(model, noon)
            moved += [] if listed is None else _differences(model, model.price, listed)
    return moved


def as_diff(moved: Iterable[MovedPrice]) -> str:
    """Return the changes as text in the form of a diff."""
    lines: list[str] = []
    for each in moved:
        heading = f'@@ "{each.model}".price @@'
        lines += [] if heading in lines else [heading]
        lines += [f"-{each.key}: {each.was:g}", f"+{each.key}: {each.now:g}"]
    return "\n".join(lines)


def _listed_prices(model: ModelDefinition, noon: datetime) -> dict[str, float] | None:
    from genai_prices import Usage, calc_price

    usages = {
        "input": Usage(input_tokens=_TOKENS),
        "output": Usage(output_tokens=_TOKENS),
        "cached_input": Usage(input_tokens=_TOKENS, cache_read_tokens=_TOKENS),
        "cache_write": Usage(input_tokens=_TOKENS, cache_write_tokens=_TOKENS),
    }
    provider = _PROVIDERS.get(model.ref.provider, model.ref.provider)
    prices: dict[str, float] = {}
    for key, usage in usages.items():
        try:
            calculated = calc_price(usage, model.model, provider_id=provider, genai_request_timestamp=noon)
        except LookupError:
            return None
        prices[key] = float(calculated.total_price) / _TOKENS * 1e6
    return prices


def _differences(model: ModelDefinition, price: Price, listed: dict[str, float]) -> list[MovedPrice]:
    registered = {"input": price.input, "output": price.output, "cached_input": price.at(0)[2], "cache_write": price.rates(0).cache_write}
    return [
        MovedPrice(model.ref, key, registered[key], round(now, 6))
        for key, now in listed.items()
        if abs(now - registered[key]) > _RELATIVE_TOLERANCE * max(now, registered[key])
    ]
