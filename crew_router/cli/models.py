"""``crew-router models``: the registry."""

from __future__ import annotations

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say_json, say_table
from crew_router.types import ModelDefinition


def models(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the models, their prices, quality with its source, and whether they can be called from here."""
    with one_line_errors(), open_router(config) as router:
        reachable = router.reachable()
        if as_json:
            say_json([{**_fields(model), "reachable": model.ref in reachable} for model in router.models])
            return
        rows = [_row(model, reachable=model.ref in reachable) for model in router.models]
        header = ("model", "tier", "in $/M", "out $/M", "quality", "source", "context", "can", "reachable")
        say_table(f"{len(rows)} models", header, rows)


def _fields(model: ModelDefinition) -> dict[str, object]:
    return {
        "model": model.ref,
        "provider": model.provider,
        "tier": model.tier,
        "price": model.price,
        "quality": model.quality,
        "source": model.source,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": model.capabilities,
        "enabled": model.enabled,
    }


def _row(model: ModelDefinition, *, reachable: bool) -> tuple[str, ...]:
    price = model.price
    return (
        model.ref,
        model.tier or "",
        "unknown" if price is None else f"{price.input:g}",
        "unknown" if price is None else f"{price.output:g}",
        "" if model.quality is None else f"{model.quality:.3f}",
        model.source,
        "" if model.context_window is None else f"{model.context_window}",
        " ".join(sorted(model.capabilities)),
        "yes" if reachable else "no",
    )
