"""The shared values: reading, checking, JSON there and back."""

import pytest

from crew_router.errors import AllModelsFailedError, InvalidRequestError, ModelCallError
from crew_router.types import ErrorKind, FeedbackData, ModelRef, Price, PriceTier, PriceWindow, RoutingRequest, TaskType, Tier


@pytest.mark.parametrize("text", ["openai:gpt-4o", "openai/gpt-4o"])
def test_model_reference_reads_colon_and_slash(text):
    """Both spellings of a model reference name the same model."""
    ref = ModelRef(text)

    assert (ref, ref.provider, ref.name) == ("openai:gpt-4o", "openai", "gpt-4o")


@pytest.mark.parametrize("text", ["", "gpt-4o", ":gpt", "openai:", "/x"])
def test_model_reference_needs_provider_and_name(text):
    """A text without provider or name is refused with the right form."""
    with pytest.raises(ValueError, match="provider:model"):
        ModelRef(text)


def test_task_type_reads_the_older_spelling():
    """Slash ids and spoken forms are understood."""
    assert TaskType("Code-Refactor") is TaskType.REFACTORING


@pytest.mark.parametrize(("text", "tier"), [("standard", Tier.BASELINE), ("Mini", Tier.FAST), ("premium", Tier.PREMIUM)])
def test_tier_reads_other_names(text, tier):
    """Other names of tiers are read as our tiers."""
    assert Tier(text) is tier


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost_budget": float("nan")},
        {"cost_budget": -0.01},
        {"cost_budget": float("inf")},
        {"cost_budget": True},
        {"quality_requirement": 1.01},
        {"complexity": 0},
        {"complexity": 2.5},
        {"max_latency_s": "3"},
        {"task_type": "cooking"},
        {"required_capabilities": ["telepathy"]},
        {"required_capabilities": "tools"},
        {"requires_tools": "yes"},
        {"tags": [1]},
        {"force_model": 7},
        {"metadata": []},
        {"parallel": 1},
    ],
)
def test_request_refuses_what_cannot_be_meant(wrong):
    """A field out of range or of the wrong type is named in the error."""
    (field,) = wrong

    with pytest.raises(InvalidRequestError, match=field):
        RoutingRequest.from_mapping(wrong)


def test_routing_block_with_an_unknown_key_is_refused():
    """An unknown key is an error that lists the known ones."""
    with pytest.raises(InvalidRequestError, match="cost_budget"):
        RoutingRequest.from_mapping({"cost_limit": 1})


def test_request_collects_capabilities_from_flags_and_list():
    """Flags and the explicit list add up."""
    request = RoutingRequest(requires_tools=True, required_capabilities=["vision"])

    assert request.needs() == {"tools", "vision"}


@pytest.mark.parametrize("wrong", [{}, {"outcome": "great"}, {"user_rating": 0}, {"quality_score": float("nan")}])
def test_feedback_refuses_what_says_nothing(wrong):
    """Feedback must say something, in range."""
    with pytest.raises(InvalidRequestError):
        FeedbackData(request_id="d1", **wrong)


def test_price_rounds_each_call_up_once():
    """A fraction of a nano-dollar counts as a whole one, an exact sum stays exact."""
    price = Price(input=3.0, output=15.0)

    assert price.cost_nano(input_tokens=1000, output_tokens=100) == 4_500_000
    assert Price(input=0.0001, output=0).cost_nano(input_tokens=1, output_tokens=0) == 1


def test_price_tier_applies_above_its_threshold():
    """A long prompt is priced by the tier, the whole of it."""
    price = Price(input=3.0, output=15.0, tiers=(PriceTier(200_000, input=6.0, output=22.5),))

    assert price.cost_usd(input_tokens=200_000, output_tokens=0) == pytest.approx(0.6)
    assert price.cost_usd(input_tokens=200_001, output_tokens=0) == pytest.approx(1.200006)


def test_group_of_failures_does_not_look_like_a_throttle():
    """An outer retry loop must not repeat the whole failure."""
    causes = [ModelCallError(ModelRef("a:b"), ErrorKind.RATE_LIMIT, "429 rate limit", status_code=429)]

    error = AllModelsFailedError(causes)

    assert "429" not in str(error)
    assert "rate" not in str(error).lower()
    assert error.exceptions == tuple(causes)


def test_group_of_failures_carries_the_partial_text():
    """What the caller already has can be read from the group."""
    error = AllModelsFailedError([ModelCallError(ModelRef("a:b"), ErrorKind.TRUNCATED, partial="Once upon")])

    assert error.partial == "Once upon"


@pytest.mark.parametrize(
    ("clock", "usd"),
    [("00:59", 1.0), ("01:00", 2.0), ("03:59", 2.0), ("04:00", 1.0), ("22:59", 1.0), ("23:00", 3.0), ("00:29", 3.0), ("00:30", 1.0)],
)
def test_price_of_an_hour_holds_between_its_times(clock, usd):
    """A daily window has its own price, also over midnight; outside the base price holds."""
    price = Price(1.0, 4.0, windows=(PriceWindow("01:00", "04:00", 2.0, 8.0), PriceWindow("23:00", "00:30", 3.0, 12.0)))
    hours, minutes = map(int, clock.split(":"))

    cost = price.cost_usd(input_tokens=1_000_000, output_tokens=0, when=1_790_000_000 // 86_400 * 86_400 + hours * 3600 + minutes * 60)

    assert cost == usd


def test_upper_bound_takes_the_dearest_hour():
    """What is reserved for a call covers the dearest hour, whenever it will run."""
    price = Price(1.0, 4.0, windows=(PriceWindow("01:00", "04:00", 2.0, 3.0),))

    assert price.dearest(10) == (2.0, 4.0)
    assert price.dearest_nano(input_tokens=1_000_000, output_tokens=0) == 2_000_000_000
    assert price.dearest_nano(input_tokens=0, output_tokens=1_000_000) == 4_000_000_000
