"""How well difficulty and easily mistaken task types are read: `python benchmarks/classifier/difficulty_figures.py [FILE]`.

Judges the packaged classifier on the part `heldout` of `difficulty.jsonl` and `confusable.jsonl`, which nothing was fitted to, or on
another file of the same form (all of it), or on a file of outcomes (``{"prompt", "outcomes": {model: {"score"}}}``), where what is read is
compared with the share of models that fail. ``-v`` lists what is read wrongly.
"""

from __future__ import annotations

import gzip
import itertools
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.stats import spearmanr

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.types import RequestProfile, RoutingRequest

HERE: Final = Path(__file__).parent
TRIVIAL: Final = 2.0
RESEARCH: Final = 8.5
BANDS: Final = (0.0, 0.45, 0.6, 0.7, 0.8, 0.9, 1.01)


def main() -> None:
    """Print every table."""
    named = [each for each in sys.argv[1:] if not each.startswith("-")]
    for each in named:
        listed = _rows(Path(each))
        if "outcomes" in listed[0]:
            _judge_outcomes(listed, Path(each).name)
        else:
            _judge_difficulty(listed, Path(each).name)
    if named:
        return
    rows = _rows(HERE / "difficulty.jsonl")
    print(f"difficulty.jsonl: {Counter(row['part'] for row in rows)}; the two grades: {_agreement(rows)}")
    _judge_difficulty([row for row in rows if row["part"] == "heldout"], "heldout")
    _judge_types([row for row in _rows(HERE / "confusable.jsonl") if row["part"] == "heldout"])


def print_row(name: str, grades: Sequence[float], read: Sequence[float], *, stated: Sequence[float]) -> None:
    """Print one line: what the whole number that the profile holds is worth."""
    true, mean, values = np.array(grades), np.array(read), np.round(read)
    low, high = true <= TRIVIAL, true >= RESEARCH
    rho = spearmanr(mean, true)[0] if len(set(grades)) > 1 else float("nan")
    within = np.abs(values - true) <= 1
    extremes = f"trivial above 3: {(values[low] > 3).sum()}/{low.sum()}, research below 7: {(values[high] < 7).sum()}/{high.sum()}"
    shares = f"within one {within.mean():.2f} (stated {np.mean(stated):.2f})"
    print(f"{name:18} {len(true):>4} texts, Spearman {rho:.2f}, off by {np.abs(mean - true).mean():.2f}, {shares}, {extremes}")


def _judge_difficulty(rows: list[dict[str, Any]], name: str) -> None:
    profiles = [_profile(row["prompt"]) for row in rows]
    grades = [float(np.mean(row["grades"])) for row in rows]
    _print_group(name, list(range(len(rows))), grades, profiles)
    for field in ("author", "language", "kind"):
        for value in dict.fromkeys(row[field] for row in rows):
            _print_group(f"  {field} {value}", [at for at, row in enumerate(rows) if row[field] == value], grades, profiles)
    _print_calibration(grades, profiles)
    if "-v" in sys.argv:
        for row, grade, profile in zip(rows, grades, profiles, strict=True):
            if abs(profile.complexity.value - grade) > 2:
                print(f"    {grade} read as {profile.complexity.value}: {row['prompt'][:90]!r}")


def _print_group(name: str, chosen: list[int], grades: list[float], profiles: list[RequestProfile]) -> None:
    own = [profiles[at] for at in chosen]
    means = [profile.difficulty.mean if profile.difficulty else float("nan") for profile in own]
    print_row(name, [grades[at] for at in chosen], means, stated=[profile.complexity.confidence for profile in own])


def _print_calibration(grades: list[float], profiles: list[RequestProfile]) -> None:
    stated = np.array([profile.complexity.confidence for profile in profiles])
    within = np.array([abs(profile.complexity.value - grade) <= 1 for grade, profile in zip(grades, profiles, strict=True)])
    print("stated confidence that the grade is within one of what is read, and the real share")
    error = 0.0
    for low, high in itertools.pairwise(BANDS):
        chosen = (stated >= low) & (stated < high)
        if chosen.any():
            error += abs(stated[chosen].mean() - within[chosen].mean()) * chosen.mean()
            print(
                f"  {low:.2f} to {min(high, 1):.2f}: {chosen.sum():>4} texts, stated {stated[chosen].mean():.2f}, real {within[chosen].mean():.2f}"
            )
    print(f"  expected calibration error {error:.3f}")


def _judge_types(rows: list[dict[str, Any]]) -> None:
    read = [str(_profile(row["prompt"]).task_type.value) for row in rows]
    right = sum(said == row["task_type"] for said, row in zip(read, rows, strict=True))
    mistaken = sum(said == row["looks_like"] for said, row in zip(read, rows, strict=True))
    print(
        f"confusable.jsonl, heldout: {len(rows)} texts, type right {right / len(rows):.2f}, the type it looks like {mistaken / len(rows):.2f}"
    )
    if "-v" in sys.argv:
        for row, said in zip(rows, read, strict=True):
            if said != row["task_type"]:
                print(f"    {row['task_type']} read as {said}: {row['prompt'][:90]!r}")


def _judge_outcomes(rows: list[dict[str, Any]], name: str) -> None:
    read = [_profile(row["prompt"]).difficulty for row in rows]
    means = [each.mean if each else float("nan") for each in read]
    failing = [1.0 - float(np.mean([each["score"] for each in row["outcomes"].values()])) for row in rows]
    lengths = [len(row["prompt"]) for row in rows]
    alone = spearmanr(lengths, failing)[0]
    print(
        f"{name:24} {len(rows):>5} rows, Spearman with the share of failing models {spearmanr(means, failing)[0]:.2f}, of the length alone {alone:.2f}"
    )
    if "difficulty" in rows[0]:
        print(f"{'':24} with the graded difficulty {spearmanr(means, [row['difficulty'] for row in rows])[0]:.2f}")


def _profile(prompt: str) -> RequestProfile:
    return TextClassifier().classify(RoutingRequest(task_description=prompt))


def _agreement(rows: list[dict[str, Any]]) -> str:
    pairs = np.array([row["grades"] for row in rows])
    return f"Spearman {spearmanr(pairs[:, 0], pairs[:, 1])[0]:.2f}, within one {(np.abs(pairs[:, 0] - pairs[:, 1]) <= 1).mean():.2f}"


def _rows(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


if __name__ == "__main__":
    main()
