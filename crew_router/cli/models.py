"""``crew-router models``: the registry, figures of one's own, and prices that moved."""

from __future__ import annotations

import math
import os
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json, say_table
from crew_router.cli.rows import print_rows
from crew_router.config.ability import ability_of, ability_to_quality
from crew_router.config.load import load_config
from crew_router.types import ModelDefinition, TaskType, Tier
from crew_router.types.clock import SystemClock

app: Final = typer.Typer(invoke_without_command=True)


class SortKey(StrEnum):
    """What a list of models can be ordered by."""

    REGISTRY = "registry"
    NAME = "name"
    PRICE = "price"
    ABILITY = "ability"
    CONTEXT = "context"


@app.callback()
def models(
    context: typer.Context,
    *,
    reachable: Annotated[bool, typer.Option("--reachable", help="Only models that can be called from here.")] = False,
    provider: Annotated[list[str] | None, typer.Option("--provider", help="Only this provider; may be repeated.")] = None,
    tier: Annotated[Tier | None, typer.Option("--tier", help="Only this band.")] = None,
    task: Annotated[TaskType | None, typer.Option("--task", help="Show how able the models are at this task.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Only models whose name holds this text.")] = None,
    sort: Annotated[SortKey, typer.Option("--sort", help="What the order is by.")] = SortKey.REGISTRY,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List the models, their prices, abilities with their source, and whether they can be called from here."""
    if context.invoked_subcommand is not None:
        return
    from crew_router.evaluate.registry_age import retiring

    with one_line_errors(), open_router(config) as router:
        can_be_called = router.reachable()
        wanted = [
            model
            for model in router.models
            if (not reachable or model.ref in can_be_called)
            and (not provider or model.ref.provider in provider)
            and (tier is None or model.tier == tier)
            and (search is None or search.lower() in model.ref.lower())
        ]
        listed = sorted(wanted, key=lambda model: _rank(model, sort, task=task))
        if as_json:
            say_json([{**_fields(model, task), "reachable": model.ref in can_be_called} for model in listed])
            return
        rows = [_row(model, reachable=model.ref in can_be_called, task=task) for model in listed]
        print_rows(_HEADER, rows, title=f"{len(rows)} of {len(router.models)} models")
        for each in retiring(listed, _today()):
            typer.echo(str(each), err=True)


def _rank(model: ModelDefinition, sort: SortKey, *, task: TaskType | None) -> tuple[float, str]:
    """Return what orders a model: the cheapest, ablest or roomiest first, unknown figures last."""
    if sort is SortKey.PRICE:
        return (math.inf if model.price is None else model.price.output, model.ref)
    if sort is SortKey.ABILITY:
        return (-ability_of(model, task).value, model.ref)
    if sort is SortKey.CONTEXT:
        return (-(model.context_window or 0), model.ref)
    return (0.0, model.ref if sort is SortKey.NAME else "")


@app.command()
def fit(
    figures: Annotated[Path, typer.Argument(help="CSV with the columns model, effort, benchmark, score, and perhaps n and chance.")],
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Place models by figures of your own, and print the YAML to paste; see docs/evidence.md."""
    from crew_router.evaluate.own_figures import as_yaml, place_figures

    with one_line_errors():
        placed = place_figures(figures, load_config(config, env=os.environ).registry)
        if as_json:
            say_json(placed)
            return
        rows = [
            (
                each.model,
                each.effort or "",
                f"{each.ability.value:.2f} ± {each.ability.error:.2f}",
                "new" if each.before is None else f"{each.before[0]:.2f} ± {each.before[1]:.2f}",
                f"{each.ability.figures}",
            )
            for each in placed
        ]
        say_table(f"{len(rows)} models placed", ("model", "effort", "ability", "before", "figures"), rows)
        say("For crew_router.yaml:\n")
        say(as_yaml(placed))


@app.command()
def update(
    *,
    write: Annotated[bool, typer.Option("--write", help="Show the changes as a diff.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say which list prices moved, by the installed package genai-prices; nothing is fetched."""
    from crew_router.evaluate.price_check import as_diff, moved_prices
    from crew_router.evaluate.registry_age import age_line

    with one_line_errors():
        registry = load_config(config, env=os.environ).registry
        moved = moved_prices(registry, _today())
        if as_json:
            say_json(moved)
            return
        say(age_line(registry, _today()))
        if write and moved:
            say(as_diff(moved))
        elif moved:
            rows = [(each.model, each.key, f"{each.was:g}", f"{each.now:g}") for each in moved]
            say_table(f"{len(rows)} prices moved", ("model", "price", "was $/M", "is $/M"), rows)
        else:
            say("no price moved")


def _today() -> date:
    return datetime.fromtimestamp(SystemClock().now(), UTC).date()


def _fields(model: ModelDefinition, task: TaskType | None) -> dict[str, object]:
    return {
        "model": model.ref,
        "provider": model.provider,
        "tier": model.tier,
        "price": model.price,
        "quality": model.quality,
        "source": model.source,
        "ability": ability_of(model, task),
        "efforts": model.efforts,
        "default_effort": model.default_effort,
        "retirement": model.retirement,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": model.capabilities,
        "enabled": model.enabled,
    }


# The most important first: what does not fit is left out from the right.
_HEADER: Final = (
    "model", "call", "tier", "in $/M", "out $/M", "right in 100", "context", "ability", "source", "efforts", "can",
)  # fmt: skip


def _row(model: ModelDefinition, *, reachable: bool, task: TaskType | None) -> tuple[str, ...]:
    price, ability = model.price, ability_of(model, task)
    return (
        model.ref,
        "yes" if reachable else "no",
        model.tier or "",
        "unknown" if price is None else f"{price.input:g}",
        "unknown" if price is None else f"{price.output:g}",
        f"{100 * ability_to_quality(ability.value):.0f}",
        "" if model.context_window is None else f"{model.context_window}",
        f"{ability.value:.2f} ± {ability.error:.2f}",
        ability.kind,
        " ".join(f"{level.name}*" if level.name == model.default_effort else level.name for level in model.efforts),
        " ".join(sorted(model.capabilities)),
    )
