"""What has to be known before a decision, and may take a while: fetched before it, and off the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crew_router.router.runtime import Runtime


def prepare(runtime: Runtime, *, servers: bool) -> None:
    """Look for local servers where that is due, read what operators ordered, and build what the first decision needs.

    Args:
        runtime: The router.
        servers: Whether local servers matter, as they do for a request that will be carried out.
    """
    if servers:
        runtime.models.look_for_servers()
    if not runtime.has_decided:
        runtime.warm()
    runtime.kept.overrides.renew(runtime.state.snapshot())


async def aprepare(runtime: Runtime, *, servers: bool) -> None:
    """Do the same on a thread where anything of it has to be done."""
    if _is_ready(runtime, servers=servers):
        return
    import asyncio

    await asyncio.to_thread(_prepare_all, runtime, servers=servers)


def _is_ready(runtime: Runtime, *, servers: bool) -> bool:
    models = runtime.models
    made = models.settled if servers else models.made
    return made and runtime.has_decided and runtime.state.fresh and runtime.kept.overrides.settled(runtime.state.snapshot())


def _prepare_all(runtime: Runtime, *, servers: bool) -> None:
    prepare(runtime, servers=servers)
    runtime.models.current()
