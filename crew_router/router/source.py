"""The source of a router's configuration, kept so that it can be loaded again."""

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
    """Arguments that override the configuration; ``None`` does not override."""

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
        config: The configuration as given: a file, a folder, a dictionary, a RouterConfig or ``None``.
        models: The models given as an argument, which replace the configured ones.
        arguments: Arguments that override the configuration.
    """

    config: GivenConfig
    models: Registry | None
    arguments: Arguments

    @classmethod
    def of(cls, config: GivenConfig, models: Mapping[str, object] | None, arguments: Arguments) -> ConfigSource:
        """Return a source.

        Raises:
            RegistryError: An entry of ``models`` is not valid.
        """
        registry = _given_models(models)
        return cls(config if config is not None or registry is None else {"registry": "none"}, registry, arguments)

    def load(self) -> RouterConfig:
        """Load the configuration as it is now.

        Raises:
            ConfigurationError: It cannot be read or is not valid.
        """
        from crew_router.config.load import load_config  # imports pydantic and YAML, so only when needed
        from crew_router.config.secrets import remember_secrets

        config = _overridden(load_config(self.config, env=os.environ, registry=self.models), self.arguments)
        remember_secrets(config, os.environ)
        return config

    def pinned(self) -> ConfigSource:
        """Return the source with absolute paths, so that a later change of working directory or environment has no effect."""
        from crew_router.config.load import pinned

        return replace(self, config=pinned(self.config, os.environ))

    def declared(self, registry: Registry) -> frozenset[ModelRef]:
        """Return the models whose entries the user wrote or changed."""
        return _declared_models(registry) if self.models is None else frozenset(model.ref for model in registry.models)

    def fingerprint(self) -> Fingerprint:
        """Return a value that changes when a file of the configuration changes; empty when there is no file."""
        return tuple(_file_fingerprint(path) for path in self.files())

    def files(self) -> tuple[Path, ...]:
        """Return the files that the configuration is read from, without those of the package."""
        from crew_router.config.load import files_of

        return files_of(self.config, os.environ)


def _file_fingerprint(path: Path) -> tuple[str, int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino


def _given_models(models: Mapping[str, object] | None) -> Registry | None:
    """Return the registry that the ``models`` argument describes.

    Raises:
        RegistryError: An entry is not valid.
    """
    if models is None:
        return None
    from crew_router.router.instances import with_instances  # only needed for the argument

    return Registry.from_entries(with_instances(models), place="Router(models=…)")


def _declared_models(registry: Registry) -> frozenset[ModelRef]:
    """Return the models whose entries differ from the package's, or are not in it."""
    from crew_router.config.environment import with_environment
    from crew_router.config.load import packaged_registry  # reads files

    packaged = {model.ref: with_environment(model, os.environ) for model in packaged_registry()}
    return frozenset(model.ref for model in registry.models if packaged.get(model.ref) != model)


def _overridden(config: RouterConfig, arguments: Arguments) -> RouterConfig:
    """Return the configuration with the settings that arguments override."""
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
