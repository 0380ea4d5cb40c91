"""The packaged registry: real models, list prices of a stated day, figures with a source."""

import math
from datetime import UTC, date, datetime, time
from itertools import pairwise
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price

from crew_router.config.ability import ability_of
from crew_router.config.editor_schemas import texts
from crew_router.config.environment import with_environment
from crew_router.config.load import load_config, packaged_folder, packaged_registry
from crew_router.types import ModelDefinition, Price, TaskType, Tier

GENAI_PROVIDER = {
    "anthropic": "anthropic",
    "openai": "openai",
    "google_genai": "google",
    "mistralai": "mistral",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "xai": "x-ai",
    "bedrock_converse": "aws",
    "azure_openai": "azure",
    "openrouter": "openrouter",
}
LOCAL = {"lmstudio", "ollama", "vllm"}
PRICED = [model for model in packaged_registry() if model.ref.provider not in LOCAL]


def listed(model: ModelDefinition, at: datetime, *, tokens: tuple[int, int, int]) -> float:
    """Return what genai-prices says that input, output and cached tokens cost in USD."""
    fresh, output, cached = tokens
    usage = Usage(input_tokens=fresh + cached, output_tokens=output, cache_read_tokens=cached)
    provider = GENAI_PROVIDER[model.ref.provider]
    return float(calc_price(usage, model.model, provider_id=provider, genai_request_timestamp=at).total_price)


def priced(price: Price, *, tokens: tuple[int, int, int]) -> float:
    """Return what the registry says that they cost."""
    fresh, output, cached = tokens
    return price.cost_usd(input_tokens=fresh + cached, output_tokens=output, cached_tokens=cached)


@pytest.mark.parametrize("model", PRICED, ids=lambda model: model.ref)
def test_every_price_is_that_of_genai_prices_on_its_day(model):
    """Input, output, cached input and every tier agree with the package genai-prices for the stated day."""
    price = model.price
    assert price is not None
    assert price.as_of is not None
    noon = datetime.combine(price.as_of, time(12), tzinfo=UTC)
    above = [tier.above_input_tokens for tier in price.tiers]
    calls = [(1000, 0, 0), (0, 1000, 0), *((tokens + 1, 1000, 0) for tokens in above), *((tokens, 1000, 0) for tokens in above)]
    cached = [(0, 0, 1000), *((1, 0, tokens) for tokens in above)] if price.cached_input is not None else []

    for tokens in [*calls, *cached]:
        assert priced(price, tokens=tokens) == pytest.approx(listed(model, noon, tokens=tokens), rel=1e-9), tokens


@pytest.mark.parametrize("model", PRICED, ids=lambda model: model.ref)
def test_every_price_of_kept_input_is_that_of_genai_prices(model):
    """Where the provider takes more for input that it keeps, the registry knows it, in every tier; elsewhere it is like other input."""
    noon = datetime.combine(model.price.as_of, time(12), tzinfo=UTC)

    for tokens in (1000, *(tier.above_input_tokens + 1 for tier in model.price.tiers)):
        usage = Usage(input_tokens=tokens, cache_write_tokens=tokens)
        wanted = calc_price(usage, model.model, provider_id=GENAI_PROVIDER[model.ref.provider], genai_request_timestamp=noon).total_price
        found = model.price.cost_usd(input_tokens=tokens, output_tokens=0, cache_write_tokens=tokens)
        assert found == pytest.approx(float(wanted), rel=1e-9), tokens


@pytest.mark.parametrize("model", [model for model in PRICED if model.price and model.price.windows], ids=lambda model: model.ref)
def test_every_price_window_is_that_of_genai_prices(model):
    """Prices at certain hours agree at the first and the last minute of each window."""
    for window in model.price.windows:
        begin = datetime.combine(model.price.as_of, time.fromisoformat(window.start_utc), tzinfo=UTC)
        hour = (window.input, window.output, window.cached_input)

        found = tuple(listed(model, begin, tokens=tokens) for tokens in ((10**6, 0, 0), (0, 10**6, 0), (0, 0, 10**6)))

        assert found == pytest.approx(hour)
        assert listed(model, begin.replace(hour=begin.hour - 1), tokens=(10**6, 0, 0)) == pytest.approx(model.price.input)


WRITES = [model for model in PRICED if model.price and model.price.cache_write is not None]


