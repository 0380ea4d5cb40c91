"""Read the environment: the router's own variables (requirement E11) and ``${VARIABLE}`` in settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crew_router.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from crew_router.config.schema.plain import Plain
    from crew_router.types.model import ModelDefinition

CONFIG_VARIABLE: Final = "CREW_ROUTER_CONFIG"
ENVIRONMENT: Final = "environment"

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def environment_layer(env: Mapping[str, str]) -> dict[str, Plain]:
    """Return the settings of the router's environment variables (requirement E11), in the shape of a configuration file.

    Raises:
        ConfigurationError: A variable has a value that is not valid.
    """
    layer: dict[str, Plain] = {}
    escalation: dict[str, Plain] = {}
    threshold = _share(env, "ROUTER_ESCALATION_THRESHOLD")
    if threshold is not None:
        escalation["threshold"] = threshold
    enabled = flag(env, "ROUTER_ENABLE_ESCALATION")
    if enabled is not None:
        escalation["enabled"] = enabled
    if escalation:
        layer["escalation"] = escalation
    cost = flag(env, "ROUTER_COST_OPTIMIZATION")
    if cost is not None:
        layer["optimize"] = "cost" if cost else "quality"
    if env.get("ROUTING_ANALYTICS_PATH"):
        layer["analytics"] = {"jsonl": env["ROUTING_ANALYTICS_PATH"]}
    return layer


def flag(env: Mapping[str, str], name: str) -> bool | None:
    """Return a variable as true or false, or ``None`` when it is unset or empty.

    Raises:
        ConfigurationError: The value is neither true nor false.
    """
    text = env.get(name, "").strip().lower()
    if not text:
        return None
    if text not in _TRUE | _FALSE:
        raise ConfigurationError(ENVIRONMENT, name, f"{shown(env[name])} is neither true nor false", cure="set it to true or false")
    return text in _TRUE


def _share(env: Mapping[str, str], name: str) -> float | None:
    text = env.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigurationError(ENVIRONMENT, name, f"{shown(env[name])} is not a number from 0 to 1", cure="set it to 0.7, for example")
    return value


def substituted(text: str, env: Mapping[str, str]) -> str:
    """Replace ``${VARIABLE}`` and ``${VARIABLE:-default}``; a variable that is unset and has no default stays as written.

    Only one pass is made: ``${…}`` inside a variable's value is not replaced.

    Example:
        >>> substituted("http://${HOST:-127.0.0.1}:${PORT}/v1", {"PORT": "1234"})
        'http://127.0.0.1:1234/v1'
    """
    return _VARIABLE.sub(lambda match: env.get(match[1]) or (match[0] if match[2] is None else match[2]), text)


def with_environment(model: ModelDefinition, env: Mapping[str, str]) -> ModelDefinition:
    """Return a model with the ``${VARIABLE}`` in its base URL, key and arguments replaced."""
    kwargs = {name: substituted(value, env) if isinstance(value, str) else value for name, value in model.kwargs.items()}
    return replace(
        model,
        base_url=None if model.base_url is None else substituted(model.base_url, env),
        api_key=None if model.api_key is None else substituted(model.api_key, env),
        kwargs=kwargs,
    )


def missing_variables(model: ModelDefinition) -> tuple[str, ...]:
    """Return the names of variables that a loaded model needs and that were not set.

    A model with a missing variable stays in the registry as not reachable; only calling it is an error.
    """
    texts = [model.base_url, model.api_key, *model.kwargs.values()]
    return tuple(dict.fromkeys(match[1] for text in texts if isinstance(text, str) for match in _VARIABLE.finditer(text)))


def require_variables(model: ModelDefinition) -> None:
    """Raise an error for a model whose variables are missing.

    Raises:
        ConfigurationError: A variable that its base URL, key or arguments name is not set.
    """
    missing = missing_variables(model)
    if missing:
        names = ", ".join(missing)
        problem = f"the environment variable {names} is not set" if len(missing) == 1 else f"the environment variables {names} are not set"
        raise ConfigurationError(f"model {str(model.ref)!r}", "", problem, cure="set it and start again, or choose another model")


def required(text: str | None, env: Mapping[str, str], *, place: str, key: str) -> str | None:
    """Replace the variables of a setting that is always used, such as ``state.url``.

    Raises:
        ConfigurationError: A variable is not set.
    """
    value = None if text is None else substituted(text, env)
    missing = None if value is None else _VARIABLE.search(value)
    if missing:
        raise ConfigurationError(place, key, f"the environment variable {missing[1]} is not set", cure="set it, or write the value")
    return value
