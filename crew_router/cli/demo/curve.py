"""Act one: quality against cost on the judged half, beside every single model, a random mix, the hull and the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.cli.demo.trial import Trial, largest_of
from crew_router.decide.learned.curve import CurvePoint, hull, quality_at
from crew_router.evaluate.baselines import singles
from crew_router.evaluate.evaluation import Evaluation, Routed, Setting, evaluate
from crew_router.evaluate.outcomes import OutcomeTable
from crew_router.router.router import Router
from crew_router.types import RoutingRequest

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats

NEARLY: Final = 0.98
MILLION: Final = 1e6  # of tasks: models so small cost millionths of a dollar a task
_PROMISED: Final = 0.01  # how much less than the largest model the setting chosen beforehand may promise; fixed before any figure was seen


@dataclass(frozen=True, slots=True)
class Line:
    """Who answers the judged tasks, and what that comes to: share right 0..1, means per task."""

    name: str
    _: KW_ONLY
    accuracy: float
    cost_usd: float
    seconds: float

    @property
    def point(self) -> CurvePoint:
        """Return it as a point of the curve."""
        return CurvePoint(self.cost_usd, self.accuracy)


@dataclass(frozen=True, slots=True)
class Offer:
    """One setting of the dial.

    Args:
        worth_usd: USD that a right answer is worth.
        line: What it came to.
        calls: Mean number of calls for a task.
        shares: Share of the tasks that each model answered.
        promised: Share right that the router expected before any call.
        mixed: Share right that a random mix of the single models reaches at the same cost.
    """

    worth_usd: float
    line: Line
    _: KW_ONLY
    calls: float
    shares: tuple[tuple[str, float], ...]
    promised: float
    mixed: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Everything of act one.

    Args:
        judged: Number of tasks.
        singles: Each model alone, cheapest first; the last is the largest.
        mix: Each task to one of the models at random.
        oracle: Each task to the cheapest model that has it right, by knowing the answers.
        corners: The hull of the single models.
        offers: Settings that no other setting beats in both cost and share right, cheapest first.
        dominated: Number of settings that are not offered because another one beats them.
        chosen: The setting that was chosen before judging: the cheapest that promised about what the largest model does.
        standard_error: How far chance alone moves the largest model's share right, one standard error.
        conclusion: What the figures say, in a sentence or two.
    """

    judged: int
    _: KW_ONLY
    singles: tuple[Line, ...]
    mix: Line
    oracle: Line
    corners: tuple[CurvePoint, ...]
    offers: tuple[Offer, ...]
    dominated: int
    chosen: Offer
    standard_error: float
    conclusion: str

    @property
    def largest(self) -> Line:
        """Return the largest model alone."""
        return self.singles[-1]


def draw_curve(trial: Trial, *, progress: Callable[[], None]) -> Curve:
    """Route every judged task at every setting of the dial.

    Args:
        trial: The router.
        progress: Called after each setting.
    """
    table = trial.halves.judged
    with trial.router() as router:
        found = evaluate(table, router, trial.settings, progress=progress)
        wanted = _promise_of(router, table, trial.settings[-1], model=str(trial.largest))
    corners = hull(singles(table))
    every = [_offer(found, setting, corners=corners) for setting in found.settings]
    alone = _alone(table)
    offers = _undominated(every)
    chosen = next((offer for offer in every if offer.promised >= wanted - _PROMISED), every[-1])
    return Curve(
        len(table),
        singles=alone,
        mix=_line("random mix of the three", table, np.full(table.score.shape, 1 / len(table.models))),
        oracle=_line("oracle", table, _clairvoyant(table)),
        corners=corners,
        offers=offers,
        dominated=len(every) - len(offers),
        chosen=chosen,
        standard_error=float(table.score[:, largest_of(table)].std() / np.sqrt(len(table))),
        conclusion=conclude(alone[-1], offers, chosen),
    )