@pytest.mark.parametrize("model", WRITES, ids=lambda model: model.ref)
@pytest.mark.parametrize(
    ("ours", "theirs"), [("cache_write_tokens", "cache_write_tokens"), ("cache_write_1h_tokens", "cache_write_1h_tokens")]
)
def test_every_price_of_a_cache_write_is_that_of_genai_prices(model, ours, theirs):
    """What is put into a prompt cache costs what the package says, above every tier too, where the provider has a price for it."""
    if ours == "cache_write_1h_tokens" and model.price.cache_write_1h is None:
        assert model.provider == "openai"  # one kind of cache only
        return
    noon = datetime.combine(model.price.as_of, time(12), tzinfo=UTC)
    for tokens in [1000, *(tier.above_input_tokens + 1 for tier in model.price.tiers)]:
        told = Usage(input_tokens=tokens, cache_write_tokens=tokens, **({theirs: tokens} if theirs != "cache_write_tokens" else {}))
        wanted = calc_price(told, model.model, provider_id=GENAI_PROVIDER[model.ref.provider], genai_request_timestamp=noon).total_price

        assert model.price.cost_usd(input_tokens=tokens, output_tokens=0, **{ours: tokens}) == pytest.approx(float(wanted), rel=1e-9)


def test_registry_is_wide_enough():
    """At least 30 models of at least 8 providers can be bought, and three local servers are known."""
    providers = {model.ref.provider for model in PRICED}

    assert len(PRICED) >= 30
    assert len(providers) >= 8
    assert {model.ref.provider for model in packaged_registry()} >= LOCAL


@pytest.mark.parametrize("model", packaged_registry().models, ids=lambda model: model.ref)
def test_every_entry_has_what_a_decision_needs(model):
    """Price, window, tier and capabilities are never missing, and every model streams."""
    assert model.price is not None
    assert model.context_window is not None
    assert model.tier is not None
    assert "streaming" in model.capabilities
    assert ("long_context" in model.capabilities) == (model.context_window >= 200_000)


@pytest.mark.parametrize("model", packaged_registry().models, ids=lambda model: model.ref)
def test_ability_is_measured_or_marked_as_a_guess(model):
    """Every model and every effort has an ability with its error; what was measured names figures, sources and a day."""
    abilities = [level.ability for level in model.efforts] or [ability_of(model)]

    for ability in abilities:
        assert ability is not None
        assert ability.kind in {"measured", "estimated"}
        assert -4 < ability.value < 3
        assert 0.1 <= ability.error <= 1.1
        assert ability.sources
        if ability.kind == "measured":
            assert ability.figures
            assert ability.as_of is not None


def test_the_word_of_the_user_is_left_to_him():
    """The packaged registry measures; quality from 0 to 1 is for what a user says himself."""
    assert all(model.quality is None and not model.task_quality for model in packaged_registry())


@pytest.mark.parametrize("model", [model for model in packaged_registry() if model.efforts], ids=lambda model: model.ref)
def test_ability_never_falls_with_effort(model):
    """More thinking does not make a model less able, but for a fall that the data show beyond two errors."""
    for less, more in pairwise(model.efforts):
        doubt = math.hypot(less.ability.error, more.ability.error)
        assert more.ability.value >= less.ability.value or less.ability.value - more.ability.value > 2 * doubt, more.name


@pytest.mark.parametrize("model", [model for model in packaged_registry() if model.efforts], ids=lambda model: model.ref)
def test_output_of_efforts_is_relative_to_the_default(model):
    """The default effort is 1; only models that reason have efforts."""
    default = model.effort(None) or model.efforts[0]

    assert "reasoning" in model.capabilities
    assert default.relative_output_tokens in {1.0, None}
    assert model.ability == default.ability
    assert model.verbosity is not None or default.relative_output_tokens is None


def test_most_models_are_measured():
    """A guess is the exception: nine in ten of the packaged models have public figures at their default effort."""
    kinds = [ability_of(model).kind for model in packaged_registry()]

    assert kinds.count("measured") > 0.85 * len(kinds)


