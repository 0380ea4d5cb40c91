"""``python -m crew_router_mcp``: the server."""

from crew_router_mcp.command import main

main()
