"""What the ``routing:`` blocks of several tasks and agents demand of one call that carries the content of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from crew_router.errors import InvalidRequestError

_ADDED: Final = ("deny_providers", "risk", "tags")
_TOGETHER: Final = ("region", "user_id", "project")
_ALL: Final = "for all tasks whose content this call carries (planner, memory, sub-crews)"
_CROSSING: Final = ("never", "ask", "allow")  # strictest first


def tightest(blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what restricts who may see the content of all blocks at once.

    Only keys that say where content may go are taken: providers, region, ``local_only``, pins, and what policies look at (``risk``,
    ``tags``, ``user_id``, ``project``). Wishes and figures of one request (its budget, its latency) are the request's own.

    Raises:
        InvalidRequestError: No model could satisfy all of them, as with two regions.

    Example:
        >>> tightest([{"deny_providers": ["cloud"], "cost_budget": 0.01}, {"deny_providers": ["lab"]}])
        {'deny_providers': ['cloud', 'lab']}
    """
    given = [block for block in blocks if block]
    result: dict[str, Any] = {}
    for key in _ADDED:
        if any(block.get(key) for block in given):
            result[key] = sorted({str(value) for block in given for value in block.get(key) or ()})
    allowed = [set(block["allow_providers"]) for block in given if block.get("allow_providers") is not None]
    if allowed:
        result["allow_providers"] = sorted(set.intersection(*allowed))
    for key in _TOGETHER:
        result |= _same(key, [block[key] for block in given if block.get(key) is not None])
    if any(block.get("local_only") for block in given):
        result["local_only"] = True
    crossings = [block["cross_provider"] for block in given if block.get("cross_provider")]
    if crossings:
        result["cross_provider"] = min(crossings, key=lambda value: _CROSSING.index(value) if value in _CROSSING else 0)
    return {**result, **_pin(given)}


def _same(key: str, values: Sequence[Any]) -> dict[str, Any]:
    if len(set(values)) > 1 and key == "region":
        raise InvalidRequestError(key, ", ".join(sorted(set(values))), expected=f"one region {_ALL}")
    return {key: values[0]} if len(set(values)) == 1 else {}


def _pin(blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the pin that holds for all; one without fallbacks may not be left, others give way where they disagree."""
    only = list(dict.fromkeys(block["force_model"] for block in blocks if block.get("force_model") and block.get("fallbacks") is False))
    if len(only) > 1:
        raise InvalidRequestError("force_model", ", ".join(only), expected=f"one model {_ALL}, or fallbacks")
    if only:
        return {"force_model": only[0], "fallbacks": False}
    wished = list(dict.fromkeys(block["force_model"] for block in blocks if block.get("force_model")))
    return {"force_model": wished[0]} if len(wished) == 1 else {}
