"""Fit the map from what is read of a request to its difficulty, on outcomes of models whose ability is known, and say how calibrated it is.

    python benchmarks/choice/difficulty_map.py FOLDER    # outcome files (*.jsonl.gz) and evidence/cells.csv

Abilities come from the same fit as the registry's; models of the outcome files without one are fitted with the map. Each file is
told apart by a random half: the other half gives the calibration.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from outcomes import _classify

sys.path.insert(0, str(Path(__file__).parents[1] / "registry"))
from evidence import fitted, read_figures

from crew_router.config.ability import REFERENCE_DIFFICULTY
from crew_router.decide.predict.difficulty import MIDDLE_COMPLEXITY
from crew_router.evaluate.outcomes import read_outcomes
from crew_router.types import Domain, TaskType

KNOWN = {  # names in the outcome files -> configurations of cells.csv
    "gpt-4o-2024-08-06": "gpt-4o", "gpt-4o-mini-2024-07-18": "gpt-4o-mini", "gpt-4o-2024-05-13": "gpt-4o",
    "Meta-Llama-3.1-70B-Instruct": "llama-3-1-instruct-70b", "Meta-Llama-3.1-8B-Instruct": "llama-3-1-instruct-8b",
    "Llama-3.1-405B-Inst@sambanova": "llama-3-1-instruct-405b", "Llama-3.1-405B-Inst@hyperbolic": "llama-3-1-instruct-405b",
    "Mistral-Large-2": "mistral-large-2", "claude-3-5-haiku-20241022": "claude-3-5-haiku", "claude-3-haiku-20240307": "claude-3-haiku",
    "claude-3-opus-20240229": "claude-3-opus", "gpt-4-turbo-2024-04-09": "gpt-4-turbo", "mixtral-8x7b-chat": "mixtral-8x7b-instruct",
    "Mixtral-8x7B-Instruct-v0.1": "mixtral-8x7b-instruct", "llama-2-70b-chat": "llama-2-chat-70b",
}  # fmt: skip
# What a typical item of a benchmark is graded, 1 to 10, by the words of docs/classification.md; given by one author.
GRADES = {
    "math_500": 6, "mmlu_pro": 6, "livebench2601_coding": 6, "epoch_math_level_5": 7, "livecodebench": 7, "ifbench": 7, "bfcl_v4": 7,
    "tau2_telecom": 7, "lcr_v1": 7, "epoch_aider_polyglot": 7, "livebench2601_language": 7, "livebench2601_data_analysis": 7,
    "livebench2601_instruction_following": 7, "livebench2601_mathematics": 7, "livebench2601_reasoning": 7, "gpqa": 8,
    "epoch_gpqa_diamond": 8, "aime_2025": 8, "epoch_otis_mock_aime_2024_2025": 8, "scicode_v1": 8, "tbench_hard": 8,
    "epoch_swe_bench_verified": 8, "tbench_4.0": 9, "hle_v1": 10, "hle_v2": 10, "epoch_hle": 10, "critpt_aa": 10,
    "epoch_frontiermath_2025_02_28_private": 10, "epoch_proofbench": 10,
}  # fmt: skip
EVERYDAY = {"gsm8k": -4.6, "crux": -2.9, "math level 5 of zeroeval": -1.7}  # where gpt-4o-mini and gpt-4o put the domains of zeroeval
EVERYDAY_GRADES = {"gsm8k": 3, "crux": 5, "math level 5 of zeroeval": 7}
PENALTY = 100.0
HALF = 0.5
UNKNOWN_ABILITY = -1.5


@dataclass(frozen=True)
class Row:
    """One outcome."""

    score: float
    place: int
    ability: float
    complexity: float
    task: TaskType
    domain: Domain
    file: str


def main(folder: Path) -> None:
    """Print everything."""
    fit = fitted(read_figures(folder / "evidence"))
    rows, names = [], {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        table = read_outcomes(path).complete()
        for at, model in enumerate(table.models):
            plain = re.sub(r"^.*/", "", model).removesuffix("-FC")
            key = KNOWN.get(plain, plain.replace(".", "-").lower())
            known = fit.abilities.get(key)
            place = names.setdefault(f"{path.name}:{model}", len(names))
            for row, prompt in enumerate(table.prompts):
                profile = _classify(prompt)
                read = profile.difficulty.mean if profile.difficulty else profile.complexity.value
                ability = known.value if known else math.nan
                rows.append(
                    Row(float(table.score[row, at]), place, ability, read, profile.task_type.value, profile.domain.value, path.name)
                )
    known_places = {each.place for each in rows if not math.isnan(each.ability)}
    print(f"{len(rows)} outcomes, {len(names)} models, {len(known_places)} with a known ability")
    solve(rows, len(names))
    print("\nby grade of the benchmark:")
    levels = {name: each.difficulty for name, each in fit.benchmarks.items() if name in GRADES} | EVERYDAY
    grades = np.array([(GRADES | EVERYDAY_GRADES)[name] for name in levels], dtype=float)
    found = np.array(list(levels.values()))
    slope, start = np.polyfit(grades - MIDDLE_COMPLEXITY, found, 1)
    left = found - start - slope * (grades - MIDDLE_COMPLEXITY)
    for name, grade, level, off in sorted(zip(levels, grades, found, left, strict=True), key=lambda each: each[1]):
        print(f"  {grade:4.1f} {level:6.2f} {off:+.2f} {name}")
    related = np.corrcoef(grades, found)[0, 1]
    print(f"at complexity {MIDDLE_COMPLEXITY:g}: {start:.2f}; a step: {slope:.3f}; misses by {left.std():.2f}, r {related:.2f}")


def solve(rows: list[Row], models: int) -> None:
    """Fit by ridge-penalised logistic regression (Newton steps over all coefficients) and print coefficients and calibration."""
    tasks, domains = list(TaskType), list(Domain)
    score, known = np.array([each.score for each in rows]), np.array([each.ability for each in rows])
    place = np.array([each.place for each in rows])
    step = np.array([each.complexity - MIDDLE_COMPLEXITY for each in rows])
    task = np.array([tasks.index(each.task) for each in rows])
    domain = np.array([domains.index(each.domain) for each in rows])
    free = sorted({at for at, value in zip(place.tolist(), known.tolist(), strict=True) if math.isnan(value)})
    column = np.full(models, -1)
    column[free] = np.arange(len(free))
    width = 2 + len(tasks) + len(domains) + len(free)
    design = np.zeros((len(rows), width))
    at = np.arange(len(rows))
    design[:, 0], design[:, 1] = -1.0, -step
    design[at, 2 + task] = -1.0
    design[at, 2 + len(tasks) + domain] = -1.0
    loose = column[place] >= 0
    design[at[loose], 2 + len(tasks) + len(domains) + column[place[loose]]] = 1.0
    offset = np.where(np.isnan(known), UNKNOWN_ABILITY, known)
    ridge = np.array([1e-6, 1e-6, *[PENALTY] * (len(tasks) + len(domains)), *[1.0] * len(free)])
    half = np.random.default_rng(0).random(len(rows)) < HALF
    weights = np.zeros(width)
    weights[:2] = REFERENCE_DIFFICULTY, 0.5
    for _ in range(40):
        p = 1 / (1 + np.exp(-(offset + design @ weights)))
        curve = (p * (1 - p))[half]
        gradient = design[half].T @ (score - p)[half] - ridge * weights
        move = np.linalg.solve((design[half] * curve[:, None]).T @ design[half] + np.diag(ridge), gradient)
        weights += move * min(1.0, 0.5 / abs(move).max())  # a full step overshoots at first
    p = 1 / (1 + np.exp(-(offset + design @ weights)))
    print(f"at complexity {MIDDLE_COMPLEXITY:g}: {weights[0]:.2f}; a step: {weights[1]:.3f}")
    said = {str(each): (round(float(weights[2 + n]), 2), int((task == n).sum())) for n, each in enumerate(tasks)}
    print("task types (offset, outcomes):", said)
    said = {str(each): (round(float(weights[2 + len(tasks) + n]), 2), int((domain == n).sum())) for n, each in enumerate(domains)}
    print("domains (offset, outcomes):", said)
    bins = [~half & (p >= low) & (p < low + 0.1) for low in np.arange(0, 1, 0.1)]
    error = sum(abs(p[cut].mean() - score[cut].mean()) * cut.sum() for cut in bins if cut.any()) / (~half).sum()
    print(f"held out: calibration error {error:.3f}, Brier {((p - score) ** 2)[~half].mean():.3f}, of the mean {score[~half].var():.3f}")
    for name in sorted({each.file for each in rows}):
        cut = ~half & np.array([each.file == name for each in rows])
        print(
            f"  {name}: predicted {p[cut].mean():.3f}, was {score[cut].mean():.3f}, complexity {step[cut].mean() + MIDDLE_COMPLEXITY:.1f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
