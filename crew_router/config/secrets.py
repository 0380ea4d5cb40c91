"""Every secret that a configuration holds, so that none of them is ever stored, logged, shown or raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from crew_router.types.redaction import names_a_secret, remember, remember_environment, remember_url

if TYPE_CHECKING:
    from crew_router.config.router_config import RouterConfig
    from crew_router.types.model import ModelDefinition


def remember_secrets(config: RouterConfig, env: Mapping[str, str]) -> None:
    """Take the keys and passwords of a configuration, and of the environment, out of every text from here on."""
    remember_environment(env)
    for url in (config.state.url, config.ledger.url):
        remember_url(url)
    for model in config.registry.models:
        remember(_secrets_of(model))
        remember_url(model.base_url)


def _secrets_of(model: ModelDefinition) -> Iterator[str]:
    if model.api_key is not None:
        yield model.api_key
    yield from _named(model.kwargs)
    if model.instance is not None:
        yield from _hidden(vars(model.instance).values() if hasattr(model.instance, "__dict__") else ())


def _named(values: Mapping[str, object]) -> Iterator[str]:
    """Yield the texts whose names say that they are secrets, headers of authorization among them."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _named(cast("Mapping[str, object]", value))
        elif isinstance(value, str) and names_a_secret(str(name)):
            yield value
            yield value.rpartition(" ")[2]  # "Bearer KEY"
        else:
            yield from _hidden((value,))


def _hidden(values: Iterable[object]) -> Iterator[str]:
    """Yield what a client library keeps in a type of its own because it is secret, as pydantic's ``SecretStr``."""
    for value in values:
        reveal = getattr(type(value), "get_secret_value", None)
        secret = None if reveal is None else reveal(value)
        if isinstance(secret, str):
            yield secret
