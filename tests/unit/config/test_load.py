"""Configuration: layers, environment, references, errors."""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from crew_router.config.environment import missing_variables, require_variables
from crew_router.config.load import argument_settings, load_config, packaged_registry, project_name
from crew_router.config.registry import Registry
from crew_router.config.settings import BudgetLimit, ConfigFile
from crew_router.errors import ConfigurationError, RegistryError
from crew_router.types import ModelDefinition, ModelRef, TaskType

CONTRACT = """
project: my-crew
registry: none
baseline: "lab:fast"
optimize: cost
models:
  "lab:fast": {provider: openai, model: fast, base_url: "http://127.0.0.1:1234/v1", api_key: "${KEY}", kwargs: {},
    price: {input: 0.1, output: 0.4, cached_input: 0.01},
    quality: 0.7, context_window: 100000, max_output_tokens: 8000, capabilities: [tools, json, streaming], tier: fast, strengths: [rag],
    latency: {ttft_s: 0.4, tokens_per_s: 80, p95_s: 3}, limits: {rpm: 500, tpm: 200000, concurrency: 20}, sla: {p95_s: 5},
    regions: [eu], moderated: true, prefill: false, data_retention: none, fallbacks: [], enabled: true, source: "dataset, date"}
strategy: {name: weighted}
task_types: {code_generation: {preferred: [fast], budget: ["lab/fast"]}}
policies:
  - {name: pii, order: safety, when: {risk: [pii]}, then: {require: moderated, regions: [eu]}}
escalation: {enabled: true, threshold: 0.7}
parallel: {triggers: explicit}
experiments: []
budgets: {request: 0.05, run: 0.50, session: 1, user: {limit: 1, per: day}, day: 5, project: 100, provider: {openai: 3}, timezone: UTC}
stream: {policy: buffer, hold_chars: 200}
hedge: {budget: 0.02}
cache: {enabled: false}
breaker: {failures: 5, open_s: 60}
learning: {enabled: true}
alerts: {confidence_below: 0.6}
state: {url: "memory://"}
ledger: {url: "sqlite://", durability: batch, keep_text: false, keep_features: false}
analytics: {jsonl: null}
"""


def write(folder: Path, text: str, name: str = "crew_router.yaml") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_of_the_contract_is_read(tmp_path):
    """The file of the contract loads, and its values arrive."""
    config = load_config(write(tmp_path, CONTRACT), {"KEY": "k"})

    assert (config.project, config.baseline, config.optimize) == ("my-crew", "lab:fast", "cost")
    assert config.registry["lab:fast"].api_key == "k"
    assert config.task_types[TaskType.CODE_GENERATION].budget == ("lab:fast",)
    assert config.policies[0].then == {"require": "moderated", "regions": ["eu"]}
    assert dict(config.budgets.limits()) == {
        "request": BudgetLimit(limit=0.05),
        "run": BudgetLimit(limit=0.5),
        "session": BudgetLimit(limit=1.0),
        "user": BudgetLimit(limit=1.0, per="day"),
        "day": BudgetLimit(limit=5.0, per="day"),
        "project": BudgetLimit(limit=100.0),
        "provider:openai": BudgetLimit(limit=3.0),
    }
    assert (config.state.url, config.ledger.url) == ("memory://", "sqlite://")


@pytest.mark.parametrize("page", ["configuration.md", "registry.md"])
def test_documented_configuration_loads(tmp_path, page):
    """The YAML that the pages show is valid as it stands."""
    text = (Path(__file__).parents[3] / "docs" / page).read_text(encoding="utf-8")
    shown = text.split("```yaml\n")[1].split("```")[0]

    config = load_config(write(tmp_path, shown), {})

    assert len(config.registry) == len(packaged_registry())


def test_every_section_is_documented():
    """No setting is missing on its page."""
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")

    missing = [item.name for item in fields(ConfigFile) if f"\n{item.name}:" not in text]

    assert missing == []


def test_nothing_given_is_the_packaged_configuration():
    """Without file and environment the packaged defaults hold; no budget exists."""
    config = load_config(None, {})

    assert (config.optimize, config.strategy.name, config.escalation.threshold) == ("balanced", "weighted", 0.7)
    assert config.budgets.limits() == ()
    assert [model.ref for model in config.registry] == [model.ref for model in packaged_registry()]


