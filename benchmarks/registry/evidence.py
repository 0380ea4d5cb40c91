"""Reads the collected evidence: a folder with cells.csv (what is fitted) and figures.csv (all figures, verbosity and times too)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from crew_router.evaluate.abilities import AbilityFit, Figure, fit_abilities, with_sources

SOURCES = {
    "AA July": "Artificial Analysis",
    "AA Oct": "Artificial Analysis",
    "Arena": "LMArena",
    "Epoch run": "Epoch AI",
    "Epoch boards": "leaderboards via Epoch AI",
}
AS_OF = {  # last day of each source
    "Artificial Analysis": "2026-10-08",
    "BFCL": "2026-04-12",
    "Epoch AI": "2026-08-11",
    "LMArena": "2026-10-02",
    "LiveBench": "2026-09-29",
    "leaderboards via Epoch AI": "2026-08-11",
}
ANCHORS = {  # well-measured models that keep their place when the figures are refitted, so that the scale stays the same
    "gpt-4o-mini": -1.65,
    "gpt-4o": -1.32,
    "gpt-5-mini@medium": 0.33,
    "gpt-5-5@top": 1.63,
    "gemini-2-5-pro": 0.25,
    "claude-4-5-haiku@top": 0.14,
}
TOKENS, SECONDS, WAIT, SPEED = "output tokens per task", "time per task", "time to first answer token", "output speed"
AS_SERVED = {"as served", "default", "no reasoning", "none", ""}


@dataclass(frozen=True, slots=True)
class Measured:
    """Verbosity and times of one model at one effort, as Artificial Analysis has them."""

    output_tokens: float | None = None
    ttft_s: float | None = None
    tokens_per_s: float | None = None
    as_of: str = ""


def read_figures(folder: Path) -> list[Figure]:
    """Return the cells that are fitted."""
    with (folder / "cells.csv").open(encoding="utf-8") as lines:
        return [
            Figure(
                row["config"],
                row["benchmark"],
                float(row["y_logit"]),
                float(row["sampling_error"]),
                row["family"],
                SOURCES.get(row["source"], row["source"]),
            )
            for row in csv.DictReader(lines)
        ]


def fitted(figures: list[Figure]) -> AbilityFit:
    """Return abilities on the scale of the packaged registry, with sources and their error."""
    return with_sources(fit_abilities(figures, anchors=ANCHORS), figures)


def read_facts() -> dict[str, Any]:
    """Return what providers document of each packaged model."""
    with (Path(__file__).parent / "models.yaml").open(encoding="utf-8") as text:
        facts: dict[str, Any] = yaml.safe_load(text)
    return facts


def read_measured(folder: Path) -> dict[tuple[str, str], Measured]:
    """Return verbosity and times by (registry id, effort as the figure names it); the newest figure counts."""
    found: dict[tuple[str, str], dict[str, tuple[str, float]]] = {}
    with (folder / "figures.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if not row["benchmark"].startswith(("AA Intelligence Index v4.3", "AA speed test")):
                continue
            if row["metric"] not in {TOKENS, SECONDS, WAIT, SPEED}:
                continue
            for ref in row["model_ref"].split(";"):
                known = found.setdefault((ref, row["effort"]), {})
                if row["metric"] not in known or known[row["metric"]][0] <= row["date"]:
                    known[row["metric"]] = row["date"], float(row["value"])
    return {key: _measured(values) for key, values in found.items()}


def _measured(values: dict[str, tuple[str, float]]) -> Measured:
    def value(metric: str) -> float | None:
        return values[metric][1] if metric in values else None

    speed, tokens, seconds = value(SPEED), value(TOKENS), value(SECONDS)
    if speed is None and tokens and seconds:
        # The time of a task is that of its tokens: where both are published, the quotient is the published speed within 3 %.
        speed = tokens / seconds
    return Measured(tokens, value(WAIT), speed, max(day for day, _ in values.values()))


def usual_speed(measured: dict[tuple[str, str], Measured], ref: str) -> tuple[float, str] | None:
    """Return the middle of a model's speeds over its efforts, and the day of the newest."""
    known = [found for (name, _), found in measured.items() if name == ref and found.tokens_per_s is not None]
    if not known:
        return None
    return median(found.tokens_per_s or 0.0 for found in known), max(found.as_of for found in known)
