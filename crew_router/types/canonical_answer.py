"""The answer inside a reply: what two models must share to be said to agree.

Agreement is judged on the extracted answer, in this order: the tool call in a canonical form, JSON, the output of the code
when a runner is given, calls written as text, a choice letter, a final number, and otherwise the normalised text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from crew_router.types.outcome import ToolCall
from crew_router.types.transport import Reply

CodeRunner = Callable[[str], str | None]
"""Runs a piece of code on given tests and returns its output, or ``None`` when it cannot be run."""

NO_TEXT: Final = "(no text was recorded)"
"""What a recorded model says where only the outcome was recorded; it agrees with nothing."""

_FENCE: Final = re.compile(r"```[a-zA-Z0-9_+-]*\n(.*?)```", re.DOTALL)
_BOXED: Final = re.compile(r"\\boxed\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_CHOICE: Final = re.compile(
    r"(?:answer|option|choice)\s*(?:is|:)?\s*\**\(?([A-J])\)?(?![A-Za-z])|^\W*\(?([A-J])\)?\W*$", re.IGNORECASE | re.MULTILINE
)
_NUMBER: Final = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?:/\d+)?")
_MARKED: Final = re.compile(r"(?:answer|result|total)\s*(?:is|:|=)\s*\**\$?\s*(-?\d[\d,]*(?:\.\d+)?)", re.IGNORECASE)
# A formula, as in "f(x) = 2 (see above)", or a sentence that begins so, is no call.
_WRITTEN: Final = re.compile(r"^\s*[A-Za-z_][\w.]*\((?![^()]*\)\s*(?:[=<>+*/^,.:-]|\w)).*\)\s*$", re.DOTALL)
_BETWEEN: Final = re.compile(r"(?<=\))\s*;\s*(?=[A-Za-z_][\w.]*\()")
_SHORT_CHARS: Final = 400


def answer_key(reply: Reply, *, runner: CodeRunner | None = None) -> str:
    """Return what a reply answers, in a form that is equal for equal answers."""
    if reply.tool_calls:
        return "tools " + json.dumps([_canonical_call(call) for call in reply.tool_calls])
    text = reply.text.strip()
    fenced = _FENCE.findall(text)
    value = json_of(fenced[-1] if fenced else text)
    if value is not None:
        return f"json {json.dumps(value, sort_keys=True)}"
    if fenced:
        output = runner(fenced[-1]) if runner is not None else None
        return f"code {_plain(fenced[-1])}" if output is None else f"output {output.strip()}"
    return _spoken_key(text)


def written_calls(text: str) -> list[str] | None:
    """Return the calls that a text consists of, in order; ``None`` when it is something else.

    Read are ``name(key=value, …)``, several with a semicolon between them.
    """
    return _BETWEEN.split(text) if _WRITTEN.match(text) else None


def _spoken_key(text: str) -> str:
    if (calls := written_calls(text)) is not None:
        return f"calls {';'.join(sorted(map(_plain, calls)))}"
    if boxed := _BOXED.findall(text):
        return _value_key(boxed[-1])
    choices = [first or second for first, second in _CHOICE.findall(text)]
    if choices:
        return f"choice {choices[-1].upper()}"
    if marked := _MARKED.findall(text):
        return _value_key(marked[-1])
    numbers = _NUMBER.findall(text)
    if numbers and len(text) <= _SHORT_CHARS * 10:
        return _value_key(numbers[-1])
    return f"text {_plain(text)}"


def _value_key(text: str) -> str:
    plain = text.replace(",", "").replace("$", "").strip()
    try:
        number = float(plain)
    except ValueError:
        return f"text {_plain(text)}"
    return f"number {number:.10g}"


def json_of(text: str) -> dict[str, object] | list[object] | None:
    """Return the JSON object or list that a text is; ``None`` when it is something else, or nested too deeply to be read."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value: dict[str, object] | list[object] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _canonical_call(call: ToolCall) -> list[str]:
    try:
        return [call.name, json.dumps(json.loads(call.arguments or "{}"), sort_keys=True)]
    except ValueError:
        return [call.name, _plain(call.arguments)]


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s.+*/=<>-]", "", text.lower()).split())