def test_argument_wins_over_environment_over_file(tmp_path):
    """The order of the contract holds key by key."""
    path = write(tmp_path, "escalation: {enabled: false, threshold: 0.1}\noptimize: quality\n")
    env = {"ROUTER_ESCALATION_THRESHOLD": "0.2", "ROUTER_COST_OPTIMIZATION": "true"}

    config = load_config(path, env, arguments=argument_settings(escalation_threshold=0.3))

    assert (config.escalation.threshold, config.escalation.enabled, config.optimize) == (0.3, False, "cost")


def test_dictionary_given_in_code_wins_over_the_environment():
    """A dictionary is an argument."""
    assert load_config({"escalation": {"threshold": 0.3}}, {"ROUTER_ESCALATION_THRESHOLD": "0.2"}).escalation.threshold == 0.3


def test_environment_names_the_file(tmp_path):
    """CREW_ROUTER_CONFIG is read when no file is given."""
    path = write(tmp_path, "project: from-environment\n")

    assert load_config(None, {"CREW_ROUTER_CONFIG": str(path)}).project == "from-environment"


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("ROUTER_ESCALATION_THRESHOLD", "0.5", lambda config: config.escalation.threshold == 0.5),
        ("ROUTER_ENABLE_ESCALATION", "false", lambda config: config.escalation.enabled is False),
        ("ROUTER_COST_OPTIMIZATION", "0", lambda config: config.optimize == "quality"),
        ("ROUTING_ANALYTICS_PATH", "a.jsonl", lambda config: config.analytics.jsonl == "a.jsonl"),
        ("ROUTING_AB_TEST_ENABLED", "off", lambda config: config.experiments_enabled is False),
        ("ENABLE_SMART_ROUTING", "False", lambda config: config.smart_routing is False),
    ],
)
def test_each_variable_of_the_documents_is_read(variable, value, read):
    """The variables of requirement E11 do what the documents say."""
    assert read(load_config({}, {variable: value}))
    assert not read(load_config({}, {variable: ""}))


@pytest.mark.parametrize("value", ["7", "-1", "nan", "much"])
def test_wrong_threshold_in_the_environment_names_the_variable(value):
    """The variable, its value and the cure are in the message."""
    with pytest.raises(ConfigurationError, match=r"environment: ROUTER_ESCALATION_THRESHOLD: .* is not a number from 0 to 1"):
        load_config(None, {"ROUTER_ESCALATION_THRESHOLD": value})


def test_wrong_flag_in_the_environment_names_the_variable():
    """A flag that is neither true nor false is refused."""
    with pytest.raises(ConfigurationError, match="environment: ENABLE_SMART_ROUTING: 'maybe' is neither true nor false"):
        load_config(None, {"ENABLE_SMART_ROUTING": "maybe"})


def test_variables_are_put_into_addresses_keys_and_arguments():
    """``${NAME}`` and ``${NAME:-default}`` are replaced."""
    entry = {"base_url": "http://${HOST:-localhost}:${PORT}/v1", "api_key": "${KEY}", "kwargs": {"region": "${REGION}", "top_k": 3}}

    model = load_config({"registry": "none", "models": {"a:b": entry}}, {"PORT": "1", "KEY": "k", "REGION": "eu"}).registry["a:b"]

    assert (model.base_url, model.api_key, model.kwargs) == ("http://localhost:1/v1", "k", {"region": "eu", "top_k": 3})
    assert missing_variables(model) == ()


def test_missing_key_is_an_error_only_when_the_model_is_used():
    """The model stays in the registry; using it names the variable."""
    model = load_config({"models": {"a:b": {"api_key": "${NOT_SET}"}}}, {}).registry["a:b"]

    assert missing_variables(model) == ("NOT_SET",)
    with pytest.raises(ConfigurationError, match="model 'a:b': the environment variable NOT_SET is not set; set it"):
        require_variables(model)


def test_missing_variable_of_a_store_is_an_error_at_once():
    """The state is always used."""
    with pytest.raises(ConfigurationError, match=r"config: state\.url: the environment variable REDIS is not set"):
        load_config({"state": {"url": "redis://${REDIS}"}}, {})


def test_entry_of_the_packaged_registry_is_changed_key_by_key():
    """A price can be overridden without writing the rest of the entry again."""
    ref = next(model.ref for model in packaged_registry() if model.price and model.context_window)

    config = load_config({"models": {ref: {"price": {"output": 77.0}}}}, {})

    changed, packaged = config.registry[ref], packaged_registry()[ref]
    assert changed.price.output == 77.0
    assert (changed.price.input, changed.context_window) == (packaged.price.input, packaged.context_window)


