"""Options that describe a request, shared by the commands that route one."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from crew_router.errors import InvalidRequestError
from crew_router.types import RoutingRequest

STDIN: Final = "-"

PromptArgument = Annotated[str, typer.Argument(help="The prompt; - reads it from standard input.")]
TaskOption = Annotated[str | None, typer.Option("--task", help="Task type, for example code_generation; read from the text when absent.")]
BudgetOption = Annotated[float | None, typer.Option("--budget", help="Most USD that the request may cost.")]
QualityOption = Annotated[float | None, typer.Option("--quality", help="Least quality, 0 to 1.")]
LatencyOption = Annotated[float | None, typer.Option("--max-latency", help="Most seconds the answer may be expected to take.")]
NeedsOption = Annotated[list[str] | None, typer.Option("--needs", help="A capability: tools, json, vision, …; may be repeated.")]
TierOption = Annotated[str | None, typer.Option("--tier", help="Wanted band: premium, baseline, fast, local.")]
StrategyOption = Annotated[str | None, typer.Option("--strategy", help="Strategy to choose by.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="Force this model.")]
WorthOption = Annotated[float | None, typer.Option("--willingness-to-pay", help="USD that a certainly right answer is worth (the dial).")]


def read_prompt(prompt: str) -> str:
    """Return the prompt, from standard input when it is ``-``.

    Raises:
        InvalidRequestError: There is nothing but white space.
    """
    text = sys.stdin.read() if prompt == STDIN else prompt
    if not text.strip():
        raise InvalidRequestError("prompt", prompt, expected="some text")
    return text


def routing_request(
    text: str,
    *,
    task: str | None,
    budget: float | None,
    quality: float | None,
    latency: float | None,
    needs: list[str] | None,
    tier: str | None,
    strategy: str | None,
    model: str | None,
    worth: float | None,
) -> RoutingRequest:
    """Build the request that the options describe."""
    return RoutingRequest.from_mapping(
        {
            "task_description": text,
            "task_type": task,
            "cost_budget": budget,
            "quality_requirement": quality,
            "max_latency_s": latency,
            "required_capabilities": needs or [],
            "tier": tier,
            "strategy": strategy,
            "force_model": model,
            "willingness_to_pay": worth,
        }
    )
