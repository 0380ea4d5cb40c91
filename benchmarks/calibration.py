"""Is the P(right) of a cascade's answers calibrated, and does the simple threshold behave? On recorded outcomes, held out by prompt.

Half of the prompts give each model's accuracy, as a registry would state it; on the other half the cascade's own code reads the
answers of one, two and three models and says how probable the best one is. ECE: mean distance of stated and real share of right
answers over ten bins of equal width, weighted by their answers.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crew_router.evaluate.outcomes import OutcomeTable, read_outcomes
from crew_router.execute.flows.cascade import Ladder, believed
from crew_router.execute.flows.panel import Said
from crew_router.execute.plans import SIGNALS
from crew_router.types import ModelDefinition, ModelRef
from crew_router.types.transport import Payload, Reply

PACKAGED = Path(__file__).resolve().parents[1] / "crew_router" / "cli" / "demo" / "local_models.jsonl"
BINS = 10
THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of the best answer after a step, and whether it was right.

    ``cost`` is that of all calls up to it, ``own`` the score of the step's own model.
    """

    stated: float
    right: float
    cost: float
    own: float


def main() -> None:
    """Print calibration and the effect of the threshold for every file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", type=Path, default=[PACKAGED], help="outcome files with answers; the packaged one by default")
    parser.add_argument("--seeds", type=int, default=3, help="splits of the prompts into halves")
    options = parser.parse_args()
    for path in options.data:
        table = read_outcomes(path)
        print(f"\n{path.name}: {len(table)} prompts x {len(table.models)} models")
        judged = [judge(table, seed) for seed in range(options.seeds)]
        print_calibration(judged)
        print_thresholds(judged)


def judge(table: OutcomeTable, seed: int) -> list[list[Judged]]:
    """Return, for each held-out prompt, what is said of the best answer after each step of a cascade of up to three models."""
    rows = list(range(len(table)))
    random.Random(seed).shuffle(rows)
    known, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    accuracy = table.score[known].mean(axis=0)
    cost = table.cost_usd[known].mean(axis=0) if (table.cost_usd > 0).any() else table.latency_s[known].mean(axis=0)
    steps = ladder_of(accuracy.tolist(), cost.tolist())
    models = [ModelDefinition(ModelRef(f"lab:{name}"), provider="lab", model=name) for name in table.models]
    chances = {model.ref: float(accuracy[at]) for at, model in enumerate(models)}
    return [followed(table, row, steps, models=models, chances=chances, cost=cost.tolist()) for row in held]


def ladder_of(accuracy: Sequence[float], cost: Sequence[float]) -> list[int]:
    """Return up to three models from the hull of accuracy over cost: the cheapest, the best, and one between."""
    by_cost = sorted(range(len(cost)), key=lambda at: cost[at])
    hull: list[int] = []
    for at in by_cost:
        if not hull or accuracy[at] > accuracy[hull[-1]]:
            hull.append(at)
    return hull if len(hull) <= 3 else [hull[0], hull[len(hull) // 2], hull[-1]]  # noqa: PLR2004 - three steps


def followed(
    table: OutcomeTable,
    row: int,
    steps: Sequence[int],
    *,
    models: Sequence[ModelDefinition],
    chances: dict[ModelRef, float],
    cost: Sequence[float],
) -> list[Judged]:
    """Return what the cascade's own code says after each step."""
    payload, said, judged = Payload((table.prompts[row],)), list[Said](), list[Judged]()
    for count, at in enumerate(steps):
        reply = Reply(table.answers[row][at] or "", finish_reason="stop")
        said.append(Said(at, models[at], reply))
        ladder = Ladder(
            tuple(models[each] for each in steps),
            payload=payload, threshold=0.7, value_usd=None, cost_usd={}, accuracy=chances, signals=SIGNALS,
        )  # fmt: skip
        best = believed(ladder, said)
        spent = sum(cost[each] for each in steps[: count + 1])
        judged.append(Judged(best.probability, float(table.score[row, best.said.call]), spent, float(table.score[row, at])))
    return judged


def ece(judged: Sequence[Judged]) -> float:
    """Return the expected calibration error over bins of equal width."""
    bins: list[list[Judged]] = [[] for _ in range(BINS)]
    for each in judged:
        bins[min(int(each.stated * BINS), BINS - 1)].append(each)
    gaps = [abs(statistics.fmean(e.stated for e in some) - statistics.fmean(e.right for e in some)) * len(some) for some in bins if some]
    return sum(gaps) / len(judged)


def print_calibration(splits: Sequence[Sequence[Sequence[Judged]]]) -> None:
    """Print one row a step: stated, real, ECE, Brier score, that of always stating the mean; then the bins of the last step."""
    print("models asked | stated | right | ECE | Brier | Brier of the mean")
    for step in range(len(splits[0][0])):
        some = [[row[step] for row in split] for split in splits]
        flat = [each for split in some for each in split]
        mean = statistics.fmean(each.right for each in flat)
        brier = statistics.fmean((each.stated - each.right) ** 2 for each in flat)
        base = statistics.fmean((mean - each.right) ** 2 for each in flat)
        error = statistics.fmean(map(ece, some))
        print(f"{step + 1} | {statistics.fmean(e.stated for e in flat):.3f} | {mean:.3f} | {error:.3f} | {brier:.3f} | {base:.3f}")
    flat = [each for split in splits for row in split for each in row]
    print("stated: right (answers), all steps")
    for at in range(BINS):
        some_in = [each for each in flat if min(int(each.stated * BINS), BINS - 1) == at]
        if some_in:
            print(f"  {at / BINS:.1f}-{(at + 1) / BINS:.1f}: {statistics.fmean(e.right for e in some_in):.3f} ({len(some_in)})")


def print_thresholds(splits: Sequence[Sequence[Sequence[Judged]]]) -> None:
    """Print what a threshold does: quality, share of requests that go on, cost relative to always asking the last model alone."""
    rows = [row for split in splits for row in split]
    alone = statistics.fmean(row[-1].cost - (row[-2].cost if len(row) > 1 else 0.0) for row in rows)
    print(f"the last model alone: {statistics.fmean(row[-1].own for row in rows):.3f} right")
    print("threshold | right | went on | cost of the best model alone")
    for threshold in THRESHOLDS:
        taken = [next((each for each in row if each.stated >= threshold), row[-1]) for row in rows]
        on = statistics.fmean(each.cost > row[0].cost for each, row in zip(taken, rows, strict=True))
        right, cost = statistics.fmean(e.right for e in taken), statistics.fmean(e.cost for e in taken)
        print(f"{threshold:.2f} | {right:.3f} | {on:.0%} | {cost / alone:.2f}")


if __name__ == "__main__":
    main()
