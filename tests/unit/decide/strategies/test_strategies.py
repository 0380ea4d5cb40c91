"""What each strategy prefers."""

from dataclasses import replace

import pytest
from decision_pools import NOW, decide, line, model, pool

from crew_router.decide.conditions import RuntimeConditions
from crew_router.decide.context import TaskPreference
from crew_router.decide.strategies import make_strategy
from crew_router.errors import ConfigurationError
from crew_router.types import Latency, Mode, ModelRef, Price, RoutingRequest, Snapshot, TaskType, Tier

REQUEST = RoutingRequest(TaskType.CODE_GENERATION, context_tokens=1000, expected_output_tokens=500, complexity=5)
LOCAL = model("lmstudio:qwen", tier=Tier.LOCAL, price=Price(0.0, 0.0), quality=0.6)
OPENAI = model("openai:big", tier=Tier.BASELINE, quality=0.8)
CLAUDE = model("anthropic:strong", tier=Tier.PREMIUM, quality=0.9, price=Price(10.0, 30.0))
TABLE = {"code_generation": ["local", "openai"], "reasoning": ["anthropic", "openai"], "completion": ["openai", "local"]}


def local_first(request, *, failures=0, models=(LOCAL, OPENAI, CLAUDE)):
    """Return the choice of the local-first tree."""
    chosen = line("local_first", strong=["anthropic"], table=TABLE).decide(
        request, pool=pool(models), snapshot=Snapshot(), now=NOW, executing=False, conditions=RuntimeConditions(local_failures=failures)
    )
    return chosen.selected_model


@pytest.mark.parametrize(
    ("task", "complexity", "failures", "expected"),
    [
        (TaskType.REASONING, 3, 0, "lmstudio:qwen"),
        (TaskType.CODE_GENERATION, 7, 0, "anthropic:strong"),
        (TaskType.CODE_GENERATION, 5, 0, "lmstudio:qwen"),
        (TaskType.COMPLETION, 5, 0, "openai:big"),
        (TaskType.REASONING, 5, 0, "anthropic:strong"),
        (TaskType.CODE_GENERATION, 2, 1, "lmstudio:qwen"),
        (TaskType.CODE_GENERATION, 2, 2, "openai:big"),
        (TaskType.REASONING, 2, 3, "anthropic:strong"),
    ],
)
def test_local_first_walks_down_the_tree_of_document_c(task, complexity, failures, expected):
    """Simple goes to the local model, hard to the strong one, the rest by the table; two local failures in a row escalate."""
    assert local_first(replace(REQUEST, task_type=task, complexity=complexity), failures=failures) == expected


def test_local_first_obeys_a_forced_model():
    """The first branch of the tree is the caller's word."""
    assert local_first(replace(REQUEST, force_model="openai:big", complexity=1)) == "openai:big"


def test_local_first_without_local_models_goes_on_down_the_tree():
    """A branch that nobody can serve is passed over."""
    assert local_first(replace(REQUEST, complexity=2), models=(OPENAI, CLAUDE)) == "openai:big"


@pytest.mark.parametrize(
    ("complexity", "mode", "expected"),
    [(2, "cost", "a:mini"), (5, "cost", "b:standard"), (8, "cost", "c:premium"), (2, "quality", "b:standard"), (5, "quality", "c:premium")],
)
def test_complexity_tiers_take_the_tier_that_fits(complexity, mode, expected):
    """Simple, medium and complex go to mini, standard and premium; quality mode starts one tier higher."""
    models = [model("a:mini", tier=Tier.FAST), model("b:standard", tier=Tier.BASELINE), model("c:premium", tier=Tier.PREMIUM)]

    decision = line("complexity_tiers", mode=mode).decide(
        replace(REQUEST, complexity=complexity), pool=pool(models), snapshot=Snapshot(), now=NOW, executing=False
    )

    assert decision.selected_model == expected


def test_complexity_tiers_escalate_through_the_tiers_above():
    """With escalation the tiers from the wanted one upwards make a cascade."""
    models = [model("a:mini", tier=Tier.FAST), model("b:standard", tier=Tier.BASELINE), model("c:premium", tier=Tier.PREMIUM)]

    decision = line("complexity_tiers", escalate=True).decide(
        replace(REQUEST, complexity=2), pool=pool(models), snapshot=Snapshot(), now=NOW, executing=False
    )

    assert (decision.mode, decision.models) == (Mode.CASCADE, ("a:mini", "b:standard", "c:premium"))


