"""What of a registry is old or about to go: for ``crew-router doctor`` and ``crew-router models``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from crew_router.types.model import ModelDefinition, Retirement
from crew_router.types.vocabulary import ModelRef

OLD_DAYS: Final = 90
"""Days after which figures and prices are called old; new flagships come about that often."""

WARN_DAYS: Final = 60
"""Days ahead of which a retirement is told; the shortest notice that a large provider promises."""


@dataclass(frozen=True, slots=True)
class Retiring:
    """A model that the provider stops, and in how many days; none or fewer means that it is gone."""

    model: ModelRef
    retirement: Retirement
    days: int

    def __str__(self) -> str:
        """Say it in one sentence."""
        when = f"is retired since {self.retirement.on}" if self.days <= 0 else f"retires on {self.retirement.on}, in {self.days} days"
        instead = "" if self.retirement.successor is None else f"; use {self.retirement.successor}"
        return f"{self.model} {when}{instead}"


def retiring(models: Iterable[ModelDefinition], today: date, *, within_days: int = WARN_DAYS) -> list[Retiring]:
    """Return the models that are gone or go within some days, the first to go first."""
    until = today + timedelta(days=within_days)
    found = [
        Retiring(model.ref, model.retirement, (model.retirement.on - today).days)
        for model in models
        if model.retirement is not None and model.retirement.on <= until
    ]
    return sorted(found, key=lambda each: (each.days, each.model))


def age_line(models: Iterable[ModelDefinition], today: date) -> str:
    """Return one line on how old abilities and prices are, and what to do when one of them is old."""
    listed = list(models)
    figures = max((level for model in listed for level in _days(model)), default=None)
    prices = max((model.price.as_of for model in listed if model.price is not None and model.price.as_of is not None), default=None)
    parts = [_part("abilities", figures, today), _part("prices", prices, today)]
    old = any(day is not None and (today - day).days > OLD_DAYS for day in (figures, prices))
    cure = "; update crew-router, or see `crew-router models update` and docs/evidence.md" if old else ""
    return f"{', '.join(parts)}{cure}"


def _part(name: str, day: date | None, today: date) -> str:
    if day is None:
        return f"{name} of no known day"
    days = (today - day).days
    return f"{name} of {day} ({days} days old{', which is old' if days > OLD_DAYS else ''})"


def _days(model: ModelDefinition) -> list[date]:
    abilities = [model.ability, *(level.ability for level in model.efforts)]
    measured = (ability for ability in abilities if ability is not None and ability.kind == "measured")
    return [date.fromisoformat(ability.as_of) for ability in measured if ability.as_of is not None]
