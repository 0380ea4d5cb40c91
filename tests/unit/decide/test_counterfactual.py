"""The smallest change that flips a decision, and the nearest miss of a request that nobody satisfies, held against deciding again."""

import math
from dataclasses import replace

import pytest
from decision_pools import decide, model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crew_router.decide.filter import outward
from crew_router.errors import NoCandidateError
from crew_router.types import Latency, Price, RoutingRequest, TaskType

REQUEST = RoutingRequest(TaskType.ANALYSIS, context_tokens=1000, expected_output_tokens=500)
DETERMINISTIC = ["weighted", "utility", "cheapest_adequate", "fastest", "best_quality"]
models = st.lists(
    st.builds(
        lambda name, quality, price, ttft: model(f"lab:{name}", quality=quality, price=price, latency=Latency(ttft, 50.0)),
        st.sampled_from("rstuvwxy"),
        st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]),
        st.builds(Price, st.floats(0.1, 50), st.floats(0.1, 100)),
        st.floats(0.01, 30),
    ),
    min_size=1,
    max_size=7,
    unique_by=lambda each: each.ref,
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "cost_budget": st.floats(0.0001, 0.05),
        "quality_requirement": st.sampled_from([0.55, 0.65, 0.75, 0.85]),
        "max_latency_s": st.floats(1, 45),
    },
)


def chosen(given_models, request, strategy):
    """Return the choice, or nothing when no model is left."""
    try:
        return decide(given_models, request, strategy=strategy).selected_model
    except NoCandidateError:
        return None


@pytest.mark.parametrize("strategy", DETERMINISTIC)
@given(models, limits, st.floats(0, 1))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_stated_change_flips_the_decision_and_less_does_not(strategy, given_models, wish, share):
    """At the stated value another model is chosen, the one that is named; at every value before it the choice stands."""
    request = replace(REQUEST, **wish)
    before = chosen(given_models, request, strategy)
    if before is None:
        return

    for change in decide(given_models, request, strategy=strategy).table.changes():
        now = chosen(given_models, replace(request, **{change.field: change.value}), strategy)
        assert now == change.model != before
        nearer = _between(change, share)
        assert nearer is None or chosen(given_models, replace(request, **{change.field: nearer}), strategy) == before


@given(models, st.floats(0.0001, 0.002), st.sampled_from([0.75, 0.85, 0.95]))
@settings(max_examples=60, deadline=None)
def test_doing_what_the_nearest_miss_says_lets_the_model_through(given_models, budget, floor):
    """The figures of the nearest miss are enough, and no other model needs a smaller relative change."""
    request = replace(REQUEST, cost_budget=budget, quality_requirement=floor)
    try:
        decide(given_models, request)
    except NoCandidateError as error:
        said, rejected = error.nearest, error.rejected
    else:
        return

    cured = decide(given_models, replace(request, **_cures(said)))

    named = said.removesuffix(" qualifies.").rpartition("and ")[2]
    assert named in {row.model for row in cured.table.candidates() if not row.rejections}
    gaps = {ref: sum(reason.gap for reason in why) for ref, why in rejected.items()}
    assert gaps[named] == min(gaps.values())


def test_nearest_miss_is_near_by_relative_distance_not_by_count_or_name():
    """A model that misses two figures by a hair is nearer than one that misses a single figure by far."""
    hair = model("z:hair", quality=0.699, price=Price(1.01, 4.0))
    far = model("a:far", quality=0.9, price=Price(90.0, 400.0))

    with pytest.raises(NoCandidateError) as caught:
        decide([hair, far], replace(REQUEST, quality_requirement=0.7, cost_budget=0.003))

    cures = "lower quality_requirement to 0.699 and raise cost_budget to $0.00301"
    assert caught.value.nearest == f"Nearest miss: {cures}, and z:hair qualifies."


def test_a_figure_is_nearer_than_a_missing_capability():
    """What a figure cures is nearer than what a model simply lacks."""
    lacking, dear = model("a:lacking", capabilities=frozenset()), model("b:dear", price=Price(900.0, 900.0))

    with pytest.raises(NoCandidateError) as caught:
        decide([lacking, dear], replace(REQUEST, cost_budget=0.01, requires_tools=True))

    assert "raise cost_budget to $1.35, and b:dear qualifies" in caught.value.nearest
    assert caught.value.fields == ("requires_tools", "cost_budget")
    assert "(requires_tools, cost_budget)" in str(caught.value)


@given(st.floats(1e-9, 1e6))
def test_figures_of_cures_are_rounded_to_the_safe_side(value):
    """A rounded figure is never on the wrong side of the exact one."""
    assert float(outward(value, up=True)) >= value >= float(outward(value, up=False))
    assert float(outward(value, up=True)) == pytest.approx(value, rel=2e-3)


def test_the_story_says_what_would_change_the_choice():
    """The explanation names the field, the figure and the model that would be chosen."""
    dear, cheap = model("a:dear", quality=0.95, price=Price(2.0, 8.0)), model("b:cheap", quality=0.6)

    story = decide([dear, cheap], REQUEST).explain()

    assert "would change it: cost_budget below $0.006000 → b:cheap" in story
    assert "would change it: quality_requirement above 0.950 → no model would be left" in story


def _between(change, share):
    """Return a value between what was given and the change, where nothing may change; nothing without a given value."""
    if change.given is None:
        wider = change.value * (1 + share) if change.field != "quality_requirement" else change.value * (1 - share)
        figure = math.nextafter(change.value, math.inf if change.field != "quality_requirement" else -math.inf)
        return max(figure, wider) if change.field != "quality_requirement" else min(figure, wider)
    nearer = change.given + (change.value - change.given) * share
    # Rounding may carry it to the value, or a hair beyond.
    short_of_it = nearer > change.value if change.given > change.value else nearer < change.value
    return nearer if short_of_it else None


def _cures(said):
    words = said.removeprefix("Nearest miss: ").replace(",", "").split()
    return {words[at - 2]: float(words[at].lstrip("$")) for at in range(2, len(words)) if words[at - 1] == "to"}


@pytest.mark.parametrize("field", ["cost_budget", "quality_requirement", "max_latency_s"])
@given(models, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_loosening_a_constraint_never_removes_a_candidate(field, given_models, one, other):
    """Whatever passes the tighter of two limits passes the looser one."""
    scale = {"cost_budget": 0.02, "quality_requirement": 1.0, "max_latency_s": 40.0}[field]
    tight, loose = sorted((one * scale, other * scale), reverse=field == "quality_requirement")

    assert _passing(given_models, replace(REQUEST, **{field: tight})) <= _passing(given_models, replace(REQUEST, **{field: loose}))


def _passing(given_models, request):
    try:
        decision = decide(given_models, request)
    except NoCandidateError:
        return set()
    return {row.model for row in decision.table.candidates() if not row.rejections}