def test_known_order_of_abilities_holds():
    """What no measurer doubts is so here too: a model's successor is abler, and a flagship more than a small model of 2024."""
    registry = packaged_registry()

    def ability(ref, effort=None):
        return ability_of(registry[ref], effort=effort).value

    assert ability("anthropic:claude-opus-5-5") > ability("anthropic:claude-haiku-5-5") > ability("anthropic:claude-haiku-4-5")
    assert ability("openai:gpt-6.1-sol", "low") > ability("openai:gpt-6-luna") > ability("openai:gpt-5-nano") > ability("openai:gpt-4o")
    assert ability("openai:gpt-6-luna", "max") - ability("openai:gpt-6-luna", "none") > 1


def test_retirements_name_a_model_that_is_there():
    """A successor is in the registry, able to take over, and does not retire earlier itself."""
    registry = packaged_registry()
    retiring = [model for model in registry if model.retirement is not None]

    assert retiring
    for model in retiring:
        assert model.retirement.source
        if model.retirement.successor is not None:
            successor = registry[model.retirement.successor]
            assert successor.retirement is None or successor.retirement.on > model.retirement.on
            assert successor.ref.provider == model.ref.provider


def test_released_models_are_not_from_the_future():
    """Dates of release lie before the day of the prices."""
    assert all(model.released < date(2026, 11, 21) for model in packaged_registry() if model.released is not None)


def test_premium_models_reason():
    """The rule of the tiers holds: what is called premium has reasoning."""
    premium = [model for model in packaged_registry() if model.tier is Tier.PREMIUM]

    assert premium
    assert all("reasoning" in model.capabilities for model in premium)


def test_local_models_are_free_and_found_on_their_usual_ports():
    """The address can be named by the environment."""
    models = [model for model in packaged_registry() if model.ref.provider in LOCAL]
    ports = {"lmstudio": "1234", "ollama": "11434", "vllm": "8000"}

    for model in models:
        assert (model.price.input, model.price.output, model.tier) == (0.0, 0.0, Tier.LOCAL)
        assert with_environment(model, {}).base_url == f"http://127.0.0.1:{ports[model.ref.provider]}/v1"


def test_address_of_a_local_server_comes_from_the_environment():
    """LM Studio on another machine is one variable away."""
    config = load_config({}, {"LMSTUDIO_BASE_URL": "http://studio:1234/v1"})

    assert config.registry.resolve("qwen/qwen3-30b-a3b-2507").base_url == "http://studio:1234/v1"


def test_every_task_type_has_preferred_and_budget_models():
    """All fifteen task types name models of the packaged registry in both lists, and budget lists are not dearer."""
    config = load_config({}, {})

    def mean_price(refs):
        return sum(config.registry[ref].price.output for ref in refs) / len(refs)

    assert set(config.task_types) == set(TaskType)
    for task, lists in config.task_types.items():
        assert lists.preferred, task
        assert lists.budget, task
        assert mean_price(lists.budget) <= mean_price(lists.preferred), task


def test_preferred_models_can_do_the_task():
    """A preference for a model that the filters would remove is of no use."""
    config = load_config({}, {})
    needs = {TaskType.MULTIMODAL: "vision", TaskType.TOOL_USE: "tools", TaskType.LONG_CONTEXT: "long_context"}

    for task, capability in needs.items():
        lists = config.task_types[task]
        assert all(capability in config.registry[ref].capabilities for ref in (*lists.preferred, *lists.budget)), task


def test_example_of_the_document_loads():
    """The fifteen models of the example registry stand alone, with their prices per million tokens."""
    config = load_config(Path(__file__).parents[3] / "examples" / "registries" / "moe.yaml", {})

    assert len(config.registry) == 15
    assert config.registry["anthropic:claude-haiku-4"].price.output == 1.25
    assert config.parallel.triggers == "moe"
    assert config.registry["google_genai:gemini-2.0-flash-thinking"].quality is None
    assert all("assumed" in model.source for model in config.registry if model.quality is not None)


def test_json_schemas_are_current():
    """`make schema` would change nothing."""
    folder = packaged_folder() / "schema"

    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == texts()


def test_every_packaged_file_names_its_schema():
    """Editors find the schema from the first line."""
    files = [*packaged_folder().glob("*.yaml"), *packaged_folder().glob("models/*.yaml")]

    for path in files:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert (path.parent / first.removeprefix("# yaml-language-server: $schema=")).is_file(), path


def test_prices_are_of_one_day():
    """The registry is refreshed as a whole."""
    assert {model.price.as_of for model in PRICED} == {date(2026, 11, 21)}
