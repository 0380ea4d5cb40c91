"""``crew-router-mcp``: the server as a process, over stdio or loopback HTTP."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from crew_router.errors import CrewRouterError

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server until its client goes away; standard output belongs to the protocol."""
    options = _parser().parse_args(arguments)
    if options.http and options.host not in _LOOPBACK:
        cure = "serve 127.0.0.1 and put a proxy with authentication before it"
        sys.exit(f"crew-router-mcp: {options.host!r} is not a loopback address; {cure}.")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        _serve(options.config, http=options.http, host=options.host, port=options.port)
    except CrewRouterError as error:
        sys.exit(f"crew-router-mcp: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crew-router-mcp", description="Model routing as MCP tools, over standard input and output.")
    parser.add_argument("--config", type=Path, help="configuration file or folder of crew-router")
    parser.add_argument("--http", action="store_true", help="serve streamable HTTP on the loopback interface instead")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to serve on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="port to serve on (default: %(default)s)")
    return parser


def _serve(config: Path | None, *, http: bool, host: str, port: int) -> None:
    from crew_router.router import Router  # noqa: PLC0415 - `--help` needs neither a router nor fastmcp
    from crew_router_mcp.server import create_server  # noqa: PLC0415

    with Router(config=config) as router:
        server = create_server(router)
        if http:
            server.run("http", show_banner=False, host=host, port=port, host_origin_protection="auto", log_level="warning")
        else:
            server.run("stdio", show_banner=False, log_level="warning")
