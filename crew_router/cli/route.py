"""``crew-router route``: the decision alone."""

from __future__ import annotations

from crew_router.cli.asking import (
    BudgetOption,
    LatencyOption,
    ModelOption,
    NeedsOption,
    PromptArgument,
    QualityOption,
    StrategyOption,
    TaskOption,
    TierOption,
    WorthOption,
    read_prompt,
    routing_request,
)
from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json


def route(
    prompt: PromptArgument,
    *,
    task: TaskOption = None,
    budget: BudgetOption = None,
    quality: QualityOption = None,
    max_latency: LatencyOption = None,
    needs: NeedsOption = None,
    tier: TierOption = None,
    strategy: StrategyOption = None,
    model: ModelOption = None,
    willingness_to_pay: WorthOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show which model would answer, and why, without calling any."""
    with one_line_errors(), open_router(config) as router:
        text = read_prompt(prompt)
        request = routing_request(
            text,
            task=task,
            budget=budget,
            quality=quality,
            latency=max_latency,
            needs=needs,
            tier=tier,
            strategy=strategy,
            model=model,
            worth=willingness_to_pay,
        )
        decision = router.select_model(request)
        if as_json:
            say_json(decision.to_dict())
        else:
            say(decision.explain())
