"""Reload a changed configuration while requests run; when it is not valid the old one stays in force."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Final

from crew_router.types import fork_hooks
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.router.runtime import Runtime
    from crew_router.router.source import ConfigSource, Fingerprint

_log = logger(__name__)
_CHECK_INTERVAL_S: Final = 1.0
_SETTLE_S: Final = 0.1


class Reloader:
    """Holds the runtime for new requests, and checks once a second whether the files of the configuration have changed.

    The runtime is replaced in one assignment; a request that has begun keeps the one it began with. Changed files are read
    once they have not changed for a tenth of a second, so that a half-written file is not read.

    Args:
        source: Where the configuration comes from.
        runtime: The runtime built from it.
        fingerprint: Fingerprint of the files before they were read.
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
        """Load the configuration as it is now, and replace the runtime.

        Raises:
            ConfigurationError: It cannot be read or is not valid; the old runtime stays.
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
        """Reload if the files changed; an invalid configuration is logged once."""
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
        """Return the loaded version and when it was loaded, the last error, and the changed settings that need a restart."""
        runtime = self.runtime
        return {
            "policy_version": runtime.rules.policy_version,
            "sources": list(runtime.config.sources),
            "loaded_at": self._loaded_at,
            "problem": self._problem,
            "at_next_start": list(runtime.later),
        }

    def close(self) -> None:
        """Stop checking the files."""
        self._stop.set()

    def before_fork(self) -> None:
        """Do nothing: the runtime is replaced in one assignment, so no lock has to be held."""

    def after_fork(self, *, child: bool) -> None:
        """Continue checking in the child, where a reload that the fork interrupted is done again."""
        if child and not self._stop.is_set():
            self._lock, self._stop, self._fingerprint = threading.Lock(), threading.Event(), ()
            self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=_look, args=(weakref.ref(self), self._stop), name="crew-router-configuration", daemon=True)
        thread.start()


def _look(reloader: weakref.ref[Reloader], stop: threading.Event) -> None:
    """Check the files until the reloader is closed or garbage collected."""
    while not stop.wait(_CHECK_INTERVAL_S):
        strong_reference = reloader()
        if strong_reference is None:
            return
        strong_reference.look()
        del strong_reference
