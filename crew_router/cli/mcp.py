"""``crew-router mcp``: the tools for MCP clients."""

from __future__ import annotations

from typing import Annotated

import typer

from crew_router.cli.console import ConfigOption, one_line_errors


def mcp(
    *,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP on the loopback interface instead.")] = False,
    host: Annotated[str, typer.Option(help="Loopback address for HTTP.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for HTTP.")] = 8765,
    config: ConfigOption = None,
) -> None:
    """Serve suggest_model, list_models and check_health to MCP clients, over standard input and output."""
    with one_line_errors():
        from crew_router_mcp.command import serve  # the MCP server is a package of its own, needed only here

        serve(config, http=http, host=host, port=port)
