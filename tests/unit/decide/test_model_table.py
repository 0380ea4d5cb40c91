"""Models at each of their reasoning efforts as candidates, and what follows from the difficulty of a request."""

from dataclasses import replace

import pytest
from decision_pools import NOW, decide, line, model, pool
from hypothesis import given
from hypothesis import strategies as st

from crew_router.config.ability import ability_to_quality
from crew_router.errors import InvalidRequestError, NoCandidateError
from crew_router.types import (
    Ability,
    EffortLevel,
    Latency,
    ModelRef,
    PerformanceMetrics,
    Price,
    RoutingDecision,
    RoutingRequest,
    Snapshot,
    TaskType,
)

ASK = RoutingRequest(TaskType.ANALYSIS, "Compare A and B.", context_tokens=1000, expected_output_tokens=500, complexity=6)


def thinking(ref, *abilities, price=(1.0, 4.0), **figures):
    """Return a model with the efforts low, medium and high of the given abilities, medium by default."""
    levels = tuple(EffortLevel(name, Ability(value, 0.1)) for name, value in zip(("low", "medium", "high"), abilities, strict=True))
    given = {"quality": None, "ability": Ability(abilities[1], 0.1), "efforts": levels, "default_effort": "medium", **figures}
    return model(ref, price=Price(*price), **given)


POOL = [
    thinking("a:deep", 0.5, 1.5, 1.9, price=(2, 10)),
    thinking("b:quick", -0.5, 0.2, 0.4, price=(0.1, 0.5)),
    model("c:plain", quality=0.6),
]


def test_every_effort_is_a_candidate_and_the_model_stays_the_model():
    """Rows, fallbacks and rejections name the effort; the selected model and the effort stand side by side."""
    decision = decide(POOL, replace(ASK, effort="high"))

    rows = {row.model for row in decision.table.candidates()}
    assert {"a:deep#low", "a:deep#high", "b:quick#medium", "c:plain"} <= rows
    assert decision.candidate == f"{decision.selected_model}#{decision.effort}"
    assert set(decision.rejected) == {"a:deep#low", "a:deep#medium", "b:quick#low", "b:quick#medium"}
    assert RoutingDecision.from_dict(decision.to_dict()).effort == "high"


def test_fallbacks_are_other_models_once_each():
    """Another effort of the chosen model, or of a fallback, never stands in for it."""
    decision = decide(POOL, ASK)

    models = [decision.selected_model, *(ref.model for ref in decision.fallbacks)]
    assert len(models) == len(set(models)) == 3


def test_parallel_members_are_different_models():
    """A panel and its judge are different models, one effort each."""
    decision = decide([*POOL, model("d:judge", quality=0.7)], replace(ASK, parallel=True))

    named = [ref.model for ref in (*decision.models, decision.judge)]
    assert len(set(named)) == len(named) == 4


@pytest.mark.parametrize(("limit", "efforts"), [("low", {"low"}), ("medium", {"low", "medium"})])
def test_max_effort_takes_higher_efforts_out(limit, efforts):
    """Models without efforts are not concerned."""
    decision = decide(POOL, replace(ASK, max_effort=limit))

    kept = {row.model for row in decision.table.candidates() if not row.rejections}
    assert {ref.effort for ref in kept} == {*efforts, None}


def test_forced_candidate_is_called_at_its_effort_and_a_forced_model_at_its_best():
    """A bare name means the model's efforts; the one that suits is chosen."""
    assert decide(POOL, replace(ASK, force_model="a:deep#low")).candidate == "a:deep#low"
    easy, hard = (decide(POOL, replace(ASK, force_model="a:deep", complexity=level)).effort for level in (1, 10))
    assert (easy, hard) == ("low", "high")


def test_unknown_effort_is_refused():
    """An effort that nobody offers is an error of the request."""
    with pytest.raises(InvalidRequestError, match="effort"):
        RoutingRequest(effort="huge")
    with pytest.raises(ValueError, match="provider:model#effort"):
        ModelRef("a:deep#")


def test_reference_ends_at_its_last_mark():
    """What stands before the last # is the model, whatever is in it."""
    ref = ModelRef("ollama/llama@host#low")

    assert (ref, ref.provider, ref.name, ref.effort, ref.model) == (
        "ollama:llama@host#low",
        "ollama",
        "llama@host",
        "low",
        "ollama:llama@host",
    )


