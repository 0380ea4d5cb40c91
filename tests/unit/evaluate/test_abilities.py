"""Abilities from figures: known ones are found again, doubt is told, figures that were held out are foretold."""

import time
from dataclasses import replace

import numpy as np
import pytest
from ability_world import world

from crew_router.evaluate.abilities import HARNESS_ERROR, Estimate, Figure, fit_abilities, never_falling, with_sources
from crew_router.evaluate.ability_check import compare_with_tiers

TRUTH = world()
FIT = fit_abilities(TRUTH.figures)


def against_truth(fit=FIT, truth=TRUTH):
    """Return true and fitted abilities with their errors; the zero of a fit is free, so both are centred."""
    names = list(fit.abilities)
    true = np.array([truth.abilities[name] for name in names])
    found = np.array([fit.abilities[name].value for name in names])
    return true - true.mean(), found - found.mean(), np.array([fit.abilities[name].error for name in names])


def test_known_abilities_are_found_again():
    """The order is nearly right, the scale is that of the slopes, and the misses are of the size of the errors."""
    true, found, error = against_truth()

    assert np.corrcoef(true, found)[0, 1] > 0.98
    assert np.polyfit(true, found, 1)[0] == pytest.approx(1, abs=0.12)
    assert np.sqrt(((found - true) ** 2).mean()) < 0.25
    assert 0.8 < np.sqrt((((found - true) / error) ** 2).mean()) < 1.35


def test_errors_cover_the_truth():
    """About nineteen in twenty truths lie within two errors."""
    true, found, error = against_truth()

    assert (np.abs(found - true) < 2 * error).mean() > 0.88


def test_benchmarks_are_found_again():
    """Difficulties and slopes are those that made the figures."""
    names = list(FIT.benchmarks)
    hard = np.array([FIT.benchmarks[name].difficulty for name in names])
    steep = np.array([FIT.benchmarks[name].slope for name in names])

    assert np.corrcoef(hard, [TRUTH.difficulties[name] for name in names])[0, 1] > 0.98
    assert np.corrcoef(steep, [TRUTH.slopes[name] for name in names])[0, 1] > 0.8
    assert np.mean([FIT.benchmarks[name].misfit for name in names]) == pytest.approx(0.3, abs=0.08)


def test_fewer_figures_leave_more_doubt():
    """A subject with two figures has a larger error than it has with all of them."""
    own = [figure for figure in TRUTH.figures if figure.subject == "m0"]
    others = [figure for figure in TRUTH.figures if figure.subject != "m0"]

    few = fit_abilities([*others, *own[:2]]).abilities["m0"]

    assert few.figures == 2
    assert few.error > 1.5 * FIT.abilities["m0"].error


def test_held_out_figures_are_foretold_far_better_than_by_tiers():
    """As on the real evidence, a tier of three misses by twice as much, and it puts more pairs in the wrong order."""
    edges = np.quantile(list(TRUTH.abilities.values()), [1 / 3, 2 / 3])
    tiers = {name: float(np.searchsorted(edges, ability)) for name, ability in list(TRUTH.abilities.items())[:60]}

    found = compare_with_tiers(TRUTH.figures, tiers, folds=5)

    assert found.fit.figures == sum(figure.subject in tiers for figure in TRUTH.figures)
    assert found.fit.error_points < 0.75 * found.tiers.error_points
    assert found.fit.error_logits < 0.75 * found.tiers.error_logits
    assert found.fit.pairs_right > 0.93
    assert found.tiers.pairs_right < found.fit.pairs_right - 0.03


def test_tiers_without_sense_order_no_better_than_chance():
    """The check can fail: a tier drawn at random puts about half of the pairs in the right order."""
    rng = np.random.default_rng(5)
    tiers = {name: float(rng.random()) for name in list(TRUTH.abilities)[:60]}

    found = compare_with_tiers(TRUTH.figures, tiers, folds=4).tiers

    assert found.pairs_right < 0.62


