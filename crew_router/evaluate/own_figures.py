"""Fit abilities to benchmark results of the user's own.

Models of known ability give the benchmark's difficulty, and the benchmark then gives the ability of the other models.
"""

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
_PER_CENT: Final = 100.0
_MIN_LINKS: Final = 2  # models of known ability that a benchmark needs
_PRIOR_OF_NEW: Final = (0.0, 1.5)  # ability and error, in logits, of an unknown model: mean and spread of the measured ones, rounded up


@dataclass(frozen=True, slots=True)
class Placed:
    """The ability that the figures give a model.

    Args:
        model: The model.
        effort: Its reasoning effort, if it has any.
        ability: The ability, in logits.
        before: Ability and error that were known before; ``None`` for a model that nobody had measured.
    """

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
        registry: The models of known ability, which define the scale.

    Raises:
        ConfigurationError: The file cannot be read, a row is not valid, or a benchmark has fewer than two known models.
    """
    rows = _read(path, registry)
    known = _known(rows, registry)
    _check_links(rows, known, place=str(path))
    figures = [Figure(row.subject, row.benchmark, *_logit(row), source=row.benchmark) for row in rows]
    priors = {row.subject: known.get(row.subject, _PRIOR_OF_NEW) for row in rows}
    fit_without_sources = fit_abilities(figures, known=priors, resamples=0)
    fit, link_errors = with_sources(fit_without_sources, figures), _link_errors(fit_without_sources, figures, known)
    placed: list[Placed] = []
    for row in {row.subject: row for row in rows}.values():
        estimate, before = fit.abilities[row.subject], known.get(row.subject)
        # The error of a known model already includes that of its sources. A new model has the error of this benchmark as a
        # source, and of the benchmark's difficulty.
        if before is None:
            ability = _with_link_error(estimate, link_errors, rows, row)
        else:
            ability = replace(estimate, error=fit_without_sources.abilities[row.subject].error)
        placed.append(Placed(row.model, row.effort, ability, before))
    return sorted(placed, key=lambda each: each.before is not None)


def as_yaml(placed: Sequence[Placed]) -> str:
    """Return entries for ``crew_router.yaml``: those of the new models, or of all models when none is new."""
    lines = ["models:"]
    by_model: dict[str, list[Placed]] = {}
    for each in [one for one in placed if one.before is None] or placed:
        by_model.setdefault(each.model, []).append(each)
    for model, levels in by_model.items():
        lines.append(f'  "{model}":')
        lines.extend(f"    ability: {_yaml_mapping(each.ability)}" for each in levels if each.effort is None)
        efforts = [each for each in levels if each.effort is not None]
        lines.extend(["    efforts:"] if efforts else [])
        lines.extend(f"      {each.effort}: {{ability: {_yaml_mapping(each.ability)}}}" for each in efforts)
    return "\n".join(lines)


def _yaml_mapping(estimate: Estimate) -> str:
    sources = ", ".join(f'"{source}"' for source in estimate.sources)
    return f"{{value: {estimate.value:.2f}, error: {estimate.error:.2f}, figures: {estimate.figures}, sources: [{sources}], kind: user}}"


def _read(path: Path, registry: Registry) -> list[_Row]:
    place = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = unreadable.strerror if isinstance(unreadable, OSError) and unreadable.strerror else "it is not UTF-8 text"
        raise ConfigurationError(place, "", f"it cannot be read: {reason}", cure="name a CSV file") from None
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigurationError(place, "line 1", f"the columns {missing} are missing", cure=f"write {','.join((*COLUMNS, *_OPTIONAL))}")
    records = list(reader)
    if not records:
        raise ConfigurationError(place, "", "it holds no figure", cure="write one row a result below the header")
    percent = {row["benchmark"] for row in records if (score := _number(row["score"])) is not None and score > 1}
    return [
        _row(row, place=f"{place}, line {number}", registry=registry, percent=row["benchmark"] in percent)
        for number, row in enumerate(records, 2)
    ]


def _row(cells: Mapping[str, str | None], *, place: str, registry: Registry, percent: bool) -> _Row:
    values = {name: (cells.get(name) or "").strip() for name in (*COLUMNS, *_OPTIONAL)}
    for name in ("model", "benchmark"):
        if not values[name]:
            raise ConfigurationError(place, name, "it is empty", cure=f"name the {name}")
    model, effort = _model_of(values, place=place, registry=registry)
    scale = _PER_CENT if percent else 1.0
    score = _within(values["score"], place, "score", maximum=scale)
    chance = _within(values["chance"] or "0", place, "chance", maximum=scale)
    questions = _number(values["n"] or str(_QUESTIONS))
    if questions is None or questions < 1 or questions != int(questions):
        raise ConfigurationError(place, "n", f"{shown(values['n'])} is not a number of questions", cure="write a whole number from 1")
    if chance >= scale:
        raise ConfigurationError(
            place, "chance", f"{shown(values['chance'])} leaves nothing to be right in", cure="write what guessing gets"
        )
    return _Row(model, effort, values["benchmark"], max(score - chance, 0.0) / (scale - chance), int(questions))


def _model_of(values: Mapping[str, str], *, place: str, registry: Registry) -> tuple[str, str | None]:
    name, _, suffix = values["model"].partition("#")
    effort = values["effort"] or suffix or None
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


def _within(text: str, place: str, key: str, *, maximum: float) -> float:
    value = _number(text)
    if value is None or not 0 <= value <= maximum:
        raise ConfigurationError(
            place, key, f"{shown(text)} is not a number from 0 to {maximum:g}", cure="write a share, or percent throughout"
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
        if len(subjects) < _MIN_LINKS:
            problem = f"{shown(benchmark)} has {len(subjects)} models of known ability, which cannot place it"
            raise ConfigurationError(
                place, "benchmark", problem, cure="add results of two models that `crew-router models` shows as measured"
            )


def _logit(row: _Row) -> tuple[float, float]:
    """Return a share as a logit, and its sampling error; a share of 0 or 1 is moved by half a question, to stay finite."""
    half = 0.5 / row.questions
    share = min(max(row.share, half), 1 - half)
    return math.log(share / (1 - share)), 1 / math.sqrt(row.questions * share * (1 - share))


def _link_errors(fit: AbilityFit, figures: Sequence[Figure], known: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Return the standard error of each benchmark's difficulty that comes from the errors of its known models."""
    weights: dict[str, float] = {}
    for figure in figures:
        if figure.subject in known:
            scale = fit.benchmarks[figure.benchmark]
            noise = (figure.sampling_error**2 + scale.misfit**2) / scale.slope**2
            weights[figure.benchmark] = weights.get(figure.benchmark, 0.0) + 1 / (known[figure.subject][1] ** 2 + noise)
    return {benchmark: weight**-0.5 for benchmark, weight in weights.items()}


def _with_link_error(estimate: Estimate, link_errors: Mapping[str, float], rows: Sequence[_Row], row: _Row) -> Estimate:
    """Return an ability whose error includes that of the difficulty of its benchmarks."""
    benchmarks = {other.benchmark for other in rows if other.subject == row.subject}
    link_error = math.sqrt(sum(link_errors[benchmark] ** 2 for benchmark in benchmarks)) / len(benchmarks)
    return replace(estimate, error=math.hypot(estimate.error, link_error))