def test_registry_none_starts_empty():
    """Packaged models, and the preferences for them, are left out."""
    config = load_config({"registry": "none", "models": {"a:b": {}}}, {})

    assert [model.ref for model in config.registry] == ["a:b"]
    assert all(each.preferred == each.budget == () for each in config.task_types.values())


def test_models_given_in_code_take_the_place_of_all_others(tmp_path):
    """Preferences of the file for other models are left out, the baseline is looked up among the given ones."""
    registry = Registry([ModelDefinition(ModelRef("lab:a"), provider="lab", model="a", instance=object())])
    path = write(tmp_path, "task_types: {testing: {preferred: ['openai:gone', a]}}\nbaseline: a\n")

    config = load_config(path, {}, registry=registry)

    assert (config.task_types[TaskType.TESTING].preferred, config.baseline) == (("lab:a",), "lab:a")
    assert len(config.registry) == 1


def test_folder_is_read_as_a_whole(tmp_path):
    """Settings, task types, policies and every file of models come together."""
    write(tmp_path, "registry: none\nproject: folder\n", "router.yaml")
    write(tmp_path, "task_types: {testing: {preferred: [b]}}\n", "task_types.yaml")
    write(tmp_path, "policies: [{name: p, order: safety, then: {pin: b}}]\n", "policies.yaml")
    write(tmp_path, "models: {'a:b': {}}\n", "models/one.yaml")
    write(tmp_path, "models: {'a:c': {fallbacks: ['a:b']}}\n", "models/two.yaml")

    config = load_config(tmp_path, {})

    assert [model.ref for model in config.registry] == ["a:b", "a:c"]
    assert config.task_types[TaskType.TESTING].preferred == ("a:b",)
    assert [policy.name for policy in config.policies] == ["p"]


def test_model_in_two_files_of_a_folder_is_refused(tmp_path):
    """Both files are named, whatever the spelling of the id."""
    write(tmp_path, "models: {'a:b': {}}\n", "models/one.yaml")
    write(tmp_path, "models: {'a/b': {}}\n", "models/two.yaml")

    with pytest.raises(RegistryError, match=r"two\.yaml: models\.a:b: the model stands in .*one\.yaml too"):
        load_config(tmp_path, {})


def test_folder_without_configuration_is_refused(tmp_path):
    """An empty folder is probably the wrong one."""
    with pytest.raises(ConfigurationError, match="the folder holds no configuration"):
        load_config(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimise: cost", r"optimise: this key is not known; did you mean optimize\?"),
        ("optimize: speed", "optimize: 'speed' is not one of them; write 'quality', 'balanced' or 'cost'"),
        ("budgets: {user: {limit: -1}}", r"budgets\.user\.limit: -1 is negative; limits are USD"),
        ("budgets: {project: true}", r"budgets\.project: True is not a number"),
        ("budgets: {day: .nan}", r"budgets\.day: nan is not a finite number"),
        ("budgets: {timezone: Mars/Base}", r"budgets\.timezone: 'Mars/Base' is no time zone"),
        ("budgets: {timezone: ../etc}", r"budgets\.timezone: '\.\./etc' is no time zone"),
        ("policies: [{name: a, order: fun, then: {pin: x}}]", r"policies\.0\.order: 'fun' is not one of them; write 'safety'"),
        ("policies: [{name: a, order: safety, then: {}}]", r"policies\.0\.then: there are too few entries"),
        ("policies: [{name: a, order: safety, then: {pin: nix}}]", r"policies\.0\.then\.pin: no single model is called 'nix'"),
        ("policies: [{name: a, order: safety, then: {deny_models: x}}]", r"policies\.0\.then\.deny_models: 'x' is not a list"),
        (
            "policies: [{name: a, order: safety, then: {tier: fast}}, {name: a, order: budget, then: {tier: fast}}]",
            "policies: the name 'a' stands twice",
        ),
        ("task_types: {cooking: {}}", r"task_types\.cooking: 'cooking' is not one of them; write 'reasoning'"),
        ("task_types: {testing: {preferred: [zzzz]}}", r"task_types\.testing\.preferred: no single model is called 'zzzz'"),
        ("baseline: zzzz", "baseline: no single model is called 'zzzz'"),
        ("escalation: {threshold: 1.5}", r"escalation\.threshold: 1\.5 is above 1"),
        ("experiments: [{name: e, arms: [{name: a}]}]", r"experiments\.0\.arms: there are too few entries"),
        ("experiments: [{name: e, arms: [{name: a}, {name: a}]}]", r"experiments\.0\.arms: the name 'a' stands twice"),
        ("experiments: [{name: e, arms: [{name: a, model: zzzz}, {name: b}]}]", r"experiments\.0\.arms\.0\.model: no single model"),
        ("experiments: [{name: e, arms: [{name: a, weight: 0}, {name: b, weight: 0}]}]", "all weights are 0"),
        ("scoring: {cost_low_usd: 2}", r"scoring\.cost_low_usd: 2\.0 is not below cost_high_usd"),
        ("models: 5", "models: 5 is not a mapping"),
    ],
)
def test_bad_setting_is_named_with_file_key_value_and_cure(tmp_path, text, message):
    """Each wrong setting gives one error in one line, which names the file."""
    path = write(tmp_path, text)

    with pytest.raises(ConfigurationError, match=message) as caught:
        load_config(path, {})

    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_error_in_an_override_names_the_file_that_overrides(tmp_path):
    """The packaged file is not blamed for what the user's file says."""
    ref = packaged_registry().models[0].ref
    path = write(tmp_path, f"models: {{'{ref}': {{quality: 7}}}}")

    with pytest.raises(RegistryError) as caught:
        load_config(path, {})

    assert caught.value.place == str(path)


