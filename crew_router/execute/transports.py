"""Finds the transport of a model: by entry point, and for instances by the module names of their classes.

Entry points stand in the group ``crew_router.transports`` and name a callable without arguments that returns a
:class:`~crew_router.execute.transport.Transport`. The name of an entry point is either the top of a module name
(``langchain_core`` serves every instance with a class of ``langchain_core`` among its bases) or ``provider.NAME``
(serves the registry entries of that provider). Registry entries of all other providers are served by
``langchain_core``.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Final

from crew_router.errors import ConfigurationError, MissingDependencyError
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.model import ModelDefinition
from crew_router.types.transport import Transport

GROUP: Final = "crew_router.transports"
DEFAULT: Final = "langchain_core"
Factory = Callable[[], Transport]
# The ones of this distribution, so that a checkout that is not installed finds them too.
BUILT_IN: Final = {
    "langchain_core": "crew_router_langchain.transport:LangChainTransport",
    "crew_router.testing": "crew_router.testing.transport:TestingTransport",
}


class Transports:
    """Finds and keeps one transport a name. Safe to call from any thread."""

    def __init__(self) -> None:
        self._ready: dict[str, Transport] = {}
        self._by_kind: dict[type, str] = {}
        self._lock = threading.Lock()
        free_in_child(self)

    def __call__(self, model: ModelDefinition) -> Transport:
        """Return the transport of a model.

        Raises:
            ConfigurationError: No transport serves the type of the instance.
            MissingDependencyError: The package of the transport is not installed.
        """
        name = self._name_of(model)
        ready = self._ready.get(name)
        return ready if ready is not None else self._load(name)

    def close(self) -> None:
        """Close what the transports opened for blocking calls; they open again when they are used again."""
        for transport in tuple(self._ready.values()):
            close = getattr(transport, "close", None)
            if close is not None:
                close()

    async def aclose(self) -> None:
        """Close what the transports opened on the running loop, and what :meth:`close` closes."""
        for transport in tuple(self._ready.values()):
            aclose = getattr(transport, "aclose", None)
            if aclose is not None:
                await aclose()

    def _name_of(self, model: ModelDefinition) -> str:
        if model.instance is None:
            provider = f"provider.{model.provider}"
            return provider if provider in _others() else DEFAULT
        kind = type(model.instance)
        if kind not in self._by_kind:
            self._by_kind[kind] = _name_for(kind)
        return self._by_kind[kind]

    def _load(self, name: str) -> Transport:
        with self._lock:
            if name not in self._ready:
                self._ready[name] = _factory(name)()
            return self._ready[name]


def _name_for(kind: type) -> str:
    known = {*BUILT_IN, *_others()}
    for base in kind.__mro__:
        for prefix in _prefixes(base.__module__):
            if prefix in known:
                return prefix
    raise ConfigurationError(
        "models",
        "",
        f"no transport serves an instance of {kind.__module__}.{kind.__qualname__}",
        cure=f"give a LangChain chat model, or register a transport under the entry point group {GROUP!r}.",
    )


def _prefixes(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]


def _factory(name: str) -> Factory:
    other = _others().get(name)
    if other is not None:
        return other
    module, _, attribute = BUILT_IN[name].partition(":")
    try:
        factory: Factory = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or module, extra="langchain") from error
    return factory


@functools.cache
def _others() -> dict[str, Factory]:
    """Return the registered transports that are not of this distribution, read once a process when first needed."""
    return {point.name: _lazily(point.load) for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


def _lazily(load: Callable[[], Factory]) -> Factory:
    def factory() -> Transport:
        return load()()

    return factory
