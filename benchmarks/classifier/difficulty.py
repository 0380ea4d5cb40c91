"""Fit the difficulty model, after `train.py` has made the hashed features' weights: `make train-classifier`.

What is fitted to: the prompts of authors a to c, the sentences made of frames, and the part `training` of `difficulty.jsonl`. The
part `heldout` is judged by `difficulty_figures.py` and read here only where one author's prompts judge a model of the other's.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent))
from difficulty_figures import print_row
from train import BLOCKS, OUT, SHAPE_WEIGHT, Data, Example, fit_complexity, joined, load_frames, load_graded, load_prompts, matrix, table

from crew_router.decide.classify.difficulty import DifficultyModel, confidence_of, difficulty_model_of, signals, spread_signals
from crew_router.decide.classify.linear import packaged_model

FOLDS: Final = 5
MEMBERS: Final = 3
HIDDEN: Final = 8
LINEAR_PENALTY: Final = 3.0
INNER_PENALTY: Final = 4.0  # chosen across folds of the training part, as the number of hidden units was
SCALE: Final = 0.3  # of all weights, so that the penalties mean what they meant when they were chosen
EASY: Final = 2.0
HARD: Final = 8.5
EXTREME: Final = 2.0  # how much more a trivial or a research-level text counts: taking one for the other costs most; no loss across folds
NEWER: Final = 6.0  # weight of authors d and e beside a to c when the spread is fitted
STEPS: Final = 200


@dataclass
class Rows:
    """Texts, their features and grades; ``hard`` is what a model of the hashed features says that has not seen the text."""

    examples: list[Example]
    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    hard: np.ndarray


class Head:
    """The difficulty that hashed features alone speak for, as `train.py` fits it."""

    def __init__(self, data: Data) -> None:
        self._tables = {block: table(matrix(data, block), block) for block in BLOCKS}
        grades = np.array([e.complexity for e in data.examples], float)
        weights = np.array([e.grade_weight for e in data.examples])
        self._weights, self._middle = fit_complexity(self._design(data), grades, weights=weights)

    def _design(self, data: Data) -> sp.csr_matrix:
        shape = sp.csr_matrix(np.array([h.shape for h in data.hashes]) * SHAPE_WEIGHT)
        return sp.hstack([*(self._tables[block].design(matrix(data, block)) for block in BLOCKS), shape]).tocsr()

    def read(self, data: Data) -> np.ndarray:
        """Return the difficulties of texts."""
        return self._design(data) @ self._weights + self._middle


def part_of(data: Data, chosen: np.ndarray) -> Data:
    return Data([data.examples[at] for at in chosen], [data.hashes[at] for at in chosen])


def featured_by(data: Data, hard: np.ndarray) -> np.ndarray:
    model = packaged_model()
    unknown = [model.unknown_share(found) for found in data.hashes]
    listed = zip(data.examples, hard, unknown, strict=True)
    return np.array([signals(example.text, hard=float(each), unknown=share) for example, each, share in listed])


def rows_of(data: Data) -> Rows:
    """Return the rows to fit to; the score of the hashed features comes from folds that leave the text out."""
    order, hard = np.random.default_rng(3).permutation(len(data.examples)), np.zeros(len(data.examples))
    for fold in range(FOLDS):
        judged = order[fold::FOLDS]
        hard[judged] = Head(part_of(data, np.setdiff1d(order, judged))).read(part_of(data, judged))
    grades = np.array([e.complexity for e in data.examples], float)
    weights = np.array([e.grade_weight for e in data.examples]) * SCALE
    weights *= np.where((grades <= EASY) | (grades >= HARD), EXTREME, 1.0)
    return Rows(data.examples, featured_by(data, hard), grades, weights, hard)


def fit_linear(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    middle, level = np.average(x, axis=0, weights=weights), float(np.average(y, weights=weights))
    share = np.sqrt(weights)
    scaled = (x - middle) * share[:, None]
    fitted = np.linalg.solve(scaled.T @ scaled + LINEAR_PENALTY * np.eye(x.shape[1]), scaled.T @ ((y - level) * share))
    return fitted, level - float(middle @ fitted)


def fit_member(x: np.ndarray, rest: np.ndarray, weights: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Fit a few hidden units to what the linear score leaves over; each member starts elsewhere and sees another sample."""
    dice, width = np.random.default_rng(seed), x.shape[1]
    weights = weights * dice.choice([0.5, 1.5], len(weights))
    cuts = np.cumsum([width * HIDDEN, HIDDEN, HIDDEN])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        inner, inner_bias, outer, bias = np.split(flat, cuts)
        inner = inner.reshape(width, HIDDEN)
        hidden = np.tanh(x @ inner + inner_bias)
        off = hidden @ outer + bias - rest
        slope = off * weights
        back = np.outer(slope, outer) * (1 - hidden * hidden)
        value = 0.5 * float((off * off * weights).sum() + INNER_PENALTY * ((inner**2).sum() + (outer**2).sum()))
        parts = [(x.T @ back + INNER_PENALTY * inner).ravel(), back.sum(axis=0), hidden.T @ slope + INNER_PENALTY * outer, [slope.sum()]]
        return value, np.concatenate(parts)

    start = np.concatenate([dice.normal(0, 0.15, cuts[0]), dice.normal(0, 0.3, HIDDEN), dice.normal(0, 0.1, HIDDEN), [0.0]])
    inner, inner_bias, outer, bias = np.split(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x, cuts)
    return inner.reshape(width, HIDDEN), inner_bias, outer, float(bias[0])


