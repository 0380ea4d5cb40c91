"""Usage that cannot be: negative, no number, or more than the request could have used.

A budget is settled by what a provider reports. A negative count would refund it, a count of many millions for a short question would
empty it, and a number beyond 64 bits is refused by the database. What cannot be is replaced by our own count, marked as an estimate,
and told in the record of the attempt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from crew_router.types.outcome import Usage

if TYPE_CHECKING:
    from crew_router.types.model import ModelDefinition
    from crew_router.types.transport import Payload

_TOKENS_PER_COUNTED: Final = 16  # four characters are counted as one token; no script has more than four tokens a character
_HIDDEN_TOKENS: Final = 20_000  # what providers put before a prompt on their own account; guess, not measured
_LARGEST: Final = 2_000_000  # tokens of the largest context window that is known
_INNER_CALLS: Final = 50  # of a provider's own tools, each of which reads the whole conversation again; guess, not measured


def believed(reported: Usage, *, estimate: Usage, model: ModelDefinition, payload: Payload) -> tuple[Usage, str]:
    """Return the usage to go by, and what was wrong with the reported one, or an empty text.

    Args:
        reported: What the provider says.
        estimate: Our own count of the call.
        model: Who was called.
        payload: What it was asked.
    """
    most_in, most_out = _most_input(estimate.input_tokens, model, payload), model.max_output_tokens or model.context_window or _LARGEST
    most_out *= _INNER_CALLS if _has_inner_tools(payload) else 1
    wrong = [
        f"{name} {told}"
        for name, told, most in (
            ("input_tokens", reported.input_tokens, most_in),
            ("output_tokens", reported.output_tokens, max(most_out, _HIDDEN_TOKENS)),
        )
        if not 0 <= told <= most
    ]
    tokens_in = reported.input_tokens if 0 <= reported.input_tokens <= most_in else estimate.input_tokens
    tokens_out = reported.output_tokens if 0 <= reported.output_tokens <= max(most_out, _HIDDEN_TOKENS) else estimate.output_tokens
    parts = {name: getattr(reported, name) for name in ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens")}
    if any(part < 0 for part in parts.values()) or sum(parts.values()) > tokens_in:
        wrong += [f"{name} {part}" for name, part in parts.items() if part]
        parts = dict.fromkeys(parts, 0)
    if not wrong:
        return reported, ""
    usage = Usage(tokens_in, tokens_out, estimated=True, **parts)
    return usage, f"the usage that was reported cannot be ({', '.join(wrong)}); our own count stands instead"


def believed_usd(stated: float | None) -> float | None:
    """Return a price as a provider states it, ``None`` where it is no price."""
    return None if stated is None or not 0 <= stated < math.inf else stated


def _most_input(counted: int, model: ModelDefinition, payload: Payload) -> int:
    if _has_inner_tools(payload):
        return max(model.context_window or 0, _LARGEST) * _INNER_CALLS
    if _is_text(payload):
        return counted * _TOKENS_PER_COUNTED + _HIDDEN_TOKENS
    return max(model.context_window or 0, _LARGEST)


def _has_inner_tools(payload: Payload) -> bool:
    """Tell whether the provider runs tools of its own, such as a search."""
    return any("function" not in tool and "type" in tool and tool.get("type") != "function" for tool in payload.tools)


def _is_text(payload: Payload) -> bool:
    for message in payload.messages:
        content = (
            cast("Mapping[str, object]", message).get("content") if isinstance(message, Mapping) else getattr(message, "content", message)
        )
        if isinstance(content, (list, tuple)) and any(
            isinstance(part, Mapping) and cast("Mapping[str, object]", part).get("type") not in {"text", None}
            for part in cast("list[object]", content)
        ):
            return False
    return True
