"""``crew-router-mcp``: the server as a process, over stdio or loopback HTTP."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from crew_router.errors import ConfigurationError, CrewRouterError, InvalidRequestError

PORT: Final = 8765
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(config: Path | None = None, *, http: bool = False, host: str = "127.0.0.1", port: int = PORT) -> None:
    """Serve the MCP tools until the client goes away; standard output belongs to the protocol.

    Args:
        config: Configuration of the router, a file or a folder.
        http: Serve streamable HTTP instead of standard input and output.
        host: Loopback address for HTTP.
        port: Port for HTTP.

    Raises:
        InvalidRequestError: The host is not a loopback address.
        ConfigurationError: The configuration cannot be read or means nothing.
        MissingDependencyError: The extra ``mcp`` is not installed.
    """
    if http and host not in _LOOPBACK:
        raise InvalidRequestError("host", host, expected="a loopback address, and put a proxy with authentication before it")
    from crew_router.router.router import Router  # `--help` needs neither a router nor fastmcp
    from crew_router_mcp.server import create_server

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with Router(config=config) as router:
        server = create_server(router)
        if http:
            server.run("http", show_banner=False, host=host, port=port, host_origin_protection="auto", log_level="warning")
        else:
            server.run("stdio", show_banner=False, log_level="warning")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``crew-router-mcp``; an error is one line on standard error, exit 1 (failed) or 2 (wrong use)."""
    options = _parser().parse_args(arguments)
    try:
        serve(options.config, http=options.http, host=options.host, port=options.port)
    except CrewRouterError as error:
        sys.stderr.write(f"crew-router-mcp: {' '.join(str(error).split())}\n")
        sys.exit(2 if isinstance(error, (ConfigurationError, InvalidRequestError)) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crew-router-mcp", description="Model routing as MCP tools, over standard input and output.")
    parser.add_argument("--config", type=Path, help="configuration file or folder of crew-router")
    parser.add_argument("--http", action="store_true", help="serve streamable HTTP on the loopback interface instead")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to serve on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to serve on (default: %(default)s)")
    return parser
