"""The packaged registry: real models, list prices of a stated day, figures with a source."""

import math
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price

from crew_router.config.editor_schemas import texts
from crew_router.config.environment import with_environment
from crew_router.config.load import load_config, packaged_folder, packaged_registry
from crew_router.decide.model_table import TIER_QUALITY
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
ZEROEVAL = {  # share of the 1,689 prompts that the model got right
    "openai:gpt-4o": 0.835,
    "openai:gpt-4o-mini": 0.784,
    "azure_openai:gpt-4o": 0.835,
    "openrouter:meta-llama/llama-3.1-70b-instruct": 0.729,
    "vllm:meta-llama/Llama-3.1-8B-Instruct": 0.556,
}


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
@pytest.mark.parametrize(("ours", "theirs"), [("cache_write_tokens", "cache_write_tokens"), ("cache_write_1h_tokens", "cache_write_1h_tokens")])
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
def test_quality_has_a_source_or_is_absent(model):
    """A figure names where it was measured; without one the entry says unmeasured."""
    measured = model.quality is not None or bool(model.task_quality)

    assert measured == (model.source != "unmeasured")


def test_premium_models_reason():
    """The rule of the tiers holds: what is called premium has reasoning."""
    premium = [model for model in packaged_registry() if model.tier is Tier.PREMIUM]

    assert premium
    assert all("reasoning" in model.capabilities for model in premium)


def test_quality_follows_the_stated_anchor():
    """Log-odds on ZeroEval, moved so that gpt-4o-mini has the prior of its tier."""
    registry = packaged_registry()

    def odds(share: float) -> float:
        return math.log(share / (1 - share))

    moved = odds(TIER_QUALITY[Tier.FAST]) - odds(ZEROEVAL["openai:gpt-4o-mini"])
    assert {model.ref for model in registry if model.quality is not None} == set(ZEROEVAL)
    for ref, share in ZEROEVAL.items():
        assert registry[ref].quality == pytest.approx(1 / (1 + math.exp(-odds(share) - moved)), abs=5e-4), ref


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
    """The fifteen models of document A stand alone, with its prices per million tokens."""
    config = load_config(Path(__file__).parents[2] / "examples" / "registries" / "moe.yaml", {})

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
