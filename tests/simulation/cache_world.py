"""Answers that are kept and asked for in any order, against a plain list of what was kept when.

``python tests/simulation/cache_world.py SEED`` replays one seed.
"""

from __future__ import annotations

import dataclasses
import random
import sys

from execute_bench import decision_for

from crew_router.execute.response_cache import ResponseCache
from crew_router.testing import FrozenClock
from crew_router.types import ModelRef, RoutedResponse, RoutingRequest
from crew_router.types.transport import Payload

REPLAY = "PYTHONPATH=.:tests/support python tests/simulation/cache_world.py {seed}"
MODEL = ModelRef("lab:a")
TTL_S = 60.0


def scenario(seed: int) -> None:
    """Run one world."""
    rng, clock = random.Random(seed), FrozenClock()
    room = rng.choice([1, 3, 100])
    cache = ResponseCache(clock, ttl_s=TTL_S, max_entries=room)
    kept: dict[tuple[str, str, str], tuple[float, str]] = {}
    for step in range(rng.randint(5, 40)):
        clock.advance(rng.choice([0.0, 1.0, 59.0, 61.0]))
        key = rng.choice("ab"), rng.choice("uv"), rng.choice("12")
        text, user, policy = key
        decision = dataclasses.replace(decision_for(MODEL, request=RoutingRequest(user_id=user)), policy_version=policy)
        payload, known = Payload((text,)), kept.get(key)
        if rng.random() < 0.5:
            answer = f"{text} {user} {policy} {step}"
            given = RoutedResponse(answer, None, model=MODEL, attempts=(), decision=decision, cost_usd=1.0, usage=None)
            assert cache.put(decision, payload, given).text == answer
            kept[key] = clock.monotonic(), answer
            continue
        found = cache.get(decision, payload)
        fresh = known is not None and clock.monotonic() - known[0] < TTL_S
        if found is not None:
            assert fresh, "an answer past its time or never kept"
            assert known is not None
            assert (found.text, found.cost_usd, found.decision) == (known[1], 0.0, decision), "another answer, or not for nothing"
        elif room > len(kept):
            assert not fresh, "an answer was forgotten although there was room"


if __name__ == "__main__":
    scenario(int(sys.argv[1]))
