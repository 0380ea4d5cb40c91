"""Hard constraints: what they remove, and what they say."""

import pytest
from decision_pools import NOW, decide, line, model, pool

from crew_router.config.credential import credential_key
from crew_router.errors import NoCandidateError
from crew_router.types import CircuitBreakerState, Latency, Limits, ModelCapability, ModelRef, Price, RoutingRequest, Snapshot

TEXT = "Explain the difference between a list and a tuple."


def only_reason(models, request, snapshot=None):
    """Return the rejections of the one model that is removed."""
    decision = decide(models, request, snapshot=snapshot or Snapshot())
    ((ref, why),) = decision.rejected.items()
    return ref, [reason.filter for reason in why], why[0]


@pytest.mark.parametrize(
    ("figures", "wish", "filter_name", "said"),
    [
        ({"enabled": False}, {}, "enabled", "switched off"),
        ({"capabilities": frozenset()}, {"requires_tools": True}, "capability", "lacks tools"),
        ({"context_window": 500}, {"context_tokens": 600}, "context_window", "has 500"),
        ({"quality": 0.6}, {"quality_requirement": 0.7}, "quality", "0.600 < 0.700"),
        ({"latency": Latency(9.0, 100.0)}, {"max_latency_s": 5.0}, "latency", "> 5.00 s"),
        ({"latency": Latency(9.0, 100.0)}, {"deadline_s": 5.0}, "deadline", "> 5.00 s"),
        ({"price": Price(900.0, 900.0)}, {"cost_budget": 0.01}, "budget", "left of cost_budget"),
        ({"regions": frozenset({"us"})}, {"region": "eu"}, "region", "wanted eu"),
    ],
)
def test_constraint_removes_the_model_that_fails_it(figures, wish, filter_name, said):
    """Each constraint names the failing figure, and what would satisfy it."""
    models = [model("a:fit", regions=frozenset({"eu"})), model("b:unfit", **figures)]

    ref, filters, reason = only_reason(models, RoutingRequest(task_description=TEXT, **wish))

    assert (ref, filters) == ("b:unfit", [filter_name])
    assert said in reason.reason
    assert reason.cure


@pytest.mark.parametrize("wish", [{"allow_providers": ["a"]}, {"deny_providers": ["b"]}])
def test_providers_can_be_allowed_and_denied(wish):
    """A provider that is denied, or not among the allowed, is out."""
    ref, filters, _ = only_reason([model("a:x"), model("b:x")], RoutingRequest(task_description=TEXT, **wish))

    assert (ref, filters) == ("b:x", ["providers"])


def test_every_failing_constraint_is_listed():
    """A model that fails three constraints says so three times."""
    worst = model("b:worst", enabled=False, quality=0.1, capabilities=frozenset())

    decision = decide([model("a:fit"), worst], RoutingRequest(task_description=TEXT, quality_requirement=0.5, requires_tools=True))

    assert [reason.filter for reason in decision.rejected["b:worst"]] == ["enabled", "capability", "quality"]


def test_image_in_the_messages_asks_for_vision():
    """A content block that is an image removes models without vision."""
    image = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]}
    seeing = model("a:seeing", capabilities=frozenset({ModelCapability.VISION}))

    decision = decide([seeing, model("b:blind", quality=0.99)], RoutingRequest(messages=(image,)))

    assert decision.selected_model == "a:seeing"


def test_open_breaker_removes_the_model():
    """An open breaker removes its model until its probe is due."""
    broken = Snapshot(breakers={"b:x": CircuitBreakerState("b:x", "open", failures=5, retry_at=NOW + 30)})

    ref, filters, reason = only_reason([model("a:x"), model("b:x", quality=0.99)], RoutingRequest(task_description=TEXT), broken)

    assert (ref, filters) == ("b:x", ["breaker"])
    assert "30 s" in reason.cure


def test_open_breakers_of_all_models_are_no_outage():
    """When every breaker is open the least bad model is used."""
    broken = Snapshot(breakers={"a": CircuitBreakerState("a", "open", failures=5, retry_at=NOW + 30)})

    assert decide([model("a:x")], RoutingRequest(task_description=TEXT), snapshot=broken).selected_model == "a:x"


