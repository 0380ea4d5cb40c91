"""Train the weights of the classifier from the prompts of this folder: `make train-classifier`.

First the honest figure: trained on one author (and the third, small voice) and judged on the other, both ways, which also
sets the temperatures. Then the shipped weights are trained on everything.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize, minimize_scalar
from scipy.sparse.linalg import lsqr
from scipy.stats import spearmanr

from crew_router.decide.classify.linear import DOMAINS, SLOT_BITS, TASKS, Hashes, hashes_of, model_of

HERE: Final = Path(__file__).parent
OUT: Final = HERE.parents[1] / "crew_router" / "decide" / "classify" / "weights.npz"
BLOCKS: Final = ("words", "grams")
LEAST_TEXTS: Final = {"words": 3, "grams": 4}  # features that occur in fewer texts are left out; chosen across authors
SHAPE_WEIGHT: Final = 0.1
STRENGTH: Final = 30.0  # inverse of the L2 penalty; chosen across authors
ALSO: Final = 0.25  # share of the label that goes to the second-best type
WORD_LIST_WEIGHT: Final = 0.4
PHRASE_WEIGHT: Final = 0.3
VECTOR_WORD_WEIGHT: Final = 0.5
VECTOR_STRENGTH: Final = 3.0
VECTOR_SHARE: Final = 0.7
BALANCE: Final = 0.5
RIDGE: Final = 3.0
GRADED_WEIGHT: Final = 0.3  # for the task type: authors d and e draw the lines between types elsewhere; chosen across authors
GRADE_WEIGHT: Final = 6.0  # for the difficulty: a prompt with two grades beside one of authors a to c; chosen across folds
FRAME_GRADE_WEIGHT: Final = 2.0


@dataclass(frozen=True)
class Example:
    """One text with its labels; lists of words have a domain only."""

    text: str
    task: str | None
    also: str | None
    domain: str | None
    complexity: float | None
    language: str = "en"
    weight: float = 1.0  # for task type and domain
    grade_weight: float = 1.0  # for the difficulty


@dataclass
class Data:
    """Examples and their features."""

    examples: list[Example]
    hashes: list[Hashes]


def load_prompts(author: str) -> Data:
    lines = (HERE / "prompts" / f"author_{author}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return featured([Example(r["text"], r["task_type"], r["also"], r["domain"], r["complexity"], r["language"]) for r in rows])


def load_graded(*, authors: str = "de", parts: tuple[str, ...] = ("training",)) -> Data:
    """Return prompts that two people graded; by default only the part that may be fitted to."""
    rows = [json.loads(line) for line in (HERE / "difficulty.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = [r for r in rows if r["author"] in authors and r["part"] in parts]
    weights = GRADED_WEIGHT, GRADE_WEIGHT
    return featured(
        [Example(r["prompt"], r["task_type"], None, r["domain"], sum(r["grades"]) / 2, r["language"], *weights) for r in chosen]
    )


def load_confusable(part: str = "training") -> Data:
    """Return prompts whose words point to a task type that is not wanted; they have no difficulty and no domain."""
    rows = [json.loads(line) for line in (HERE / "confusable.jsonl").read_text(encoding="utf-8").splitlines()]
    return featured([Example(r["prompt"], r["task_type"], None, None, None) for r in rows if r["part"] == part])


def load_frames() -> Data:
    """Return sentences made of frames and subjects, which teach that the same subject is easy to name and hard to prove."""
    lists = json.loads((HERE / "difficulty_frames.json").read_text(encoding="utf-8"))
    dice, examples = random.Random(9), []
    for frame in lists["frames"]:
        names = re.findall(r"{(\w+)}", frame["frame"])
        pool = lists["fillers"][names[0]]
        firsts = pool if len(pool) <= frame["count"] else dice.sample(pool, frame["count"])
        for first in firsts if len(names) == 1 else (dice.choice(pool) for _ in range(frame["count"])):
            text = frame["frame"].format(**{names[0]: first}, **{name: dice.choice(lists["fillers"][name]) for name in names[1:]})
            examples.append(Example(text, frame["task_type"], None, frame["domain"], frame["grade"], "en", 0.0, FRAME_GRADE_WEIGHT))
    return featured(examples)


def load_word_lists() -> Data:
    """Return short texts of a few words of one domain, each word three times."""
    lists = json.loads((HERE / "domain_words.json").read_text(encoding="utf-8"))
    dice, examples = random.Random(5), []
    for domain, words in lists.items():
        for _ in range(3):
            order = dice.sample(words, len(words))
            examples += [Example(" ".join(order[at : at + 5]), None, None, domain, None) for at in range(0, len(order), 5)]
    return featured(examples)


def load_task_phrases() -> Data:
    """Return short texts of two phrases of one task type, each phrase three times."""
    lists = json.loads((HERE / "task_words.json").read_text(encoding="utf-8"))
    dice, examples = random.Random(6), []
    for task, phrases in lists.items():
        for _ in range(3):
            order = dice.sample(phrases, len(phrases))
            examples += [Example(" … ".join(order[at : at + 2]), task, None, "general", None) for at in range(0, len(order), 2)]
    return featured(examples)


def featured(examples: list[Example]) -> Data:
    return Data(examples, [hashes_of(example.text) for example in examples])


def joined(*parts: Data) -> Data:
    return Data([e for p in parts for e in p.examples], [h for p in parts for h in p.hashes])


def matrix(data: Data, block: str) -> sp.csr_matrix:
    counted = [np.unique(getattr(h, block), return_counts=True) for h in data.hashes]
    bounds = np.cumsum([0] + [len(slots) for slots, _ in counted])
    slots = np.concatenate([slots for slots, _ in counted]).astype(np.int64)
    values = 1.0 + np.log(np.concatenate([counts for _, counts in counted]))
    return sp.csr_matrix((values, slots, bounds), shape=(len(counted), 1 << SLOT_BITS))


@dataclass
class Table:
    """The slots that are kept for one block, and their inverse document frequency."""

    slots: np.ndarray
    idf: np.ndarray

    def design(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        kept = counts[:, self.slots] @ sp.diags(self.idf)
        lengths = np.sqrt(np.asarray(kept.multiply(kept).sum(axis=1)).ravel()) + 1e-9
        return sp.diags(1 / lengths) @ kept


def table(counts: sp.csr_matrix, block: str) -> Table:
    texts = np.asarray((counts > 0).sum(axis=0)).ravel()
    slots = np.flatnonzero(texts >= LEAST_TEXTS[block])
    return Table(slots, np.log((1 + counts.shape[0]) / (1 + texts[slots])) + 1)


def fit(x: sp.csr_matrix, y: np.ndarray, *, strength: float, weights: np.ndarray, steps: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Fit a multinomial logistic model to soft labels."""
    width, classes = x.shape[1], y.shape[1]
    turned = x.T.tocsr()

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = flat[: width * classes].reshape(width, classes), flat[width * classes :]
        z = x @ w + b
        z -= z.max(axis=1, keepdims=True)
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        slope = strength * weights[:, None] * (np.exp(logs) - y)
        value = -strength * float((weights[:, None] * y * logs).sum()) + 0.5 * float((w * w).sum())
        return value, np.concatenate([(turned @ slope + w).ravel(), slope.sum(axis=0)])

    flat = minimize(loss, np.zeros(width * classes + classes), jac=True, method="L-BFGS-B", options={"maxiter": steps, "maxcor": 8}).x
    return flat[: width * classes].reshape(width, classes), flat[width * classes :]


