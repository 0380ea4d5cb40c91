"""What can be seen of the function calls in an answer: how many there are, and whether the prompt supports them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from crew_router.types.canonical_answer import written_calls

CALL_READINGS: Final = 20
_LONGEST: Final = 8000
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
    """Function calls of an answer: each as it is written, the name of each, and the values of all their arguments."""

    written: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[str, ...]
    empty: int


def calls_of(answer: str) -> Calls | None:
    """Return the calls that an answer consists of, ``None`` when it is something else.

    Read are ``name(key=value, …)``, several with a semicolon between them, and the form in which tool calls are compared.
    """
    text = answer[:_LONGEST]
    if _NONE.match(text):
        return Calls((), (), (), 0)
    if text.startswith(_TOOLS):
        return _from_tools(answer[len(_TOOLS) :])
    if (written := written_calls(text)) is None:
        return None
    names = tuple(_HEAD.findall(text))
    return Calls(tuple(written), names, tuple(_VALUE.findall(text)), text.count("()"))


def same_calls(answer: str) -> str | None:
    """Return a text that is equal for the same calls in any order, ``None`` when the answer is something else."""
    calls = calls_of(answer)
    if calls is None:
        return None
    if not calls.names:
        return "no_call"
    return ";".join(sorted(" ".join(part.split()).casefold() for part in calls.written))


def _from_tools(text: str) -> Calls | None:
    try:
        pairs = cast("list[list[str]]", json.loads(text))
        arguments = [cast("dict[str, object]", json.loads(given)) for _, given in pairs]
    except (ValueError, TypeError):
        return None
    values = [json.dumps(value) for given in arguments for value in given.values()]
    return Calls(tuple(map(json.dumps, pairs)), tuple(name for name, _ in pairs), tuple(values), sum(not given for given in arguments))


@dataclass(frozen=True, slots=True)
class Ground:
    """What of a prompt the calls are held against; made once per prompt."""

    text: str
    packed: str
    stems: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, prompt: str) -> Ground:
        """Read a prompt."""
        low = prompt.casefold()
        names = frozenset(_packed(name.casefold()) for name in _NAME.findall(prompt))
        return cls(low, _packed(low), _stems(low), frozenset(number.lstrip("-") for number in _NUMBER.findall(prompt)), names)


def call_readings(ground: Ground, answer: str) -> list[float]:
    """Return the figures of the calls of an answer; the first says whether there are any (1), none on purpose (2) or other text (0)."""
    calls = calls_of(answer)
    if calls is None:
        return [0.0, *([_ABSENT] * (CALL_READINGS - 1))]
    if not calls.names:
        return [2.0, *([_ABSENT] * (CALL_READINGS - 1))]
    return [1.0, *_size(calls), *_named(ground, calls), *_given(ground, calls)]


def _size(calls: Calls) -> list[float]:
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


def _named(ground: Ground, calls: Calls) -> list[float]:
    stems = [_stems(_CAMEL.sub(" ", name).replace("_", " ").replace(".", " ").casefold()) for name in calls.names]
    shares = [len(own & ground.stems) / max(len(own), 1) for own in stems]
    whole = frozenset[str]().union(*stems)
    return [float(np.mean(shares)), min(shares), float(len(whole & ground.stems))]


def _given(ground: Ground, calls: Calls) -> list[float]:
    written = " ".join(calls.values).casefold()
    texts = [_packed(value.strip("\"'").casefold()) for value in calls.values if value[0] in "\"'"]
    numbers = _NUMBER.findall(written)
    used = {number.lstrip("-") for number in numbers}
    pieces = _PIECE.findall(written)
    packed = _packed(written)
    return [
        _share([text in ground.packed for text in texts]),
        _share([number.lstrip("-") in ground.numbers for number in numbers]),
        _share([number in used for number in ground.numbers]),
        _share([name in packed for name in ground.names]),
        _share([piece in ground.text for piece in pieces]),
        float(sum(text not in ground.packed for text in texts)),
        float(sum(value.casefold() in ("true", "false") for value in calls.values)),
        float(sum(value[0] in "[{" for value in calls.values)),
    ]


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else _ABSENT


def _packed(text: str) -> str:
    return "".join(text.split())


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in _WORD.findall(text))
