"""A changed configuration is taken over while requests run; one that means nothing is refused and the old one stays."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Final

from crew_router import forking

if TYPE_CHECKING:
    from crew_router.origin import Mark, Origin
    from crew_router.parts import Parts

_log = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
_SETTLE_S: Final = 0.1


class Reloader:
    """Holds the parts that new requests are served with, and looks once a second whether the files they came from changed.

    The parts are replaced in one assignment: a request that has begun ends with the ones it began with. Files are read once
    they have stood still for a tenth of a second, so that one that is being written is not taken for a whole one.

    Args:
        origin: Where the configuration comes from.
        parts: What it came to so far.
        mark: The mark of the files before they were read.
    """

    def __init__(self, origin: Origin, parts: Parts, mark: Mark) -> None:
        self.parts = parts
        self._origin, self._mark = origin.pinned(), mark
        self._problem: str | None = None
        self._loaded_at = parts.clock.now()
        self._lock, self._stop = threading.Lock(), threading.Event()
        if mark:
            self._start()
            forking.watch(self)

    def reload(self) -> None:
        """Take the configuration over as it stands.

        Raises:
            ConfigurationError: It cannot be read or means nothing; the old one stays.
        """
        from crew_router.assembly import renewed  # noqa: PLC0415 - reads files, which importing must not

        with self._lock:
            self._mark = self._origin.mark()
            try:
                self.parts = renewed(self.parts, self._origin)
            except Exception as error:
                self._problem = str(error)
                raise
            self._problem, self._loaded_at = None, self.parts.clock.now()

    def look(self) -> None:
        """Take the configuration over if its files changed; one that is refused is logged once."""
        mark = self._origin.mark()
        if mark == self._mark:
            return
        while not self._stop.wait(_SETTLE_S) and mark != (mark := self._origin.mark()):
            pass
        try:
            self.reload()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the requests go on
            _log.error("the changed configuration is refused, the old one stays: %s", error)
        else:
            _log.info("the configuration was taken over, policy version %s", self.parts.line.rules.policy_version)

    def status(self) -> dict[str, object]:
        """Return what holds since when, what was refused, and which changed settings wait for the next start."""
        parts = self.parts
        return {
            "policy_version": parts.line.rules.policy_version,
            "sources": list(parts.config.sources),
            "loaded_at": self._loaded_at,
            "problem": self._problem,
            "at_next_start": list(parts.later),
        }

    def close(self) -> None:
        """Look no more."""
        self._stop.set()

    def before_fork(self) -> None:
        """Nothing to hold: parts are replaced in one assignment."""

    def after_fork(self, *, child: bool) -> None:
        """Look on in the child; a take-over that the fork cut in two is done again there."""
        if child and not self._stop.is_set():
            self._lock, self._stop, self._mark = threading.Lock(), threading.Event(), ()
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
