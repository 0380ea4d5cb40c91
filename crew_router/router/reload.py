"""A changed configuration is taken over while requests run; one that means nothing is refused and the old one stays."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Final

from crew_router.types import fork_hooks

if TYPE_CHECKING:
    from crew_router.router.runtime import Runtime
    from crew_router.router.source import ConfigSource, Fingerprint

_log = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
_SETTLE_S: Final = 0.1


class Reloader:
    """Holds the runtime that new requests are served with, and looks once a second whether the files they came from changed.

    The runtime is replaced in one assignment: a request that has begun ends with the one it began with. Files are read once
    they have stood still for a tenth of a second, so that one that is being written is not taken for a whole one.

    Args:
        source: Where the configuration comes from.
        runtime: What it came to so far.
        fingerprint: That of the files before they were read.
    """

    def __init__(self, source: ConfigSource, runtime: Runtime, fingerprint: Fingerprint) -> None:
        self.runtime = runtime
        self._source, self._fingerprint = source.pinned(), fingerprint
        self._problem: str | None = None
        self._loaded_at = runtime.clock.now()
        self._lock, self._stop = threading.Lock(), threading.Event()
        if fingerprint:
            self._start()
            fork_hooks.watch(self)

    def reload(self) -> None:
        """Take the configuration over as it stands.

        Raises:
            ConfigurationError: It cannot be read or means nothing; the old one stays.
        """
        from crew_router.router.build import rebuild  # reads files, which importing must not

        with self._lock:
            self._fingerprint = self._source.fingerprint()
            try:
                self.runtime = rebuild(self.runtime, self._source)
            except Exception as error:
                self._problem = str(error)
                raise
            self._problem, self._loaded_at = None, self.runtime.clock.now()

    def look(self) -> None:
        """Take the configuration over if its files changed; one that is refused is logged once."""
        fingerprint = self._source.fingerprint()
        if fingerprint == self._fingerprint:
            return
        while not self._stop.wait(_SETTLE_S) and fingerprint != (fingerprint := self._source.fingerprint()):
            pass
        try:
            self.reload()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the requests go on
            _log.error("the changed configuration is refused, the old one stays: %s", error)
        else:
            _log.info("the configuration was taken over, policy version %s", self.runtime.rules.policy_version)

    def status(self) -> dict[str, object]:
        """Return what holds since when, what was refused, and which changed settings wait for the next start."""
        runtime = self.runtime
        return {
            "policy_version": runtime.rules.policy_version,
            "sources": list(runtime.config.sources),
            "loaded_at": self._loaded_at,
            "problem": self._problem,
            "at_next_start": list(runtime.later),
        }

    def close(self) -> None:
        """Look no more."""
        self._stop.set()

    def before_fork(self) -> None:
        """Nothing to hold: the runtime is replaced in one assignment."""

    def after_fork(self, *, child: bool) -> None:
        """Look on in the child; a take-over that the fork cut in two is done again there."""
        if child and not self._stop.is_set():
            self._lock, self._stop, self._fingerprint = threading.Lock(), threading.Event(), ()
            self._start()

    def _start(self) -> None:
        looking = threading.Thread(target=_look, args=(weakref.ref(self), self._stop), name="crew-router-configuration", daemon=True)
        looking.start()


def _look(reloader: weakref.ref[Reloader], stop: threading.Event) -> None:
    """Look until the reloader is closed or nobody uses it any more."""
    while not stop.wait(_LOOK_S):
        held = reloader()
        if held is None:
            return
        held.look()
        del held
