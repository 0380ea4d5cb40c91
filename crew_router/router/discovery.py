"""Discover local model servers, and notice when they are gone, at run time (requirement C3)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from crew_router.config.reachability import is_loopback
from crew_router.router.probe import all_listed, usual_servers
from crew_router.types import ModelCapability, ModelDefinition, ModelRef, Price, Tier
from crew_router.types.clock import Clock
from crew_router.types.fork_hooks import free_in_child

LOOK_AGAIN_S: Final = 60.0


class LocalServers:
    """The models that the servers of this machine listed when they were last asked.

    Args:
        clock: Source of the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked_at: float | None = None
        self._lock = threading.Lock()
        free_in_child(self)
        self.listed: dict[str, frozenset[str] | None] = {}

    def look(self, models: Iterable[ModelDefinition], *, again: bool = False) -> bool:
        """Ask the local servers of some models what they list, at most once a minute; return whether a server was asked.

        Of several threads one asks. The first time, the others wait for its result; later they use the last one.

        Args:
            models: The models.
            again: Ask even when the last time is less than a minute ago.
        """
        urls = {model.base_url for model in models if model.instance is None and model.base_url and is_loopback(model.base_url)}
        if not urls or not (again or self._due()) or not self._lock.acquire(blocking=again or self._looked_at is None):
            return False
        try:
            if not (again or self._due()):
                return False
            self.listed = {**self.listed, **{url: _frozen(names) for url, names in all_listed(urls).items()}}
            self._looked_at = self._clock.monotonic()
        finally:
            self._lock.release()
        return True

    def usual(self, known: Iterable[ModelRef]) -> tuple[ModelDefinition, ...]:
        """Ask the default ports of LM Studio, Ollama and vLLM; return the models listed there that are not known yet."""
        servers = usual_servers()
        with self._lock:
            self.listed = {**self.listed, **{server.base_url: frozenset(server.models) for server in servers}}
        known_refs = set(known)
        return tuple(server_model(ref, base_url=server.base_url) for server in servers for ref in server.refs() if ref not in known_refs)

    def due(self, models: Iterable[ModelDefinition]) -> bool:
        """Tell whether :meth:`look` would ask a server."""
        return self._due() and any(model.instance is None and model.base_url and is_loopback(model.base_url) for model in models)

    def _due(self) -> bool:
        return self._looked_at is None or self._clock.monotonic() - self._looked_at >= LOOK_AGAIN_S


def server_model(ref: ModelRef, *, base_url: str) -> ModelDefinition:
    """Return a registry entry for a model that only a local server lists: it is free, all other figures are unknown."""
    return ModelDefinition(
        ref,
        provider=ref.provider,
        model=ref.name,
        price=Price(0.0, 0.0),
        tier=Tier.LOCAL,
        capabilities=frozenset({ModelCapability.STREAMING}),
        base_url=base_url,
        source="unmeasured",
    )


def _frozen(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
