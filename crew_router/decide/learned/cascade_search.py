"""Plans: which models in which order, and the probability at which each answer is good enough to stop.

For a cluster of prompts one chain of models is searched for all settings of the dial together; each setting then takes out
what does not pay and gets its own stop rule. One chain for all settings has far fewer ways to fit noise than one search per
setting. The stop rule is optimal stopping by regression (Longstaff and Schwartz 2001): going on is worth a linear function
of the doubt that is left and of what was predicted of the models that are left, which gives a threshold on the posterior.
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
_NEW_STEP_ERRORS: Final = 0.3  # a further model has to gain this many standard errors
_REALISED: Final = 0.5  # weight of what happened against what the posterior says: the one is noisy, the other may be off
_PRIOR: Final = (0.01, 1.0, 10.0, 30.0)  # rows that a zero weighs for base, slope, hope and price
_LONGEST: Final = 8
_FLAT: Final = 1e-6
_TINY: Final = 1e-12
_DEAREST: Final = 3.0
_FIGURES: Final = 6

Chain = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """When to go on: while ``base + price x dear + doubt x (slope + hope x promise)`` is above 0, in units of a right answer.

    ``doubt`` is 1 - P(right) of the best answer. ``promise`` is how much better than ``usual_quality`` the models that are
    left are expected to do on this prompt, ``dear`` how much more than ``usual_cost_usd`` they are expected to cost, as a share.
    """

    base: float
    slope: float
    hope: float
    price: float
    usual_quality: float
    usual_cost_usd: float

    def stops_at(self, quality: Floats, cost_usd: Floats) -> Floats:
        """Return the probability from which on stopping pays, row by row.

        Args:
            quality: Mean predicted quality of the models that are left.
            cost_usd: Sum of their predicted prices.
        """
        figures = (self.base, self.slope, self.hope, self.price, self.usual_quality, self.usual_cost_usd)
        stops: Floats = _stops(np.array([figures]), quality, cost_usd)[:, 0]
        return stops


@dataclass(frozen=True, slots=True)
class Stopping:
    """Utility of each row at each setting, in units of a right answer, and the rule after each step at each setting.

    ``rules`` has an axis of steps, one of settings, and one of the figures of a :class:`Rule`.
    """

    utility: Floats
    rules: Floats


@dataclass(slots=True)
class ChainSearch:
    """Searches chains on the rows of one cluster.

    Args:
        fitter: Verdicts by set of models.
        cost_usd: Price of every call.
        weight: How much each row counts; rows of other clusters may count a little.
        worth: Settings of the dial: USD that a right answer is worth.
        foreseen: Quality and price of every model that were predicted for each row before any call, held out.
        pool: Models that may be used.
    """

    fitter: AgreementFitter
    cost_usd: Floats
    weight: Floats
    worth: Floats
    pool: Sequence[int]
    foreseen: tuple[Floats, Floats]
    _steps: dict[Members, tuple[Floats, Floats]] = field(default_factory=dict[tuple[int, ...], "tuple[Floats, Floats]"])
    _rests: dict[Members, tuple[Floats, Floats]] = field(default_factory=dict[tuple[int, ...], "tuple[Floats, Floats]"])
    _values: dict[Chain, Floats] = field(default_factory=dict[tuple[int, ...], "Floats"])

    def chain(self) -> Chain:
        """Return the best chain over all settings: insertions, deletions and swaps from the best single model."""
        first: list[Chain] = [(model,) for model in self.pool]
        best = max(first, key=self._worth_of)
        while True:
            following = max(self._moves(best), key=self._worth_of, default=best)
            gain = self._rows(following) - self._rows(best)
            needed = _NEW_STEP_ERRORS * _error(gain) if len(following) > len(best) else 0.0
            if float(gain.mean()) <= needed + _TINY:
                return best
            best = following

    def pruned(self, chain: Chain, at: int) -> tuple[Chain, tuple[Rule, ...]]:
        """Take out of a chain what does not pay at one setting; return what is left with its rules."""
        worth = self.worth[at : at + 1]
        best, found = chain, self.stopping(chain, worth)
        while len(best) > 1:
            shorter: list[Chain] = [(*best[:place], *best[place + 1 :]) for place in range(len(best))]
            tried = [(each, self.stopping(each, worth)) for each in shorter]
            following, stopping = max(tried, key=lambda each: float(each[1].utility.mean()))
            if float(stopping.utility.mean()) < float(found.utility.mean()):
                break
            best, found = following, stopping
        return best, tuple(rule_of(figures) for figures in found.rules[:, 0])

    def stopping(self, chain: Chain, worth: Floats) -> Stopping:
        """Return when to stop at each setting, working backwards from the last model."""
        spent = np.cumsum(self.cost_usd[:, list(chain)], axis=1)
        rules = np.zeros((len(chain), len(worth), _FIGURES))
        probability, right = self._step(chain)
        utility = right[:, None] - spent[:, -1:] / worth
        for at in range(len(chain) - 2, -1, -1):
            probability, right = self._step(chain[: at + 1])
            stop = right[:, None] - spent[:, at : at + 1] / worth
            rules[at] = self._rules(1.0 - probability, utility - stop, rest=chain[at + 1 :])
            stops = _stops(rules[at], *self._foreseen(chain[at + 1 :]))
            utility = np.where(probability[:, None] >= stops, stop, utility)
        return Stopping(utility * self.weight[:, None], rules)

    def _rules(self, doubt: Floats, gain: Floats, *, rest: Chain) -> Floats:
        """Return a rule per setting: the regression of the gain of going on (:class:`Rule`, as rows)."""
        quality, cost = self._foreseen(rest)
        total = float(self.weight.sum())
        usual_quality, usual_cost = float(self.weight @ quality) / total, float(self.weight @ cost) / total
        dear = _dearness(cost, usual_cost)
        seen = np.stack([np.ones(len(doubt)), doubt, doubt * (quality - usual_quality), dear], axis=1)
        weighted = seen * self.weight[:, None]
        found = solved(weighted.T @ seen + np.diag(_PRIOR), weighted.T @ gain).T
        usual = np.tile([usual_quality, usual_cost], (len(found), 1))
        return np.hstack([found, usual])

    def _foreseen(self, rest: Chain) -> tuple[Floats, Floats]:
        members = tuple(sorted(rest))
        known = self._rests.get(members)
        if known is None:
            places = list(members)
            quality: Floats = self.foreseen[0][:, places].sum(axis=1) / len(places)
            known = self._rests[members] = quality, self.foreseen[1][:, places].sum(axis=1)
        return known

    def _step(self, chain: Chain) -> tuple[Floats, Floats]:
        members = tuple(sorted(chain))
        known = self._steps.get(members)
        if known is None:
            verdict = self.fitter.verdict(members)
            happened = self.fitter.score[np.arange(len(verdict.speaker)), verdict.speaker]
            right = _REALISED * happened + (1 - _REALISED) * verdict.probability
            known = self._steps[members] = verdict.probability, right
        return known

    def _rows(self, chain: Chain) -> Floats:
        known = self._values.get(chain)
        if known is None:
            known = self._values[chain] = self.stopping(chain, self.worth).utility.mean(axis=1)
        return known

    def _worth_of(self, chain: Chain) -> float:
        return float(self._rows(chain).mean())

    def _moves(self, chain: Chain) -> Iterator[Chain]:
        for at in range(len(chain)):
            if len(chain) > 1:
                yield chain[:at] + chain[at + 1 :]
            if at + 1 < len(chain):
                yield (*chain[:at], chain[at + 1], chain[at], *chain[at + 2 :])
        if len(chain) < _LONGEST:
            for model in self.pool:
                if model not in chain:
                    yield from ((*chain[:at], model, *chain[at:]) for at in range(len(chain) + 1))


def _error(values: Floats) -> float:
    return float(values.std() / np.sqrt(len(values)))


def rule_of(figures: Iterable[float]) -> Rule:
    """Return a row of figures as a rule."""
    return Rule(*(float(figure) for figure in figures))


def _stops(rules: Floats, quality: Floats, cost_usd: Floats) -> Floats:
    """Return the threshold of every row under every rule (:class:`Rule`, as rows of figures)."""
    base, slope, hope, price, usual_quality, usual_cost = rules.T
    dear = _dearness(cost_usd, float(usual_cost[0]))
    constant: Floats = base + dear[:, None] * price
    slopes: Floats = slope + (quality - usual_quality[0])[:, None] * hope
    sloped: Floats = np.clip(1.0 + constant / np.maximum(slopes, _FLAT), 0.0, NEVER)
    flat: Floats = np.where(constant > 0, NEVER, 0.0)
    return np.where(slopes > _FLAT, sloped, flat)


def _dearness(cost_usd: Floats, usual_usd: float) -> Floats:
    share: Floats = np.clip(cost_usd / max(usual_usd, _TINY) - 1.0, -1.0, _DEAREST)
    return share
