"""Ready clients given in code, as entries of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast, runtime_checkable

from crew_router.execute.transports import Transports
from crew_router.types.model import ModelDefinition
from crew_router.types.vocabulary import ModelRef


@runtime_checkable
class SelfDescribing(Protocol):
    """A client that can tell its own figures."""

    def describe(self, ref: ModelRef) -> ModelDefinition:
        """Return the definition of this client."""
        ...


@runtime_checkable
class Describer(Protocol):
    """A transport that can tell the figures of an instance: price, context window, capabilities."""

    def describe(self, ref: ModelRef, instance: object) -> ModelDefinition:
        """Return the definition of an instance; what nobody knows stays ``None``."""
        ...


def with_instances(models: Mapping[str, object]) -> dict[str, object]:
    """Return entries with every ready client replaced by its definition; mappings and definitions pass as they are."""
    transports = Transports()
    return {name: _described(name, given, transports) for name, given in models.items()}


def _described(name: str, given: object, transports: Transports) -> object:
    if given is None or isinstance(given, (Mapping, ModelDefinition, str, int, float, list)):
        return cast("object", given)  # a wrong type is refused by the registry, which names place and cure
    ref = ModelRef(name)
    if isinstance(given, SelfDescribing):
        return given.describe(ref)
    bare = ModelDefinition(ref, provider=ref.provider, model=ref.name, instance=given)
    transport = transports(bare)
    return transport.describe(ref, given) if isinstance(transport, Describer) else bare
