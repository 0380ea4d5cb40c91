"""Answers about the registry and the health of models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self, cast

from pydantic import BaseModel, Field

from crew_router_mcp.answers.decisions import Detail
from crew_router_mcp.answers.figures import Figure, clipped

if TYPE_CHECKING:
    from crew_router.types import ModelDefinition, ModelRef

_STATE_CHARS = 160


class ListedModel(BaseModel):
    """One entry of the registry."""

    model: str = Field(description="provider:model")
    tier: str | None
    input_usd_per_million: Figure = Field(description="USD per million input tokens; null when unknown")
    output_usd_per_million: Figure = Field(description="USD per million output tokens; null when unknown")
    quality: Figure = Field(description="0 to 1; null when unknown")
    quality_source: str = Field(description="Where the quality was measured, or unmeasured")
    context_window: int | None = Field(description="Tokens")
    capabilities: list[str]
    efforts: list[str] = Field(description="Reasoning efforts that the provider offers, the least first")
    enabled: bool
    callable_here: bool = Field(description="Whether the server could call it: key set, package installed, server up")

    @classmethod
    def of(cls, model: ModelDefinition, *, reachable: frozenset[ModelRef], detail: Detail) -> Self:
        """Return a registry entry as an answer."""
        return cls(
            model=model.ref,
            tier=model.tier,
            input_usd_per_million=None if model.price is None else model.price.input,
            output_usd_per_million=None if model.price is None else model.price.output,
            quality=model.quality,
            quality_source=model.source if detail == "full" else clipped(model.source, 40),
            context_window=model.context_window,
            capabilities=sorted(model.capabilities),
            efforts=[level.name for level in model.efforts],
            enabled=model.enabled,
            callable_here=model.ref in reachable,
        )


class ModelList(BaseModel):
    """Models of the registry that fit, a page at a time."""

    models: list[ListedModel]
    total: int = Field(description="Models that fit, on all pages")
    next_offset: int | None = Field(description="Offset of the next page; null on the last")


class HealthReport(BaseModel):
    """What can be called from here, and the state of the stores."""

    ok: bool = Field(description="Whether any of the models asked about can be called")
    ready: list[str] = Field(description="Models that can be called; at most 50 unless detail is full")
    not_ready: dict[str, int] = Field(description="How many models each obstacle keeps from being called")
    models: dict[str, str] | None = Field(description="State of each model; with detail full, or when a model is named")
    breakers: dict[str, str] = Field(description="Models and providers that are left alone after failures")
    stores: dict[str, str] = Field(description="The state of the stores and of the configuration")

    @classmethod
    def of(cls, report: Mapping[str, object], *, detail: Detail) -> Self:
        """Return the router's report as an answer."""
        states = {str(ref): clipped(str(state), _STATE_CHARS) for ref, state in _mapping(report.get("models")).items()}
        ready = [ref for ref, state in states.items() if state == "ready"]
        full = detail == "full"
        others = Counter(state for state in states.values() if state != "ready")
        return cls(
            ok=bool(report.get("ok")),
            ready=ready if full else ready[:50],
            not_ready=dict(others.most_common(None if full else 10)),
            models=states if full else None,
            breakers={ref: state for ref, state in states.items() if state.startswith("breaker of")},
            stores={name: clipped(str(report[name]), 300) for name in ("state", "ledger", "configuration") if name in report},
        )


def _mapping(value: object) -> Mapping[object, object]:
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {}
