"""State by url: ``memory://``, ``sqlite:///path``, ``redis://``, ``rediss://``, and what others add by entry point.

A package adds a scheme with an entry point of the group ``crew_router.stores`` whose name is the scheme and whose value is a
function ``(url, project, namespace) -> Store``.
"""

from __future__ import annotations

import importlib.metadata
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

from crew_router.errors import ConfigurationError
from crew_router.record.state.breaker import BreakerPolicy
from crew_router.record.state.shared import ALPHA, Refresh, SharedState
from crew_router.types.clock import Clock, SystemClock

if TYPE_CHECKING:
    from crew_router.record.state.store import Store

Opener: TypeAlias = "Callable[[str, str, str], Store]"
GROUP: Final = "crew_router.stores"


def open_state(
    url: str,
    *,
    project: str,
    clock: Clock | None = None,
    namespace: str = "moe:perf",
    refresh: Refresh = Refresh(),  # noqa: B008 - frozen
    policy: BreakerPolicy = BreakerPolicy(),  # noqa: B008 - frozen
    rng: random.Random | None = None,
    alpha: float = ALPHA,
) -> SharedState:
    """Open the shared numbers of a project.

    Args:
        url: Where they are; credentials and TLS stand in the url.
        project: Their name space.
        clock: Time; the machine's by default.
        namespace: First part of the keys, where a store has keys.
        refresh: How fresh the in-process snapshot is kept.
        policy: When breakers open.
        rng: Jitter of breakers.
        alpha: Weight, 0..1, of the newest reward in the learned weight.

    Raises:
        ConfigurationError: No store is known for the scheme.
        MissingDependencyError: The store needs an extra that is not installed.
    """
    store = _opener(url)(url, project, namespace)
    return SharedState(store, clock or SystemClock(), url=shown(url), refresh=refresh, policy=policy, rng=rng, alpha=alpha)


def store(scheme: str) -> Callable[[Opener], Opener]:
    """Register what opens the stores of a scheme in this process; an installed package uses the entry point group instead.

    Args:
        scheme: The part of ``state.url`` before ``://``.

    Example:
        >>> @store("volatile")
        ... def open_volatile(url, project, namespace):
        ...     return MemoryStore()
    """

    def register(opener: Opener) -> Opener:
        _REGISTERED[scheme] = opener
        return opener

    return register


def shown(url: str) -> str:
    """Return a url without user, password and options."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if host else f"{parts.scheme}://{parts.path}"


def path_of(url: str) -> str:
    """Return the file of a ``sqlite:///path`` url; ``sqlite:////path`` is absolute as elsewhere, and so is ``sqlite:///C:/``."""
    return unquote(url.partition(":///")[2])


def _opener(url: str) -> Opener:
    scheme = url.partition("://")[0]
    known = {**_BUILT_IN, **_REGISTERED}
    if scheme in known:
        return known[scheme]
    for found in importlib.metadata.entry_points(group=GROUP, name=scheme):
        opener: Opener = found.load()
        return opener
    raise ConfigurationError("state", "url", f"no store for {scheme!r}", cure=f"use one of {', '.join(sorted(known))}")


def _memory(_url: str, _project: str, _namespace: str) -> Store:
    from crew_router.record.state.memory import MemoryStore  # only what the url asks for is loaded

    return MemoryStore()


def _sqlite(url: str, project: str, namespace: str) -> Store:
    from crew_router.record.state.sqlite import SqliteStore

    path = path_of(url)
    return SqliteStore(path, project=project) if path else _memory(url, project, namespace)


def _redis(url: str, project: str, namespace: str) -> Store:
    from crew_router.record.state.redis import RedisStore

    return RedisStore(url, project=project, namespace=namespace)


_BUILT_IN: Final[dict[str, Opener]] = {"memory": _memory, "sqlite": _sqlite, "redis": _redis, "rediss": _redis}
_REGISTERED: Final[dict[str, Opener]] = {}