def task_labels(data: Data) -> np.ndarray:
    labels = np.zeros((len(data.examples), len(TASKS)))
    for row, example in zip(labels, data.examples, strict=True):
        share = ALSO if example.also else 0.0
        row[TASKS.index(example.task)] += 1 - share
        if example.also:
            row[TASKS.index(example.also)] += share
    return labels


def domain_labels(data: Data) -> np.ndarray:
    return np.eye(len(DOMAINS))[[DOMAINS.index(example.domain or "general") for example in data.examples]]


def balance(data: Data, *, lists: float) -> np.ndarray:
    counts = Counter(example.domain for example in data.examples)
    even = np.array([(len(data.examples) / len(counts) / counts[e.domain]) ** BALANCE for e in data.examples])
    return even * np.array([0.0 if e.domain is None else e.weight if e.task else lists for e in data.examples])


def word_vectors() -> tuple[list[str], np.ndarray]:
    with np.load(HERE / "word_vectors.npz", allow_pickle=False) as stored:
        return [w.decode() for w in stored["words"]], stored["vectors"].astype(np.float32) * stored["scale"]


def train_vectors(prompts: Data) -> dict[str, np.ndarray]:
    """Give every word of the vector list its weight for each domain, also words that no prompt has."""
    words, vectors = word_vectors()
    slot_of = np.array([int(hashes_of(w).bare[0]) for w in words])
    slots, first = np.unique(slot_of, return_index=True)
    vectors = vectors[first]
    counts = matrix(prompts, "bare")
    texts = np.asarray((counts > 0).sum(axis=0)).ravel()[slots]
    idf = np.log(len(prompts.examples) / (1 + texts)).clip(0)
    lists = json.loads((HERE / "domain_words.json").read_text(encoding="utf-8"))
    alone = featured([Example(w, None, None, d, None) for d, ws in lists.items() for w in ws if w.isascii()])
    everything = joined(prompts, alone)
    design = Table(slots, idf).design(matrix(everything, "bare")) @ vectors
    weights = balance(everything, lists=VECTOR_WORD_WEIGHT)
    w, b = fit(sp.csr_matrix(design), domain_labels(everything), strength=VECTOR_STRENGTH, weights=weights, steps=80)
    return {"slots": slots, "idf": idf, "weights": VECTOR_SHARE * vectors @ w, "bias": VECTOR_SHARE * b}


