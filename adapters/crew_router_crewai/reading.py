"""Reading the JSON that an answer holds, as models write it: bare, in a code fence, or between words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
_FENCE: Final = re.compile(r"```[\w-]*[ \t]*\r?\n?(.*?)```", re.DOTALL)
_STARTS: Final = re.compile(r"[\[{]")
_MOST_STARTS: Final = 64  # places where JSON could begin that are tried
_DECODER: Final = json.JSONDecoder()


def read_as(text: str, model: type[Model]) -> Model:
    """Return the first JSON value in a text that fits a model.

    Raises:
        ValueError: There is none; the message says what was wrong with the value that came closest.
    """
    wrong = "there is no JSON in the answer"
    for value in _values(text):
        try:
            return model.model_validate(value)
        except ValueError as error:
            wrong = str(error) if wrong.startswith("there is no") else wrong
    message = f"Failed to parse response into {model.__name__}: {wrong}"
    raise ValueError(message)


def _values(text: str) -> Iterator[object]:
    for part in (text, *_FENCE.findall(text)):
        try:
            yield json.loads(part)
        except (ValueError, RecursionError):
            continue
    starts = 0
    at = 0
    while (found := _STARTS.search(text, at)) is not None and starts < _MOST_STARTS:
        starts += 1
        try:
            value, at = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            at = found.end()
            continue
        yield value
