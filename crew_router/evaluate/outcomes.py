"""Read outcome files as arrays: score, cost, latency and answer of every model on every prompt."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from crew_router.errors import ConfigurationError

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_CHARS_PER_TOKEN = 4.0
_DENSE_SHARE = 0.9
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """One row per prompt, one column per model; NaN where nothing was recorded.

    Args:
        models: Names of the models, sorted.
        prompts: The prompts, which are all that a router sees.
        ids: Name of each row.
        domains: Labels for reports and baselines.
        answers: The models' answers, ``None`` where none was recorded.
        score: Scores 0..1; this and the following arrays are prompts x models.
        cost_usd: Cost of the call.
        latency_s: Time of the call.
        output_tokens: Length of the answer, estimated from its text where it was not recorded.
    """

    models: tuple[str, ...]
    prompts: tuple[str, ...]
    _: KW_ONLY
    ids: tuple[str, ...]
    domains: tuple[str, ...]
    answers: tuple[tuple[str | None, ...], ...]
    score: Floats
    cost_usd: Floats
    latency_s: Floats
    output_tokens: Floats

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.prompts)

    @property
    def has_answers(self) -> bool:
        """Tell whether any answer was recorded, so that agreement can be judged."""
        return any(answer is not None for row in self.answers for answer in row)

    def take(self, rows: Sequence[int] | Codes, *, models: Sequence[int] | None = None) -> OutcomeTable:
        """Return some rows, and only some models when their indices are given."""
        indices = [int(row) for row in rows]
        columns = list(range(len(self.models))) if models is None else list(models)
        grid = np.ix_(indices, columns)
        return OutcomeTable(
            tuple(self.models[column] for column in columns),
            tuple(self.prompts[row] for row in indices),
            ids=tuple(self.ids[row] for row in indices),
            domains=tuple(self.domains[row] for row in indices),
            answers=tuple(tuple(self.answers[row][column] for column in columns) for row in indices),
            score=self.score[grid],
            cost_usd=self.cost_usd[grid],
            latency_s=self.latency_s[grid],
            output_tokens=self.output_tokens[grid],
        )

    def complete(self) -> OutcomeTable:
        """Return the rows on which every well covered model has a score and a price.

        A model that answered less than 90 % of the prompts is left out; for the router it is then an unknown model.
        """
        known: Flags = ~(np.isnan(self.score) | np.isnan(self.cost_usd))
        well_covered = [column for column in range(len(self.models)) if known[:, column].mean() >= _DENSE_SHARE]
        rows = np.flatnonzero(known[:, well_covered].all(axis=1)) if well_covered else np.zeros(0, dtype=np.int64)
        return self.take(rows, models=well_covered)

    def filled(self) -> OutcomeTable:
        """Return all rows, without answers and with missing values filled in, for histories where each prompt went to one model.

        A missing score is the model's mean plus the amount by which the other models did better than their means on that
        prompt (shrunk towards 0); a missing price is the model's mean.
        """
        scores = self.score[:, ~np.isnan(self.score).all(axis=0)]
        models = [column for column in range(len(self.models)) if not np.isnan(self.score[:, column]).all()]
        deviations = scores - np.nanmean(scores, axis=0)
        known = ~np.isnan(deviations)
        prompt_effect = np.where(known, deviations, 0.0).sum(axis=1) / (known.sum(axis=1) + 1)
        score = np.where(known, scores, np.clip(np.nanmean(scores, axis=0) + prompt_effect[:, None], 0.0, 1.0))
        part = self.take(range(len(self)), models=models)
        no_answers = tuple((None,) * len(models) for _ in range(len(self)))
        return replace(part, score=score, cost_usd=_mean_for_missing(part.cost_usd), answers=no_answers)


def read_outcomes(path: Path, *, usd_per_hour: float = 0.0) -> OutcomeTable:
    """Read an outcome file: JSON lines, plain or .gz (``docs/learning.md`` says what a line holds).

    Args:
        path: The file.
        usd_per_hour: Price of compute time, for outcomes that state no price but a latency.

    Raises:
        ConfigurationError: The file cannot be read, holds no row, or a row lacks what is needed.
    """
    rows = list(_rows(path))
    if not rows:
        raise ConfigurationError(str(path), "", "it holds no outcome", cure="give JSON lines with id, prompt and outcomes.")
    names = tuple(sorted({name for row in rows for name in _outcomes(row)}))
    table = [[_outcomes(row).get(name) for name in names] for row in rows]
    latency = _array(table, "latency_s")
    cost = _array(table, "cost_usd")
    cost = np.where(np.isnan(cost), latency * usd_per_hour / _SECONDS_PER_HOUR, cost)
    answers = tuple(tuple(_answer(outcome) for outcome in row) for row in table)
    return OutcomeTable(
        names,
        tuple(str(row["prompt"]) for row in rows),
        ids=tuple(str(row.get("id", index)) for index, row in enumerate(rows)),
        domains=tuple(str(row.get("domain", "")) for row in rows),
        answers=answers,
        score=_array(table, "score"),
        cost_usd=cost,
        latency_s=latency,
        output_tokens=_lengths(table, answers),
    )


def _mean_for_missing(values: Floats) -> Floats:
    sums, counts = np.nansum(values, axis=0), (~np.isnan(values)).sum(axis=0)
    filled: Floats = np.where(np.isnan(values), sums / np.maximum(counts, 1), values)
    return filled


def _rows(path: Path) -> Iterator[Mapping[str, object]]:
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _row(path, number, line)
    except OSError as error:
        raise ConfigurationError(str(path), "", f"it cannot be read ({error.strerror or error})", cure="name an outcome file.") from error


def _row(path: Path, number: int, line: str) -> Mapping[str, object]:
    try:
        row: object = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(str(path), f"line {number}", "it is no JSON", cure="write one JSON object a line.") from error
    read = cast("dict[str, object]", row) if isinstance(row, dict) else {}
    if "prompt" not in read or not isinstance(read.get("outcomes"), dict):
        raise ConfigurationError(str(path), f"line {number}", "prompt or outcomes is missing", cure="give both in every line.")
    return read


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _outcomes(row: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    return cast("Mapping[str, Mapping[str, object]]", row["outcomes"])


def _array(table: Sequence[Sequence[Mapping[str, object] | None]], field: str) -> Floats:
    return np.array([[_number(None if outcome is None else outcome.get(field)) for outcome in row] for row in table], dtype=np.float64)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def _answer(outcome: Mapping[str, object] | None) -> str | None:
    answer = None if outcome is None else outcome.get("answer")
    if answer is None:
        return None
    # An empty text can be a right answer; written as two quotes it is not mistaken for a missing one.
    return str(answer) if str(answer).strip() else '""'


def _lengths(table: Sequence[Sequence[Mapping[str, object] | None]], answers: Sequence[Sequence[str | None]]) -> Floats:
    estimated = np.array([[np.nan if text is None else len(text) / _CHARS_PER_TOKEN for text in row] for row in answers], dtype=np.float64)
    recorded = _array(table, "output_tokens")
    return np.where(np.isnan(recorded), estimated, recorded)
