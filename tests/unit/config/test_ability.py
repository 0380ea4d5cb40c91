"""One scale of ability: qualities of users, measurements and estimates stand beside one another."""

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_router.config.ability import (
    REFERENCE_DIFFICULTY,
    TIER_ABILITY,
    ability_of,
    ability_to_quality,
    efforts_of,
    estimated_ability,
    quality_to_ability,
    relative_output_tokens,
    success,
)
from crew_router.config.load import packaged_registry
from crew_router.config.registry import Registry
from crew_router.types import TaskType, Tier

MEASURED = {
    "efforts": {
        "high": {"ability": {"value": 1.8, "error": 0.2, "figures": 9, "sources": ["lab"], "as_of": "2026-10-08"}, "output_tokens": 1.7},
        "low": {"ability": {"value": 1.0, "error": 0.2, "figures": 9, "sources": ["lab"]}, "ttft_s": 2.0},
    },
    "default_effort": "low",
}


def model(entry):
    """Return the definition of an entry."""
    return Registry.from_entries({"lab:a": entry})["lab:a"]


@given(st.floats(0.001, 0.999))
def test_quality_and_ability_are_two_names_of_one_thing(quality):
    """Either can be had from the other."""
    assert ability_to_quality(quality_to_ability(quality)) == pytest.approx(quality)


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0.01, 5))
def test_success_rises_with_ability_and_falls_with_difficulty(ability, difficulty, more):
    """More ability never hurts, more difficulty never helps."""
    assert success(ability + more, difficulty) > success(ability, difficulty) or success(ability, difficulty) > 1 - 1e-9
    assert success(ability, difficulty + more) < success(ability, difficulty) or success(ability, difficulty) < 1e-9


@pytest.mark.parametrize("quality", [0.0, 1.0])
def test_certain_qualities_have_an_ability(quality):
    """A user may write 0 or 1; both are finite."""
    assert math.isfinite(quality_to_ability(quality))


def test_quality_is_success_at_the_reference_difficulty():
    """The reference is one difficulty, so a requirement of 0.9 asks for the same model whatever the request."""
    assert success(quality_to_ability(0.9), REFERENCE_DIFFICULTY) == pytest.approx(0.9)


def test_measured_ability_is_that_of_the_default_effort():
    """A bare model means its default effort; another one is named."""
    entry = model(MEASURED)

    assert ability_of(entry).value == 1.0
    assert ability_of(entry, effort="high").value == 1.8
    assert [level.name for level in entry.efforts] == ["low", "high"]
    assert entry.efforts[1].relative_output_tokens == 1.7
    assert entry.efforts[0].ttft_s == 2.0
    assert entry.effort("high").ability.as_of == "2026-10-08"
    assert entry.effort("max") is None


def test_word_of_the_user_comes_before_measurements_and_is_marked():
    """His quality holds for all task types at the default effort; the other efforts keep their distance from it."""
    entry = model({**MEASURED, "quality": 0.9})

    for task in (None, *TaskType):
        said = ability_of(entry, task)
        assert (said.kind, said.value) == ("user", pytest.approx(quality_to_ability(0.9)))
    assert [level.ability.value for level in efforts_of(entry)] == pytest.approx([quality_to_ability(0.9), quality_to_ability(0.9) + 0.8])


def test_user_may_differ_by_task_type():
    """A quality by task type holds there, the measurement elsewhere."""
    entry = model({**MEASURED, "task_quality": {"creative": 0.3}})

    assert ability_of(entry, TaskType.CREATIVE).value == pytest.approx(quality_to_ability(0.3))
    assert ability_of(entry, TaskType.TESTING).value == 1.0


def test_ability_of_an_entry_takes_the_place_of_its_table():
    """What a user adds to a packaged entry holds at the default effort, the rest of the table stays."""
    entry = model({**MEASURED, "ability": {"value": 2.5, "error": 0.1, "kind": "user"}})

    assert (ability_of(entry).value, ability_of(entry).kind) == (2.5, "user")
    assert ability_of(entry, effort="low").value == 2.5
    assert ability_of(entry, effort="high").value == 1.8


