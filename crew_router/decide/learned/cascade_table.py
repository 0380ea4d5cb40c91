"""The table of plans: by cluster of prompts and setting of the dial, which models to call in which order and when to stop."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.decide.learned.cascade_search import Chain, ChainSearch, Rule
from crew_router.decide.learned.curve import CurvePoint, hull

if TYPE_CHECKING:
    from crew_router.decide.learned.agreement import AgreementFitter
    from crew_router.types.arrays import Flags, Floats

_SETTINGS: Final = 40
_SEARCHED: Final = 7  # settings that one search optimises together
_ZONES: Final = ((0.0, 0.4), (0.25, 0.7), (0.55, 1.0))  # ranges of the settings, as shares, that are searched separately
_MARGIN: Final = 0.7  # standard errors by which a cascade has to beat the best of its models
_TRUST_ROWS: Final = 600.0  # rows of a cluster at which predictions for a single prompt count half
_LOWEST_FACTOR: Final = 0.3  # lowest setting, as a multiple of the lowest cost of one more right answer
_HIGHEST_FACTOR: Final = 10.0  # highest setting, as a multiple of the highest such cost
_FREE_USD: Final = 1e-9
_ELSEWHERE: Final = 100.0  # rows that all other clusters together count for, at most, in a search
_POOL: Final = 16
_POOL_PER_SETTING: Final = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """One row of the table.

    Args:
        cluster: Cluster of prompts that it is for.
        models: Indices of the models in the order of calls.
        rules: When to go on after each model; the last rule is not used.
        quality: Expected score on prompts of the cluster, 0..1.
        cost_usd: Mean cost of all calls together, over the cluster.
        answered: For each model of the plan, the share of the rows where its answer is taken.
        usual_quality: Mean quality, over the cluster, predicted before any call for the models whose answer is taken.
        usual_cost_usd: Mean cost, over the cluster, predicted for all models of the plan together.
        trust: Factor, 0..1, for predictions about a single prompt; higher for clusters of more rows.
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
        """Return the expected score, 0..1, and the expected cost in USD on one prompt.

        Args:
            quality: Predicted quality of all models on it.
            cost_usd: Predicted cost of all models on it.
        """
        models = list(self.models)
        quality_gain = float(quality[models] @ np.array(self.answered)) - self.usual_quality
        cost_ratio = float(cost_usd[models].sum()) / max(self.usual_cost_usd, _FREE_USD)
        return min(max(self.quality + self.trust * quality_gain, 0.0), 1.0), self.cost_usd * cost_ratio

    def stops(self, quality: Floats, cost_usd: Floats) -> Floats:
        """Return the probability at which the best answer after each model is good enough, prompts x models of the plan.

        Args:
            quality: Predicted quality, prompts x all models.
            cost_usd: Predicted cost, prompts x all models.
        """
        thresholds = np.zeros((len(quality), len(self.models)))
        for step in range(len(self.models) - 1):
            remaining = list(self.models[step + 1 :])
            thresholds[:, step] = self.rules[step].stops_at(quality[:, remaining].mean(axis=1), cost_usd[:, remaining].sum(axis=1))
        return thresholds


@dataclass(frozen=True, slots=True)
class _Run:
    """The result of a plan on every training row.

    Args:
        score: Score of the answer taken.
        cost_usd: Cost of all calls together.
        confidence: Probability that was given to the answer.
        answered_by: Index, within the plan, of the model whose answer was taken.
    """

    score: Floats
    cost_usd: Floats
    confidence: Floats
    answered_by: Floats


def settings_for(score: Floats, cost_usd: Floats) -> Floats:
    """Return settings of the dial, USD a right answer, from one where only the cheapest model pays to one where every model does.

    The range comes from the hull of the single models: from the lowest to the highest cost of one more right answer between
    its corners, with some margin on both sides.
    """
    corners = hull(CurvePoint(float(cost), float(mean)) for cost, mean in zip(cost_usd.mean(axis=0), score.mean(axis=0), strict=True))
    steps = [(right.cost_usd - left.cost_usd) / (right.quality - left.quality) for left, right in itertools.pairwise(corners)]
    low, high = (steps[0], steps[-1]) if steps else (corners[0].cost_usd, corners[0].cost_usd)
    grid: Floats = np.geomspace(_LOWEST_FACTOR * max(low, _FREE_USD), _HIGHEST_FACTOR * max(high, _FREE_USD), _SETTINGS)
    return grid