def fit_model(rows: Rows, *, spread: np.ndarray, reply_spread: float) -> dict[str, np.ndarray]:
    linear, bias = fit_linear(rows.x, rows.y, rows.weights)
    middle = np.average(rows.x, axis=0, weights=rows.weights)
    rest = rows.y - rows.x @ linear - bias
    members = [fit_member(rows.x - middle, rest, rows.weights, seed=seed) for seed in range(MEMBERS)]
    outer = np.zeros((MEMBERS * HIDDEN, MEMBERS))
    for at, member in enumerate(members):
        outer[at * HIDDEN : (at + 1) * HIDDEN, at] = member[2]
    return {
        "linear": linear.astype(np.float32),
        "bias": np.float32(bias),
        "middle": middle.astype(np.float32),
        "inner": np.hstack([m[0] for m in members]).astype(np.float16),
        "inner_bias": np.concatenate([m[1] for m in members]).astype(np.float32),
        "outer": outer.astype(np.float16),
        "outer_bias": np.array([m[3] for m in members], np.float32),
        "spread": spread.astype(np.float32),
        "reply_spread": np.float32(reply_spread),
    }


def model_without(data: Data, judged: Data, *, spread: np.ndarray) -> tuple[DifficultyModel, np.ndarray]:
    """Return a model of ``data``, and the score of the hashed features for texts that it has not seen."""
    arrays = fit_model(rows_of(data), spread=spread, reply_spread=1.0)
    return difficulty_model_of(arrays), Head(data).read(judged)


def read_by(model: DifficultyModel, judged: Data, hard: np.ndarray) -> list[tuple[float, float]]:
    """Return mean and spread of every text."""
    known = packaged_model()
    listed = zip(judged.examples, judged.hashes, hard, strict=True)
    read = [model.read(e.text, hard=float(each), unknown=known.unknown_share(found)) for e, found, each in listed]
    return [(each.mean, each.spread) for each in read]


def fit_spread(inputs: np.ndarray, off: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fit the logarithm of the spread, so that what is off looks normal with it."""

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        logs = np.clip(inputs @ flat, -3, 3)
        scaled = (off / np.exp(logs)) ** 2
        slope = inputs.T @ (weights * (1 - scaled)) + 0.5 * np.r_[0.0, flat[1:]]
        return float((weights * (logs + 0.5 * scaled)).sum() + 0.25 * (flat[1:] ** 2).sum()), slope

    start = np.r_[np.log(off.std()), np.zeros(inputs.shape[1] - 1)]
    return minimize(loss, start, jac=True, method="L-BFGS-B").x


def spread_across_authors(authors: dict[str, Data], frames: Data) -> np.ndarray:
    """Fit the spread to how far a model is off on the prompts of an author whom it has not seen."""
    inputs, off, weights = [], [], []
    # With this spread the spread tells how far the members disagree, which is what its weights need.
    apart_only = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    for name, judged in authors.items():
        model, hard = model_without(joined(*(d for other, d in authors.items() if other != name), frames), judged, spread=apart_only)
        unknown = [packaged_model().unknown_share(found) for found in judged.hashes]
        for example, (mean, apart), share in zip(judged.examples, read_by(model, judged, hard), unknown, strict=True):
            inputs.append(spread_signals(mean, apart, unknown=share, chars=len(example.text)))
            off.append(float(example.complexity or 0.0) - mean)
            weights.append(NEWER if name in "de" else 1.0)
        print(f"without author {name}: root mean square error {np.sqrt(np.mean(np.square(off[-len(judged.examples) :]))):.2f}")
    return fit_spread(np.array(inputs, float), np.array(off), np.array(weights))


def judge_across(older: Data, frames: Data, *, spread: np.ndarray) -> None:
    """Print how a model that has seen one of the two authors reads the other's prompts."""
    for learnt, other in (("d", "e"), ("e", "d")):
        both = ("training", "heldout")
        judged = load_graded(authors=other, parts=both)
        model, hard = model_without(joined(older, frames, load_graded(authors=learnt, parts=both)), judged, spread=spread)
        difficulties = [
            model.read(e.text, hard=float(h), unknown=packaged_model().unknown_share(f))
            for e, f, h in zip(judged.examples, judged.hashes, hard, strict=True)
        ]
        grades = [float(e.complexity or 0.0) for e in judged.examples]
        print_row(f"author {learnt} -> {other}", grades, [d.mean for d in difficulties], stated=[confidence_of(d) for d in difficulties])


def main() -> None:
    authors = {name: load_prompts(name) for name in "abc"} | {name: load_graded(authors=name) for name in "de"}
    frames = load_frames()
    everything = joined(*authors.values(), frames)
    spread = spread_across_authors(authors, frames)
    grades = np.array([e.complexity for name in "abc" for e in authors[name].examples], float)
    rows = rows_of(everything)
    out = OUT.with_name("difficulty.npz")
    np.savez_compressed(out, **fit_model(rows, spread=spread, reply_spread=float(grades.std())))
    print(f"wrote {out.name}, {out.stat().st_size / 1e3:.0f} kB, {rows.x.shape[1]} signals, {len(rows.y)} texts")
    judge_across(joined(*(authors[name] for name in "abc")), frames, spread=spread)


if __name__ == "__main__":
    main()