def test_unmeasured_model_is_estimated_from_date_price_and_reasoning():
    """Newer, dearer and reasoning models are taken to be abler; the guess is marked and less sure than a measurement."""
    plain = {"price": {"input": 1, "output": 5}, "released": date(2026, 7, 2)}
    guess = estimated_ability(model(plain))

    assert (guess.kind, guess.error) == ("estimated", 0.4)
    assert guess.value == pytest.approx(-0.32 + 1.11 * 182 / 365.25 + 0.16 * math.log(2))
    assert estimated_ability(model({**plain, "capabilities": ["reasoning"]})).value == pytest.approx(guess.value + 0.93)
    assert estimated_ability(model({**plain, "released": date(2025, 7, 2)})).value < guess.value
    assert estimated_ability(model({**plain, "price": {"input": 4, "output": 20}})).value > guess.value


def test_a_model_that_thinks_only_when_asked_is_estimated_as_one_that_does_not():
    """The capability counts where the default effort uses it."""
    plain = {"price": {"input": 1, "output": 5}, "released": date(2026, 7, 2)}
    asked = {**plain, "capabilities": ["reasoning"], "efforts": {"none": {}, "high": {}}, "default_effort": "none"}

    assert estimated_ability(model(asked)).value == pytest.approx(estimated_ability(model(plain)).value)
    assert estimated_ability(model({**asked, "default_effort": "high"})).value > estimated_ability(model(plain)).value


@pytest.mark.parametrize("entry", [{}, {"price": {"input": 0, "output": 0}}, {"released": date(2026, 1, 1)}])
def test_free_unpriced_or_undated_models_are_estimated_by_their_size(entry):
    """The parameters in the name tell something, with an error of more than one logit."""
    small, large = (
        estimated_ability(Registry.from_entries({ref: entry})[ref]) for ref in ("ollama:llama9:8b", "ollama:llama9:70b-instruct")
    )

    assert small.kind == large.kind == "estimated"
    assert large.value > small.value
    assert small.error > 1
    assert small.sources == ("size in the name",)


def test_other_numbers_in_a_name_are_no_size():
    """Versions and dates do not count as parameters."""
    for ref in ("lab:model-3b2", "lab:qwen3.8-max", "lab:v4-2508"):
        assert estimated_ability(Registry.from_entries({ref: {}})[ref]).sources == ("tier",)


@pytest.mark.parametrize("tier", list(Tier))
def test_else_the_tier_stands_in(tier):
    """Nothing but a tier leaves the mean of the tier, with an error of one logit."""
    guess = estimated_ability(model({"tier": tier.value}))

    assert (guess.value, guess.error, guess.kind) == (TIER_ABILITY[tier], 1.0, "estimated")


def test_guesses_are_less_sure_than_most_measurements():
    """Every estimate for a model without any figure has a larger error than the measurements of the registry have on the whole."""
    errors = [ability_of(entry).error for entry in packaged_registry() if ability_of(entry).kind == "measured"]

    assert sorted(errors)[len(errors) * 8 // 10] < 0.4


def test_output_of_an_effort_is_measured_or_that_of_other_models():
    """A figure of the table is used as it is; a missing one is the usual ratio to the default effort, and marked."""
    entry = model(MEASURED)
    bare = model({"efforts": {"low": {}, "medium": {}, "max": {}}, "default_effort": "low"})

    assert relative_output_tokens(entry, "high") == (1.7, True)
    assert relative_output_tokens(entry) == (1.0, False)
    assert relative_output_tokens(bare, "max") == (pytest.approx(4.5 / 0.46), False)
    assert relative_output_tokens(model({})) == (1.0, False)


@pytest.mark.parametrize("entry", [entry for entry in packaged_registry() if entry.efforts], ids=lambda entry: entry.ref)
def test_every_packaged_effort_has_an_expected_output(entry):
    """Money can be reserved for every effort, and more thinking is expected to write more, but for what was measured."""
    expected = [relative_output_tokens(entry, level.name) for level in entry.efforts]

    assert all(tokens > 0 for tokens, _ in expected)
    if not any(measured for _, measured in expected):
        assert [tokens for tokens, _ in expected] == sorted(tokens for tokens, _ in expected)
