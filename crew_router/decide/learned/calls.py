"""Features of the function calls in an answer: how many there are, and how far the prompt supports them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from crew_router.types.canonical_answer import written_calls

CALL_FEATURES: Final = 20
_MAX_CHARS: Final = 8000
_HEAD: Final = re.compile(r"(?:^|\)\s*;\s*)([A-Za-z_][\w.]*)\(")
_VALUE: Final = re.compile(
    r"""[\w.-]+\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+\.?\d*|true|false|none|null|\[[^\]]*\]|\{[^}]*\})""", re.IGNORECASE
)
_NONE: Final = re.compile(r"^\s*(?:NO_CALL|tools \[\])\s*$")
_TOOLS: Final = "tools "
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD: Final = re.compile(r"[a-z]{3,}")
_PIECE: Final = re.compile(r"[a-z]{3,}|\d+\.?\d*")
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+\.?\d*")
_NAME: Final = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]+|(?<=['\"])[^'\"\n]{2,40}(?=['\"])")
_STEM: Final = 5
_ABSENT: Final = -1.0


@dataclass(frozen=True, slots=True)
class Calls:
    """The function calls of an answer.

    Args:
        written: Each call as written.
        names: The function of each call.
        values: The values of all arguments of all calls, as written.
        empty: Number of calls without arguments.
    """

    written: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[str, ...]
    empty: int


def calls_of(answer: str) -> Calls | None:
    """Return the calls that an answer consists of, ``None`` when it is something else.

    Two forms are read: ``name(key=value, …)``, several separated by semicolons, and the JSON form in which
    :mod:`crew_router.types.canonical_answer` writes tool calls.
    """
    text = answer[:_MAX_CHARS]
    if _NONE.match(text):
        return Calls((), (), (), 0)
    if text.startswith(_TOOLS):
        return _from_tools(answer[len(_TOOLS) :])
    if (written := written_calls(text)) is None:
        return None
    names = tuple(_HEAD.findall(text))
    return Calls(tuple(written), names, tuple(_VALUE.findall(text)), text.count("()"))


def same_calls(answer: str) -> str | None:
    """Return a text that is the same for the same calls in any order; ``None`` when the answer is not calls."""
    calls = calls_of(answer)
    if calls is None:
        return None
    if not calls.names:
        return "no_call"
    return ";".join(sorted(" ".join(part.split()).casefold() for part in calls.written))


def _from_tools(text: str) -> Calls | None:
    try:
        pairs = cast("list[list[str]]", json.loads(text))
        arguments = [cast("dict[str, object]", json.loads(values_by_name)) for _, values_by_name in pairs]
    except (ValueError, TypeError):
        return None
    values = [json.dumps(value) for values_by_name in arguments for value in values_by_name.values()]
    empty = sum(not values_by_name for values_by_name in arguments)
    return Calls(tuple(map(json.dumps, pairs)), tuple(name for name, _ in pairs), tuple(values), empty)


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt prepared for comparison with calls; made once per prompt.

    Args:
        text: The prompt in lower case.
        packed: The same without white space.
        stems: First five letters of its words.
        numbers: Its numbers, without sign.
        names: Names and quoted texts in it, in lower case without white space.
    """

    text: str
    packed: str
    stems: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, prompt: str) -> PromptText:
        """Return the prepared prompt."""
        lowered = prompt.casefold()
        names = frozenset(_packed(name.casefold()) for name in _NAME.findall(prompt))
        return cls(lowered, _packed(lowered), _stems(lowered), frozenset(number.lstrip("-") for number in _NUMBER.findall(prompt)), names)


def call_features(prompt: PromptText, answer: str) -> list[float]:
    """Return the features of an answer's calls; the first is 1 for calls, 2 for an explicit "no call", 0 for any other answer."""
    calls = calls_of(answer)
    if calls is None:
        return [0.0, *([_ABSENT] * (CALL_FEATURES - 1))]
    if not calls.names:
        return [2.0, *([_ABSENT] * (CALL_FEATURES - 1))]
    return [1.0, *_count_features(calls), *_name_features(prompt, calls), *_value_features(prompt, calls)]


def _count_features(calls: Calls) -> list[float]:
    distinct = len(set(calls.names))
    return [
        float(len(calls.names)),
        float(distinct),
        float(len(calls.names) - distinct),
        float(len(calls.values)),
        len(calls.values) / len(calls.names),
        float(calls.empty),
        float(len(set(calls.values)) < len(calls.values)),
        float(sum(len(value) for value in calls.values)),
    ]


def _name_features(prompt: PromptText, calls: Calls) -> list[float]:
    stems = [_stems(_CAMEL.sub(" ", name).replace("_", " ").replace(".", " ").casefold()) for name in calls.names]
    shares = [len(name_stems & prompt.stems) / max(len(name_stems), 1) for name_stems in stems]
    all_stems = frozenset[str]().union(*stems)
    return [float(np.mean(shares)), min(shares), float(len(all_stems & prompt.stems))]


def _value_features(prompt: PromptText, calls: Calls) -> list[float]:
    written = " ".join(calls.values).casefold()
    texts = [_packed(value.strip("\"'").casefold()) for value in calls.values if value[0] in "\"'"]
    numbers = _NUMBER.findall(written)
    used = {number.lstrip("-") for number in numbers}
    pieces = _PIECE.findall(written)
    packed = _packed(written)
    return [
        _share([text in prompt.packed for text in texts]),
        _share([number.lstrip("-") in prompt.numbers for number in numbers]),
        _share([number in used for number in prompt.numbers]),
        _share([name in packed for name in prompt.names]),
        _share([piece in prompt.text for piece in pieces]),
        float(sum(text not in prompt.packed for text in texts)),
        float(sum(value.casefold() in ("true", "false") for value in calls.values)),
        float(sum(value[0] in "[{" for value in calls.values)),
    ]


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else _ABSENT


def _packed(text: str) -> str:
    return "".join(text.split())


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in _WORD.findall(text))
