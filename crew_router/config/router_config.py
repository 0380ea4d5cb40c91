"""A loaded configuration."""

from __future__ import annotations

from dataclasses import dataclass

from crew_router.config.registry import Registry
from crew_router.config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterConfig(Settings):
    """A loaded configuration: the sections, the registry, and what the environment added.

    ``project`` is never ``None`` here, and model names in ``baseline``, ``task_types`` and ``experiments`` are resolved to
    ``provider:model``.

    Args:
        registry: the models
        smart_routing: false (ENABLE_SMART_ROUTING) sends everything to the baseline model
        experiments_enabled: false (ROUTING_AB_TEST_ENABLED) pauses every experiment
        sources: what was read, the weakest first
    """

    registry: Registry
    smart_routing: bool = True
    experiments_enabled: bool = True
    sources: tuple[str, ...] = ()