def train(prompts: Data, lists: Data, *, phrases: Data, temperatures: tuple[float, float] = (1.0, 1.0)) -> dict[str, np.ndarray]:
    """Train every head; return the arrays of a weights file."""
    tables = {block: table(matrix(prompts, block), block) for block in BLOCKS}

    def design(data: Data) -> sp.csr_matrix:
        shape = sp.csr_matrix(np.array([h.shape for h in data.hashes]) * SHAPE_WEIGHT)
        return sp.hstack([*(tables[b].design(matrix(data, b)) for b in BLOCKS), shape]).tocsr()

    x, everything = design(prompts), joined(prompts, lists)
    own = np.array([e.weight for e in prompts.examples])
    weights = np.concatenate([own, np.full(len(phrases.examples), PHRASE_WEIGHT)])
    labels = task_labels(joined(prompts, phrases))
    tasks, task_bias = fit(sp.vstack([x, design(phrases)]).tocsr(), labels, strength=STRENGTH, weights=weights)
    even = balance(everything, lists=WORD_LIST_WEIGHT)
    domains, domain_bias = fit(sp.vstack([x, design(lists)]).tocsr(), domain_labels(everything), strength=STRENGTH, weights=even)
    graded = np.array([e.complexity is not None for e in prompts.examples])
    grades = np.array([e.complexity for e in prompts.examples if e.complexity is not None], float)
    hard, middle = fit_complexity(x[graded], grades, weights=np.array([e.grade_weight for e in prompts.examples])[graded])
    vectors = train_vectors(prompts)
    cool_task, cool_domain = temperatures
    weights = np.hstack([tasks / cool_task, domains / cool_domain, hard[:, None]])
    bias = np.concatenate([task_bias / cool_task, (domain_bias + vectors["bias"]) / cool_domain, [middle]])
    cuts = np.cumsum([len(tables[b].slots) for b in BLOCKS])
    arrays = {"shape": (weights[cuts[-1] :] * SHAPE_WEIGHT).astype(np.float32), "bias": bias.astype(np.float32)}
    for block, part in zip(BLOCKS, np.split(weights[: cuts[-1]], cuts[:-1]), strict=True):
        arrays |= packed(block, tables[block].slots, idf=tables[block].idf, weights=part)
    return arrays | packed("bare", vectors["slots"], idf=vectors["idf"], weights=vectors["weights"] / cool_domain)


def fit_complexity(x: sp.csr_matrix, y: np.ndarray, *, weights: np.ndarray) -> tuple[np.ndarray, float]:
    middle, share = float(np.average(y, weights=weights)), np.sqrt(weights)
    fitted = lsqr(sp.diags(share) @ x, (y - middle) * share, damp=RIDGE**0.5, iter_lim=60)[0]
    return fitted, middle