def conclude(largest: Line, offers: Sequence[Offer], chosen: Offer) -> str:
    """Return what the figures say, whatever they are.

    Args:
        largest: The largest model alone.
        offers: The undominated settings, cheapest first.
        chosen: The setting that was chosen before judging.
    """
    as_good = next((offer.line for offer in offers if offer.line.accuracy >= largest.accuracy), None)
    nearly = next((offer.line for offer in offers if offer.line.accuracy >= NEARLY * largest.accuracy), None)
    reached = (
        f"{chosen.line.accuracy / largest.accuracy:.0%} of the largest model's share right at {_share(chosen.line, largest)} of its cost"
    )
    mixed = f"a random mix of the models brings {chosen.mixed / largest.accuracy:.0%} for the same money"
    parts = [f"The setting chosen before judging brought {reached}; {mixed}."]
    if as_good is not None and as_good.cost_usd < largest.cost_usd:
        parts.insert(0, f"On these tasks the router is as good as the largest model at {_share(as_good, largest)} of its cost.")
    elif as_good is not None:
        parts.insert(0, f"On these tasks the router is as good as the largest model only at {_share(as_good, largest)} of its cost.")
    else:
        best = offers[-1].line
        reached = f"{best.accuracy / largest.accuracy:.1%} of its share right at {_share(best, largest)} of its cost"
        parts.insert(0, f"On these tasks the router is never quite as good as the largest model: at best {reached}.")
    if nearly is not None and nearly != as_good and (as_good is not None or nearly != offers[-1].line):
        parts.insert(1, f"{nearly.accuracy / largest.accuracy:.0%} as good costs {_share(nearly, largest)}.")
    return " ".join(parts)


def _share(line: Line, largest: Line) -> str:
    return f"{line.cost_usd / largest.cost_usd:.0%}"


def _promise_of(router: Router, table: OutcomeTable, worth: float, *, model: str) -> float:
    """Return the share right that the router expects of one model, before any call."""
    requests = (RoutingRequest(task_description=prompt, willingness_to_pay=worth) for prompt in table.prompts)
    rows = [row for request in requests for row in router.select_model(request, record=False).table.candidates() if row.model == model]
    return float(np.mean([row.p_success or 0.0 for row in rows]))


def _offer(found: Evaluation, setting: Setting, *, corners: tuple[CurvePoint, ...]) -> Offer:
    rows = [row for row in found.rows if row.setting == setting.worth_usd]
    line = Line(
        f"router at ${setting.worth_usd * MILLION:.3g}",
        accuracy=setting.quality,
        cost_usd=setting.cost_usd,
        seconds=setting.latency_s,
    )
    return Offer(
        setting.worth_usd,
        line,
        calls=setting.calls,
        shares=_shares(rows),
        promised=float(np.mean([row.promised or 0.0 for row in rows])),
        mixed=quality_at(corners, setting.cost_usd),
    )


def _shares(rows: Sequence[Routed]) -> tuple[tuple[str, float], ...]:
    counted = Counter(row.answered_by for row in rows if row.answered_by is not None)
    return tuple((name, count / len(rows)) for name, count in sorted(counted.items()))


def _undominated(every: Sequence[Offer]) -> tuple[Offer, ...]:
    """Return the settings that are more often right than every cheaper one, cheapest first."""
    kept: list[Offer] = []
    for offer in sorted(every, key=lambda each: (each.line.cost_usd, -each.line.accuracy)):
        if not kept or offer.line.accuracy > kept[-1].line.accuracy:
            kept.append(offer)
    return tuple(kept)


def _alone(table: OutcomeTable) -> tuple[Line, ...]:
    order = np.argsort(table.cost_usd.mean(axis=0), kind="stable")
    assert order[-1] == largest_of(table)
    return tuple(_line(f"only {table.models[at]}", table, (np.arange(len(table.models)) == at).astype(np.float64)) for at in order)


def _clairvoyant(table: OutcomeTable) -> Floats:
    """Return weights that give each task to the cheapest of the models that did best on it."""
    rank = np.lexsort((table.cost_usd, -table.score), axis=1)
    weights = np.zeros(table.score.shape)
    weights[np.arange(len(table)), rank[:, 0]] = 1.0
    return weights


def _line(name: str, table: OutcomeTable, weights: Floats) -> Line:
    def mean(values: Floats) -> float:
        return float((values * weights).sum(axis=1).mean())

    return Line(name, accuracy=mean(table.score), cost_usd=mean(table.cost_usd), seconds=mean(table.latency_s))
