"""Local model servers: found, and lost, at run time (requirement C3)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from crew_router.config.reachability import is_loopback
from crew_router.router.probe import listed_models, usual_servers
from crew_router.types import ModelCapability, ModelDefinition, ModelRef, Price, Tier
from crew_router.types.clock import Clock

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
        self.listed: dict[str, frozenset[str] | None] = {}

    def look(self, models: Iterable[ModelDefinition], *, again: bool = False) -> bool:
        """Ask the servers of some models what they list, at most once a minute; return whether anybody was asked.

        Args:
            models: The models whose servers matter.
            again: Ask although it is less than a minute ago.
        """
        urls = {model.base_url for model in models if model.instance is None and model.base_url and is_loopback(model.base_url)}
        if not urls or not (again or self._due()):
            return False
        with self._lock:
            self._looked_at = self._clock.monotonic()
            self.listed = {**self.listed, **{url: _set(listed_models(url)) for url in urls}}
        return True

    def usual(self, known: Iterable[ModelRef]) -> tuple[ModelDefinition, ...]:
        """Look at the usual ports of LM Studio, Ollama and vLLM; return the models listed there that are not known."""
        found = usual_servers()
        with self._lock:
            self.listed = {**self.listed, **{server.base_url: frozenset(server.models) for server in found}}
        old = set(known)
        return tuple(server_model(ref, base_url=server.base_url) for server in found for ref in server.refs() if ref not in old)

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
