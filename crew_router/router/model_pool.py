"""The models of a router and whether they can be called; models that local servers list are added at run time."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from crew_router.config.credential import credential_key, keys_of
from crew_router.config.reachability import LOCAL_PROVIDERS, Obstacle, obstacle
from crew_router.types import Limits, ModelDefinition, ModelRef, RoutingRequest, Tier

if TYPE_CHECKING:
    from crew_router.config.registry import Registry
    from crew_router.decide.rules import Pool
    from crew_router.decide.tokenizers import Tokenizer
    from crew_router.router.discovery import LocalServers
    from crew_router.types.arrays import Flags


class ModelPool:
    """The registry of a router and the reachability of its models. Safe to read from any thread.

    Args:
        registry: The configured models.
        servers: The models that local servers listed.
        declared: Models whose entries the user wrote.
        find_usual: Whether to look for servers on default ports.
        count_tokens: Whether to use installed tokenizers.
        found: Models found on local servers earlier, to keep after a reload.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        servers: LocalServers,
        declared: frozenset[ModelRef],
        find_usual: bool,
        count_tokens: bool,
        found: tuple[ModelDefinition, ...] = (),
    ) -> None:
        self.found = tuple(model for model in found if model.ref not in registry)
        self.registry = registry.with_models(self.found) if self.found else registry
        self._servers, self._declared, self._find_usual, self._count_tokens = servers, declared, find_usual, count_tokens
        self._current: Pool | None = None
        self._listed: Mapping[str, frozenset[str] | None] = {}
        self._keys: tuple[str | None, ...] = ()
        self._limited = False

    @property
    def settled(self) -> bool:
        """Whether the next decision needs neither a server's listing nor anything built."""
        return self.made and not self._servers.due(self.registry.models)

    @property
    def made(self) -> bool:
        """Whether :meth:`current` has nothing to build."""
        return self._current is not None and self._listed is self._servers.listed and self._keys == keys_of(os.environ)

    def current(self) -> Pool:
        """Return the models in the form that decisions use; rebuilt after a check of local servers or a change of keys."""
        pool, listed, keys = self._current, self._servers.listed, keys_of(os.environ)
        if pool is None or self._listed is not listed or self._keys != keys:
            import numpy as np  # slow to import, so only for the first decision

            from crew_router.decide.model_table import model_table_of
            from crew_router.decide.rules import Pool

            models = self.registry.models
            obstacles = tuple(map(self.obstacle, models))
            reachable = np.array([each is None for each in obstacles], dtype=np.bool_)
            self._limited = any(model.limits != Limits() for model in models)
            self._listed, self._keys = listed, keys
            table, tokenizers = model_table_of(models), self._tokenizers(reachable)
            away = tuple(obstacles[code] for code in table.codes)
            pool = Pool(table.models, table, reachable[table.model_code], self.registry.version, tokenizers, away)
            self._current = pool
        return pool

    @property
    def limited(self) -> bool:
        """Whether any model states a limit of rate or concurrency."""
        self.current()
        return self._limited

    def obstacle(self, model: ModelDefinition) -> Obstacle | None:
        """Return why a model cannot be called, or ``None``."""
        return obstacle(model, env=os.environ, serving=self._servers.listed, declared=model.ref in self._declared)

    def reachable(self) -> frozenset[ModelRef]:
        """Return the models that can be called."""
        return frozenset(model.ref for model in self.registry.models if self.obstacle(model) is None)

    def obstacles(self) -> Mapping[ModelRef, Obstacle]:
        """Return what keeps models from being called, for those that cannot be."""
        found = {model.ref: self.obstacle(model) for model in self.registry.models}
        return {ref: each for ref, each in found.items() if each is not None}

    def look_for_servers(self, *, again: bool = False) -> None:
        """Ask the local servers of the registry's models what they list, at most once a minute unless ``again``."""
        if self._servers.look(self.registry.models, again=again):
            self._current = None

    def discover(self) -> None:
        """Ask local servers what they list, and add the models that servers on default ports list, if that is enabled."""
        self.look_for_servers(again=True)
        if self._find_usual:
            new = self._servers.usual(model.ref for model in self.registry.models)
            if new:
                self.found += new
                self.registry = self.registry.with_models(new)
            self._current = None

    def resolved(self, request: RoutingRequest) -> RoutingRequest:
        """Return the request with its forced model resolved to ``provider:model``.

        Raises:
            UnknownModelError: The registry has no such model.
        """
        if request.force_model is None:
            return request
        return dataclasses.replace(request, force_model=self.registry.resolve(request.force_model).ref)

    def credential_of(self, ref: ModelRef) -> str:
        """Return the breaker key of a model's credential."""
        return credential_key(self.registry[ref])

    def is_local(self, ref: ModelRef) -> bool:
        """Tell whether a model runs on a local server."""
        model = self.registry.get(ref)
        return model is not None and (model.tier is Tier.LOCAL or (model.tier is None and model.ref.provider in LOCAL_PROVIDERS))

    def _tokenizers(self, reachable: Flags) -> Mapping[str, Tokenizer]:
        if not self._count_tokens:
            return {}
        from crew_router.decide.tokenizers import tokenizers_of  # slow to import, so only for the first decision

        return tokenizers_of(self.registry.models[index].provider for index in reachable.nonzero()[0])
