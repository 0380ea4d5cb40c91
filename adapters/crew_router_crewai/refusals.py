"""Settings that a model refuses, read from its refusal, so that the call is made again without them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from crew_router.errors import AllModelsFailedError, CrewRouterError, ModelCallError

STRICT: Final = "strict"
STOP: Final = "stop"
_SPELLINGS: Final = {
    STOP: ("stop", "stop_sequences", "stopSequences"),
    STRICT: ("strict", "response_format", "json_schema", "additionalProperties"),
}
_REFUSING: Final = re.compile(
    r"unsupported|not support|unexpected keyword|unrecognized|unknown|not permitted|not allowed|extra inputs|invalid|does not accept",
    re.IGNORECASE,
)


def refused_setting(error: CrewRouterError, sent: Iterable[str]) -> str | None:
    """Return the setting, of those that were sent, that every failed attempt was refused for; ``None`` when it was something else."""
    causes = error.exceptions if isinstance(error, AllModelsFailedError) else (error,)
    texts = [cause.message for cause in causes if isinstance(cause, ModelCallError)]
    if not texts or len(texts) < len(causes):
        return None
    return next((name for name in sent if all(_names(text, name) for text in texts)), None)


def _names(text: str, name: str) -> bool:
    spelled = "|".join(map(re.escape, _SPELLINGS.get(name, (name,))))
    return _REFUSING.search(text) is not None and re.search(rf"(?<!\w)(?:{spelled})(?!\w)", text) is not None