def make_plans(
    fitter: AgreementFitter, cost_usd: Floats, *, predicted: tuple[Floats, Floats], has_answers: bool, progress: Callable[[], None]
) -> tuple[tuple[Plan, ...], tuple[Floats, Floats]]:
    """Search the plans of every cluster.

    Args:
        fitter: Verdicts by set of models, with the training rows.
        cost_usd: Cost of every call, prompts x models.
        predicted: Quality and cost predicted for every call, held out.
        has_answers: Whether answers were recorded; without them no answer can be checked, and every plan is a single model.
        progress: Called when a cluster is done.

    Returns:
        The plans; and for every answer that a cascade took, the probability given to it and its actual score.
    """
    plans: list[Plan] = []
    predicted_right: list[Floats] = []
    actual_score: list[Floats] = []
    # Chains that are best on all rows are candidates in every cluster, as a search on the few rows of one cluster may fit noise.
    all_rows: Flags = fitter.ballots.cluster >= 0
    everywhere = list(_search_cluster(fitter, cost_usd, in_cluster=all_rows, predicted=predicted, has_answers=has_answers))
    for cluster in range(fitter.ballots.clusters):
        in_cluster: Flags = fitter.ballots.cluster == cluster
        if in_cluster.any():
            of_cluster: Iterable[tuple[Chain, tuple[Rule, ...]]] = ()
            if not in_cluster.all():
                of_cluster = _search_cluster(fitter, cost_usd, in_cluster=in_cluster, predicted=predicted, has_answers=has_answers)
            candidates = dict.fromkeys((*of_cluster, *everywhere))
            plans_to_run = [
                Plan(cluster, chain, rules=rules, quality=0.0, cost_usd=0.0, answered=(), usual_quality=0.0, usual_cost_usd=0.0, trust=0.0)
                for chain, rules in candidates
            ]
            runs = [_run(fitter, cost_usd, plan, predicted=predicted) for plan in plans_to_run]
            expected = expected_quality(np.array([run.score for run in runs]), in_cluster=in_cluster)
            expected -= _MARGIN * _gain_errors(plans_to_run, runs, fitter.score, in_cluster=in_cluster)
            usual = predicted[0][in_cluster].mean(axis=0), predicted[1][in_cluster].mean(axis=0)
            plans += [
                _evaluated(plan, run, in_cluster=in_cluster, quality=float(quality), usual=usual)
                for plan, run, quality in zip(plans_to_run, runs, expected, strict=True)
            ]
            cascades = [run for plan, run in zip(plans_to_run, runs, strict=True) if len(plan.models) > 1]
            predicted_right += [run.confidence[in_cluster] for run in cascades]
            actual_score += [run.score[in_cluster] for run in cascades]
        progress()
    empty = np.zeros(0)
    return tuple(plans), (np.concatenate([empty, *predicted_right]), np.concatenate([empty, *actual_score]))


def _search_cluster(
    fitter: AgreementFitter, cost_usd: Floats, *, in_cluster: Flags, predicted: tuple[Floats, Floats], has_answers: bool
) -> Iterator[tuple[Chain, tuple[Rule, ...]]]:
    singles = range(cost_usd.shape[1])
    yield from (((model,), ()) for model in singles)
    if not has_answers or len(singles) == 1:
        return
    grid = settings_for(fitter.score, cost_usd)
    weight = np.where(in_cluster, 1.0, min(1.0, _ELSEWHERE / max(int((~in_cluster).sum()), 1)))
    pool = _pool(fitter.score[in_cluster].mean(axis=0), cost_usd[in_cluster].mean(axis=0), grid)
    search = ChainSearch(fitter, cost_usd, weight, grid, pool, predicted)
    for low, high in _ZONES:
        zone = range(round(low * len(grid)), round(high * len(grid)))
        settings = np.unique(np.linspace(zone[0], zone[-1], _SEARCHED).astype(int))
        chain = ChainSearch(fitter, cost_usd, weight, grid[settings], pool, predicted).chain()
        for setting in zone:
            yield search.pruned(chain, setting)


