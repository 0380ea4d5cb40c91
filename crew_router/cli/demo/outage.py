"""Act two: the largest model dies while requests come in."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final, cast

from crew_router.cli.demo.trial import Trial, definitions
from crew_router.errors import CrewRouterError
from crew_router.testing.script import Scripted
from crew_router.testing.stoppable import StoppableModel
from crew_router.types import RoutedResponse, RoutingRequest

REQUESTS: Final = 160
BREAKER_FAILURES: Final = 1


@dataclass(frozen=True, slots=True)
class Outage:
    """What came of the requests.

    Args:
        model: The model that died.
        after: Requests before its death.
        later: Requests after it.
        wanted: Requests after its death that would have called it, had it lived.
        lost: Requests without an answer, before or after.
        dead_calls: Calls that went to the dead model.
        rescuers: Who answered the request whose call met the dead model.
        answered: Share of the later requests that each model answered.
        accuracy_before: Share right, 0..1, before the death.
        accuracy_later: Share right after it.
        accuracy_living: Share right of those later requests had it lived.
    """

    model: str
    _: KW_ONLY
    after: int
    later: int
    wanted: int
    lost: int
    dead_calls: int
    rescuers: tuple[str, ...]
    answered: tuple[tuple[str, float], ...]
    accuracy_before: float
    accuracy_later: float
    accuracy_living: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """One request: the response, or none when it was lost."""

    response: RoutedResponse | None
    score: float


def play_outage(trial: Trial, *, worth_usd: float) -> Outage:
    """Route tasks at a setting; half-way no connection to the largest model can be made any more.

    Args:
        trial: The router.
        worth_usd: The setting of the dial.
    """
    count = min(REQUESTS, len(trial.halves.judged))
    living = _run(trial, worth_usd, count=count, dies_after=count)
    seen = _run(trial, worth_usd, count=count, dies_after=count // 2)
    before, later = seen[: count // 2], seen[count // 2 :]
    dead = [(each, _dead_calls(each, trial.largest)) for each in later]
    return Outage(
        trial.largest.name,
        after=len(before),
        later=len(later),
        wanted=sum(_called(each, trial.largest) for each in living[count // 2 :]),
        lost=sum(each.response is None for each in seen),
        dead_calls=sum(calls for _, calls in dead),
        rescuers=tuple(each.response.model.name for each, calls in dead if calls and each.response is not None),
        answered=_answered(later),
        accuracy_before=_right(before),
        accuracy_later=_right(later),
        accuracy_living=_right(living[count // 2 :]),
    )


def _run(trial: Trial, worth_usd: float, *, count: int, dies_after: int) -> list[_Seen]:
    models = definitions(trial.halves)
    stoppable = StoppableModel(cast("Scripted", models[trial.largest].instance))
    models[trial.largest] = dataclasses.replace(models[trial.largest], instance=stoppable)
    table = trial.halves.judged
    seen: list[_Seen] = []
    with trial.router(breaker_failures=BREAKER_FAILURES, models=models) as router:
        for row in range(count):
            if row == dies_after:
                stoppable.stop()
            try:
                response = router.invoke(table.prompts[row], request=RoutingRequest(willingness_to_pay=worth_usd))
            except CrewRouterError:
                seen.append(_Seen(None, 0.0))
                continue
            seen.append(_Seen(response, float(table.score[row, table.models.index(response.model.name)])))
    return seen


def _dead_calls(seen: _Seen, model: str) -> int:
    return 0 if seen.response is None else sum(not attempt.ok and attempt.model == model for attempt in seen.response.attempts)


def _called(seen: _Seen, model: str) -> bool:
    return seen.response is not None and any(attempt.model == model for attempt in seen.response.attempts)


def _answered(seen: Sequence[_Seen]) -> tuple[tuple[str, float], ...]:
    counted = Counter(each.response.model.name for each in seen if each.response is not None)
    return tuple((name, count / len(seen)) for name, count in sorted(counted.items()))


def _right(seen: Sequence[_Seen]) -> float:
    return sum(each.score for each in seen) / len(seen)