def test_history_of_a_candidate_is_its_own_and_that_of_its_model_where_it_has_none():
    """Outcomes named with an effort move that effort; those named without move all efforts of the model."""

    def seen(ref):
        return {
            (ModelRef(ref), TaskType.ANALYSIS): PerformanceMetrics(
                ModelRef(ref),
                TaskType.ANALYSIS,
                samples=500.0,
                success_rate=1.0,
                latency_s=None,
                cost_usd=None,
                quality=0.1,
                confidence=0.9,
                updated_at=NOW,
            )
        }

    def chance(ref, performance):
        decision = decide(POOL, ASK, snapshot=Snapshot(performance=performance))
        return next(row.p_success for row in decision.table.candidates() if row.model == ref)

    before = chance("a:deep#high", {})
    assert chance("a:deep#high", seen("a:deep#low")) == before
    assert chance("a:deep#high", seen("a:deep")) < before - 0.1


def test_difficulty_decides_between_cheap_and_able():
    """Easy requests go to the cheap model and hard ones to the able one."""
    easy, hard = (decide(POOL, replace(ASK, complexity=level)).selected_model for level in (1, 9))

    assert (easy, hard) == ("b:quick", "a:deep")


def test_floor_that_nobody_meets_names_the_highest_that_can_be_met():
    """The error says what quality the ablest candidate has, on the scale of the requirement."""
    with pytest.raises(NoCandidateError, match=f"highest quality_requirement that can be met is {ability_to_quality(1.9):.3f}"):
        decide(POOL, replace(ASK, quality_requirement=0.999))


def test_no_candidate_is_fast_enough_for_a_thousandth_of_a_second():
    """A latency that nobody knows is predicted, so that a limit on it is no empty word."""
    unknown = [replace(each, latency=Latency()) for each in POOL]

    with pytest.raises(NoCandidateError, match="max_latency_s"):
        decide(unknown, replace(ASK, max_latency_s=0.001))
    assert any("nobody measured the speed" in note.detail for note in decide(unknown, ASK).table.notes())


def test_guess_does_not_displace_a_measurement_of_the_same_value():
    """Of two equal abilities the one with the larger error comes second."""
    measured, guessed = (model(ref, quality=None, ability=Ability(0.5, error)) for ref, error in (("b:known", 0.1), ("a:guess", 1.0)))

    assert decide([guessed, measured], ASK).selected_model == "b:known"


def test_sentence_says_how_often_it_is_right_and_what_the_best_would_cost():
    """The rationale is what a person would say."""
    decision = decide(POOL, replace(ASK, complexity=2))

    assert decision.rationale.startswith("quick at low effort: right in ")
    assert "best here: 99.9, deep at high effort), for $" in decision.rationale


def test_cascade_begins_with_the_cheapest_adequate_and_tells_what_all_of_it_costs():
    """A policy's cascade starts cheap; its expected cost lies between the first step alone and all steps."""
    from crew_router.config.settings import PolicySettings
    from crew_router.decide.policies import compile_policies
    from crew_router.decide.strategies import make_strategy

    rule = PolicySettings(name="steps", order="quality", then={"mode": "cascade"})
    rules = {"policies": compile_policies([rule], make_strategy=make_strategy)}
    decision = line(rules=rules).decide(ASK, pool=pool(POOL), snapshot=Snapshot(), now=NOW, executing=False)

    costs = {row.model: row.cost_usd for row in decision.table.candidates()}
    first, last = decision.models
    assert costs[first] < costs[last]
    assert costs[first] < decision.estimated_cost < costs[first] + costs[last]
    assert f"members: {first} then {last}" in decision.explain()


@given(factor=st.floats(1.01, 100.0), level=st.integers(1, 10))
def test_dearer_candidate_never_gains_by_a_rise_of_its_own_price(factor, level):
    """Whoever is not chosen is not chosen at a higher price either."""
    before = decide(POOL, replace(ASK, complexity=level)).selected_model
    dearer = [
        replace(each, price=Price(each.price.input * factor, each.price.output * factor)) if each.ref != before else each for each in POOL
    ]

    assert decide(dearer, replace(ASK, complexity=level)).selected_model == before


@given(rise=st.floats(0.01, 3.0), level=st.integers(1, 10))
def test_chosen_candidate_stays_chosen_when_it_becomes_abler(rise, level):
    """The choice follows the ability as the formula says."""
    before = decide(POOL, replace(ASK, complexity=level)).selected_model
    abler = [
        replace(
            each,
            ability=Ability(each.ability.value + rise, 0.1),
            efforts=tuple(replace(e, ability=Ability(e.ability.value + rise, 0.1)) for e in each.efforts),
        )
        if each.ref == before and each.ability
        else each
        for each in POOL
    ]

    assert decide(abler, replace(ASK, complexity=level)).selected_model == before


def test_one_absurdly_dear_model_does_not_change_the_choice_among_the_others():
    """Points of cost lie on a fixed scale."""
    absurd = model("z:absurd", quality=0.5, price=Price(10_000.0, 10_000.0))

    assert decide([*POOL, absurd], ASK).candidate == decide(POOL, ASK).candidate
