"""Assign units (users, sessions, runs) to arms by weighted rendezvous hashing.

A hash of unit and arm gives an exponentially distributed number, which is divided by the arm's weight; the arm with the
smallest number wins. So an arm wins in proportion to its weight, a unit always gets the same arm, and when weights change as
few units move as possible (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998; weights after
Schindelhauer and Schomaker, 2005).
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crew_router.types import RoutingRequest

_SPAN: Final = 2.0**64


def arm_of(salt: str, unit: str, shares: Mapping[str, float]) -> str:
    """Return the arm of a unit.

    Args:
        salt: Name of the experiment; another one assigns units differently.
        unit: The unit.
        shares: Weight of each arm; one of weight 0 gets no unit.

    Example:
        >>> arm_of("e", "ada", {"a": 0.5, "b": 0.5}) == arm_of("e", "ada", {"b": 5.0, "a": 5.0})
        True
    """
    return min((name for name, share in shares.items() if share > 0), key=lambda name: _draw(salt, name, unit) / shares[name])


def arm_by_chance(shares: Mapping[str, float], rng: random.Random) -> str:
    """Return a random arm, drawn by weight, for a request without a unit."""
    return rng.choices(list(shares), list(shares.values()))[0]


def unit_of(unit: str, request: RoutingRequest) -> str | None:
    """Return the unit that a request belongs to: of the wanted kind, else of a narrower one (user, session, run), else ``None``."""
    known = {"user": request.user_id, "session": request.session_id, "run": request.run_id}
    names = list(known)
    if unit not in known:
        return None
    return next((f"{name}:{known[name]}" for name in names[names.index(unit) :] if known[name]), None)


def _draw(salt: str, arm: str, unit: str) -> float:
    """Return an exponentially distributed number that depends only on the arguments."""
    digest = hashlib.blake2b(f"{salt}\0{arm}\0{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return -math.log((int.from_bytes(digest, "big") + 0.5) / _SPAN)
