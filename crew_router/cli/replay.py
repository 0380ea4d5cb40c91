"""``crew-router replay``: what another strategy would have got on the logged decisions."""

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
            ran = router.rerun(strategy, budget_usd=budget)
            if as_json:
                say_json(ran)
                return
            for each in ran.done:
                say(f"{each.decision_id}: {each.before} -> {each.after or each.error}")
            say(f"{len(ran.done)} run for ${ran.spent_usd:.6f}; {ran.left} left for want of budget, {ran.without_text} without a kept text")
            return
        found = router.replay(strategy, _read(parameters))
        if as_json:
            say_json(found)
            return
        names = {"logged": found.logged, "IPS": found.ips, "SNIPS": found.snips, "doubly robust": found.dr}
        rows = [[name, f"{each.value:.4f}", f"{each.low:.4f}", f"{each.high:.4f}"] for name, each in names.items()]
        say_table(f"{strategy}: mean reward of {found.decisions} decisions", ["estimate", "value", "low", "high"], rows)
        say(f"effective sample size {found.effective:.0f}, mean weight {found.mean_weight:.3f}; intervals are 95 %")


def _read(text: str) -> dict[str, Any]:
    try:
        read: object = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise InvalidRequestError("parameters", text, expected="a JSON object")
    return {str(key): value for key, value in read.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
