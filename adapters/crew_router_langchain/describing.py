"""The figures of a chat model that was given in code.

The packaged registry is asked first, by provider and name, then genai-prices when it is installed, then the model's own
profile. What nobody knows stays unknown: a model without a price passes cost constraints with a warning and is never
called the cheaper one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel

from crew_router.types.clock import SystemClock
from crew_router.types.model import ModelDefinition, Price, PriceTier
from crew_router.types.vocabulary import ModelCapability, ModelRef
from crew_router_langchain.profiles import ABILITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.config.registry import Registry

# LangSmith's name of a provider → the registry's; genai-prices has names of its own.
_REGISTRY_NAMES: Final = {"azure": "azure_openai", "amazon_bedrock": "bedrock_converse", "mistral": "mistralai", "ollama": "ollama"}
_GENAI_NAMES: Final = {"google_genai": "google", "mistralai": "mistral", "azure_openai": "azure", "xai": "x-ai", "bedrock_converse": "aws"}


def described(ref: ModelRef, client: BaseChatModel) -> ModelDefinition:
    """Return the registry entry of a chat model; figures that nobody knows stay ``None``."""
    provider, name = identity(client)
    known = _packaged().get(f"{provider}:{name}")
    if known is not None:
        return replace(known, ref=ref, base_url=None, api_key=None, kwargs={}, fallbacks=(), enabled=True, instance=client)
    profile: Mapping[str, Any] = client.profile or {}
    price, window = _listed(provider, name)
    return ModelDefinition(
        ref, provider=provider or ref.provider, model=name or ref.name,
        price=price,
        context_window=profile.get("max_input_tokens") or window,
        max_output_tokens=profile.get("max_output_tokens"),
        capabilities=_capabilities(client, profile),
        instance=client,
    )  # fmt: skip


def identity(client: BaseChatModel) -> tuple[str, str]:
    """Return provider and model name as LangSmith would write them down, or empty texts."""
    params = client._get_ls_params()  # noqa: SLF001 - the only place where every provider class says both
    provider = str(params.get("ls_provider") or "")
    own = (getattr(client, key, None) for key in ("model_name", "model", "model_id", "deployment_name"))
    name = params.get("ls_model_name") or next((value for value in own if isinstance(value, str)), "")
    return _REGISTRY_NAMES.get(provider, provider), str(name).removeprefix("models/")


@cache
def _packaged() -> Registry:
    from crew_router.config.load import packaged_registry  # reads files

    return packaged_registry()


def _capabilities(client: BaseChatModel, profile: Mapping[str, Any]) -> frozenset[ModelCapability]:
    """Read the profile; without one, what the class implements: whether a model sees pictures nobody can tell then."""
    kind = type(client)
    implemented = {
        ModelCapability.STREAMING: kind._stream is not BaseChatModel._stream or kind._astream is not BaseChatModel._astream,  # noqa: SLF001 - as LangChain looks
        ModelCapability.TOOLS: kind.bind_tools is not BaseChatModel.bind_tools,
        ModelCapability.JSON: kind.with_structured_output is not BaseChatModel.with_structured_output,
    }
    told = {capability: bool(profile[key]) for key, capability in ABILITIES.items() if key in profile}
    if profile.get("image_url_inputs"):  # some profiles tell only in which form pictures may come
        told[ModelCapability.VISION] = True
    return frozenset(capability for capability, has in {**implemented, **told}.items() if has)


def _listed(provider: str, name: str) -> tuple[Price | None, int | None]:
    """Return price and context window from genai-prices, where it is installed and knows the model."""
    if not name or find_spec("genai_prices") is None:
        return None, None
    from genai_prices.data_snapshot import get_snapshot  # 0.8 s, wanted only for unknown models

    try:
        _, info = get_snapshot().find_provider_model(name, None, _GENAI_NAMES.get(provider, provider), None)
    except LookupError:
        return None, None
    now = datetime.fromtimestamp(SystemClock().now(), UTC)
    return _price(info.get_prices(now)), info.context_window


def _price(listed: Any) -> Price | None:
    rates = {key: getattr(listed, key, None) for key in ("input_mtok", "output_mtok", "cache_read_mtok")}
    if rates["input_mtok"] is None or rates["output_mtok"] is None:
        return None
    starts = sorted({tier.start for rate in rates.values() for tier in getattr(rate, "tiers", ())})
    first, out, cached = (_rate(rates[key], 0) for key in ("input_mtok", "output_mtok", "cache_read_mtok"))
    assert first is not None
    assert out is not None
    return Price(first, out, cached, tiers=tuple(_tier(rates, start) for start in starts))


def _tier(rates: Mapping[str, Any], start: int) -> PriceTier:
    first, out, cached = (_rate(rates[key], start) for key in ("input_mtok", "output_mtok", "cache_read_mtok"))
    return PriceTier(start, first or 0.0, out or 0.0, cached)


def _rate(rate: Any, start: int) -> float | None:
    """Return the rate that holds from so many input tokens on, in USD per million tokens."""
    if rate is None or not hasattr(rate, "tiers"):
        return None if rate is None else float(rate)
    held = [tier.price for tier in sorted(rate.tiers, key=lambda tier: tier.start) if tier.start <= start and start > 0]
    return float(held[-1] if held else rate.base)
