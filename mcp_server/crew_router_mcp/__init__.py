"""MCP surface of crew-router."""
