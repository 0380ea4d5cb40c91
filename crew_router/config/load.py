"""Load settings and models from files, environment and arguments: argument > environment > file > packaged.

A folder holds any of ``crew_router.yaml`` (or ``router.yaml``), ``policies.yaml``, ``task_types.yaml`` and
``models/*.yaml``; the packaged configuration is such a folder. Sections are merged key by key, lists are replaced.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from crew_router.config.environment import CONFIG_VARIABLE, ENVIRONMENT, environment_layer, flag, required, with_environment
from crew_router.config.found_file import FoundFile, find_config, found_layer
from crew_router.config.registry import Registry, check_fallbacks, definition
from crew_router.config.router_config import RouterConfig
from crew_router.config.schema.layers import Layer, Layers
from crew_router.config.schema.plain import plain_mapping
from crew_router.config.schema.yaml_reader import MAX_BYTES, read_mapping
from crew_router.config.settings import SETTINGS_FIELDS, ConfigFile
from crew_router.config.validate import StrategyCheck, checked_references
from crew_router.errors import ConfigurationError, RegistryError

GivenConfig = str | Path | Mapping[str, object] | RouterConfig | FoundFile | None

MAX_FILES: Final = 256
PRESET: Final = "preset:"
_SINGLE_FILES: Final = ("router.yaml", "crew_router.yaml", "task_types.yaml", "policies.yaml")


def load_config(
    source: GivenConfig = None,
    env: Mapping[str, str] | None = None,
    *,
    arguments: Mapping[str, object] | None = None,
    registry: Registry | None = None,
    check_strategy: StrategyCheck | None = None,
    folder: Path | None = None,
) -> RouterConfig:
    """Load a configuration.

    Args:
        source: A file or folder; ``preset:NAME`` for a packaged preset;
            a dictionary, which counts as an argument; a :class:`RouterConfig`, returned as it is
            when nothing else is given; nothing for the file or folder in CREW_ROUTER_CONFIG, else the ``crew_router.yaml`` of
            the project in ``folder``, else the packaged one.
        env: The environment, ``os.environ`` by default.
        arguments: Settings in the shape of a configuration file that win over everything; see :func:`argument_settings`.
        registry: These models instead of all configured ones; preferences for others are then left out.
        check_strategy: Raises ``ValueError`` for a strategy or parameters that it does not know.
        folder: Where the project and its file are looked for; the working directory by default.

    Raises:
        ConfigurationError: Something cannot be read or is not valid; the message names file, key, value and cure.
        RegistryError: The same, about a model.
    """
    if isinstance(source, RouterConfig):
        return _finished(source, arguments, registry=registry)
    environment = os.environ if env is None else env
    source = _or_found(source, environment, folder=folder)
    layers = Layers(tuple(_layers(source, environment, arguments=arguments or {})))
    file = _validated(layers)
    models = _registry(file, layers) if registry is None else registry
    substituted = Registry(with_environment(model, environment) for model in models)
    config = _assembled(file, substituted, environment=environment, layers=layers, folder=folder or Path.cwd())
    return checked_references(config, layers, lenient=registry is not None, check_strategy=check_strategy)


def _or_found(source: GivenConfig, env: Mapping[str, str], *, folder: Path | None = None) -> GivenConfig:
    """Return the source, or the file of the project where none is named."""
    if source is not None or env.get(CONFIG_VARIABLE):
        return source
    return find_config(folder or Path.cwd())


def _finished(config: RouterConfig, arguments: Mapping[str, object] | None, *, registry: Registry | None) -> RouterConfig:
    if arguments:
        keys = ", ".join(arguments)
        raise ConfigurationError("argument", "", f"{keys} cannot override a finished RouterConfig", cure="use dataclasses.replace on it")
    return config if registry is None else replace(config, registry=registry)


def argument_settings(
    *,
    state_url: str | None = None,
    ledger_url: str | None = None,
    project: str | None = None,
    enable_learning: bool | None = None,
    enable_escalation: bool | None = None,
    escalation_threshold: float | None = None,
    cost_optimization_mode: bool | None = None,
) -> dict[str, object]:
    """Return the router's keyword arguments in the shape of a configuration file.

    Example:
        >>> argument_settings(cost_optimization_mode=False, escalation_threshold=0.5)
        {'optimize': 'quality', 'escalation': {'threshold': 0.5}}
    """
    optimize = None if cost_optimization_mode is None else "cost" if cost_optimization_mode else "quality"
    settings: dict[str, object] = {
        "project": project,
        "optimize": optimize,
        "escalation": _given(enabled=enable_escalation, threshold=escalation_threshold),
        "learning": _given(enabled=enable_learning),
        "state": _given(url=state_url),
        "ledger": _given(url=ledger_url),
    }
    return {key: value for key, value in settings.items() if value not in (None, {})}


def _given(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


@functools.cache
def packaged_folder() -> Path:
    """Return the folder of the packaged configuration: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "packaged"
    return inside if inside.is_dir() else package.parent / "config"


