"""What holds for every test: which sockets may be used, which tests may be skipped, and no telemetry."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ("skip_list", "storage_fixtures")

# Read by CrewAI and LiteLLM when they are imported; without them both look for their makers' servers.
os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")
os.environ.setdefault("CREWAI_DISABLE_TRACKING", "true")
os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

# What a router keeps by default stands in the user's data folder; that of the person who runs the tests is left alone.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="crew-router-tests-")

# An example takes long when the machine is busy, which says nothing about the code.
settings.register_profile("crew-router", deadline=None)
settings.load_profile("crew-router")

_HERE = Path(__file__).parent
_LOOPBACK = ["127.0.0.1", "::1", "localhost"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep unit tests off the network and everything else on this machine."""
    for item in items:
        unit = (_HERE / "unit") in item.path.parents
        item.add_marker(pytest.mark.disable_socket if unit else pytest.mark.allow_hosts(_LOOPBACK))


class _FilesThenSeeds(LoadFileScheduling):
    """Sends a file to one process, for the servers that its tests share, but the simulations one by one.

    They share nothing, are long and all alike, and come last as the smallest pieces: no process waits at the end for another.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith("tests/simulation/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """Spread tests so that all processes end together."""
    return _FilesThenSeeds(config, log) if config.getoption("dist") == "loadfile" else None
