"""What a task takes: calls, tokens in and out, as draws of possible runs.

The first prompt is counted. What follows (steps, lengths of answers) starts from rules measured on 86 runs of small models and moves
to what earlier runs of the task took: a normal model of the logarithms with unknown mean and variance, so that one earlier run already
narrows the interval much, and the spread between runs is learnt beside the level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from crew_router_crewai.plan.history import PastRun
from crew_router_crewai.plan.shape import TaskShape

Draws = npt.NDArray[np.float64]

DRAWS: Final = 4_000
_CHARS_PER_TOKEN: Final = 4
# Of docs/crewai.md, "What the planner starts from": medians over 358 calls of 21 tasks on two small models.
_STEP_INPUT: Final = 130.0
_STEP_OUTPUT: Final = 31.0
_CONTEXT_FRAME: Final = 14.0
_CONTEXT_EACH: Final = 5.0
_SCHEMA_TOKENS: Final = 170.0
_DELEGATION_TOKENS: Final = 455.0
_MEMORY_TOKENS: Final = 440.0
_STEPS: Final = {0: 0.0, 1: 0.8, 2: 1.5}
_MOST_STEPS: Final = 2.5
_DELEGATED_CALLS: Final = 5.0
_GUARDRAIL_REPEATS: Final = {"none": 0.0, "function": 0.5, "text": 0.7}  # guess between none and the three of a strict one
# How far a task's level lies from the rules: standard deviations of logarithms, same source.
_BETWEEN: Final = (0.59, 0.75, 1.22)
# How much its runs differ. There 0.13, 0.17 and 0.28, for models that repeat themselves; set wider, so that few runs do not deceive.
_WITHIN: Final = (0.30, 0.40, 0.40)
_TRUST: Final = 3.0  # runs that the prior spread between runs is worth
_SHARED: Final = 0.6  # correlation of calls, input and output of one run; guess, not measured


@dataclass(frozen=True, slots=True)
class Use:
    """Draws of what a task takes in a run, and what they rest on. ``first`` are the tokens of its first prompt."""

    calls: Draws
    input_tokens: Draws
    output_tokens: Draws
    first: float
    source: str


def uses(
    tasks: Sequence[TaskShape],
    *,
    prompts: Mapping[str, int],
    answers: Mapping[str, int],
    past: Mapping[str, Sequence[PastRun]],
    memory: bool,
) -> dict[str, Use]:
    """Return what every task takes.

    Args:
        tasks: The tasks in order.
        prompts: Tokens of each first prompt without context.
        answers: Tokens that an answer to each is expected to have.
        past: Earlier runs of each.
        memory: Whether the crew remembers, which lengthens prompts.
    """
    rng = np.random.default_rng(20_260_101)  # plans of the same crew are the same
    found: dict[str, Use] = {}
    for task in tasks:
        context = [found[name] for name in task.context if name in found]
        outputs = sum((use.output_tokens / use.calls for use in context), np.zeros(DRAWS))
        framed = _CONTEXT_FRAME + _CONTEXT_EACH * len(context) if context else 0.0
        fixed = prompts[task.name] + task.tool_chars / _CHARS_PER_TOKEN + _extra(task, memory=memory)
        found[task.name] = _use(task, fixed + framed + float(np.median(outputs)), answers[task.name], past.get(task.name, ()), rng=rng)
    return found


def _extra(task: TaskShape, *, memory: bool) -> float:
    return _SCHEMA_TOKENS * task.schema + _DELEGATION_TOKENS * task.delegates + _MEMORY_TOKENS * memory


def _use(task: TaskShape, first: float, answer: float, past: Sequence[PastRun], *, rng: np.random.Generator) -> Use:
    steps = _STEPS.get(task.tools, _MOST_STEPS) + _DELEGATED_CALLS * task.delegates
    rounds = 1.0 + min(_GUARDRAIL_REPEATS[task.guardrail], task.guardrail_retries)
    once = 1.0 + steps + task.plans[0] + (1.0 if task.guardrail == "text" else 0.0)
    calls = once * rounds
    levels = (
        calls,
        rounds * (once * first + _STEP_INPUT * steps * (steps + 1) / 2),
        rounds * (answer + _STEP_OUTPUT * steps + task.plans[0] * answer),
    )
    certain = task.tools == 0 and not task.delegates and task.guardrail == "none" and task.plans == (0, 0)
    between = (0.05, 0.1, _BETWEEN[2]) if certain else _BETWEEN  # a task without tools is one call (measured)
    runs = np.log([[run.calls, run.input_tokens, run.output_tokens] for run in past]) if past else np.empty((0, 3))
    shared = rng.standard_normal(DRAWS)
    drawn = [
        _posterior(np.log(level), wide, narrow, runs[:, at], shared=shared, rng=rng)
        for at, (level, wide, narrow) in enumerate(zip(levels, between, _WITHIN, strict=True))
    ]
    made = np.maximum(np.rint(np.exp(drawn[0])), 1.0)
    source = f"{len(past)} earlier runs" if past else "rules"
    return Use(made, np.maximum(np.exp(drawn[1]), first), np.exp(drawn[2]), first, source)


def _posterior(level: float, between: float, within: float, seen: Draws, *, shared: Draws, rng: np.random.Generator) -> Draws:
    """Draw a logarithm of the next run: its level is normal around the rules and the runs seen, its variance scaled inverse chi-squared."""
    count = len(seen)
    weight = (within / between) ** 2
    mean = (weight * level + seen.sum()) / (weight + count)
    scatter = float(((seen - seen.mean()) ** 2).sum()) if count else 0.0
    runs = (_TRUST * within**2 + scatter) / rng.chisquare(_TRUST + count, DRAWS) if count else np.full(DRAWS, within**2)
    noise = _SHARED * shared + np.sqrt(1 - _SHARED**2) * rng.standard_normal(DRAWS)
    unsure = within * within / (weight + count) if count == 0 else (_TRUST * within**2 + scatter) / (_TRUST + count) / (weight + count)
    result: Draws = mean + rng.standard_normal(DRAWS) * np.sqrt(unsure) + noise * np.sqrt(runs)
    return result
