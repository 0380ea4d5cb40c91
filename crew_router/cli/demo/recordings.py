"""The recorded tasks, split so that the router is judged on tasks that nothing was learnt from."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from crew_router.evaluate.outcomes import OutcomeTable, read_outcomes

FILE: Final = "tasks.jsonl.gz"
PRICES: Final = "0.10 USD per million tokens and billion parameters, in and out alike"


@dataclass(frozen=True, slots=True)
class Halves:
    """The tasks to learn from and those to be judged on."""

    known: OutcomeTable
    judged: OutcomeTable


def recorded_halves(*, seed: int) -> Halves:
    """Read the recordings that come with the package and split them at random.

    Tasks that ask the same in other words stay on one side.
    """
    with as_file(files("crew_router.cli.demo").joinpath(FILE)) as path:
        return split(read_outcomes(path), _groups(path), seed=seed)


def split(table: OutcomeTable, groups: list[str], *, seed: int) -> Halves:
    """Return two halves of a table, in its order, none with a group of the other.

    Args:
        table: The recordings.
        groups: The group of each row.
        seed: Another seed, another split.
    """
    order = sorted(set(groups))
    random.Random(seed).shuffle(order)  # noqa: S311 - a split is no secret
    first = set(order[: len(order) // 2])
    rows = range(len(table))
    return Halves(table.take([row for row in rows if groups[row] in first]), table.take([row for row in rows if groups[row] not in first]))


def _groups(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [str(json.loads(line)["group"]) for line in lines]
