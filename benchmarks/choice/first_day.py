"""What a router with keys and nothing else chooses: the promises of docs/routing.md, each with what was found and whether it holds.

    python benchmarks/choice/first_day.py [FOLDER]    # with outcome files (*.jsonl.gz) for the last part; nothing is called

``--markdown`` prints the table of the document.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from outcomes import judged_files

from crew_router import Router, RoutingRequest, TaskType
from crew_router.config.ability import ability_of
from crew_router.types import CandidateRow, ModelDefinition, RoutingDecision

KEYS = {
    "OpenAI": {"OPENAI_API_KEY": "none"},
    "Anthropic": {"ANTHROPIC_API_KEY": "none"},
    "Google": {"GOOGLE_API_KEY": "none"},
}
ALL = {
    **{name: value for keys in KEYS.values() for name, value in keys.items()},
    **dict.fromkeys(("MISTRAL_API_KEY", "COHERE_API_KEY", "DEEPSEEK_API_KEY", "XAI_API_KEY", "OPENROUTER_API_KEY", "AWS_PROFILE"), "none"),
}
TASKS = tuple(task for task in TaskType if task is not TaskType.GENERAL)
CHEAP, NEAR, MOST, PATIENCE_S, PROMPT_S = 0.10, 0.05, 0.80, 30.0, 10.0
DIFFERENT_TASKS = 12


@dataclass(frozen=True)
class Finding:
    """One promise."""

    promise: str
    found: str
    holds: bool


def main(arguments: Sequence[str]) -> None:
    """Print everything; the exit status tells whether all of it holds."""
    folders = [Path(each) for each in arguments if not each.startswith("--")]
    findings = [*first_day(), *(finding for folder in folders for finding in outcomes(folder))]
    if "--markdown" in arguments:
        print("| promise | found | holds |\n|---|---|---|")
    for each in findings:
        mark = "yes" if each.holds else "NO"
        print(f"| {each.promise} | {each.found} | {mark} |" if "--markdown" in arguments else f"{mark:4}{each.promise}: {each.found}")
    sys.exit(not all(each.holds for each in findings))


def first_day() -> Iterator[Finding]:
    """Check what keys alone bring."""
    for name, keys in KEYS.items():
        with reachable(keys) as router:
            yield from plain(router, name)
    for name, keys in {**KEYS, "all keys": ALL}.items():
        with reachable(keys) as router:
            yield from by_complexity(router, name)
            yield interactive(router, name)


class reachable:  # noqa: N801 - used as a function
    """A router whose environment has these keys and no others."""

    def __init__(self, keys: dict[str, str]) -> None:
        self.keys = keys

    def __enter__(self) -> Router:
        """Set the keys."""
        for name in ALL:
            os.environ.pop(name, None)
        os.environ.update(self.keys)
        self.router = Router({"project": "first-day"}, ledger_url="sqlite://", state_url="memory://")
        return self.router

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.router.close()


def plain(router: Router, name: str) -> Iterator[Finding]:
    """Ask the short graded prompts with nothing stated."""
    easy, hard = [], []
    text = files("crew_router.cli.demo").joinpath("local_models.jsonl").read_text(encoding="utf-8")
    tasks = [(row["prompt"], row["difficulty"]) for row in map(json.loads, text.splitlines())]
    hardest = max(grade for _, grade in tasks)
    for prompt, grade in tasks:
        decision = router.select_model(RoutingRequest(task_description=prompt))
        if grade <= 2:  # noqa: PLR2004 - the two easiest grades
            easy.append(cost_share(router, decision) <= CHEAP)
        if grade == hardest:
            hard.append(short_of_best(decision) <= NEAR)
    for what, kept in (
        (f"of difficulty 1-2 at most {CHEAP:.0%} of the ablest model's cost", easy),
        ("of the hardest within 5 points", hard),
    ):
        yield Finding(f"{name}: {what}, in {MOST:.0%}", f"{sum(kept)} of {len(kept)}", sum(kept) >= MOST * len(kept))


def by_complexity(router: Router, name: str) -> Iterator[Finding]:
    """Ask every task type at three complexities."""
    different, falls, shares, gaps = 0, [], [], []
    for task in TASKS:
        low, middle, high = (router.select_model(RoutingRequest(task, complexity=level)) for level in (2, 5, 9))
        different += low.candidate != high.candidate
        able = [ability(router, each) for each in (low, middle, high)]
        falls += [task] if able != sorted(able) else []
        shares.append(cost_share(router, low))
        gaps.append(short_of_best(high))
    yield Finding(f"{name}: the choice differs between complexity 2 and 9", f"{different} of {len(TASKS)}", different >= DIFFERENT_TASKS)
    yield Finding(f"{name}: ability never falls as complexity rises", f"falls in {len(falls)}", not falls)
    yield Finding(f"{name}: cost at complexity 2, share of the ablest model's", f"{max(shares):.1%}", max(shares) <= CHEAP)
    yield Finding(f"{name}: P(success) at complexity 9 below the best", f"{100 * max(gaps):.1f} points", max(gaps) <= NEAR)


def interactive(router: Router, name: str) -> Finding:
    """Look for an interactive request that waits although an equal answers at once."""
    waits = []
    for task in TASKS:
        for level in range(1, 11):
            decision = router.select_model(RoutingRequest(task, complexity=level, urgency="interactive"))
            chosen, others = split(decision)
            quick = [row for row in others if (row.latency_s or 0) <= PROMPT_S and (row.p_success or 0) >= (chosen.p_success or 0) - 0.03]
            if (chosen.latency_s or 0) > PATIENCE_S and quick:
                waits.append((task, level))
    return Finding(f"{name}: interactive requests that wait 30 s where one within 3 points answers in 10", str(len(waits)), not waits)


def outcomes(folder: Path) -> Iterator[Finding]:
    """Judge the default on outcomes of real models of which only mean score and price are known."""
    kept, cheaper, above = [], [], []
    for each in judged_files(folder):
        kept.append(each.kept >= 0.95)  # noqa: PLR2004 - as promised
        cheaper.append(each.cost_usd <= each.cheapest_adequate_usd)
        above.append(each.aiq >= each.hull_aiq)
        yield Finding(f"{each.name}: balanced keeps 95 % of the best single model", f"{each.kept:.1%}", kept[-1])
        print(f"    {each}", file=sys.stderr)
    yield Finding(
        "at no more than the cheapest single that keeps 95 %, on three", f"{sum(cheaper)} of {len(cheaper)}", sum(cheaper) >= len(kept) - 1
    )
    yield Finding(
        "AIQ of the curve at least that of the hull of singles, on three", f"{sum(above)} of {len(above)}", sum(above) >= len(kept) - 1
    )


def split(decision: RoutingDecision) -> tuple[CandidateRow, list[CandidateRow]]:
    """Return the row of the choice and those of the candidates that no filter removed."""
    rows = [row for row in decision.table.candidates() if not row.rejections]
    return next(row for row in rows if row.model == decision.candidate), rows


def ability(router: Router, decision: RoutingDecision) -> float:
    """Return the ability of the choice."""
    model = model_of(router, decision.selected_model)
    return ability_of(model, effort=decision.effort).value


def cost_share(router: Router, decision: RoutingDecision) -> float:
    """Return the expected cost as a share of that of the ablest reachable model at its default effort."""
    chosen, rows = split(decision)
    ablest = max(defaults(router, rows), key=lambda row: ability_of(model_of(router, row.model.model), effort=row.model.effort).value)
    return (chosen.cost_usd or 0.0) / (ablest.cost_usd or 1.0)


def defaults(router: Router, rows: Iterable[CandidateRow]) -> Iterator[CandidateRow]:
    """Yield the rows of models at their default effort."""
    for row in rows:
        model = model_of(router, row.model.model)
        if row.model.effort in (None, model.default_effort):
            yield row


def model_of(router: Router, ref: str) -> ModelDefinition:
    """Return a model of the router."""
    return next(model for model in router.models if model.ref == ref)


def short_of_best(decision: RoutingDecision) -> float:
    """Return how far P(success) of the choice lies below the best candidate's."""
    chosen, rows = split(decision)
    return max(row.p_success or 0.0 for row in rows) - (chosen.p_success or 0.0)


if __name__ == "__main__":
    main(sys.argv[1:])
