"""Name the breakers that guard a model: its own, its credential's (as a hash, never the secret) and its provider's."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Final

from crew_router.types.model import ModelDefinition
from crew_router.types.provider_keys import KEY_VARIABLES, MORE_CREDENTIAL_VARIABLES
from crew_router.types.vocabulary import ModelRef

CREDENTIAL: Final = "credential/"
_KEYS: Final = tuple(name for names in KEY_VARIABLES.values() for name in names)


def credential_key(model: ModelDefinition, env: Mapping[str, str] | None = None) -> str:
    """Return the breaker key of a model's credential: provider, base URL and key; an instance given in code is its own.

    A model without a key of its own is called with those of the environment, so that another key there is another credential.

    Args:
        model: The model.
        env: The environment, ``os.environ`` by default.

    Example:
        >>> from crew_router.types import ModelDefinition, ModelRef
        >>> credential_key(ModelDefinition(ModelRef("lab:a"), provider="lab", model="a", api_key="secret"))
        'credential/9bba9965e4bba77d'
    """
    if model.instance is not None:
        secret = f"instance\0{model.ref.model}"
    else:
        secret = "\0".join((model.provider, model.base_url or "", model.api_key or _from_environment(model.provider, env)))
    return _key(secret)


def limit_key(model: ModelRef) -> str:
    """Return the key under which it is kept until when a provider takes no call of a model."""
    return f"limit/{model}"


def breaker_keys(model: ModelDefinition) -> Iterator[str]:
    """Yield the keys of the breakers that can keep calls from a model: model, credential, provider; all its efforts share them."""
    yield model.ref.model
    yield limit_key(model.ref.model)
    yield credential_key(model)
    yield model.provider


def is_credential(key: str) -> bool:
    """Tell whether the key of a breaker stands for a credential."""
    return key.startswith(CREDENTIAL)


def keys_of(env: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return every provider's key in the environment, to tell whether one was set or changed."""
    return tuple(map(env.get, _KEYS))


def _from_environment(provider: str, env: Mapping[str, str] | None) -> str:
    names = (*KEY_VARIABLES.get(provider, ()), *MORE_CREDENTIAL_VARIABLES.get(provider, ()))
    values = os.environ if env is None else env
    return "\0".join(f"{name}={values[name]}" for name in names if values.get(name))


@functools.lru_cache(maxsize=4096)
def _key(secret: str) -> str:
    return f"{CREDENTIAL}{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