def test_unknown_price_passes_a_budget_of_the_request_with_a_warning():
    """A model without a price is not removed by the request's own budget, but the evidence says so."""
    decision = decide([model("a:x", price=None)], RoutingRequest(task_description=TEXT, cost_budget=0.001))

    assert any("no price" in item.detail for item in decision.evidence)


def test_unreachable_model_is_out_when_something_is_executed():
    """A call can only go to a model that can be called."""
    models = [model("a:x"), model("b:x", quality=0.99)]
    request = RoutingRequest(task_description=TEXT)

    decision = line().decide(request, pool=pool(models, reachable=[True, False]), snapshot=Snapshot(), now=NOW, executing=True)

    assert decision.selected_model == "a:x"


def test_advice_without_any_reachable_model_says_so():
    """Advice works without keys and says that it assumes them; execution does not."""
    nowhere = pool([model("a:x")], reachable=[False])
    request = RoutingRequest(task_description=TEXT)

    decision = line().decide(request, pool=nowhere, snapshot=Snapshot(), now=NOW, executing=False)

    assert any("no model is reachable" in item.detail for item in decision.evidence)
    with pytest.raises(NoCandidateError, match="reachable"):
        line().decide(request, pool=nowhere, snapshot=Snapshot(), now=NOW, executing=True)


def test_nobody_left_lists_every_model_and_the_nearest_miss():
    """The error holds the whole table and names what would let a model through."""
    models = [model("a:x", quality=0.6), model("b:x", quality=0.7)]

    with pytest.raises(NoCandidateError) as caught:
        decide(models, RoutingRequest(task_description=TEXT, quality_requirement=0.9))

    assert set(caught.value.rejected) == {"a:x", "b:x"}
    assert "lower quality_requirement to" in str(caught.value)
    assert "quality_requirement" in caught.value.nearest


SCARCE = {
    "breaker": Snapshot(breakers={"a:x": CircuitBreakerState("a:x", "open", failures=5, retry_at=NOW + 30)}),
    "rate": Snapshot(busy_until={ModelRef("a:x"): NOW + 30}),
    "concurrency": Snapshot(in_flight={ModelRef("a:x"): 9}),
}


@pytest.mark.parametrize("snapshot", SCARCE.values(), ids=SCARCE)
@pytest.mark.parametrize("other", [{"reachable": False}, {"enabled": False}], ids=["out of reach", "switched off"])
def test_a_model_that_cannot_be_called_stands_in_for_nobody(snapshot, other):
    """The only model that can be called is kept although another one, without a key or switched off, is not broken or full."""
    models = [model("a:x", limits=Limits(concurrency=1)), model("b:x", quality=0.99, enabled=other.get("enabled", True))]
    reach = pool(models, reachable=[True, other.get("reachable", True)])

    decision = line().decide(RoutingRequest(task_description=TEXT), pool=reach, snapshot=snapshot, now=NOW, executing=True)

    assert decision.selected_model == "a:x"


def test_nearest_miss_is_a_model_that_can_be_called():
    """A model without a key is no cure while another one only waits, whatever their names."""
    models = [model("a:keyless"), model("z:mine", quality=0.5)]
    with pytest.raises(NoCandidateError) as caught:
        line().decide(
            RoutingRequest(task_description=TEXT, quality_requirement=0.7, region="eu"),
            pool=pool(models, reachable=[False, True]), snapshot=Snapshot(), now=NOW, executing=True,
        )  # fmt: skip

    assert "z:mine qualifies" in caught.value.nearest
    assert "a:keyless" not in caught.value.nearest


def test_a_refused_key_is_called_so():
    """The breaker of a credential reads as a refused key, and the cure is a sentence that can be followed."""
    credential = credential_key(model("b:x"))
    shut = Snapshot(breakers={credential: CircuitBreakerState(credential, "open", failures=1, retry_at=NOW + 30)})

    _, _, reason = only_reason([model("a:x"), model("b:x", quality=0.99)], RoutingRequest(task_description=TEXT), shut)

    assert "b refused its key" in reason.reason
    assert reason.cure == "set another key, or wait 30 s for the next try"