@functools.cache
def packaged_registry() -> Registry:
    """Return the models that come with the package; variables of the environment are not put in."""
    layers = Layers(_packaged_layers())
    return _registry(_validated(layers), layers)


@functools.cache
def packaged_preferences() -> Mapping[str, frozenset[str]]:
    """Return the models that the packaged lists name, by task type."""
    found: dict[str, frozenset[str]] = {}
    for layer in _packaged_layers():
        listed = cast("Mapping[str, Mapping[str, list[str]]]", layer.data.get("task_types") or {})
        found |= {task: frozenset((*lists.get("preferred", ()), *lists.get("budget", ()))) for task, lists in listed.items()}
    return found


def project_name(folder: Path) -> str:
    """Return the name in the nearest pyproject.toml at or above a folder, else the folder's own name.

    A file that is too large or is not TOML is skipped: it is not ours, and other tools report its faults.
    """
    names = (_name_in(here / "pyproject.toml") for here in (folder, *folder.parents))
    return next((name for name in names if name), folder.resolve().name or "default")


def _name_in(path: Path) -> str | None:
    import tomllib  # takes as long to import as the rest of this module

    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        data: object = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    name = _nested_value(data, "project", "name") or _nested_value(data, "tool", "poetry", "name")
    return name if isinstance(name, str) else None


def _nested_value(data: object, *path: str) -> object:
    for key in path:
        data = cast("dict[str, object]", data).get(key) if isinstance(data, dict) else None
    return data


def _layers(source: GivenConfig, env: Mapping[str, str], *, arguments: Mapping[str, object]) -> Iterable[Layer]:
    given = tuple(_given_layers(source, env, arguments=arguments))
    yield from _packaged_layers()
    with_preset = next((layer for layer in reversed(given) if layer.data.get("preset") is not None), None)
    if with_preset is not None:
        yield _preset(str(with_preset.data["preset"]), with_preset.place)
    yield from given


def preset_names() -> tuple[str, ...]:
    """Return the names of the packaged presets."""
    return tuple(sorted(path.stem for path in (packaged_folder() / "presets").glob("*.yaml")))


def _preset(name: str, place: str) -> Layer:
    if name not in preset_names():
        cure = f"use one of {', '.join(preset_names())}"
        raise ConfigurationError(place, "preset", f"{name!r} is not known", cure=cure)
    path = f"config/presets/{name}.yaml"
    return replace(Layer.of(path, read_mapping(packaged_folder() / "presets" / f"{name}.yaml", path)), packaged=True)


def _given_layers(source: GivenConfig, env: Mapping[str, str], *, arguments: Mapping[str, object]) -> Iterable[Layer]:
    path = _path_of(source, env)
    if isinstance(source, FoundFile):
        yield found_layer(source, packaged=[model for layer in _packaged_layers() for model in _models_in(layer)])
    elif path is not None:
        yield from _read(path, f"{CONFIG_VARIABLE}={env[CONFIG_VARIABLE]}" if source is None else str(source))
    elif isinstance(source, str):
        yield Layer.of("config", {"preset": source.removeprefix(PRESET)})
    yield Layer.of(ENVIRONMENT, plain_mapping(environment_layer(env), ENVIRONMENT))
    if isinstance(source, Mapping):
        yield Layer.of("config", plain_mapping(source, "config"))
    elif source is not None and not isinstance(source, (str, Path, FoundFile)):
        problem = f"{type(source).__name__} is no configuration"
        raise ConfigurationError("config", "", problem, cure="give a file, a folder, a dictionary or a RouterConfig")
    if arguments:
        yield Layer.of("argument", plain_mapping(arguments, "argument"))


