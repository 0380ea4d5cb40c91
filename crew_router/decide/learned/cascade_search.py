"""Search cascades: which models in which order, and the probability at which an answer is good enough to stop.

For a cluster of prompts one chain of models is searched for all settings of willingness to pay (the dial) together. Each
setting then drops the models that do not pay there and gets its own stop rule. One chain for all settings fits far less noise
than one search per setting. The stop rule is optimal stopping by regression (Longstaff and Schwartz 2001): the gain of going
on is a linear function of the remaining doubt and of what was predicted of the remaining models, which gives a threshold on
the probability that the answer is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.linear import solved

if TYPE_CHECKING:
    from crew_router.decide.learned.agreement import AgreementFitter, Members
    from crew_router.types.arrays import Floats

NEVER: Final = 1.01  # a threshold that no probability reaches
_NEW_STEP_ERRORS: Final = 0.3  # standard errors that a further model has to gain
_REALISED: Final = 0.5  # weight of the actual score, which is noisy; the predicted probability, which may be biased, has the rest
_PENALTIES: Final = (0.01, 1.0, 10.0, 30.0)  # ridge penalties of the four coefficients of a Rule, in rows
_MAX_LENGTH: Final = 8
_MIN_SLOPE: Final = 1e-6
_TINY: Final = 1e-12
_MAX_DEARNESS: Final = 3.0
_RULE_SIZE: Final = 6

Chain = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Go on while ``base + price x dearness + doubt x (slope + hope x promise)`` is above 0; the sum is in right answers.

    ``doubt`` is 1 - P(right) of the best answer so far. ``promise`` is the mean predicted quality of the remaining models on
    this prompt minus ``usual_quality``. ``dearness`` is their predicted cost divided by ``usual_cost_usd``, minus 1.

    Args:
        base: Gain of going on without any doubt.
        slope: Gain for each unit of doubt.
        hope: By how much ``slope`` rises with the promise.
        price: Gain for each unit of dearness; usually negative.
        usual_quality: Mean predicted quality of the remaining models over the cluster.
        usual_cost_usd: Mean predicted cost of the remaining models over the cluster.
    """

    base: float
    slope: float
    hope: float
    price: float
    usual_quality: float
    usual_cost_usd: float

    def stops_at(self, quality: Floats, cost_usd: Floats) -> Floats:
        """Return for each row the probability of being right at or above which stopping pays.

        Args:
            quality: Mean predicted quality of the remaining models.
            cost_usd: Sum of their predicted costs.
        """
        figures = (self.base, self.slope, self.hope, self.price, self.usual_quality, self.usual_cost_usd)
        stops: Floats = _stops(np.array([figures]), quality, cost_usd)[:, 0]
        return stops


@dataclass(frozen=True, slots=True)
class Stopping:
    """A chain with its stop rules.

    Args:
        utility: Utility of each row at each setting, in right answers.
        rules: Rules, steps x settings x the six figures of a :class:`Rule`.
    """

    utility: Floats
    rules: Floats


