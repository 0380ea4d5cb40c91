"""``crew-router replay``: estimate how another strategy would have done on the logged decisions."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json, say_table
from crew_router.errors import InvalidRequestError


def replay(
    strategy: Annotated[str, typer.Argument(help="Name of the strategy to judge.")],
    *,
    parameters: Annotated[str, typer.Option(help="Its parameters, as a JSON object.")] = "{}",
    execute: Annotated[bool, typer.Option("--execute", help="Run kept prompts again with it; they need `ledger.keep_text`.")] = False,
    budget: Annotated[float, typer.Option(help="Most USD that --execute may cost.")] = 0.0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Estimate another strategy's mean reward from the ledger before it goes live; nothing is called without --execute."""
    with one_line_errors(), open_router(config) as router:
        if execute:
            reruns = router.rerun(strategy, budget_usd=budget)
            if as_json:
                say_json(reruns)
                return
            for each in reruns.done:
                say(f"{each.decision_id}: {each.before} -> {each.after or each.error}")
            done = f"{len(reruns.done)} run for ${reruns.spent_usd:.6f}"
            say(f"{done}; {reruns.left} left for want of budget, {reruns.without_text} without a kept text")
            return
        estimate = router.replay(strategy, _read(parameters))
        if as_json:
            say_json(estimate)
            return
        names = {"logged": estimate.logged, "IPS": estimate.ips, "SNIPS": estimate.snips, "doubly robust": estimate.dr}
        rows = [[name, f"{each.value:.4f}", f"{each.low:.4f}", f"{each.high:.4f}"] for name, each in names.items()]
        say_table(f"{strategy}: mean reward of {estimate.decisions} decisions", ["estimate", "value", "low", "high"], rows)
        say(f"effective sample size {estimate.effective:.0f}, mean weight {estimate.mean_weight:.3f}; intervals are 95 %")


def _read(text: str) -> dict[str, Any]:
    try:
        data: object = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise InvalidRequestError("parameters", text, expected="a JSON object")
    return {str(key): value for key, value in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