def test_error_in_an_argument_names_the_argument():
    """Keyword arguments are checked like files."""
    with pytest.raises(ConfigurationError, match=r"argument: escalation\.threshold: 2 is above 1"):
        load_config(None, {}, arguments=argument_settings(escalation_threshold=2))


def test_several_problems_are_counted():
    """One problem is named, the number of the others is said."""
    with pytest.raises(ConfigurationError, match=r"\(and 1 more problem\)"):
        load_config({"optimize": 1, "cache": {"ttl_s": -1}}, {})


def test_unknown_strategy_is_refused_by_the_check_that_is_passed_in():
    """The strategies say which names they know; the error says where the name stands."""

    def check(settings):
        if settings.name != "weighted":
            msg = f"no strategy is called {settings.name!r}"
            raise ValueError(msg)

    with pytest.raises(ConfigurationError, match=r"config: task_types\.testing\.strategy\.name: no strategy is called 'magic'"):
        load_config({"task_types": {"testing": {"strategy": {"name": "magic"}}}}, {}, check_strategy=check)


def test_finished_configuration_passes_as_it_is():
    """A RouterConfig is not read again, and cannot be half overridden."""
    config = load_config({"project": "p"}, {})

    assert load_config(config, {"CREW_ROUTER_CONFIG": "nowhere"}) is config
    with pytest.raises(ConfigurationError, match=r"use dataclasses\.replace"):
        load_config(config, {}, arguments=argument_settings(project="q"))


def test_project_is_named_by_the_nearest_pyproject(tmp_path):
    """The name of the package is found from a folder inside it."""
    write(tmp_path, '[project]\nname = "my-package"\n', "pyproject.toml")
    inner = tmp_path / "src" / "deep"
    inner.mkdir(parents=True)

    assert project_name(inner) == "my-package"
    assert load_config(None, {}, folder=inner).project == "my-package"


def test_project_without_pyproject_is_named_by_its_folder(tmp_path):
    """A broken pyproject.toml counts as none."""
    folder = tmp_path / "crew-lab"
    write(folder, "not toml [", "pyproject.toml")

    assert project_name(folder) == "crew-lab"


def test_secrets_do_not_stand_in_the_configuration_s_text():
    """Printing a configuration shows no key."""
    config = load_config({"models": {"a:b": {"api_key": "${KEY}", "kwargs": {"token": "${KEY}"}}}}, {"KEY": "s3cret"})

    assert "s3cret" not in repr(config)
    assert "s3cret" not in repr(config.registry["a:b"])


def test_process_environment_is_the_default(monkeypatch):
    """Without a mapping the real environment is read."""
    monkeypatch.setitem(os.environ, "ROUTER_ESCALATION_THRESHOLD", "0.25")

    assert load_config().escalation.threshold == 0.25


def test_model_of_a_fixed_strategy_may_be_a_short_name():
    """A strategy is fixed to the whole reference of what the configuration names."""
    entry = {"price": {"input": 1, "output": 1}, "source": "unmeasured"}
    fixed = {"name": "fixed", "parameters": {"model": "only"}}

    config = load_config({"registry": "none", "models": {"lab:only": entry}, "strategy": fixed}, {})

    assert dict(config.strategy.parameters) == {"model": "lab:only"}