def test_known_subjects_set_the_scale():
    """A subject with figures on benchmarks of known models gets its ability on their scale."""
    known = {name: (TRUTH.abilities[name] + 5, 0.05) for name in list(TRUTH.abilities)[1:]}

    fit = fit_abilities(TRUTH.figures, known=known, resamples=0)

    assert fit.abilities["m0"].value == pytest.approx(TRUTH.abilities["m0"] + 5, abs=0.35)
    assert fit.abilities["m1"].value == pytest.approx(known["m1"][0], abs=0.1)


def test_one_anchor_moves_the_scale_and_two_stretch_it():
    """Figures and predictions stay what they are, whatever the scale is called."""
    names = list(TRUTH.abilities)
    low, high = sorted(names, key=lambda name: FIT.abilities[name].value)[:: len(names) - 1]

    moved = fit_abilities(TRUTH.figures, anchors={low: 10.0}, resamples=0)
    stretched = fit_abilities(TRUTH.figures, anchors={low: 0.0, high: 100.0}, resamples=0)

    assert moved.abilities[low].value == pytest.approx(10)
    assert moved.abilities[high].value - 10 == pytest.approx(FIT.abilities[high].value - FIT.abilities[low].value)
    assert (stretched.abilities[low].value, stretched.abilities[high].value) == pytest.approx((0, 100))
    for fit in (moved, stretched):
        assert fit.logit("m3", "b3", "code") == pytest.approx(FIT.logit("m3", "b3", "code"))


def test_order_of_figures_does_not_matter():
    """The same figures in another order give the same abilities."""
    again = fit_abilities(TRUTH.figures[::-1], resamples=0)

    assert again.abilities["m7"].value == pytest.approx(FIT.abilities["m7"].value, abs=1e-3)


def test_ten_thousand_figures_take_seconds():
    """About as many figures as the evidence has are fitted in well under a minute, errors included."""
    many = world(subjects=800, benchmarks=90, seen=0.12, seed=3)
    start = time.perf_counter()

    fit_abilities(many.figures)

    assert len(many.figures) > 8000
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize("figures", [[], [Figure("a", "b", float("nan"), 0.1)], [Figure("a", "b", 0.0, float("inf"))]])
def test_figures_that_mean_nothing_are_refused(figures):
    """No figure at all, or one that is not a number, is an error and not an ability."""
    with pytest.raises(ValueError, match="figure"):
        fit_abilities(figures)


def test_one_measurer_leaves_more_doubt_than_three():
    """The error holds what a measurer's own harness may move."""
    spread = [replace(figure, source=f"lab {at % 3}") for at, figure in enumerate(TRUTH.figures)]

    one = with_sources(FIT, TRUTH.figures).abilities["m0"]
    three = with_sources(FIT, spread).abilities["m0"]

    assert one.sources == ("lab",)
    assert three.sources == ("lab 0", "lab 1", "lab 2")
    assert one.error**2 - three.error**2 == pytest.approx(HARNESS_ERROR**2 * (1 - 1 / 3))


def estimates(*pairs):
    """Return estimates with these values and errors."""
    return [Estimate(value, error, 9, ()) for value, error in pairs]


def test_small_falls_between_efforts_are_noise():
    """Where more thinking is measured as less able within two errors, both get what they say together."""
    joined = never_falling(estimates((1.0, 0.2), (1.4, 0.2), (1.2, 0.2)))

    assert [found.value for found in joined] == pytest.approx([1.0, 1.3, 1.3])
    assert [found.figures for found in joined] == [9, 9, 9]


def test_large_falls_between_efforts_are_kept():
    """A fall beyond two errors is what the data say."""
    kept = never_falling(estimates((1.5, 0.1), (0.5, 0.1)))

    assert [found.value for found in kept] == [1.5, 0.5]


def test_a_surer_effort_weighs_more():
    """Joined efforts lie nearer to the one with the smaller error."""
    first, second = never_falling(estimates((1.2, 0.1), (1.0, 0.3)))

    assert first.value == second.value == pytest.approx((1.2 * 100 + 1.0 * 100 / 9) / (100 + 100 / 9))
