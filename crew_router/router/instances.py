"""Turn client objects given in code into registry entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast, runtime_checkable

from crew_router.execute.transports import Transports
from crew_router.types.model import ModelDefinition
from crew_router.types.vocabulary import ModelRef


@runtime_checkable
class SelfDescribing(Protocol):
    """A client that knows its own figures."""

    def describe(self, ref: ModelRef) -> ModelDefinition:
        """Return the definition of this client."""
        ...


@runtime_checkable
class Describer(Protocol):
    """A transport that knows the figures of client objects: price, context window, capabilities."""

    def describe(self, ref: ModelRef, instance: object) -> ModelDefinition:
        """Return the definition of a client object; unknown figures are ``None``."""
        ...


def with_instances(models: Mapping[str, object]) -> dict[str, object]:
    """Return the entries with every client object replaced by its definition; mappings and definitions are unchanged."""
    transports = Transports()
    return {name: _described(name, client, transports) for name, client in models.items()}


def _described(name: str, client: object, transports: Transports) -> object:
    if client is None or isinstance(client, (Mapping, ModelDefinition, str, int, float, list)):
        return cast("object", client)  # the registry refuses a wrong type, with a better error
    ref = ModelRef(name)
    if isinstance(client, SelfDescribing):
        return client.describe(ref)
    definition = ModelDefinition(ref, provider=ref.provider, model=ref.name, instance=client)
    transport = transports(definition)
    return transport.describe(ref, client) if isinstance(transport, Describer) else definition
