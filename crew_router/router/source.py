"""What a router was made with, so that it can be read again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from crew_router.config.registry import Registry
from crew_router.types import ModelRef

if TYPE_CHECKING:
    from pathlib import Path

    from crew_router.config.load import GivenConfig
    from crew_router.config.router_config import RouterConfig

Fingerprint: TypeAlias = "tuple[tuple[str, int, int, int], ...]"


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments that win over configuration; ``None`` leaves the configuration as it is."""

    state_url: str | None = None
    ledger_url: str | None = None
    project: str | None = None
    learning: bool | None = None
    escalation: bool | None = None
    escalation_threshold: float | None = None
    cost_mode: bool | None = None


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where the configuration of a router comes from.

    Args:
        config: The configuration as it was given.
        models: The models that were given in its place.
        arguments: Arguments that win over it.
    """

    config: GivenConfig
    models: Registry | None
    arguments: Arguments

    @classmethod
    def of(cls, config: GivenConfig, models: Mapping[str, object] | None, arguments: Arguments) -> ConfigSource:
        """Return a source.

        Raises:
            RegistryError: An entry of ``models`` means nothing.
        """
        given = _given_models(models)
        return cls(config if config is not None or given is None else {"registry": "none"}, given, arguments)

    def load(self) -> RouterConfig:
        """Read the configuration as it stands.

        Raises:
            ConfigurationError: It cannot be read or means nothing.
        """
        from crew_router.config.load import load_config  # pydantic and YAML come when something is loaded

        return _overridden(load_config(self.config, env=os.environ, registry=self.models), self.arguments)

    def pinned(self) -> ConfigSource:
        """Return a source that means the same files when the working directory or the environment have changed."""
        from crew_router.config.load import pinned

        return replace(self, config=pinned(self.config, os.environ))

    def declared(self, registry: Registry) -> frozenset[ModelRef]:
        """Return the models whose entries a user wrote or changed."""
        return _declared_models(registry) if self.models is None else frozenset(model.ref for model in registry.models)

    def fingerprint(self) -> Fingerprint:
        """Return what changes when a file of the configuration does; nothing where there is no file."""
        return tuple(_file_fingerprint(path) for path in self.files())

    def files(self) -> tuple[Path, ...]:
        """Return the files that the configuration is read from, apart from those of the package."""
        from crew_router.config.load import files_of

        return files_of(self.config, os.environ)


def _file_fingerprint(path: Path) -> tuple[str, int, int, int]:
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
    from crew_router.router.instances import with_instances  # only needed for the argument

    return Registry.from_entries(with_instances(models), place="Router(models=…)")


def _declared_models(registry: Registry) -> frozenset[ModelRef]:
    """Return the models that are not exactly those of the package: entries that a user wrote or changed."""
    from crew_router.config.environment import with_environment
    from crew_router.config.load import packaged_registry  # reads files

    packaged = {model.ref: with_environment(model, os.environ) for model in packaged_registry()}
    return frozenset(model.ref for model in registry.models if packaged.get(model.ref) != model)


def _overridden(config: RouterConfig, arguments: Arguments) -> RouterConfig:
    """Return the configuration with the arguments put over it."""
    escalation = replace(
        config.escalation,
        enabled=config.escalation.enabled if arguments.escalation is None else arguments.escalation,
        threshold=config.escalation.threshold if arguments.escalation_threshold is None else arguments.escalation_threshold,
    )
    optimize = config.optimize if arguments.cost_mode is None else ("cost" if arguments.cost_mode else "quality")
    return replace(
        config,
        escalation=escalation,
        optimize=optimize,
        project=arguments.project or config.project,
        learning=config.learning if arguments.learning is None else replace(config.learning, enabled=arguments.learning),
        state=config.state if arguments.state_url is None else replace(config.state, url=arguments.state_url),
        ledger=config.ledger if arguments.ledger_url is None else replace(config.ledger, url=arguments.ledger_url),
    )
