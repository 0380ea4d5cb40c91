"""The registry: reading entries, finding models, their figures as columns."""

import math
import subprocess
import sys
from datetime import date

import pytest

from crew_router.config.ability import TIER_ABILITY, ability_to_quality
from crew_router.config.registry import Registry
from crew_router.decide.model_table import capability_bits, model_table_of
from crew_router.errors import RegistryError, UnknownModelError
from crew_router.types import (
    Ability,
    EffortLevel,
    Latency,
    ModelCapability,
    ModelDefinition,
    ModelRef,
    Price,
    PriceTier,
    Retirement,
    TaskType,
    Tier,
)

FULL = {
    "provider": "openai",
    "model": "fast",
    "base_url": "http://127.0.0.1:1234/v1",
    "api_key": "secret",
    "kwargs": {"top_p": 0.9},
    "price": {"input": 0.1, "output": 0.4, "cached_input": 0.01, "as_of": "2026-11-01"},
    "quality": 0.7,
    "task_quality": {"code-refactor": 0.8},
    "context_window": 100_000,
    "max_output_tokens": 8000,
    "capabilities": ["tools", "json"],
    "tier": "mini",
    "strengths": ["rag"],
    "latency": {"ttft_s": 0.4, "tokens_per_s": 80, "p95_s": 3},
    "limits": {"rpm": 500, "tpm": 200_000, "concurrency": 20},
    "sla": {"p95_s": 5},
    "regions": ["eu"],
    "moderated": True,
    "data_retention": "none",
    "fallbacks": ["lab:slow"],
    "source": "some data set, 2026-01",
}


def test_entry_becomes_a_definition():
    """Every key of an entry arrives in the model's definition."""
    model = Registry.from_entries({"lab:fast": FULL, "lab:slow": {}})["lab:fast"]

    assert (model.provider, model.model, model.base_url, model.api_key) == ("openai", "fast", "http://127.0.0.1:1234/v1", "secret")
    assert model.price is not None
    assert (model.price.input, model.price.output, model.price.cached_input, str(model.price.as_of)) == (0.1, 0.4, 0.01, "2026-11-01")
    assert (model.quality, model.task_quality) == (0.7, {TaskType.REFACTORING: 0.8})
    assert model.capabilities == {ModelCapability.TOOLS, ModelCapability.JSON}
    assert (model.tier, model.latency, model.sla_p95_s) == (Tier.FAST, Latency(0.4, 80, 3), 5)
    assert (model.limits.rpm, model.regions, model.moderated, model.prefill) == (500, {"eu"}, True, False)
    assert (model.fallbacks, model.kwargs, model.source) == (("lab:slow",), {"top_p": 0.9}, "some data set, 2026-01")


def test_entry_says_what_is_known_of_its_efforts():
    """Efforts come in order of rising thinking; the default one is the model's ability; dates and the successor arrive."""
    entry = {
        "efforts": {
            "max": {"ability": {"value": 2, "error": 0.2, "figures": 3, "sources": ["lab"], "as_of": "2026-10-08"}, "output_tokens": 4},
            "none": {"ability": {"value": 0, "error": 0.3, "kind": "estimated"}, "ttft_s": 0.8},
        },
        "default_effort": "max",
        "verbosity": 0.3,
        "released": "2026-09-29",
        "retires": {"date": "2027-01-14", "successor": "lab:next", "source": "the provider"},
    }
    model = Registry.from_entries({"lab:a": entry})["lab:a"]

    top = Ability(2, 0.2, 3, ("lab",), "2026-10-08")
    assert model.efforts == (
        EffortLevel("none", Ability(0, 0.3, kind="estimated"), None, 0.8),
        EffortLevel("max", top, 4, None),
    )
    assert (model.ability, model.default_effort, model.verbosity) == (top, "max", 0.3)
    assert (model.released, model.retirement) == (
        date(2026, 9, 29),
        Retirement(date(2027, 1, 14), ModelRef("lab:next"), "the provider"),
    )


def test_without_a_documented_default_the_lowest_effort_stands_for_the_model():
    """What a provider does when nothing is asked is not guessed upwards."""
    efforts = {"high": {"ability": {"value": 1, "error": 0.2}}, "low": {"ability": {"value": 0, "error": 0.2}}}

    assert Registry.from_entries({"lab:a": {"efforts": efforts}})["lab:a"].ability == Ability(0, 0.2)