def test_fastest_takes_the_quickest_and_unknown_speeds_last():
    """Seconds decide; a model whose speed nobody knows is never taken for a fast one."""
    models = [model("a:slow", latency=Latency(2.0, 10.0)), model("b:quick", latency=Latency(0.1, 200.0)), model("c:x", latency=Latency())]

    decision = decide(models, REQUEST, strategy="fastest")

    assert (decision.selected_model, decision.fallbacks) == ("b:quick", ("a:slow", "c:x"))


def test_round_robin_takes_turns_by_name():
    """Each model comes first once before one comes again."""
    turns, shown = line("round_robin"), pool([model("b:x"), model("a:x"), model("c:x")])

    chosen = [turns.decide(REQUEST, pool=shown, snapshot=Snapshot(), now=NOW, executing=False).selected_model for _ in range(4)]

    assert chosen == ["a:x", "b:x", "c:x", "a:x"]


def test_full_model_overflows_to_the_next_best():
    """A model over 1.25 times its share of the calls under way gives way to the next by rank, and the note says so."""
    models = [model("a:best", quality=0.9), model("b:next", quality=0.8)]
    busy = Snapshot(in_flight={ModelRef("a:best"): 9, ModelRef("b:next"): 1})

    decision = decide(models, REQUEST, strategy="least_loaded", snapshot=busy)

    assert (decision.selected_model, decision.fallbacks) == ("b:next", ("a:best",))
    assert any(note.source == "capacity" for note in decision.table.notes())


def test_experiment_keeps_a_user_in_one_arm_and_names_it():
    """The same user always gets the same arm; over many users each arm gets its share."""
    arms = [{"name": "control", "weight": 3, "strategy": "weighted"}, {"name": "cheap", "model": "b:x"}]
    tried, shown = line("experiment", name="e", arms=arms), pool([model("a:x"), model("b:x", quality=0.1)])

    def decided(user):
        return tried.decide(replace(REQUEST, user_id=user), pool=shown, snapshot=Snapshot(), now=NOW, executing=False)

    drawn = [decided(f"user {number}").draw.arm for number in range(800)]
    assert {decided("jo").draw.arm for _ in range(5)} == {decided("jo").draw.arm}
    assert drawn.count("cheap") / len(drawn) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize(("second", "expected"), [({"model": "b:x"}, 1.0), ({"model": "a:x"}, 0.25), ({"strategy": "round_robin"}, 0.625)])
def test_the_propensity_of_an_experiment_adds_up_all_arms_that_may_choose_the_model(second, expected):
    """A model that two arms call is as likely as both shares together, not as one of them."""
    arms = [{"name": "one", "weight": 1, "model": "b:x"}, {"name": "two", "weight": 3, **second}]
    tried, shown = line("experiment", name="e", arms=arms), pool([model("a:x"), model("b:x")])
    decisions = [
        tried.decide(replace(REQUEST, user_id=f"user {number}"), pool=shown, snapshot=Snapshot(), now=NOW, executing=False)
        for number in range(40)
    ]

    chances = {each.propensity for each in decisions if each.selected_model == "b:x"}

    assert chances == {expected}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("noise", {"kind": "pink"}),
        ("noise", {"epsilon": 2}),
        ("fastest", {"by": "feel"}),
        ("local_first", {"simple": 8, "hard": 7}),
        ("local_first", {"table": {"astrology": ["local"]}}),
        ("complexity_tiers", {"mode": "best"}),
        ("least_loaded", {"capacity_factor": 0.5}),
        ("round_robin", {"margin": float("nan")}),
        ("experiment", {"name": "e", "arms": [{"name": "x", "strategy": "weighted", "model": "a:x"}]}),
        ("experiment", {"name": "e", "arms": [{"name": "x", "strategy": "astrology"}]}),
    ],
)
def test_wrong_parameters_are_refused_when_the_strategy_is_built(name, wrong):
    """A parameter out of range, of the wrong kind or unknown is a configuration error."""
    with pytest.raises(ConfigurationError):
        line(name, **wrong)


def test_task_type_has_a_strategy_of_its_own_and_the_request_the_last_word():
    """The configured strategy gives way to that of the task type, and that to the request's."""
    preferences = {TaskType.CODE_GENERATION: TaskPreference((ModelRef("a:x"),))}
    rules = {"task_strategies": {TaskType.CODE_GENERATION: ("fastest", make_strategy("fastest"))}}
    chosen, shown = line(preferences=preferences, rules=rules), pool([model("a:x"), model("b:x", latency=Latency(0.01, 900.0))])

    def name_of(request):
        return chosen.decide(request, pool=shown, snapshot=Snapshot(), now=NOW, executing=False).strategy

    assert name_of(REQUEST) == "fastest"
    assert name_of(replace(REQUEST, task_type=TaskType.ANALYSIS)) == "weighted"
    assert name_of(replace(REQUEST, strategy="best_quality")) == "best_quality"
