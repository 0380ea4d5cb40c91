"""The shape of a task: what is asked, how hard its writer thought it, and how a program judges the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """One task; `check` names a rule of grade.py and what it compares with.

    Tasks of one `group` ask the same in other words: they belong on the same side when the tasks are split.
    """

    kind: str
    difficulty: int  # 1 easy .. 5 hard, the writer's guess before any model saw it
    prompt: str
    check: dict[str, Any]
    max_tokens: int = 40
    id: str = field(default="", compare=False)
    group: str = field(default="", compare=False)


def number(value: float) -> dict[str, Any]:
    """Judge by the last number of the answer, or the first after "Answer:"."""
    return {"rule": "number", "value": value}


def choice(right: str, options: tuple[str, ...]) -> dict[str, Any]:
    """Judge by the first of the options that the answer names."""
    return {"rule": "choice", "value": right, "options": list(options)}


def exact(*values: str) -> dict[str, Any]:
    """Judge by the whole answer, apart from case, spaces, quotes and a full stop at the end."""
    return {"rule": "exact", "values": list(values)}


def names(*values: str) -> dict[str, Any]:
    """Judge by whether the answer contains one of these as a whole word."""
    return {"rule": "names", "values": list(values)}


def items(values: list[str], *, ordered: bool = True) -> dict[str, Any]:
    """Judge by the comma-separated items of the answer."""
    return {"rule": "items", "values": values, "ordered": ordered}


def json_equal(value: object) -> dict[str, Any]:
    """Judge by the JSON value of the answer, inside a code fence or not."""
    return {"rule": "json", "value": value}


def points(*patterns: str, most_words: int) -> dict[str, Any]:
    """Judge by the share of the points (regular expressions) that a short enough answer makes."""
    return {"rule": "points", "patterns": list(patterns), "most_words": most_words}


def code(name: str, *cases: tuple[list[Any], Any]) -> dict[str, Any]:
    """Judge by calling the written function with each list of arguments."""
    return {"rule": "code", "name": name, "cases": [[arguments, result] for arguments, result in cases]}
