"""Name the breakers that guard a model: its own, its credential's (as a hash, never the secret) and its provider's."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator

from crew_router.types.model import ModelDefinition
from crew_router.types.vocabulary import ModelRef


def credential_key(model: ModelDefinition) -> str:
    """Return the breaker key of a model's credential: provider, base URL and key; an instance given in code is its own.

    Example:
        >>> from crew_router.types import ModelDefinition, ModelRef
        >>> credential_key(ModelDefinition(ModelRef("lab:a"), provider="lab", model="a", api_key="secret"))
        'credential/9bba9965e4bba77d'
    """
    if model.instance is not None:
        secret = f"instance\0{model.ref}"
    else:
        secret = "\0".join((model.provider, model.base_url or "", model.api_key or ""))
    return _key(secret)


def limit_key(model: ModelRef) -> str:
    """Return the key under which it is kept until when a provider takes no call of a model."""
    return f"limit/{model}"


def breaker_keys(model: ModelDefinition) -> Iterator[str]:
    """Yield the keys of the breakers that can keep calls from a model: model, credential, provider."""
    yield model.ref
    yield limit_key(model.ref)
    yield credential_key(model)
    yield model.provider


@functools.cache
def _key(secret: str) -> str:
    return f"credential/{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