@pytest.mark.parametrize(
    ("entry", "key", "said"),
    [
        ({"ability": {"value": 1.0}}, "ability.error", "missing"),
        ({"ability": {"value": "able", "error": 0.1}}, "ability.value", "'able'"),
        ({"ability": {"value": 85, "error": 0.1}}, "ability.value", "85"),
        ({"ability": {"value": 1, "error": 0}}, "ability.error", "0 is not above 0"),
        ({"ability": {"value": 1, "error": 0.1, "kind": "sure"}}, "ability.kind", "'measured', 'estimated' or 'user'"),
        ({"ability": {"value": 1, "error": 0.1, "as_of": "lately"}}, "ability.as_of", "lately"),
        ({"efforts": {"ultra": {}}}, "efforts.ultra", "'none', 'minimal', 'low', 'medium', 'high', 'xhigh' or 'max'"),
        ({"efforts": ["low"]}, "efforts", "not a mapping"),
        ({"efforts": {"low": {"output_tokens": 0}}}, "efforts.low.output_tokens", "0 is not above 0"),
        ({"efforts": {"low": {"ttft_s": -1}}}, "efforts.low.ttft_s", "-1 is negative"),
        ({"efforts": {"low": {"abilty": {}}}}, "efforts.low.abilty", "did you mean ability?"),
        ({"default_effort": "low"}, "default_effort", "list the efforts"),
        ({"efforts": {"low": {}, "high": {}}, "default_effort": "max"}, "default_effort", "name one of low, high"),
        ({"verbosity": 0}, "verbosity", "0 is not above 0"),
        ({"released": "soon"}, "released", "'soon' is not a day"),
        ({"retires": {"successor": "lab:b"}}, "retires.date", "missing"),
        ({"retires": {"date": "2026-12-11", "successor": "b"}}, "retires.successor", "'b' is not a model reference"),
        ({"price": {"input": 1, "output": 2, "cache_write": -1}}, "price.cache_write", "-1 is negative"),
    ],
)
def test_wrong_abilities_and_efforts_get_one_clear_error(entry, key, said):
    """The error names the key of the entry and what to write."""
    with pytest.raises(RegistryError) as caught:
        Registry.from_entries({"lab:a": entry}, place="mine.yaml")

    assert str(caught.value).startswith(f"mine.yaml: models.lab:a.{key}: ")
    assert said in str(caught.value)


def test_input_that_the_provider_keeps_has_its_own_price():
    """Written input costs what the entry says, in the tier that holds; like other input where it says nothing."""
    priced = {"input": 2, "output": 10, "cached_input": 0.2, "cache_write": 2.5}
    tiers = [{"above_input_tokens": 1000, "input": 4, "output": 20, "cache_write": 5}]
    price = Registry.from_entries({"lab:a": {"price": {**priced, "tiers": tiers}}})["lab:a"].price
    plain = Registry.from_entries({"lab:a": {"price": {"input": 2, "output": 10}}})["lab:a"].price

    assert price.cost_usd(input_tokens=1000, output_tokens=0, cache_write_tokens=400, cached_tokens=100) * 1e6 == pytest.approx(
        500 * 2 + 400 * 2.5 + 100 * 0.2
    )
    assert price.cost_usd(input_tokens=2000, output_tokens=0, cache_write_tokens=2000) * 1e6 == pytest.approx(2000 * 5)
    assert plain.cost_usd(input_tokens=1000, output_tokens=0, cache_write_tokens=1000) * 1e6 == pytest.approx(1000 * 2)


def test_empty_entry_takes_provider_and_name_from_its_key():
    """Nothing but the key is needed; figures stay unknown and are marked unmeasured."""
    model = Registry.from_entries({"openai:gpt-4o": {}})["openai:gpt-4o"]

    assert (model.provider, model.model, model.price, model.quality, model.source) == ("openai", "gpt-4o", None, None, "unmeasured")


def test_local_server_is_known_by_its_usual_port():
    """An LM Studio model needs no address: it is an OpenAI-compatible server on port 1234."""
    model = Registry.from_entries({"lmstudio:qwen/qwen3": {}}).resolve("qwen3")

    assert (model.provider, model.model, model.base_url) == ("lmstudio", "qwen/qwen3", "http://127.0.0.1:1234/v1")


