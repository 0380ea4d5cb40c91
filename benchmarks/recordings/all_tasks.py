"""All tasks in the order in which they are recorded: python all_tasks.py prints how many there are of each kind and difficulty.

The order within each of the two series is random with a fixed seed, so that the first N tasks are a fair sample of their series.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import random
from typing import TYPE_CHECKING

from task_code import functions, prints
from task_knowledge import facts, more_facts, orders, reasoning
from task_numbers import arithmetic, word_problems
from task_structures import calls, json_tasks
from task_texts import changes, classification, extraction, more_classification, summaries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from task_shape import Task


def all_tasks() -> list[Task]:
    """Return every task once, with its id: the first series in random order, then the second."""
    made: dict[str, list[Task]] = {}
    ordered: list[Task] = []
    for seed, series in ((20, _first()), (21, _second())):
        new = list(_new(series, made))
        random.Random(seed).shuffle(new)
        ordered += new
    return ordered


def _first() -> Iterator[Task]:
    for maker in (arithmetic, word_problems, classification, extraction, changes, summaries, json_tasks, calls, functions, prints):
        yield from maker()
    yield from facts()
    yield from reasoning()


def _second() -> Iterator[Task]:
    """Yield every other task of the generators with other seeds, and the second lists of facts and texts."""
    for maker, seed in ((arithmetic, 201), (word_problems, 202), (extraction, 204), (changes, 205), (json_tasks, 206), (calls, 207)):
        yield from itertools.islice(maker(seed), 0, None, 2)
    yield from orders(203)
    yield from more_facts()
    yield from more_classification()


def _new(series: Iterator[Task], made: dict[str, list[Task]]) -> Iterator[Task]:
    """Yield the tasks whose prompt was not made before, numbered within their kind."""
    for task in series:
        kind = made.setdefault(task.kind, [])
        if all(task.prompt != other.prompt for other in kind):
            identifier = f"{task.kind}-{len(kind) + 1:03}"
            kind.append(dataclasses.replace(task, id=identifier, group=task.group or identifier))
            yield kind[-1]


if __name__ == "__main__":
    tasks = all_tasks()
    counts = collections.Counter((task.kind, task.difficulty) for task in tasks)
    for kind in sorted({task.kind for task in tasks}):
        levels = [counts[kind, level] for level in range(1, 6)]
        print(f"{kind:15}{sum(levels):5}  ", *(f"{level}: {count:3}" for level, count in enumerate(levels, 1)))
    print(f"{'all':15}{len(tasks):5}")
