"""The seven factors and what they add up to."""

from dataclasses import replace

import pytest
from decision_pools import NOW, decide, line, model, pool

from crew_router.config.ability import USER_ERROR, quality_to_ability, success
from crew_router.decide.context import TaskPreference
from crew_router.decide.predict.difficulty import difficulty_of, sharpness
from crew_router.types import CandidateRow, PerformanceMetrics, Price, RoutingRequest, Snapshot, TaskType

REQUEST = RoutingRequest(task_type=TaskType.ANALYSIS, task_description="Compare A and B.", context_tokens=1000, expected_output_tokens=500)


def row(decision, ref) -> CandidateRow:
    """Return the row of a model."""
    return next(each for each in decision.table.candidates() if each.model == ref)


def test_points_follow_the_stated_formulas():
    """Quality 50·P(success) an error below, cost by its logarithm, half of history and learning without data, full diversity."""
    decision = decide([model("a:x", quality=0.8, price=Price(1.0, 4.0))], replace(REQUEST, complexity=5))

    points = row(decision, "a:x").points
    level, spread = difficulty_of(decision.profile)
    ability = sharpness(spread) * (quality_to_ability(0.8) - USER_ERROR)
    assert points["quality"] == pytest.approx(50 * success(ability, sharpness(spread) * level), abs=1e-4)
    assert points["cost"] == pytest.approx(20 * (1 - (-2.5228787 + 5) / 5), abs=1e-6)  # log10(0.003) on the scale from -5 to 0
    assert (points["history"], points["learning"], points["diversity"], points["vendor_preference"]) == (7.5, 5.0, 3.0, 0.0)


def test_reported_score_is_rank_over_all_points():
    """The reported score is the rank as a share of 105 points, in hundreds."""
    found = row(decide([model("a:x")], REQUEST), "a:x")

    assert found.score == pytest.approx(sum(found.points.values()) * 100 / 105)


@pytest.mark.parametrize(("price", "points"), [(Price(0.0, 0.0), 20.0), (Price(5000.0, 5000.0), 0.0), (None, 0.0)])
def test_cost_points_at_the_ends_of_the_scale(price, points):
    """Free gets all points; a cost beyond the scale and an unknown one get none."""
    assert row(decide([model("a:x", price=price)], REQUEST), "a:x").points["cost"] == points


def test_points_do_not_depend_on_who_else_is_there():
    """A model keeps its points when others join."""
    alone = row(decide([model("a:x")], REQUEST), "a:x").points
    crowd = row(decide([model("a:x"), model("b:y", price=Price(9, 9)), model("c:z", quality=0.2)], REQUEST), "a:x").points

    assert alone == crowd


def test_history_is_shrunk_towards_the_pool_by_confidence():
    """A success rate counts as much as it is trusted; the rest is the mean of the pool."""
    seen = {
        ("a:x", TaskType.ANALYSIS): _metrics("a:x", success=1.0, confidence=0.75),
        ("b:x", TaskType.ANALYSIS): _metrics("b:x", success=0.5, confidence=0.0),
    }

    decision = decide([model("a:x"), model("b:x"), model("c:x")], REQUEST, snapshot=Snapshot(performance=seen))

    found = [row(decision, ref).points["history"] for ref in ("a:x", "b:x", "c:x")]
    assert found == pytest.approx([15 * (0.75 * 1.0 + 0.25 * 0.75), 15 * 0.75, 15 * 0.75])


def test_learned_weight_gives_its_share_of_ten_points():
    """A learned weight of 0.9 gives nine points, an unknown one five."""
    decision = decide([model("a:x"), model("b:x")], REQUEST, snapshot=Snapshot(weights={("a:x", TaskType.ANALYSIS): 0.9}))

    assert row(decision, "a:x").points["learning"] == pytest.approx(9.0)
    assert row(decision, "b:x").points["learning"] == pytest.approx(5.0)


def test_preferred_and_budget_models_of_the_task_type_get_points():
    """Preferred models get five points, budget models three, others none."""
    preferences = {TaskType.ANALYSIS: TaskPreference(frozenset({"a:x"}), frozenset({"b:x"}))}

    decision = line(preferences=preferences).decide(
        REQUEST, pool=pool([model("a:x"), model("b:x"), model("c:x")]), snapshot=Snapshot(), now=NOW, executing=False
    )

    assert [row(decision, ref).points["task_preference"] for ref in ("a:x", "b:x", "c:x")] == [5.0, 3.0, 0.0]


def test_busy_provider_loses_diversity_points():
    """A provider with a share of 0.8 of the last decisions keeps a fifth of three points."""
    decision = decide([model("a:x"), model("b:x")], REQUEST, snapshot=Snapshot(provider_share={"a": 0.8}))

    assert row(decision, "a:x").points["diversity"] == pytest.approx(0.6)
    assert decision.selected_model == "b:x"


def test_provider_multiplier_scales_the_rank_but_not_above_a_hundred():
    """A multiplier of two doubles the rank; the reported score stops at a hundred."""
    decision = decide([model("a:x", quality=0.9), model("b:x", quality=0.5)], REQUEST, snapshot=Snapshot(multipliers={"b": 2.0}))

    found = row(decision, "b:x")
    assert decision.selected_model == "b:x"
    assert found.rank == pytest.approx(sum(found.points.values()))
    assert found.points["provider"] == pytest.approx(found.rank / 2)
    assert found.score <= 100.0


def _metrics(ref, *, success, confidence):
    return PerformanceMetrics(
        ref,
        TaskType.ANALYSIS,
        samples=20.0,
        success_rate=success,
        latency_s=1.0,
        cost_usd=0.001,
        quality=None,
        confidence=confidence,
        updated_at=NOW,
    )
