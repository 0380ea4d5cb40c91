"""Ports of the loopback: a free one, and whether a server answers on one yet."""

from __future__ import annotations

import asyncio
import socket


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def answering(port: int, *, within_s: float = 60.0) -> None:
    """Return once a server takes connections on a port.

    Raises:
        TimeoutError: None does in time.
    """
    for _ in range(round(within_s * 10)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError(f"no server came up on port {port} within {within_s:g} s")
