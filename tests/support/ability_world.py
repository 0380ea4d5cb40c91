"""Made figures: subjects and benchmarks whose abilities, slopes and difficulties are known."""

from dataclasses import dataclass

import numpy as np

from crew_router.evaluate.abilities import Figure

FAMILIES = ("code", "reason", "office")


@dataclass(frozen=True, slots=True)
class World:
    """What is true, and the figures that it gives."""

    abilities: dict[str, float]
    difficulties: dict[str, float]
    slopes: dict[str, float]
    figures: tuple[Figure, ...]


def world(*, subjects: int = 120, benchmarks: int = 40, seen: float = 0.4, seed: int = 1) -> World:
    """Return figures of subjects on benchmarks, each pair seen with a chance; noise is that of 200 questions plus a misfit."""
    rng = np.random.default_rng(seed)
    ability = {f"m{at}": float(value) for at, value in enumerate(rng.normal(0, 1.2, subjects))}
    difficulty = {f"b{at}": float(value) for at, value in enumerate(rng.normal(0.5, 1.5, benchmarks))}
    slope = {name: float(rng.normal(1, 0.2)) for name in difficulty}
    figures: list[Figure] = []
    for who, theta in ability.items():
        offsets = dict(zip(FAMILIES, rng.normal(0, 0.15, len(FAMILIES)), strict=True))
        for at, (test, hard) in enumerate(difficulty.items()):
            if rng.random() < seen:
                family = FAMILIES[at % len(FAMILIES)]
                logit = slope[test] * (theta + offsets[family] - hard) + rng.normal(0, 0.3) + rng.normal(0, 0.16)
                figures.append(Figure(who, test, float(logit), 0.16, family, "lab"))
    return World(ability, difficulty, slope, tuple(figures))
