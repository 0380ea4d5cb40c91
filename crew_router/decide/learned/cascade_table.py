"""The table of plans: per cluster of prompts and setting of the dial, which models in which order and when to stop."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.cascade_search import Chain, ChainSearch, Rule
from crew_router.decide.learned.curve import CurvePoint, hull

if TYPE_CHECKING:
    from crew_router.decide.learned.agreement import AgreementFitter
    from crew_router.types.arrays import Flags, Floats

_SETTINGS: Final = 40
_SEARCHED: Final = 7  # settings that a chain is searched for together
_ZONES: Final = ((0.0, 0.4), (0.25, 0.7), (0.55, 1.0))  # shares of the settings that have a chain of their own
_MARGIN: Final = 0.7  # standard errors by which a cascade has to beat the best of its models
_TRUST_ROWS: Final = 600.0  # rows of a cluster at which half of what is foreseen of one prompt counts
_LOWEST: Final = 0.3  # times the least that a further right answer costs
_HIGHEST: Final = 10.0  # times the most
_FREE_USD: Final = 1e-9
_ELSEWHERE: Final = 100.0  # rows that all other clusters together may count for in a search
_POOL: Final = 16
_POOL_PER_SETTING: Final = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """One row of the table.

    Args:
        cluster: Cluster of prompts it is for.
        models: Places of the models, in the order in which they are asked.
        rules: When to go on after each model; the last is never looked at.
        quality: Expected score on prompts of the cluster, 0..1.
        cost_usd: Mean price there of all calls together.
        answered: Share of the rows that each model of the plan answered.
        usual_quality: Mean quality there that was predicted before any call of the models that answered.
        usual_cost_usd: Mean price there that was predicted of all its models together.
        trust: Share of what is foreseen of one prompt that counts, the more the more rows there were to learn it from.
    """

    cluster: int
    models: Chain
    _: KW_ONLY
    rules: tuple[Rule, ...]
    quality: float
    cost_usd: float
    answered: tuple[float, ...]
    usual_quality: float
    usual_cost_usd: float
    trust: float

    def expected(self, quality: Floats, cost_usd: Floats) -> tuple[float, float]:
        """Return score and price that are expected on one prompt.

        Args:
            quality: Predicted quality of all models on it.
            cost_usd: Their predicted prices.
        """
        places = list(self.models)
        better = float(quality[places] @ np.array(self.answered)) - self.usual_quality
        dearer = float(cost_usd[places].sum()) / max(self.usual_cost_usd, _FREE_USD)
        return min(max(self.quality + self.trust * better, 0.0), 1.0), self.cost_usd * dearer

    def stops(self, quality: Floats, cost_usd: Floats) -> Floats:
        """Return the probability at which the best answer after each model is good enough, a row per prompt.

        Args:
            quality: Predicted quality of all models, a row per prompt.
            cost_usd: Their predicted prices.
        """
        found = np.zeros((len(quality), len(self.models)))
        for at in range(len(self.models) - 1):
            rest = list(self.models[at + 1 :])
            found[:, at] = self.rules[at].stops_at(quality[:, rest].mean(axis=1), cost_usd[:, rest].sum(axis=1))
        return found


@dataclass(frozen=True, slots=True)
class _Run:
    """What a plan came to on every training row; ``speaker`` is the place in the plan of who answered."""

    score: Floats
    cost_usd: Floats
    confidence: Floats
    speaker: Floats


def settings_for(score: Floats, cost_usd: Floats) -> Floats:
    """Return settings of the dial in USD, from one at which nothing but the cheapest model pays to one at which all pays.

    What the next corner of the hull of single models costs for each right answer more says where the dial has any effect.
    """
    corners = hull(CurvePoint(float(cost), float(mean)) for cost, mean in zip(cost_usd.mean(axis=0), score.mean(axis=0), strict=True))
    steps = [(right.cost_usd - left.cost_usd) / (right.quality - left.quality) for left, right in itertools.pairwise(corners)]
    low, high = (steps[0], steps[-1]) if steps else (corners[0].cost_usd, corners[0].cost_usd)
    grid: Floats = np.geomspace(_LOWEST * max(low, _FREE_USD), _HIGHEST * max(high, _FREE_USD), _SETTINGS)
    return grid


def make_plans(
    fitter: AgreementFitter, cost_usd: Floats, *, foreseen: tuple[Floats, Floats], agreeing: bool, progress: Callable[[], None]
) -> tuple[tuple[Plan, ...], tuple[Floats, Floats]]:
    """Search the plans of every cluster.

    Args:
        fitter: Verdicts by set of models, with the training rows.
        cost_usd: Price of every call.
        foreseen: Quality and price that were predicted of every call, held out.
        agreeing: Whether answers were recorded; without them nothing can be checked and plans are single models.
        progress: Called when a cluster is done.

    Returns:
        The plans; and how probable each answer of a cascade was said to be, with what it was worth.
    """
    plans: list[Plan] = []
    said: list[Floats] = []
    worth: list[Floats] = []
    # What is best on all rows together is a candidate everywhere: a search on a cluster alone sees few rows, and fits their noise.
    everywhere = list(_searched(fitter, cost_usd, own=fitter.ballots.cluster >= 0, foreseen=foreseen, agreeing=agreeing))
    for cluster in range(fitter.ballots.clusters):
        own: Flags = fitter.ballots.cluster == cluster
        if own.any():
            here = () if own.all() else _searched(fitter, cost_usd, own=own, foreseen=foreseen, agreeing=agreeing)
            found = dict.fromkeys((*here, *everywhere))
            drafts = [
                Plan(cluster, chain, rules=rules, quality=0.0, cost_usd=0.0, answered=(), usual_quality=0.0, usual_cost_usd=0.0, trust=0.0)
                for chain, rules in found
            ]
            runs = [_run(fitter, cost_usd, plan, foreseen=foreseen) for plan in drafts]
            expected = expected_quality(np.array([run.score for run in runs]), own=own)
            expected -= _MARGIN * _doubts(drafts, runs, fitter.score, own=own)
            usual = foreseen[0][own].mean(axis=0), foreseen[1][own].mean(axis=0)
            plans += [
                _judged(plan, run, own=own, quality=float(quality), usual=usual)
                for plan, run, quality in zip(drafts, runs, expected, strict=True)
            ]
            cascades = [run for plan, run in zip(drafts, runs, strict=True) if len(plan.models) > 1]
            said += [run.confidence[own] for run in cascades]
            worth += [run.score[own] for run in cascades]
        progress()
    nothing = np.zeros(0)
    return tuple(plans), (np.concatenate([nothing, *said]), np.concatenate([nothing, *worth]))


def _searched(
    fitter: AgreementFitter, cost_usd: Floats, *, own: Flags, foreseen: tuple[Floats, Floats], agreeing: bool
) -> Iterator[tuple[Chain, tuple[Rule, ...]]]:
    singles = range(cost_usd.shape[1])
    yield from (((model,), ()) for model in singles)
    if not agreeing or len(singles) == 1:
        return
    grid = settings_for(fitter.score, cost_usd)
    weight = np.where(own, 1.0, min(1.0, _ELSEWHERE / max(int((~own).sum()), 1)))
    pool = _pool(fitter.score[own].mean(axis=0), cost_usd[own].mean(axis=0), grid)
    search = ChainSearch(fitter, cost_usd, weight, grid, pool, foreseen)
    for low, high in _ZONES:
        zone = range(round(low * len(grid)), round(high * len(grid)))
        places = np.unique(np.linspace(zone[0], zone[-1], _SEARCHED).astype(int))
        chain = ChainSearch(fitter, cost_usd, weight, grid[places], pool, foreseen).chain()
        for at in zone:
            yield search.pruned(chain, at)


def _pool(quality: Floats, cost_usd: Floats, grid: Floats) -> list[int]:
    """Return the models that are among the best at some setting; a search over dozens of models fits noise, and takes long."""
    if len(quality) <= _POOL:
        return list(range(len(quality)))
    ranked = [np.argsort(cost_usd - worth * quality)[:_POOL_PER_SETTING] for worth in grid]
    seen = dict.fromkeys(int(model) for rank in range(_POOL_PER_SETTING) for best in ranked for model in best[rank : rank + 1])
    return list(seen)[:_POOL]


def _run(fitter: AgreementFitter, cost_usd: Floats, plan: Plan, *, foreseen: tuple[Floats, Floats]) -> _Run:
    rows = np.arange(len(cost_usd))
    going = np.ones(len(rows), dtype=np.bool_)
    score, spent, confidence = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    speaker = np.zeros(len(rows))
    stops = plan.stops(*foreseen)
    for at, model in enumerate(plan.models):
        spent[going] += cost_usd[going, model]
        verdict = fitter.verdict(tuple(sorted(plan.models[: at + 1])))
        stop = going & (verdict.probability >= stops[:, at])
        score[stop] = fitter.score[rows, verdict.speaker][stop]
        confidence[stop] = verdict.probability[stop]
        speaker[stop] = [plan.models.index(int(who)) for who in verdict.speaker[stop]]
        going &= ~stop
    return _Run(score, spent, confidence, speaker)


def expected_quality(scores: Floats, *, own: Flags) -> Floats:
    """Return what each plan is expected to score on prompts of a cluster.

    By how much a plan beats the others there is pulled towards by how much it does so everywhere, the more the less clusters
    differ beyond chance (James and Stein 1961): among dozens of plans, one looks good on few rows by luck.

    Args:
        scores: One row per plan, one column per training row.
        own: The rows of the cluster.
    """
    better = scores - scores.mean(axis=0)
    here, everywhere = better[:, own].mean(axis=1), better.mean(axis=1)
    noise = float(better[:, own].var(axis=1).mean()) / max(int(own.sum()), 1)
    spread = float(((here - everywhere) ** 2).mean())
    kept = max(spread - noise, 0.0) / max(spread, _FREE_USD)
    expected: Floats = scores[:, own].mean() + everywhere + kept * (here - everywhere)
    return np.clip(expected, 0.0, 1.0)


def _doubts(plans: list[Plan], runs: list[_Run], score: Floats, *, own: Flags) -> Floats:
    """Return the standard error of what each plan gains over the best of its models; 0 for single models."""
    rows = score[own]
    mean = rows.mean(axis=0)
    best = [max(plan.models, key=lambda model: float(mean[model])) for plan in plans]
    gains = [run.score[own] - rows[:, model] for run, model in zip(runs, best, strict=True)]
    found: Floats = np.array(gains).std(axis=1) / np.sqrt(len(rows))
    return found


def _judged(plan: Plan, run: _Run, *, own: Flags, quality: float, usual: tuple[Floats, Floats]) -> Plan:
    answered = np.bincount(run.speaker[own].astype(np.int64), minlength=len(plan.models)) / max(int(own.sum()), 1)
    places = list(plan.models)
    return replace(
        plan,
        quality=quality,
        cost_usd=float(run.cost_usd[own].mean()),
        answered=tuple(float(share) for share in answered),
        usual_quality=float(usual[0][places] @ answered),
        usual_cost_usd=float(usual[1][places].sum()),
        trust=float(own.sum() / (own.sum() + _TRUST_ROWS)),
    )
