"""One entry under ``models:`` as a configuration file writes it.

These values are the schema: their annotations are checked by :mod:`crew_router.config.schema.validation`, and the argument
descriptions become the descriptions of the JSON Schema and the cures of error messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Final, Literal

from annotated_types import Ge, Gt, Le, MinLen

from crew_router.types.vocabulary import ModelCapability, TaskType, Tier

STRICT: Final = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
"""pydantic's settings for the schema's dataclasses; a plain dictionary, so that this module loads without pydantic."""

Text = Annotated[str, MinLen(1)]
Share = Annotated[float, Ge(0), Le(1)]
Usd = Annotated[float, Ge(0)]
Seconds = Annotated[float, Ge(0)]
Count = Annotated[int, Ge(0)]
Positive = Annotated[int, Gt(0)]
Day = date


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTierEntry:
    """Prices of long requests.

    Args:
        above_input_tokens: the prices hold for requests with more input tokens than this
        input: prices are USD per million tokens
        output: prices are USD per million tokens
        cached_input: prices are USD per million tokens
        cache_write: prices are USD per million tokens; what writing input to the cache costs, where that is more than input
        cache_write_1h: prices are USD per million tokens; the same for a cache that lasts an hour
    """

    __pydantic_config__ = STRICT
    above_input_tokens: Positive
    input: Usd
    output: Usd
    cached_input: Usd | None = None
    cache_write: Usd | None = None
    cache_write_1h: Usd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWindowEntry:
    """Prices at certain hours of every day.

    Args:
        start_utc: a time "HH:MM" in UTC from which the prices hold
        end_utc: a time "HH:MM" in UTC until which the prices hold
        input: prices are USD per million tokens
        output: prices are USD per million tokens
        cached_input: prices are USD per million tokens
        cache_write: prices are USD per million tokens; what writing input to the cache costs, where that is more than input
        cache_write_1h: prices are USD per million tokens; the same for a cache that lasts an hour
    """

    __pydantic_config__ = STRICT
    start_utc: Text
    end_utc: Text
    input: Usd
    output: Usd
    cached_input: Usd | None = None
    cache_write: Usd | None = None
    cache_write_1h: Usd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceEntry:
    """List price, USD per million tokens.

    Args:
        input: prices are USD per million tokens
        output: prices are USD per million tokens
        cached_input: prices are USD per million tokens; leave it out when cached input is not cheaper
        cache_write: prices are USD per million tokens; what writing input to the cache costs, where that is more than input
        cache_write_1h: prices are USD per million tokens; the same for a cache that lasts an hour
        tiers: a list of prices for long requests, by rising above_input_tokens
        windows: a list of prices for certain hours of the day
        as_of: the day "YYYY-MM-DD" on which the prices were read
    """

    __pydantic_config__ = STRICT
    input: Usd
    output: Usd
    cached_input: Usd | None = None
    cache_write: Usd | None = None
    cache_write_1h: Usd | None = None
    tiers: tuple[PriceTierEntry, ...] = ()
    windows: tuple[PriceWindowEntry, ...] = ()
    as_of: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyEntry:
    """What to expect of the speed before anything was measured here.

    Args:
        ttft_s: seconds to the first token
        tokens_per_s: tokens per second after the first
        p95_s: seconds within which 95 of 100 answers are whole
        source: who measured it, and when
    """

    __pydantic_config__ = STRICT
    ttft_s: Seconds | None = None
    tokens_per_s: Annotated[float, Gt(0)] | None = None
    p95_s: Seconds | None = None
    source: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbilityEntry:
    """How able a model is, on the logit scale of docs/evidence.md.

    Args:
        value: logits; P(success) at the reference difficulty is logistic(value + 2.29)
        error: one standard error of the value in logits
        figures: number of published figures behind the value
        sources: a list of who published them
        as_of: the day "YYYY-MM-DD" of the newest figure
        kind: measured, estimated (from release date, price and the like) or user (what you wrote yourself)
    """

    __pydantic_config__ = STRICT
    value: Annotated[float, Ge(-10), Le(10)]
    error: Annotated[float, Gt(0), Le(5)]
    figures: Count = 0
    sources: tuple[Text, ...] = ()
    as_of: date | None = None
    kind: Literal["measured", "estimated", "user"] = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortEntry:
    """One reasoning effort of a model.

    Args:
        ability: how able the model is at this effort
        output_tokens: tokens of the same work, reasoning included, divided by those at the default effort
        ttft_s: seconds to the first token of the answer, reasoning included
    """

    __pydantic_config__ = STRICT
    ability: AbilityEntry | None = None
    output_tokens: Annotated[float, Gt(0)] | None = None
    ttft_s: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementEntry:
    """When the provider stops the model.

    Args:
        date: the day "YYYY-MM-DD" from which calls fail or go to another model
        successor: the model that the provider names instead, such as "openai:gpt-6.1-terra"
        source: where the provider says so
    """

    __pydantic_config__ = STRICT
    date: Day
    successor: Text | None = None
    source: Text | None = None


EffortName = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsEntry:
    """What the provider allows.

    Args:
        rpm: requests a minute
        tpm: tokens a minute
        concurrency: calls at once
    """

    __pydantic_config__ = STRICT
    rpm: Positive | None = None
    tpm: Positive | None = None
    concurrency: Positive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaEntry:
    """What the model has to keep.

    Args:
        p95_s: seconds within which 95 of 100 answers have to be whole
    """

    __pydantic_config__ = STRICT
    p95_s: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model; its key is "provider:model", the name it has everywhere.

    Args:
        provider: provider name of LangChain's init_chat_model; the part of the key before the colon by default
        model: the provider's own name of the model; the part of the key after the colon by default
        base_url: address of an OpenAI-compatible server; "${VARIABLE}" is read from the environment
        api_key: "${VARIABLE}", read from the environment; the provider's usual variable when left out
        kwargs: further arguments of the LangChain class, such as region or azure_deployment
        price: list price in USD per million tokens; leave it out when it is not known, 0 means free
        quality: expected quality from 0 to 1; leave it out when nobody has measured it
        task_quality: expected quality from 0 to 1 by task type, where there are data
        context_window: most tokens of prompt and answer together
        max_output_tokens: most tokens of an answer
        capabilities: a list of vision, audio, video, tools, json, streaming, long_context, reasoning, documents
        tier: premium, baseline (standard), fast (mini) or local
        strengths: a list of free words such as rag
        latency: expected speed
        limits: requests, tokens and calls that the provider allows
        sla: what the model has to keep
        regions: a list of regions where the data stay, such as eu
        moderated: true when the provider moderates inputs and answers
        prefill: true when the model goes on from the beginning of an answer
        data_retention: how long the provider keeps the data, in words
        fallbacks: a list of models to prefer when this one fails
        enabled: false takes the model out
        source: data set or report and its date that the figures come from, or the word unmeasured
        ability: how able the model is at its default effort; it takes the place of what efforts says there
        efforts: a mapping from none, minimal, low, medium, high, xhigh or max to what is known of it; only those the provider offers
        default_effort: the effort that the provider uses when none is named; one of efforts
        verbosity: output tokens of the same work, reasoning included, at the default effort; 1 is the middle of the packaged models
        released: the day "YYYY-MM-DD" on which the model came out
        retires: when the provider stops the model, and what it names instead
    """

    __pydantic_config__ = STRICT
    provider: Text | None = None
    model: Text | None = None
    base_url: Text | None = None
    api_key: Text | None = field(default=None, repr=False)
    kwargs: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    price: PriceEntry | None = None
    quality: Share | None = None
    task_quality: Mapping[TaskType, Share] = field(default_factory=dict[TaskType, float])
    context_window: Positive | None = None
    max_output_tokens: Positive | None = None
    capabilities: frozenset[ModelCapability] = frozenset()
    tier: Tier | None = None
    strengths: frozenset[Text] = frozenset()
    latency: LatencyEntry = LatencyEntry()
    limits: LimitsEntry = LimitsEntry()
    sla: SlaEntry = SlaEntry()
    regions: frozenset[Text] = frozenset()
    moderated: bool | None = None
    prefill: bool = False
    data_retention: Text | None = None
    fallbacks: tuple[Text, ...] = ()
    enabled: bool = True
    source: Text = "unmeasured"
    ability: AbilityEntry | None = None
    efforts: Mapping[EffortName, EffortEntry] = field(default_factory=dict[EffortName, EffortEntry])
    default_effort: EffortName | None = None
    verbosity: Annotated[float, Gt(0)] | None = None
    released: date | None = None
    retires: RetirementEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsFile:
    """A file of the folder ``models/``.

    Args:
        models: a mapping from "provider:model" to one entry
        registry: packaged, or none to start without the packaged models
    """

    __pydantic_config__ = STRICT
    models: Mapping[str, ModelEntry]
    registry: Literal["packaged", "none"] = "packaged"
