"""Fit abilities to the collected evidence and say how well they predict figures held out, beside what the tiers alone would have said.

    python benchmarks/registry/fit.py FOLDER    # with cells.csv and figures.csv

Prints the abilities of the registry's models, the held-out error and the order of pairs, the means of the tiers, what the estimate
for models without any figure is worth, and how far measurers differ.
"""

from __future__ import annotations

import math
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from evidence import fitted, read_facts, read_figures

from crew_router.config.ability import estimated_ability
from crew_router.config.load import packaged_registry
from crew_router.evaluate.abilities import AbilityFit, Figure
from crew_router.evaluate.ability_check import HeldOut, compare_with_tiers
from crew_router.types import ModelDefinition, Tier

# What quality the tiers alone would say; the yardstick that the fit is held against.
TIER_QUALITY = {Tier.PREMIUM: 0.85, Tier.BASELINE: 0.75, Tier.FAST: 0.65, Tier.LOCAL: 0.55}


def main(folder: Path) -> None:
    """Print everything."""
    figures = read_figures(folder)
    start = time.perf_counter()
    fit = fitted(figures)
    seconds = time.perf_counter() - start
    print(f"{len(figures)} figures, {len(fit.abilities)} subjects, {len(fit.benchmarks)} benchmarks, fitted in {seconds:.1f} s\n")
    usual = usual_configurations(fit)
    for model, name in usual:
        found = fit.abilities[name]
        print(f"{model.ref:52} {name:28} {found.value:6.2f} ± {found.error:.2f}  {found.figures:3} {'; '.join(found.sources)}")
    held_out(figures, usual)
    tiers(fit, usual)
    estimates(fit, usual)
    harnesses(figures, fit)


def usual_configurations(fit: AbilityFit) -> list[tuple[ModelDefinition, str]]:
    """Return each packaged model with the configuration that was measured at its default effort, where there is one."""
    facts, registry = read_facts(), packaged_registry()
    pairs: list[tuple[ModelDefinition, str]] = []
    for model in registry:
        known = facts[model.ref]
        name = known["evidence"]
        if name is not None and "efforts" in known:
            levels = known["efforts"]
            level = levels.get(known.get("default", next(iter(levels))))
            level = next((suffix for suffix in levels.values() if suffix is not None), None) if level is None else level
            name = f"{name}@{level}" if level else name
        if name in fit.abilities:
            pairs.append((model, name))
    return pairs


def held_out(figures: list[Figure], usual: list[tuple[ModelDefinition, str]]) -> None:
    """Print errors on figures that the fit has not seen."""
    odds = {tier: math.log(quality / (1 - quality)) for tier, quality in TIER_QUALITY.items()}
    prior = {name: odds[model.tier] for model, name in usual if model.tier is not None}
    found = compare_with_tiers(figures, prior)
    print("\nheld out              figures   logits   points   clear pairs   right")
    for label, judged in (("fit", found.fit), ("tier, scaled to fit", found.tiers)):
        print(f"{label:22}{_row(judged)}")


def _row(judged: HeldOut) -> str:
    errors = f"{judged.figures:7}   {judged.error_logits:6.2f}   {judged.error_points:6.1f}"
    return f"{errors}   {judged.pairs:11}   {100 * judged.pairs_right:4.1f} %"


def tiers(fit: AbilityFit, usual: list[tuple[ModelDefinition, str]]) -> None:
    """Print the mean ability of each tier, each configuration once."""
    by_tier: dict[str, dict[str, float]] = defaultdict(dict)
    for model, name in usual:
        by_tier[str(model.tier)][name] = fit.abilities[name].value
    print()
    for tier, values in by_tier.items():
        each = np.array(list(values.values()))
        print(f"tier {tier:9} mean {each.mean():5.2f}, spread {each.std(ddof=1):.2f}, {each.size} models")


def estimates(fit: AbilityFit, usual: list[tuple[ModelDefinition, str]]) -> None:
    """Print how far the estimate for models without a figure is from the fit, where there is one."""
    by_source: dict[str, dict[str, float]] = defaultdict(dict)
    for model, name in usual:
        guess = estimated_ability(model)
        by_source[guess.sources[0]][name] = guess.value - fit.abilities[name].value
    print()
    for source, misses in by_source.items():
        each = np.array(list(misses.values()))
        print(f"estimate by {source}: off by {np.sqrt((each**2).mean()):.2f} (mean {each.mean():+.2f}), {each.size} models")


def harnesses(figures: list[Figure], fit: AbilityFit) -> None:
    """Print how far one measurer's figures of a model lie together above or below the fit, beyond their own scatter."""
    apart: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for figure in figures:
        scale = fit.benchmarks[figure.benchmark]
        off = (figure.logit - fit.logit(figure.subject, figure.benchmark, figure.family)) / scale.slope
        apart[figure.subject, figure.source].append((off, (figure.sampling_error**2 + scale.misfit**2) / scale.slope**2))
    means, noise = [], []
    for (subject, _), each in apart.items():
        if len(fit.abilities[subject].sources) > 2 and len(each) > 2:  # noqa: PLR2004 - three measurers, three figures
            weight = np.array([1 / variance for _, variance in each])
            means.append(float(np.average([off for off, _ in each], weights=weight)))
            noise.append(float(1 / weight.sum()))
    extra = math.sqrt(max(float(np.mean(np.square(means)) - np.mean(noise)), 0.0))
    print(f"\na measurer moves a model by {extra:.2f} logits beyond scatter ({len(means)} pairs of model and measurer)")


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the script and one folder
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
