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
    """Return two halves of a table, in its order, each with half of the groups of every domain, none with a group of the other.

    With the same share of every domain on both sides, less of a result is the luck of the split.

    Args:
        table: The recordings.
        groups: The group of each row.
        seed: Another seed, another split.
    """
    chance = random.Random(seed)  # noqa: S311 - a split is no secret
    first: set[str] = set()
    for domain in sorted(set(table.domains)):
        own = sorted({group for group, label in zip(groups, table.domains, strict=True) if label == domain})
        chance.shuffle(own)
        first.update(own[len(first) % 2 :: 2])  # of an odd number the one side gets more, then the other
    rows = range(len(table))
    return Halves(table.take([row for row in rows if groups[row] in first]), table.take([row for row in rows if groups[row] not in first]))


def _groups(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [str(json.loads(line)["group"]) for line in lines]
