"""What a router was made with, so that it can be read again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from crew_router.registry import Registry
from crew_router.types import ModelRef

if TYPE_CHECKING:
    from pathlib import Path

    from crew_router.configuration import ConfigSource
    from crew_router.settings import RouterConfig

Mark: TypeAlias = "tuple[tuple[str, int, int, int], ...]"


@dataclass(frozen=True, slots=True)
class Overrides:
    """Arguments that win over configuration; ``None`` leaves the configuration as it is."""

    state_url: str | None = None
    ledger_url: str | None = None
    project: str | None = None
    learning: bool | None = None
    escalation: bool | None = None
    escalation_threshold: float | None = None
    cost_mode: bool | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the configuration of a router comes from.

    Args:
        config: The configuration as it was given.
        models: The models that were given in its place.
        overrides: Arguments that win over it.
    """

    config: ConfigSource
    models: Registry | None
    overrides: Overrides

    @classmethod
    def of(cls, config: ConfigSource, models: Mapping[str, object] | None, overrides: Overrides) -> Origin:
        """Return an origin.

        Raises:
            RegistryError: An entry of ``models`` means nothing.
        """
        given = _given_models(models)
        return cls(config if config is not None or given is None else {"registry": "none"}, given, overrides)

    def load(self) -> RouterConfig:
        """Read the configuration as it stands.

        Raises:
            ConfigurationError: It cannot be read or means nothing.
        """
        from crew_router.configuration import load_config  # noqa: PLC0415 - pydantic and YAML come when something is loaded

        return _overridden(load_config(self.config, env=os.environ, registry=self.models), self.overrides)

    def pinned(self) -> Origin:
        """Return an origin that means the same files when the working directory or the environment have changed."""
        from crew_router.configuration import pinned  # noqa: PLC0415 - as above

        return replace(self, config=pinned(self.config, os.environ))

    def declared(self, registry: Registry) -> frozenset[ModelRef]:
        """Return the models whose entries a user wrote or changed."""
        return _declared_models(registry) if self.models is None else frozenset(model.ref for model in registry.models)

    def mark(self) -> Mark:
        """Return what changes when a file of the configuration does; nothing where there is no file."""
        return tuple(_mark_of(path) for path in self.files())

    def files(self) -> tuple[Path, ...]:
        """Return the files that the configuration is read from, apart from those of the package."""
        from crew_router.configuration import files_of  # noqa: PLC0415 - as above

        return files_of(self.config, os.environ)


def _mark_of(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino


def _given_models(models: Mapping[str, object] | None) -> Registry | None:
    """Return the registry that the ``models`` argument describes.

    Raises:
        RegistryError: An entry means nothing.
    """
    if models is None:
        return None
    from crew_router.execute.instances import with_instances  # noqa: PLC0415 - only needed for the argument

    return Registry.from_entries(with_instances(models), place="Router(models=…)")


def _declared_models(registry: Registry) -> frozenset[ModelRef]:
    """Return the models that are not exactly those of the package: entries that a user wrote or changed."""
    from crew_router.configuration import packaged_registry  # noqa: PLC0415 - reads files
    from crew_router.environment import with_environment  # noqa: PLC0415

    packaged = {model.ref: with_environment(model, os.environ) for model in packaged_registry()}
    return frozenset(model.ref for model in registry.models if packaged.get(model.ref) != model)


def _overridden(config: RouterConfig, overrides: Overrides) -> RouterConfig:
    """Return the configuration with the arguments put over it."""
    escalation = replace(
        config.escalation,
        enabled=config.escalation.enabled if overrides.escalation is None else overrides.escalation,
        threshold=config.escalation.threshold if overrides.escalation_threshold is None else overrides.escalation_threshold,
    )
    optimize = config.optimize if overrides.cost_mode is None else ("cost" if overrides.cost_mode else "quality")
    return replace(
        config,
        escalation=escalation,
        optimize=optimize,
        project=overrides.project or config.project,
        learning=config.learning if overrides.learning is None else replace(config.learning, enabled=overrides.learning),
        state=config.state if overrides.state_url is None else replace(config.state, url=overrides.state_url),
        ledger=config.ledger if overrides.ledger_url is None else replace(config.ledger, url=overrides.ledger_url),
    )
