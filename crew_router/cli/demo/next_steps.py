"""Act four: what the router would do with the keys and servers found here."""

from __future__ import annotations

from collections import Counter
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from crew_router.cli.ask import nothing_found
from crew_router.errors import CrewRouterError
from crew_router.router.router import Router
from crew_router.types import ModelRef, RoutingRequest


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What can be called from here.

    Args:
        models: Models that can be called, by reference.
        providers: How many of them each provider has.
        prompt: The text that a choice is shown for.
        choice: Who would answer it; ``None`` when nobody could.
        estimated_cost_usd: What that would cost; ``None`` when nobody knows.
        rationale: Why, or what is in the way.
    """

    models: tuple[ModelRef, ...]
    _: KW_ONLY
    providers: tuple[tuple[str, int], ...]
    prompt: str
    choice: ModelRef | None
    estimated_cost_usd: float | None
    rationale: str


def next_steps(prompt: str, *, config: Path | None) -> NextSteps:
    """Look for keys and local servers and choose for one prompt; no model is called.

    Args:
        prompt: The text.
        config: The user's configuration.
    """
    with Router(config, ledger_url="sqlite://", state_url="memory://", project="demo") as router:
        router.discover()
        found = router.reachable()
        models = tuple(sorted(found))
        providers = tuple(Counter(model.provider for model in router.models if model.ref in found).most_common())
        choice, cost, why = _choice(router, prompt) if found else (None, None, nothing_found(router.obstacles().values()))
    return NextSteps(models, providers=providers, prompt=prompt, choice=choice, estimated_cost_usd=cost, rationale=why)


def _choice(router: Router, prompt: str) -> tuple[ModelRef | None, float | None, str]:
    try:
        decision = router.select_model(RoutingRequest(task_description=prompt), record=False)
    except CrewRouterError as error:
        return None, None, str(error)
    return decision.selected_model, decision.estimated_cost, decision.rationale