def packed(name: str, slots: np.ndarray, *, idf: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    scale = np.abs(weights).max(axis=0) / 127 + 1e-12
    return {
        f"{name}_steps": np.diff(slots, prepend=0).astype(np.uint16 if np.diff(slots, prepend=0).max() < 1 << 16 else np.uint32),
        f"{name}_idf": idf.astype(np.float16),
        f"{name}_weights": np.round(weights / scale).astype(np.int8),
        f"{name}_scale": scale.astype(np.float32),
    }


@dataclass
class Judged:
    """Log-probabilities on texts of an author who was not trained on."""

    tasks: np.ndarray
    domains: np.ndarray
    complexity: np.ndarray
    data: Data


def judge(arrays: dict[str, np.ndarray], data: Data) -> Judged:
    model = model_of(arrays)
    scores = [model.score(h) for h in data.hashes]
    tasks, domains = np.log([s.tasks for s in scores]), np.log([s.domains for s in scores])
    return Judged(tasks, domains, np.array([s.complexity for s in scores]), data)


def hits(logs: np.ndarray, truth: np.ndarray, among: int) -> float:
    return float((np.argsort(-logs, axis=1)[:, :among] == truth[:, None]).any(axis=1).mean())


def cooled(logs: np.ndarray, temperature: float) -> np.ndarray:
    z = logs / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def temperature_of(logs: np.ndarray, truth: np.ndarray) -> float:
    at = np.arange(len(truth))
    return float(minimize_scalar(lambda t: -np.log(cooled(logs, t)[at, truth] + 1e-12).mean(), bounds=(0.3, 5), method="bounded").x)


def calibration_error(shares: np.ndarray, truth: np.ndarray) -> float:
    """Return the expected calibration error of the first choice over ten bins."""
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(sum(abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in range(10) if (bins == b).any()))


def report(judged: list[Judged], *, names: list[str]) -> tuple[float, float]:
    temperatures = []
    for head, classes in (("tasks", TASKS), ("domains", DOMAINS)):
        key = "task" if head == "tasks" else "domain"
        logs = [getattr(j, head) for j in judged]
        truths = [np.array([classes.index(getattr(e, key)) for e in j.data.examples]) for j in judged]
        for name, log, truth in zip(names, logs, truths, strict=True):
            print(f"{key:7} {name}: top-1 {hits(log, truth, 1):.3f}  top-2 {hits(log, truth, 2):.3f}  ({len(truth)} texts)")
        # Each direction is calibrated by the temperature of the other, so that the error is not flattered.
        cools = [temperature_of(log, truth) for log, truth in zip(logs, truths, strict=True)]
        errors = [calibration_error(cooled(lo, c), t) for lo, t, c in zip(logs, truths, reversed(cools), strict=True)]
        print(f"{key:7} temperature {np.mean(cools):.2f}, calibration error " + ", ".join(f"{e:.3f}" for e in errors))
        temperatures.append(float(np.mean(cools)))
        if head == "tasks":
            doubts(np.vstack([cooled(lo, c) for lo, c in zip(logs, reversed(cools), strict=True)]), np.concatenate(truths))
    for name, j in zip(names, judged, strict=True):
        rho = spearmanr(j.complexity, [e.complexity for e in j.data.examples])[0]
        print(f"complexity {name}: Spearman {rho:.2f} with the author's figure")
    return temperatures[0], temperatures[1]


def doubts(shares: np.ndarray, truth: np.ndarray) -> None:
    """Print what a least confidence costs and gives."""
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    general = truth == TASKS.index("general")
    for least in (0.2, 0.25, 0.3, 0.35, 0.4):
        below = sure < least
        kept = (right & ~below) | (general & below)
        print(
            f"        below {least:.2f}: {below.mean():.3f} of texts, {right[below].mean():.2f} of them right; top-1 with general below it {kept.mean():.3f}"
        )


def main() -> None:
    started = time.perf_counter()

    def say(what: str) -> None:
        print(f"[{time.perf_counter() - started:5.1f} s] {what}", file=sys.stderr, flush=True)

    a, b, c, lists = load_prompts("a"), load_prompts("b"), load_prompts("c"), load_word_lists()
    phrases = load_task_phrases()
    newer = joined(load_graded(), load_confusable(), load_frames())
    say(
        f"{len(a.examples)} + {len(b.examples)} + {len(c.examples)} prompts, {len(newer.examples)} newer ones, {len(lists.examples)} word lists read"
    )
    judged = []
    for learnt, other in ((a, b), (b, a)):
        judged.append(judge(train(joined(learnt, c, newer), lists, phrases=phrases), other))
        say("trained on one author, judged on the other")
    temperatures = report(judged, names=["a and c -> b", "b and c -> a"])
    arrays = train(joined(a, b, c, newer), lists, phrases=phrases, temperatures=temperatures)
    np.savez_compressed(OUT, **arrays)
    say(
        f"wrote {OUT.name}, {OUT.stat().st_size / 1e6:.2f} MB, rows "
        + ", ".join(f"{k} {len(arrays[k + '_idf'])}" for k in (*BLOCKS, "bare"))
    )


if __name__ == "__main__":
    main()