def test_price_tiers_are_read():
    """Tiers of long requests arrive in the price."""
    price = {"input": 1, "output": 2, "tiers": [{"above_input_tokens": 1000, "input": 2, "output": 4}]}

    model = Registry.from_entries({"a:b": {"price": price}})["a:b"]

    assert model.price == Price(1, 2, tiers=(PriceTier(1000, 2, 4),))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"a:b": {"price": {"input": -0.2, "output": 1}}},
            r"models\.a:b\.price\.input: -0\.2 is negative; prices are USD per million tokens",
        ),
        ({"a:b": {"price": {"input": math.nan, "output": 1}}}, r"models\.a:b\.price\.input: nan is not a finite number"),
        ({"a:b": {"price": {"input": math.inf, "output": 1}}}, "inf is not a finite number"),
        ({"a:b": {"price": {"input": True, "output": 1}}}, "True is not a number"),
        ({"a:b": {"price": {"input": "1", "output": 1}}}, "'1' is not a number"),
        ({"a:b": {"price": {"input": 1}}}, r"models\.a:b\.price\.output: this key is missing"),
        ({"a:b": {"prize": {}}}, r"models\.a:b\.prize: this key is not known; did you mean price\?"),
        ({"a:b": {"quality": 1.2}}, "1.2 is above 1; expected quality from 0 to 1"),
        ({"a:b": {"context_window": 1.5}}, "1.5 is not a whole number"),
        ({"a:b": {"context_window": 0}}, "0 is not above 0"),
        ({"a:b": {"capabilities": ["telepathy"]}}, "'telepathy' is not one of them; write 'vision'"),
        ({"a:b": {"tier": "gold"}}, "'gold' is not one of them; write 'premium'"),
        ({"a:b": {"enabled": "yes"}}, "'yes' is not true or false"),
        ({"a:b": {"fallbacks": "a:c"}}, "'a:c' is not a list"),
        ({"a:b": 5}, "models.a:b: 5 is not a mapping"),
        ({"b": {}}, "'b' is not a model reference; write 'provider:model'"),
        ({"a:b": {"fallbacks": ["a:c"]}}, r"models\.a:b\.fallbacks: 'a:c' is not in the registry"),
        ({"a:b": {"fallbacks": ["a:b"]}}, "the fallbacks form a cycle: a:b → a:b"),
        ({"a:b": {"fallbacks": ["a:c"]}, "a:c": {"fallbacks": ["a:d"]}, "a:d": {"fallbacks": ["a:c"]}}, "cycle: a:c → a:d → a:c"),
        ({"a:b": {}, "a/b": {}}, "'a:b' stands twice"),
        (
            {"a:b": {"price": {"input": 1, "output": 1, "tiers": [{"above_input_tokens": n, "input": 1, "output": 1} for n in (5, 5)]}}},
            "write the tiers in rising order",
        ),
        (
            {"a:b": {"price": {"input": 1, "output": 1, "windows": [{"start_utc": "25:00", "end_utc": "01:00", "input": 1, "output": 1}]}}},
            "'25:00' is not a time of day",
        ),
    ],
)
def test_bad_entry_is_named_with_place_key_value_and_cure(entries, message):
    """Each wrong entry gives one error in one line."""
    with pytest.raises(RegistryError, match=message) as caught:
        Registry.from_entries(entries, place="lab.yaml")

    assert str(caught.value).startswith("lab.yaml: models")
    assert "\n" not in str(caught.value)


def test_wrong_key_is_not_repeated_in_the_error():
    """A secret of the wrong type does not reach a log."""
    with pytest.raises(RegistryError) as caught:
        Registry.from_entries({"a:b": {"api_key": ["s3cret"]}})

    assert "s3cret" not in str(caught.value)


def test_shared_fallbacks_are_no_cycle():
    """Two ways to the same fallback are allowed."""
    entries = {"a:1": {"fallbacks": ["a:2", "a:3"]}, "a:2": {"fallbacks": ["a:3"]}, "a:3": {}}

    assert len(Registry.from_entries(entries)) == 3


def test_long_chain_of_fallbacks_is_checked_without_recursion():
    """Two thousand fallbacks in a row are no problem."""
    entries = {f"a:{n}": {"fallbacks": [f"a:{n + 1}"]} for n in range(2000)} | {"a:2000": {}}

    assert len(Registry.from_entries(entries)) == 2001


@pytest.mark.parametrize("text", ["openai:gpt-4o", "openai/gpt-4o", "gpt-4o", "GPT-4o", " gpt-4o "])
def test_model_is_found_by_reference_slash_id_and_bare_name(text):
    """All spellings of one model lead to it."""
    registry = Registry.from_entries({"openai:gpt-4o": {}, "openai:gpt-5": {}})

    assert registry.resolve(text).ref == "openai:gpt-4o"