@functools.cache
def _packaged_layers() -> tuple[Layer, ...]:
    return tuple(replace(layer, packaged=True) for layer in _folder_layers(packaged_folder(), "config/"))


def _read(path: Path, place: str) -> Iterable[Layer]:
    if not path.is_dir():
        return (Layer.of(place, read_mapping(path, place)),)
    layers = tuple(_folder_layers(path, place.rstrip("/") + "/"))
    if not layers:
        names = ", ".join((*_SINGLE_FILES[1:], "models/*.yaml"))
        raise ConfigurationError(place, "", "the folder holds no configuration", cure=f"put one of {names} there")
    return layers


def files_of(source: GivenConfig, env: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the paths of the files that a configuration is read from, without those of the package; reads no file."""
    source = _or_found(source, env)
    if isinstance(source, FoundFile):
        return (source.path,)
    path = _path_of(source, env)
    if path is None:
        return ()
    return (*_single_files(path), *_model_files(path)) if path.is_dir() else (path,)


def pinned(source: GivenConfig, env: Mapping[str, str]) -> GivenConfig:
    """Return the source as an absolute path, so that a later change of working directory or CREW_ROUTER_CONFIG has no effect."""
    source = _or_found(source, env)
    path = _path_of(source, env)
    return source if path is None else path.absolute()


def _path_of(source: GivenConfig, env: Mapping[str, str]) -> Path | None:
    if source is None and env.get(CONFIG_VARIABLE):
        return Path(env[CONFIG_VARIABLE]).expanduser()
    if isinstance(source, Path) or (isinstance(source, str) and not source.startswith(PRESET)):
        return Path(source).expanduser()
    return None


def _single_files(folder: Path) -> list[Path]:
    return [folder / name for name in _SINGLE_FILES if (folder / name).exists()]


def _model_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("models/*.yaml"), *folder.glob("models/*.yml")])


def _folder_layers(folder: Path, place: str) -> Iterable[Layer]:
    for path in _single_files(folder):
        yield Layer.of(f"{place}{path.name}", read_mapping(path, f"{place}{path.name}"))
    paths = _model_files(folder)
    if len(paths) > MAX_FILES:
        raise RegistryError(f"{place}models", "", f"{len(paths)} files are more than {MAX_FILES}", cure="put several models into one file")
    files: dict[str, str] = {}
    for path in paths:
        layer = Layer.of(f"{place}models/{path.name}", read_mapping(path, f"{place}models/{path.name}"))
        for name in _models_in(layer):
            if name in files:
                raise RegistryError(layer.place, f"models.{name}", f"the model stands in {files[name]} too", cure="keep one of the two")
            files[name] = layer.place
        yield layer


def _models_in(layer: Layer) -> Iterable[str]:
    models = layer.data.get("models")
    return models if isinstance(models, dict) else ()


def _validated(layers: Layers) -> ConfigFile:
    from crew_router.config.schema.validation import validated  # pydantic is only needed when something is loaded

    return validated(ConfigFile, layers.merged(), place_of=layers.place_of)


def _registry(file: ConfigFile, layers: Layers) -> Registry:
    models = [definition(name, entry, place=layers.place_of(("models", name))) for name, entry in file.models.items()]
    check_fallbacks(models, layers.place_of)
    return Registry(models, place=layers.place_of(("models",)))


def _assembled(file: ConfigFile, registry: Registry, *, environment: Mapping[str, str], layers: Layers, folder: Path) -> RouterConfig:
    settings = {name: getattr(file, name) for name in SETTINGS_FIELDS}

    def text(section: str, key: str, value: str | None) -> str | None:
        return required(value, environment, place=layers.place_of((section, key)), key=f"{section}.{key}")

    settings |= {
        "project": file.project or project_name(folder),
        "state": replace(file.state, url=text("state", "url", file.state.url)),
        "ledger": replace(file.ledger, url=text("ledger", "url", file.ledger.url)),
        "analytics": replace(file.analytics, jsonl=text("analytics", "jsonl", file.analytics.jsonl)),
    }
    return RouterConfig(
        **settings,
        registry=registry,
        smart_routing=flag(environment, "ENABLE_SMART_ROUTING") is not False,
        experiments_enabled=flag(environment, "ROUTING_AB_TEST_ENABLED") is not False,
        sources=tuple(layer.place for layer in layers.layers if layer.data),
    )
