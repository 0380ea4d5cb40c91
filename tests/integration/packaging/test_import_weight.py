"""Importing the core is cheap."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

_CLIENTS = {"langchain", "langchain_core", "crewai", "fastmcp", "mcp", "httpx", "redis", "sqlalchemy", "rich", "typer"}
_HEAVY = _CLIENTS | {"numpy", "pydantic", "yaml"}


def _imported(code):
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own
    return {name.partition(".")[0] for name in re.findall(r"\|\s+(\S+)$", done.stderr, re.MULTILINE)}


def test_importing_the_core_imports_nothing_heavy():
    """`import crew_router` pulls in no client library, no numpy and no pydantic."""
    assert _imported("import crew_router") & _HEAVY == set()


@pytest.mark.parametrize("name", ["Router", "RoutingRequest", "FeedbackData", "CrewRouterError"])
def test_importing_a_public_name_imports_no_client_library(name):
    """A public name of the core pulls in no client library and no surface either."""
    assert _imported(f"from crew_router import {name}") & _CLIENTS == set()