@dataclass(slots=True)
class ChainSearch:
    """Searches chains on the rows of one cluster.

    Args:
        fitter: Verdicts by set of models.
        cost_usd: Cost of every call, prompts x models.
        weight: Weight of each row; rows of other clusters may have a small one.
        worth_usd: Settings of the dial: USD that a right answer is worth.
        pool: Models that may be used.
        predicted: Quality and cost of every model predicted for each row before any call, held out.
    """

    fitter: AgreementFitter
    cost_usd: Floats
    weight: Floats
    worth_usd: Floats
    pool: Sequence[int]
    predicted: tuple[Floats, Floats]
    _steps: dict[Members, tuple[Floats, Floats]] = field(default_factory=dict[tuple[int, ...], "tuple[Floats, Floats]"])
    _predictions: dict[Members, tuple[Floats, Floats]] = field(default_factory=dict[tuple[int, ...], "tuple[Floats, Floats]"])
    _values: dict[Chain, Floats] = field(default_factory=dict[tuple[int, ...], "Floats"])

    def chain(self) -> Chain:
        """Return the best chain over all settings, by insertions, deletions and swaps starting at the best single model."""
        first: list[Chain] = [(model,) for model in self.pool]
        best = max(first, key=self._mean_utility)
        while True:
            following = max(self._neighbours(best), key=self._mean_utility, default=best)
            gain = self._utility_of_rows(following) - self._utility_of_rows(best)
            needed = _NEW_STEP_ERRORS * _error(gain) if len(following) > len(best) else 0.0
            if float(gain.mean()) <= needed + _TINY:
                return best
            best = following

    def pruned(self, chain: Chain, setting: int) -> tuple[Chain, tuple[Rule, ...]]:
        """Return a chain without the models that do not pay at one setting (an index), and its rules."""
        worth_usd = self.worth_usd[setting : setting + 1]
        best, stopping_of_best = chain, self.stopping(chain, worth_usd)
        while len(best) > 1:
            shorter: list[Chain] = [(*best[:step], *best[step + 1 :]) for step in range(len(best))]
            tried = [(each, self.stopping(each, worth_usd)) for each in shorter]
            following, stopping = max(tried, key=lambda each: float(each[1].utility.mean()))
            if float(stopping.utility.mean()) < float(stopping_of_best.utility.mean()):
                break
            best, stopping_of_best = following, stopping
        return best, tuple(rule_of(figures) for figures in stopping_of_best.rules[:, 0])

    def stopping(self, chain: Chain, worth_usd: Floats) -> Stopping:
        """Return the stop rules at each setting, found backwards from the last model."""
        spent = np.cumsum(self.cost_usd[:, list(chain)], axis=1)
        rules = np.zeros((len(chain), len(worth_usd), _RULE_SIZE))
        probability, right = self._step(chain)
        utility = right[:, None] - spent[:, -1:] / worth_usd
        for step in range(len(chain) - 2, -1, -1):
            probability, right = self._step(chain[: step + 1])
            stop = right[:, None] - spent[:, step : step + 1] / worth_usd
            rules[step] = self._rules(1.0 - probability, utility - stop, remaining=chain[step + 1 :])
            stops = _stops(rules[step], *self._predicted(chain[step + 1 :]))
            utility = np.where(probability[:, None] >= stops, stop, utility)
        return Stopping(utility * self.weight[:, None], rules)

    def _rules(self, doubt: Floats, gain: Floats, *, remaining: Chain) -> Floats:
        """Return a rule per setting, as rows of the figures of a :class:`Rule`, by regression of the gain of going on."""
        quality, cost = self._predicted(remaining)
        total = float(self.weight.sum())
        usual_quality, usual_cost = float(self.weight @ quality) / total, float(self.weight @ cost) / total
        dear = _dearness(cost, usual_cost)
        design = np.stack([np.ones(len(doubt)), doubt, doubt * (quality - usual_quality), dear], axis=1)
        weighted = design * self.weight[:, None]
        coefficients = solved(weighted.T @ design + np.diag(_PENALTIES), weighted.T @ gain).T
        usual = np.tile([usual_quality, usual_cost], (len(coefficients), 1))
        return np.hstack([coefficients, usual])

    def _predicted(self, remaining: Chain) -> tuple[Floats, Floats]:
        """Return the mean predicted quality and the summed predicted cost of some models, by row."""
        members = tuple(sorted(remaining))
        cached = self._predictions.get(members)
        if cached is None:
            columns = list(members)
            quality: Floats = self.predicted[0][:, columns].sum(axis=1) / len(columns)
            cached = self._predictions[members] = quality, self.predicted[1][:, columns].sum(axis=1)
        return cached

    def _step(self, chain: Chain) -> tuple[Floats, Floats]:
        """Return, after the models of a chain, P(right) of the best answer and what it is worth in right answers, by row."""
        members = tuple(sorted(chain))
        cached = self._steps.get(members)
        if cached is None:
            verdict = self.fitter.verdict(members)
            happened = self.fitter.score[np.arange(len(verdict.model)), verdict.model]
            right = _REALISED * happened + (1 - _REALISED) * verdict.probability
            cached = self._steps[members] = verdict.probability, right
        return cached

    def _utility_of_rows(self, chain: Chain) -> Floats:
        cached = self._values.get(chain)
        if cached is None:
            cached = self._values[chain] = self.stopping(chain, self.worth_usd).utility.mean(axis=1)
        return cached

    def _mean_utility(self, chain: Chain) -> float:
        return float(self._utility_of_rows(chain).mean())

    def _neighbours(self, chain: Chain) -> Iterator[Chain]:
        for step in range(len(chain)):
            if len(chain) > 1:
                yield chain[:step] + chain[step + 1 :]
            if step + 1 < len(chain):
                yield (*chain[:step], chain[step + 1], chain[step], *chain[step + 2 :])
        if len(chain) < _MAX_LENGTH:
            for model in self.pool:
                if model not in chain:
                    yield from ((*chain[:step], model, *chain[step:]) for step in range(len(chain) + 1))


def _error(values: Floats) -> float:
    return float(values.std() / np.sqrt(len(values)))


def rule_of(figures: Iterable[float]) -> Rule:
    """Return a rule from its six figures."""
    return Rule(*(float(figure) for figure in figures))


def _stops(rules: Floats, quality: Floats, cost_usd: Floats) -> Floats:
    """Return the threshold of every row under every rule; a rule is a row of the figures of a :class:`Rule`."""
    base, slope, hope, price, usual_quality, usual_cost = rules.T
    dear = _dearness(cost_usd, float(usual_cost[0]))
    constant: Floats = base + dear[:, None] * price
    slopes: Floats = slope + (quality - usual_quality[0])[:, None] * hope
    sloped: Floats = np.clip(1.0 + constant / np.maximum(slopes, _MIN_SLOPE), 0.0, NEVER)
    flat: Floats = np.where(constant > 0, NEVER, 0.0)
    return np.where(slopes > _MIN_SLOPE, sloped, flat)


def _dearness(cost_usd: Floats, usual_usd: float) -> Floats:
    share: Floats = np.clip(cost_usd / max(usual_usd, _TINY) - 1.0, -1.0, _MAX_DEARNESS)
    return share
