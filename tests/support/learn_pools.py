"""Outcomes of invented models of known worth, for tests of learning."""

import numpy as np

from crew_router.evaluate.outcomes import OutcomeTable

MODELS = ("cheap", "dear", "middle")
_RIGHT = {"cheap": 0.6, "dear": 0.92, "middle": 0.8}
_PRICE = {"cheap": 0.0001, "dear": 0.01, "middle": 0.001}
_WORDS = ("sum", "total", "apples", "pears", "price", "cost", "many", "left")


def invented(rows=240, *, seed=0, answers=True):
    """Return a table of three models whose wrong answers spread over nine numbers; every second prompt is about code."""
    rng = np.random.default_rng(seed)
    prompts, said, scores = [], [], []
    for row in range(rows):
        words = " ".join(rng.choice(_WORDS, 6))
        prompts.append(f"def f(x): return {words}  # case {row}" if row % 2 else f"How {words} are there in case {row}?")
        right = [rng.random() < _RIGHT[name] for name in MODELS]
        scores.append([float(each) for each in right])
        said.append(tuple("7" if each else str(10 + rng.integers(9)) for each in right) if answers else (None,) * len(MODELS))
    cost = np.array([[_PRICE[name] for name in MODELS]] * rows)
    unknown = np.full(cost.shape, np.nan)
    return OutcomeTable(
        MODELS,
        tuple(prompts),
        ids=tuple(f"case-{row}" for row in range(rows)),
        domains=tuple("code" if row % 2 else "words" for row in range(rows)),
        answers=tuple(said),
        score=np.array(scores),
        cost_usd=cost,
        latency_s=unknown,
        output_tokens=np.ones(cost.shape),
    )


def alike(rows, *, models=6, seed=0):
    """Return a table in which nothing but a model's mean tells anything: prompts are noise and no two answers are the same."""
    rng = np.random.default_rng(seed)
    ability = np.linspace(0.5, 0.9, models)
    score = (rng.random((rows, models)) < ability).astype(np.float64)
    cost = np.tile(np.geomspace(1e-4, 1e-2, models), (rows, 1))
    return OutcomeTable(
        tuple(f"m{at}" for at in range(models)),
        tuple(" ".join(rng.choice(_WORDS, 8)) + f" {row}" for row in range(rows)),
        ids=tuple(str(row) for row in range(rows)),
        domains=("",) * rows,
        answers=tuple(tuple(str(number) for number in row) for row in rng.integers(100, 10_000_000, (rows, models))),
        score=score,
        cost_usd=cost,
        latency_s=np.full(cost.shape, np.nan),
        output_tokens=np.ones(cost.shape),
    )


_VERBS = ("open", "close", "paint", "move", "count", "weigh")
_THINGS = ("window", "garden", "engine", "bottle", "ladder", "basket")


def calling(rows=400, *, seed=0):
    """Return a table of three models that call a function or do not; the call is right where the prompt asks for that function."""
    rng = np.random.default_rng(seed)
    prompts, said, scores = [], [], []
    for row in range(rows):
        verb, thing, other, elsewhere = rng.choice(_VERBS), rng.choice(_THINGS), rng.choice(_VERBS), rng.choice(_THINGS)
        wanted = (verb, thing) if row % 2 else (other, elsewhere)
        prompts.append(f"Could you {verb} the {thing} number {row} for me?")
        right = [rng.random() < _RIGHT[name] for name in MODELS]
        fits = wanted == (verb, thing)
        call = f"{wanted[0]}_{wanted[1]}(number={row})"
        said.append(tuple(call if each == fits else "NO_CALL" for each in right))
        scores.append([float(each) for each in right])
    cost = np.array([[_PRICE[name] for name in MODELS]] * rows)
    return OutcomeTable(
        MODELS,
        tuple(prompts),
        ids=tuple(f"call-{row}" for row in range(rows)),
        domains=("calls",) * rows,
        answers=tuple(said),
        score=np.array(scores),
        cost_usd=cost,
        latency_s=np.full(cost.shape, np.nan),
        output_tokens=np.ones(cost.shape),
    )
