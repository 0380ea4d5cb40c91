"""The router of those who bring none."""

from __future__ import annotations

import atexit
import functools

from crew_router.router.router import Router


@functools.cache
def shared_router() -> Router:
    """Return one router with the default configuration for the whole process; it is closed when the process ends."""
    router = Router()
    atexit.register(router.close)
    return router