@pytest.mark.parametrize(("text", "ref"), [("google/gemini", "google_genai:gemini"), ("mistral:large", "mistralai:large")])
def test_other_names_of_providers_are_read(text, ref):
    """Slash ids spell some providers in their own way."""
    registry = Registry.from_entries({"google_genai:gemini": {}, "mistralai:large": {}})

    assert registry.resolve(text).ref == ref


def test_bare_name_of_several_models_is_refused_with_all_of_them():
    """The message lists what the name could mean."""
    registry = Registry.from_entries({"openai:gpt-4o": {}, "azure_openai:gpt-4o": {}})

    with pytest.raises(UnknownModelError, match="did you mean openai:gpt-4o, azure_openai:gpt-4o") as caught:
        registry.resolve("gpt-4o")

    assert caught.value.near == ("openai:gpt-4o", "azure_openai:gpt-4o")


@pytest.mark.parametrize("text", ["gpt4o", "openai:gpt-4", "opnai:gpt-4o"])
def test_misspelt_model_is_answered_with_near_names(text):
    """A near miss names the model that was probably meant."""
    with pytest.raises(UnknownModelError, match="did you mean openai:gpt-4o"):
        Registry.from_entries({"openai:gpt-4o": {}, "cohere:command-a": {}}).resolve(text)


def test_version_follows_content_only():
    """Order and secrets do not change the version, a price does."""
    one = Registry.from_entries({"a:b": {"quality": 0.5}, "a:c": {}})
    turned = Registry.from_entries({"a:c": {}, "a:b": {"quality": 0.5, "api_key": "k"}})
    dearer = Registry.from_entries({"a:b": {"quality": 0.5}, "a:c": {"price": {"input": 1, "output": 1}}})

    assert one.version == turned.version != dearer.version


def test_with_models_replaces_and_adds():
    """A known reference keeps its row, a new one comes last."""
    registry = Registry.from_entries({"a:b": {}, "a:c": {}})
    new = [ModelDefinition(ModelRef(ref), provider="a", model="x", quality=0.9) for ref in ("a:d", "a:b")]

    wider = registry.with_models(new)

    assert [(model.ref, model.quality) for model in wider] == [("a:b", 0.9), ("a:c", None), ("a:d", 0.9)]
    assert len(registry) == 2


def test_only_keeps_some_models_and_their_fallbacks_among_them():
    """A smaller registry has no fallback that leads out of it."""
    registry = Registry.from_entries({"a:b": {"fallbacks": ["a:c", "a:d"]}, "a:c": {}, "a:d": {}})

    assert registry.only(["a:b", "a:d"])["a:b"].fallbacks == ("a:d",)


def test_finished_definitions_pass_among_entries():
    """Definitions with an instance stand beside entries, in the given order."""
    given = ModelDefinition(ModelRef("lab:a"), provider="lab", model="a", instance=object())

    registry = Registry.from_entries({"lab:a": given, "x:y": {}})

    assert registry.models[0] is given
    assert [model.ref for model in registry] == ["lab:a", "x:y"]


def test_columns_hold_figures_and_mark_what_is_unknown():
    """Unknown figures are NaN; an unmeasured ability is the mean of the tier, and marked."""
    entries = {"lab:fast": FULL, "lab:slow": {"tier": "fast"}, "x:y": {"price": {"input": 0, "output": 0}}}
    model_table = model_table_of(Registry.from_entries(entries).models)

    assert model_table.refs == ("lab:fast", "lab:slow", "x:y")
    assert model_table.price_input.tolist()[::2] == [0.1, 0.0]
    assert math.isnan(model_table.price_input[1])
    assert (model_table.price_cached[0], model_table.price_cached[2]) == (0.01, 0.0)
    assert model_table.capabilities.tolist() == [capability_bits([ModelCapability.TOOLS, ModelCapability.JSON]), 0, 0]
    assert model_table.quality_for(TaskType.REFACTORING)[:2].tolist() == pytest.approx([0.8, ability_to_quality(TIER_ABILITY[Tier.FAST])])
    assert model_table.measured_for(TaskType.REFACTORING).tolist() == [True, False, False]


def test_empty_registry_has_empty_columns():
    """No models is a registry too."""
    assert model_table_of(Registry().models).quality_for(TaskType.GENERAL).shape == (0,)


def test_modules_load_without_numpy_pydantic_and_yaml():
    """Reading and arrays are paid for only when something is loaded."""
    code = (
        "import sys, crew_router.config.registry, crew_router.config.load\n"
        "print([m for m in ('numpy', 'pydantic', 'yaml') if m in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own interpreter and text

    assert printed.strip() == "[]"
