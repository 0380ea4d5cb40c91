"""Every extra that a message names stands in pyproject.toml."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_extra_that_a_message_names_exists():
    """`pip install 'crew-router[…]'` in a message is a command that works."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    sources = [path for folder in ("crew_router", "adapters", "mcp_server") for path in (ROOT / folder).rglob("*.py")]
    named = {found for path in sources for found in re.findall(r'extra="([a-z-]+)"', path.read_text("utf-8"))}

    assert {"langchain", "crewai", "mcp", "prices"} <= named
    assert named <= extras
