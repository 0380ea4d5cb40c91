"""MCP server over a router: which model for a task, which models there are, and whether they answer.

Importing this package is light; fastmcp is imported when a server is made. Neither CrewAI nor LangChain is needed to start it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crew_router_mcp.command import main
    from crew_router_mcp.server import create_server

__all__ = ["create_server", "main"]


def __getattr__(name: str) -> Any:
    if name == "create_server":
        from crew_router_mcp.server import create_server  # fastmcp comes when a server is made

        return create_server
    if name == "main":
        from crew_router_mcp.command import main

        return main
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
