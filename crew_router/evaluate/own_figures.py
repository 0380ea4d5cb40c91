"""Figures of the user's own: models that the registry knows place a benchmark, and the benchmark places the others."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from crew_router.config.ability import ability_of
from crew_router.errors import ConfigurationError, UnknownModelError, shown
from crew_router.evaluate.abilities import AbilityFit, Estimate, Figure, fit_abilities, with_sources
from crew_router.types.vocabulary import EFFORT_ORDER

if TYPE_CHECKING:
    from pathlib import Path

    from crew_router.config.registry import Registry

COLUMNS: Final = ("model", "effort", "benchmark", "score")
_OPTIONAL: Final = ("n", "chance")
_QUESTIONS: Final = 200  # where the number of questions is not given; a guess
_PERCENT: Final = 100.0
_LINKS: Final = 2  # known models that a benchmark needs before it can place another
_NEW: Final = (0.0, 1.5)  # prior of a model that nobody knows: middle and spread of the measured ones, rounded up


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the figures put a model: ``before`` is what was known of it, ``None`` for one that nobody had measured."""

    model: str
    effort: str | None
    ability: Estimate
    before: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class _Row:
    model: str
    effort: str | None
    benchmark: str
    share: float
    questions: int

    @property
    def subject(self) -> str:
        return self.model if self.effort is None else f"{self.model}#{self.effort}"


def place_figures(path: Path, registry: Registry) -> list[Placed]:
    """Return the abilities that a file of figures gives, those of new models first.

    Args:
        path: CSV with the columns model, effort (may be empty), benchmark and score, and perhaps n (questions) and chance.
        registry: Whose abilities set the scale.

    Raises:
        ConfigurationError: The file cannot be read, a row means nothing, or a benchmark has fewer than two known models.
    """
    rows = _read(path, registry)
    known = _known(rows, registry)
    _check_links(rows, known, place=str(path))
    figures = [Figure(row.subject, row.benchmark, *_logit(row), source=row.benchmark) for row in rows]
    priors = {row.subject: known.get(row.subject, _NEW) for row in rows}
    bare = fit_abilities(figures, known=priors, resamples=0)
    fit, doubts = with_sources(bare, figures), _link_errors(bare, figures, known)
    placed: list[Placed] = []
    for row in {row.subject: row for row in rows}.values():
        found, before = fit.abilities[row.subject], known.get(row.subject)
        # What was known holds the doubt of its measurers already; a new model has that of this harness and of the link to it.
        ability = _doubted(found, doubts, rows, row) if before is None else replace(found, error=bare.abilities[row.subject].error)
        placed.append(Placed(row.model, row.effort, ability, before))
    return sorted(placed, key=lambda each: each.before is not None)


def as_yaml(placed: Sequence[Placed]) -> str:
    """Return entries for ``crew_router.yaml``: those of new models, of all where none is new."""
    lines = ["models:"]
    by_model: dict[str, list[Placed]] = {}
    for each in [one for one in placed if one.before is None] or placed:
        by_model.setdefault(each.model, []).append(each)
    for model, levels in by_model.items():
        lines.append(f'  "{model}":')
        lines.extend(f"    ability: {_flow(each.ability)}" for each in levels if each.effort is None)
        efforts = [each for each in levels if each.effort is not None]
        lines.extend(["    efforts:"] if efforts else [])
        lines.extend(f"      {each.effort}: {{ability: {_flow(each.ability)}}}" for each in efforts)
    return "\n".join(lines)


def _flow(found: Estimate) -> str:
    sources = ", ".join(f'"{source}"' for source in found.sources)
    return f"{{value: {found.value:.2f}, error: {found.error:.2f}, figures: {found.figures}, sources: [{sources}], kind: user}}"


def _read(path: Path, registry: Registry) -> list[_Row]:
    place = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = unreadable.strerror if isinstance(unreadable, OSError) and unreadable.strerror else "it is not UTF-8 text"
        raise ConfigurationError(place, "", f"it cannot be read: {reason}", cure="name a CSV file") from None
    lines = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
    if missing:
        raise ConfigurationError(place, "line 1", f"the columns {missing} are missing", cure=f"write {','.join((*COLUMNS, *_OPTIONAL))}")
    cells = list(lines)
    if not cells:
        raise ConfigurationError(place, "", "it holds no figure", cure="write one row a result below the header")
    percent = {row["benchmark"] for row in cells if (score := _number(row["score"])) is not None and score > 1}
    return [
        _row(row, place=f"{place}, line {at}", registry=registry, percent=row["benchmark"] in percent) for at, row in enumerate(cells, 2)
    ]


