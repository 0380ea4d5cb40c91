"""All tasks in the order in which they are recorded: python all_tasks.py prints how many there are of each kind and difficulty.

The order is random with a fixed seed, so that the first N tasks are a fair sample of all of them.
"""

from __future__ import annotations

import collections
import dataclasses
import random
from typing import TYPE_CHECKING

from task_code import functions, prints
from task_knowledge import facts, reasoning
from task_numbers import arithmetic, word_problems
from task_structures import calls, json_tasks
from task_texts import changes, classification, extraction, summaries

if TYPE_CHECKING:
    from task_shape import Task

_MAKERS = (
    *(arithmetic, word_problems),
    *(classification, extraction, changes, summaries),
    *(json_tasks, calls, functions, prints),
    *(facts, reasoning),
)


def all_tasks() -> list[Task]:
    """Return every task once, with its id, in random order."""
    made: dict[str, list[Task]] = {}
    for maker in _MAKERS:
        for task in maker():
            kind = made.setdefault(task.kind, [])
            if all(task.prompt != other.prompt for other in kind):
                kind.append(dataclasses.replace(task, id=f"{task.kind}-{len(kind) + 1:03}"))
    ordered = [task for kind in made.values() for task in kind]
    random.Random(20).shuffle(ordered)
    return ordered


if __name__ == "__main__":
    tasks = all_tasks()
    counts = collections.Counter((task.kind, task.difficulty) for task in tasks)
    for kind in sorted({task.kind for task in tasks}):
        levels = [counts[kind, level] for level in range(1, 6)]
        print(f"{kind:15}{sum(levels):5}  ", *(f"{level}: {count:3}" for level, count in enumerate(levels, 1)))
    print(f"{'all':15}{len(tasks):5}")