def _pool(quality: Floats, cost_usd: Floats, grid: Floats) -> list[int]:
    """Return the models that are among the best at some setting; a search over dozens of models would be slow and fit noise."""
    if len(quality) <= _POOL:
        return list(range(len(quality)))
    ranked = [np.argsort(cost_usd - worth_usd * quality)[:_POOL_PER_SETTING] for worth_usd in grid]
    candidates = dict.fromkeys(int(model) for rank in range(_POOL_PER_SETTING) for best in ranked for model in best[rank : rank + 1])
    return list(candidates)[:_POOL]


def _run(fitter: AgreementFitter, cost_usd: Floats, plan: Plan, *, predicted: tuple[Floats, Floats]) -> _Run:
    rows = np.arange(len(cost_usd))
    active = np.ones(len(rows), dtype=np.bool_)
    score, spent, confidence = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    answered_by = np.zeros(len(rows))
    stops = plan.stops(*predicted)
    for step, model in enumerate(plan.models):
        spent[active] += cost_usd[active, model]
        verdict = fitter.verdict(tuple(sorted(plan.models[: step + 1])))
        stop = active & (verdict.probability >= stops[:, step])
        score[stop] = fitter.score[rows, verdict.model][stop]
        confidence[stop] = verdict.probability[stop]
        answered_by[stop] = [plan.models.index(int(model)) for model in verdict.model[stop]]
        active &= ~stop
    return _Run(score, spent, confidence, answered_by)


def expected_quality(scores: Floats, *, in_cluster: Flags) -> Floats:
    """Return the expected score of each plan on prompts of a cluster.

    A plan's advantage over the others in the cluster is shrunk towards its advantage on all rows, the more the less clusters
    differ beyond chance (James and Stein 1961); otherwise, of dozens of plans, some look good on few rows by luck.

    Args:
        scores: Plans x training rows.
        in_cluster: Which rows belong to the cluster.
    """
    advantage = scores - scores.mean(axis=0)
    in_this, everywhere = advantage[:, in_cluster].mean(axis=1), advantage.mean(axis=1)
    noise = float(advantage[:, in_cluster].var(axis=1).mean()) / max(int(in_cluster.sum()), 1)
    spread = float(((in_this - everywhere) ** 2).mean())
    kept = max(spread - noise, 0.0) / max(spread, _FREE_USD)
    expected: Floats = scores[:, in_cluster].mean() + everywhere + kept * (in_this - everywhere)
    return np.clip(expected, 0.0, 1.0)


def _gain_errors(plans: list[Plan], runs: list[_Run], score: Floats, *, in_cluster: Flags) -> Floats:
    """Return the standard error of each plan's gain over the best of its models; 0 for single models."""
    rows = score[in_cluster]
    mean = rows.mean(axis=0)
    best = [max(plan.models, key=lambda model: float(mean[model])) for plan in plans]
    gains = [run.score[in_cluster] - rows[:, model] for run, model in zip(runs, best, strict=True)]
    errors: Floats = np.array(gains).std(axis=1) / np.sqrt(len(rows))
    return errors


def _evaluated(plan: Plan, run: _Run, *, in_cluster: Flags, quality: float, usual: tuple[Floats, Floats]) -> Plan:
    answered = np.bincount(run.answered_by[in_cluster].astype(np.int64), minlength=len(plan.models)) / max(int(in_cluster.sum()), 1)
    models = list(plan.models)
    return replace(
        plan,
        quality=quality,
        cost_usd=float(run.cost_usd[in_cluster].mean()),
        answered=tuple(float(share) for share in answered),
        usual_quality=float(usual[0][models] @ answered),
        usual_cost_usd=float(usual[1][models].sum()),
        trust=float(in_cluster.sum() / (in_cluster.sum() + _TRUST_ROWS)),
    )