def _row(cells: Mapping[str, str | None], *, place: str, registry: Registry, percent: bool) -> _Row:
    values = {name: (cells.get(name) or "").strip() for name in (*COLUMNS, *_OPTIONAL)}
    for name in ("model", "benchmark"):
        if not values[name]:
            raise ConfigurationError(place, name, "it is empty", cure=f"name the {name}")
    model, effort = _model_of(values, place=place, registry=registry)
    scale = _PERCENT if percent else 1.0
    score = _within(values["score"], place, "score", most=scale)
    chance = _within(values["chance"] or "0", place, "chance", most=scale)
    questions = _number(values["n"] or str(_QUESTIONS))
    if questions is None or questions < 1 or questions != int(questions):
        raise ConfigurationError(place, "n", f"{shown(values['n'])} is not a number of questions", cure="write a whole number from 1")
    if chance >= scale:
        raise ConfigurationError(
            place, "chance", f"{shown(values['chance'])} leaves nothing to be right in", cure="write what guessing gets"
        )
    return _Row(model, effort, values["benchmark"], max(score - chance, 0.0) / (scale - chance), int(questions))


def _model_of(values: Mapping[str, str], *, place: str, registry: Registry) -> tuple[str, str | None]:
    name, _, behind = values["model"].partition("#")
    effort = values["effort"] or behind or None
    if effort is not None and effort not in EFFORT_ORDER:
        raise ConfigurationError(place, "effort", f"{shown(effort)} is not an effort", cure=f"write one of {', '.join(EFFORT_ORDER)}")
    try:
        known = registry.resolve(name)
    except UnknownModelError:
        if ":" not in name:
            raise ConfigurationError(place, "model", f"{shown(name)} is not in the registry", cure="write 'provider:model'") from None
        return name, effort
    if effort is not None and known.efforts and known.effort(effort) is None:
        offered = ", ".join(level.name for level in known.efforts)
        raise ConfigurationError(place, "effort", f"{shown(effort)} is not offered for {known.ref}", cure=f"write one of {offered}")
    return known.ref, effort or known.default_effort


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _within(text: str, place: str, key: str, *, most: float) -> float:
    value = _number(text)
    if value is None or not 0 <= value <= most:
        raise ConfigurationError(
            place, key, f"{shown(text)} is not a number from 0 to {most:g}", cure="write a share, or percent throughout"
        )
    return value


def _known(rows: Sequence[_Row], registry: Registry) -> dict[str, tuple[float, float]]:
    known: dict[str, tuple[float, float]] = {}
    for row in rows:
        model = registry.get(row.model)
        if model is not None:
            ability = ability_of(replace(model, quality=None, task_quality={}), effort=row.effort)
            if ability.kind != "estimated" or ability.figures or row.effort is not None:
                known[row.subject] = ability.value, ability.error
    return known


def _check_links(rows: Sequence[_Row], known: Mapping[str, tuple[float, float]], *, place: str) -> None:
    links: dict[str, set[str]] = {row.benchmark: set() for row in rows}
    for row in rows:
        if row.subject in known:
            links[row.benchmark].add(row.subject)
    for benchmark, subjects in links.items():
        if len(subjects) < _LINKS:
            problem = f"{shown(benchmark)} has {len(subjects)} models of known ability, which cannot place it"
            raise ConfigurationError(
                place, "benchmark", problem, cure="add results of two models that `crew-router models` shows as measured"
            )


def _logit(row: _Row) -> tuple[float, float]:
    """Return a share as a logit and its sampling error; none and all right count as half a question."""
    half = 0.5 / row.questions
    share = min(max(row.share, half), 1 - half)
    return math.log(share / (1 - share)), 1 / math.sqrt(row.questions * share * (1 - share))


def _link_errors(fit: AbilityFit, figures: Sequence[Figure], known: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Return how surely each benchmark is placed by its known models, as a standard error of its difficulty."""
    weights: dict[str, float] = {}
    for figure in figures:
        if figure.subject in known:
            scale = fit.benchmarks[figure.benchmark]
            noise = (figure.sampling_error**2 + scale.misfit**2) / scale.slope**2
            weights[figure.benchmark] = weights.get(figure.benchmark, 0.0) + 1 / (known[figure.subject][1] ** 2 + noise)
    return {benchmark: weight**-0.5 for benchmark, weight in weights.items()}


def _doubted(found: Estimate, doubts: Mapping[str, float], rows: Sequence[_Row], row: _Row) -> Estimate:
    """Return an ability whose error holds that of the benchmarks which placed it."""
    tests = {other.benchmark for other in rows if other.subject == row.subject}
    doubt = math.sqrt(sum(doubts[test] ** 2 for test in tests)) / len(tests)
    return replace(found, error=math.hypot(found.error, doubt))
