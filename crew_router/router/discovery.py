"""Local model servers: found, and lost, at run time (requirement C3)."""

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
    """What the servers of this machine listed when they were last asked.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked_at: float | None = None
        self._lock = threading.Lock()
        free_in_child(self)
        self.listed: dict[str, frozenset[str] | None] = {}

    def look(self, models: Iterable[ModelDefinition], *, again: bool = False) -> bool:
        """Ask the servers of some models what they list, at most once a minute; return whether anybody was asked.

        Of several threads one asks. The others wait for it the first time, and go on with what is known later.

        Args:
            models: The models whose servers matter.
            again: Ask although it is less than a minute ago.
        """
        urls = {model.base_url for model in models if model.instance is None and model.base_url and is_loopback(model.base_url)}
        if not urls or not (again or self._due()) or not self._lock.acquire(blocking=again or self._looked_at is None):
            return False
        try:
            if not (again or self._due()):
                return False
            self.listed = {**self.listed, **{url: _set(names) for url, names in all_listed(urls).items()}}
            self._looked_at = self._clock.monotonic()
        finally:
            self._lock.release()
        return True

    def usual(self, known: Iterable[ModelRef]) -> tuple[ModelDefinition, ...]:
        """Look at the usual ports of LM Studio, Ollama and vLLM; return the models listed there that are not known."""
        found = usual_servers()
        with self._lock:
            self.listed = {**self.listed, **{server.base_url: frozenset(server.models) for server in found}}
        old = set(known)
        return tuple(server_model(ref, base_url=server.base_url) for server in found for ref in server.refs() if ref not in old)

    def due(self, models: Iterable[ModelDefinition]) -> bool:
        """Tell whether :meth:`look` would ask anybody."""
        return self._due() and any(model.instance is None and model.base_url and is_loopback(model.base_url) for model in models)

    def _due(self) -> bool:
        return self._looked_at is None or self._clock.monotonic() - self._looked_at >= LOOK_AGAIN_S


def server_model(ref: ModelRef, *, base_url: str) -> ModelDefinition:
    """Return the entry of a model that a local server lists and the registry does not know: free, and otherwise unmeasured."""
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


def _set(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
