"""``crew-router mcp``: the tools for MCP clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crew_router.cli.console import ConfigOption, one_line_errors

app = typer.Typer(help="Serve routing as tools to MCP clients, over standard input and output or HTTP.", invoke_without_command=True)


@app.callback()
def mcp(
    context: typer.Context,
    *,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP instead.")] = False,
    host: Annotated[str, typer.Option(help="Address for HTTP; beyond loopback CREW_ROUTER_MCP_TOKEN has to be set.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for HTTP.")] = 8765,
    project: Annotated[str | None, typer.Option(help="Name space of state, budgets and learning.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder to work in, whatever folder the client starts the server in.")] = None,
    tools: Annotated[str | None, typer.Option(help="Offer these tools only, separated by commas.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Offer only tools that read.")] = False,
    config: ConfigOption = None,
) -> None:
    """Serve routing as tools to MCP clients, over standard input and output or HTTP."""
    if context.invoked_subcommand is not None:
        return
    with one_line_errors():
        from crew_router_mcp.command import HttpOptions, ServeOptions, named, serve  # a package of its own, needed only here

        listening = HttpOptions(host, port) if http else None
        serve(ServeOptions(config, project, folder, named(tools), read_only=read_only, http=listening))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def install(context: typer.Context) -> None:
    """Add the server to a client: --client claude-desktop, claude-code, cursor, vscode or codex; see `crew-router mcp install --help`."""
    with one_line_errors():
        from crew_router_mcp.install.command import main

        main(context.args)
