"""Nothing is kept of requests that are over, except for the newest few thousand that feedback may still ask for."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from crew_router import Router
from crew_router.testing import ScriptedFault, ScriptedModel
from crew_router.types import ErrorKind

REMEMBERED = 4096
MEASURED = 1500
NOISE = 300  # objects: caches of other parts still fill a little; one kept object a request would be five times that


@pytest.mark.timeout(300)
async def test_requests_leave_nothing_behind(tmp_path: Path) -> None:
    """Once the memory for feedback is full, a thousand and a half requests with faults leave no objects."""
    fault = ScriptedFault(ErrorKind.OVERLOAD)
    first, second = ScriptedModel("Hello.", faults=[fault, None, None] * 4000), ScriptedModel("Hello.")
    with Router(models={"one:a": first, "two:b": second}, ledger_url=f"sqlite:///{tmp_path}/l.db", state_url="memory://") as router:
        await _ask(router, REMEMBERED + 400)
        before = _objects(router, first, second)
        await _ask(router, MEASURED)
        after = _objects(router, first, second)

    assert after - before < NOISE


async def _ask(router: Router, requests: int) -> None:
    for number in range(requests):
        await router.ainvoke(f"Request {number}.")


def _objects(router: Router, *models: ScriptedModel) -> int:
    router.history.flush()
    for model in models:
        model.asked.clear()
    gc.collect()
    return len(gc.get_objects())
