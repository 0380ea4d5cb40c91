"""Act three: one request, its text, who was asked, what that cost, and why."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from crew_router.cli.demo.trial import Trial
from crew_router.router.router import Router
from crew_router.types import RoutedResponse, RoutingRequest


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the request: what the model answered for how much."""

    model: str
    answer: str
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Explained:
    """One request.

    Args:
        id: The task.
        prompt: Its text.
        calls: The calls in order.
        answered_by: Whose answer was taken.
        score: How right it was, 0..1.
        cost_usd: Price of all calls.
        largest: The largest model.
        largest_cost_usd: What its call would have cost, or did.
        largest_score: How right it would have been, or was.
        story: What the router says of its decision.
    """

    id: str
    prompt: str
    _: KW_ONLY
    calls: tuple[Call, ...]
    answered_by: str
    score: float
    cost_usd: float | None
    largest: str
    largest_cost_usd: float
    largest_score: float
    story: str


def explain_one(trial: Trial, *, worth_usd: float) -> Explained:
    """Explain the first judged task that took more than one call at a setting, or, where none did, the first of all.

    Args:
        trial: The router.
        worth_usd: The setting of the dial.
    """
    with trial.router() as router:
        table, request = trial.halves.judged, RoutingRequest(willingness_to_pay=worth_usd)
        row = _first_of_several(router, table.prompts, worth_usd)
        return _explained(trial, row, router.invoke(table.prompts[row], request=request))


def _first_of_several(router: Router, prompts: tuple[str, ...], worth_usd: float) -> int:
    for row, prompt in enumerate(prompts):
        decision = router.select_model(RoutingRequest(task_description=prompt, willingness_to_pay=worth_usd), record=False)
        if len(decision.models) > 1:
            return row
    return 0


def _explained(trial: Trial, row: int, response: RoutedResponse) -> Explained:
    table = trial.halves.judged
    places = {name: at for at, name in enumerate(table.models)}
    largest = trial.largest.name
    return Explained(
        table.ids[row],
        table.prompts[row],
        calls=tuple(
            Call(attempt.model.name, table.answers[row][places[attempt.model.name]] or "", attempt.cost_usd)
            for attempt in response.attempts
        ),
        answered_by=response.model.name,
        score=float(table.score[row, places[response.model.name]]),
        cost_usd=response.cost_usd,
        largest=largest,
        largest_cost_usd=float(table.cost_usd[row, places[largest]]),
        largest_score=float(table.score[row, places[largest]]),
        story=response.decision.explain(),
    )
