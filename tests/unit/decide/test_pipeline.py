"""Properties of the whole decision."""

import json
from dataclasses import replace

import pytest
from decision_pools import NOW, decide, line, model, pool
from hypothesis import given, settings
from hypothesis import strategies as st

from crew_router.decide.conditions import ORDINARY
from crew_router.decide.score import score
from crew_router.errors import ConfigurationError, NoCandidateError
from crew_router.types import CircuitBreakerState, ModelRef, Price, RoutingDecision, RoutingRequest, Snapshot, TaskType

prices = st.one_of(st.none(), st.builds(Price, st.floats(0, 50), st.floats(0, 100)))
pools = st.lists(
    st.builds(
        lambda provider, name, quality, price, window: model(f"{provider}:{name}", quality=quality, price=price, context_window=window),
        st.sampled_from("abc"),
        st.sampled_from("rstuvw"),
        st.floats(0, 1),
        prices,
        st.one_of(st.none(), st.integers(1, 10_000)),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each.ref,
)
requests = st.builds(
    RoutingRequest,
    st.sampled_from([None, *TaskType]),
    st.text(max_size=200),
    cost_budget=st.one_of(st.none(), st.floats(0, 0.1)),
    quality_requirement=st.one_of(st.none(), st.floats(0, 1)),
)


@given(pools, requests)
@settings(max_examples=150, deadline=None)
def test_removed_model_is_never_chosen(models, request):
    """Neither the choice nor a fallback was removed; when all were, the error lists each of them."""
    chosen, rejected = _outcome(models, request)

    assert not set(chosen) & set(rejected)
    assert all(rejected.values())
    assert chosen or set(rejected) == {each.ref for each in models}


@given(pools, requests, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_order_of_the_registry_does_not_matter(models, request, shuffler):
    """The same models in another order give the same decision."""
    shuffled = list(models)
    shuffler.shuffle(shuffled)

    assert _chosen(models, request) == _chosen(shuffled, request)


@given(pools, requests, st.floats(1.01, 100))
@settings(max_examples=100, deadline=None)
def test_dearer_model_never_rises(models, request, factor):
    """Raising a price never moves a model up among all models, removed ones included, and never makes it the choice."""
    raised = models[0]
    if raised.price is None:
        return
    dearer = model(raised.ref, quality=raised.quality, context_window=raised.context_window, price=_times(raised.price, factor))

    before, after = _chosen(models, request), _chosen([dearer, *models[1:]], request)

    assert after[:1] != (raised.ref,) or before[:1] == (raised.ref,)
    assert _ahead([dearer, *models[1:]], request) >= _ahead(models, request)


@given(pools, st.floats(0, 0.01), st.floats(0, 0.01))
@settings(max_examples=100, deadline=None)
def test_looser_budget_never_removes_a_model(models, one, other):
    """What passes a small budget passes a larger one."""
    tight, loose = sorted((one, other))

    assert _passing(models, tight) <= _passing(models, loose)


@given(pools, requests)
@settings(max_examples=60, deadline=None)
def test_decision_survives_json(models, request):
    """A decision read back from JSON is equal, and tells the same story."""
    try:
        decision = decide(models, request)
    except NoCandidateError:
        return

    again = RoutingDecision.from_dict(json.loads(json.dumps(decision.to_dict(), allow_nan=False)))

    assert again == decision
    assert again.explain() == decision.explain()
    assert again.evidence == decision.evidence


def test_a_score_between_two_roundings_is_told_alike_before_and_after_json():
    """44.4499999 points are 44.4 or 44.5, but the same in the sentence, in the rows, and when they were written down."""
    near = model("a:r", quality=0.4748764700655773, price=Price(48.34789185720461, 20.818896052728693), context_window=None)
    decision = decide([near], RoutingRequest(TaskType.CODE_REVIEW, "00000000::\u00dc" + "\U00010000" * 6))
    story = decision.explain()

    said, row = (line.split(" points")[0] for line in story.splitlines() if "of 100" in line or line.startswith("  a:r"))
    again = RoutingDecision.from_dict(json.loads(json.dumps(decision.to_dict())))

    assert said.split("; ")[2].split(" of")[0] == row.split(": ")[1].split(" ")[0]
    assert again.explain() == story


@pytest.mark.parametrize(
    "text",
    ["", "\0", "\ud800 lone", "مرحبا كيف حالك", "👩‍👩‍👧" * 1000, "word " * 100_000, "x" * 10_000_000, "\u202e reversed"],
    ids=["empty", "nul", "surrogate", "arabic", "emoji", "100k words", "10 MB", "bidi"],
)
def test_any_text_yields_a_decision(text):
    """No text breaks the line; a long one is sized by its length."""
    decision = decide([model("a:x", context_window=None)], RoutingRequest(task_description=text))

    assert decision.selected_model == "a:x"
    assert decision.profile.text_chars == len(text)
    assert json.dumps(decision.to_dict())


def test_three_fallbacks_follow_and_one_is_of_another_provider():
    """The best three others stand behind the choice, not all of the same provider where that can be."""
    models = [model(f"a:m{n}", quality=0.9 - n / 100) for n in range(5)] + [model("b:far", quality=0.1)]

    decision = decide(models, RoutingRequest(task_description="Compare A and B."))

    assert (decision.selected_model, decision.fallbacks) == ("a:m0", ("a:m1", "a:m2", "b:far"))


def test_fallbacks_of_the_registry_come_first():
    """What the registry names as fallbacks of a model stands before the next in rank."""
    models = [model("a:best", quality=0.9, fallbacks=("c:named",)), model("b:next", quality=0.85), model("c:named", quality=0.5)]

    assert decide(models, RoutingRequest(task_description="Hi")).fallbacks == ("c:named", "b:next")


def test_no_fallbacks_when_the_caller_wants_none():
    """``fallbacks=False`` leaves the choice alone."""
    decision = decide([model("a:x"), model("b:x")], RoutingRequest(task_description="Hi", fallbacks=False))

    assert decision.fallbacks == ()


def test_forced_model_is_first_and_others_follow():
    """A forced model takes the first attempt although another scores higher."""
    decision = decide([model("a:x", quality=0.99), model("b:x", quality=0.1)], RoutingRequest(task_description="Hi", force_model="b:x"))

    assert (decision.selected_model, decision.fallbacks) == ("b:x", ("a:x",))
    assert any(item.source == "force_model" for item in decision.evidence)


def test_forced_model_still_obeys_hard_constraints():
    """Forcing skips scoring, not capabilities."""
    with pytest.raises(NoCandidateError, match="lacks tools"):
        decide(
            [model("a:x"), model("b:x", capabilities=frozenset())],
            RoutingRequest(task_description="Hi", force_model="b:x", requires_tools=True),
        )


FORCED = RoutingRequest(task_description="Hi", force_model="b:x")
SHUT = Snapshot(breakers={ModelRef("b:x"): CircuitBreakerState("b:x", "open", failures=5, retry_at=NOW + 30)})
FULL = Snapshot(busy_until={ModelRef("b:x"): NOW + 30})


@pytest.mark.parametrize("snapshot", [SHUT, FULL], ids=["breaker", "rate"])
def test_others_answer_for_a_forced_model_that_cannot_be_called_now(snapshot):
    """Those that the registry names for it come first, then the strategy's order; the evidence says what happened."""
    models = [model("a:x", quality=0.99), model("b:x", fallbacks=("c:x",)), model("c:x", quality=0.1)]

    decision = decide(models, FORCED, snapshot=snapshot)

    assert (decision.selected_model, *decision.fallbacks) == ("c:x", "a:x")
    assert any("b:x cannot be called now" in note.detail for note in decision.evidence)
    assert set(decision.rejected) == {"b:x"}


def test_forced_model_out_of_reach_gives_way_too():
    """A local server that is gone does not take the request with it."""
    seen = pool([model("a:x"), model("b:x")], reachable=[True, False])

    decision = line().decide(FORCED, pool=seen, snapshot=Snapshot(), now=NOW, executing=True)

    assert decision.selected_model == "a:x"


def test_nothing_stands_in_for_a_forced_model_without_fallbacks():
    """With ``fallbacks=False`` an open breaker is an error about that model alone; a full window is waited for."""
    models, alone = [model("a:x"), model("b:x")], replace(FORCED, fallbacks=False)

    with pytest.raises(NoCandidateError, match="breaker of b:x is open") as caught:
        decide(models, alone, snapshot=SHUT)
    waiting = decide(models, alone, snapshot=FULL)

    assert set(caught.value.rejected) == {"b:x"}
    assert (waiting.selected_model, waiting.fallbacks) == ("b:x", ())


@pytest.mark.parametrize("wish", [{"quality_requirement": 0.95}, {"max_latency_s": 1e-6}, {"deadline_s": 1e-6}])
def test_wishes_of_taste_are_not_held_against_a_forced_model(wish):
    """Quality and latency are wishes about a choice that the caller has made; the note says what is missed."""
    decision = decide([model("a:x"), model("b:x")], replace(FORCED, **wish))

    assert (decision.selected_model, decision.fallbacks, decision.mode) == ("b:x", (), "single")
    assert any("asked for b:x, although" in note.detail for note in decision.evidence)
    assert "b:x" not in decision.rejected


def test_willingness_to_pay_turns_the_dial():
    """A worthless answer goes to the cheap model, a valuable one to the good model."""
    models = [model("a:cheap", quality=0.6, price=Price(0.1, 0.1)), model("b:good", quality=0.95, price=Price(20.0, 60.0))]

    chosen = [decide(models, RoutingRequest(task_description="Hi", willingness_to_pay=worth)).selected_model for worth in (0.0, 1.0)]

    assert chosen == ["a:cheap", "b:good"]


def test_unknown_strategy_is_refused_with_the_known_ones():
    """A strategy that nobody registered is an error that lists the names."""
    with pytest.raises(ConfigurationError, match="weighted"):
        decide([model("a:x")], RoutingRequest(task_description="Hi", strategy="astrology"))


@pytest.mark.parametrize(
    ("name", "wrong"), [("cheapest_adequate", {"margin": 2}), ("utility", {"willingness_to_pay": -1}), ("fixed", {"target": "a:x"})]
)
def test_strategy_parameters_are_checked(name, wrong):
    """A parameter out of range or unknown is refused when the strategy is built."""
    with pytest.raises(ConfigurationError, match=name):
        line(name, **wrong)


def test_cheapest_adequate_gives_up_little_for_a_lower_price():
    """Within the margin price decides, beyond it quality does."""
    models = [
        model("a:best", quality=0.90, price=Price(10, 10)),
        model("b:near", quality=0.88),
        model("c:far", quality=0.5, price=Price(0, 0)),
    ]

    assert decide(models, RoutingRequest(task_description="Hi", complexity=7), strategy="cheapest_adequate").selected_model == "b:near"


def test_quality_that_nobody_measured_is_said_to_be_unmeasured():
    """A prior of the tier stands in for a missing quality, visibly."""
    decision = decide([model("a:x", quality=None, source="unmeasured")], RoutingRequest(task_description="Hi"))

    assert decision.table.candidates()[0].quality_source == "unmeasured"
    assert any("unmeasured" in item.detail for item in decision.evidence)


def test_explanation_names_scores_removed_models_and_runner_up():
    """The story names the choice, the next best, and who was removed and why."""
    models = [model("a:x", quality=0.9), model("b:x"), model("c:x", enabled=False)]

    story = decide(models, RoutingRequest(task_description="Hi")).explain()

    assert "next best b:x" in story
    assert "c:x: enabled: switched off" in story
    assert "quality=" in story


def _outcome(models, request):
    try:
        decision = decide(models, request)
    except NoCandidateError as error:
        return (), error.rejected
    return (decision.selected_model, *decision.fallbacks), decision.rejected


def _chosen(models, request):
    try:
        decision = decide(models, request)
    except NoCandidateError:
        return ()
    return (decision.selected_model, *decision.fallbacks)


def _ahead(models, request):
    """Return the models that rank above the first one, whether a filter removed them or not."""
    context = line().context(request, pool=pool(models), snapshot=Snapshot(), now=NOW, executing=False, conditions=ORDINARY)
    rank = score(context).rank
    return {each.ref for each, points in zip(models, rank, strict=True) if points > rank[0]}


def _passing(models, budget):
    request = RoutingRequest(task_description="Compare A and B.", cost_budget=budget)
    try:
        decision = line().decide(request, pool=pool(models), snapshot=Snapshot(), now=NOW, executing=False)
    except NoCandidateError:
        return set()
    return {row.model for row in decision.table.candidates() if not row.rejections}


def _times(price, factor):
    return Price(price.input * factor, price.output * factor)
