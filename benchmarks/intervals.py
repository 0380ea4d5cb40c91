"""Share of real calls whose cost and length lie inside the interval that was predicted for nine in ten, and of latencies under their p95.

    python benchmarks/intervals.py FOLDER    # of outcome files

Three states of knowledge, each judged on prompts that it was not made from: the classifier alone; half of the prompts observed, as the
shared numbers keep it; lengths and prices trained on 60 % of the prompts.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
from collections import defaultdict
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.classify.lengths import estimate_tokens
from crew_router.decide.learned.quality import fit_quality
from crew_router.decide.learned.text import fit_text
from crew_router.decide.model_table import model_table_of
from crew_router.decide.predict.forecast import Forecast, forecast
from crew_router.evaluate.outcomes import read_outcomes
from crew_router.record.state.observation import Observation
from crew_router.record.state.opening import open_state
from crew_router.record.state.protocol import State
from crew_router.testing import FrozenClock
from crew_router.types import ModelDefinition, ModelRef, Price, RequestProfile, RoutingRequest, Snapshot

PRICE = Price(1.0, 4.0)  # any price would do: what is uncertain are the tokens
SEEDS = 3
Profiles = dict[str, RequestProfile]
KNOWN = 0.6
NOW = 1_790_000_000.0


@dataclass(frozen=True, slots=True)
class Call:
    """What one model did with one prompt."""

    prompt: str
    model: str
    _: KW_ONLY
    input_tokens: float
    output_tokens: float
    latency_s: float | None


def calls(path: Path) -> list[Call]:
    """Read the calls whose answer's length is known: as recorded, or estimated where the whole answer is there."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Call(
            row["prompt"],
            model,
            input_tokens=said.get("input_tokens") or estimate_tokens(row["prompt"]),
            output_tokens=said.get("output_tokens") or estimate_tokens(said["answer"]),
            latency_s=said.get("latency_s"),
        )
        for row in rows
        for model, said in row["outcomes"].items()
    ]


def main() -> None:
    """Print a table for each state of knowledge."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the script and its argument
        print("name a folder of outcome files")
        return
    folder = Path(sys.argv[1])
    _prior_and_history(folder / "local_models.jsonl", lengths=True)
    _prior_and_history(folder / "routellm_gsm8k.jsonl.gz", lengths=True)
    _prior_and_history(folder / "bfcl.jsonl.gz", lengths=False)  # its answers are extracted calls, its latencies are real
    for path in sorted(folder.glob("*.jsonl*")):
        _trained(path)


def _prior_and_history(path: Path, *, lengths: bool) -> None:
    """Judge each half of the prompts by what is predicted before and after the other half was observed."""
    known = calls(path)
    models = tuple(
        ModelDefinition(ModelRef(f"lab:{model.replace('/', '_')}"), provider="lab", model=model, price=PRICE)
        for model in sorted({call.model for call in known})
    )
    prompts = list(dict.fromkeys(call.prompt for call in known))
    profiles = {prompt: TextClassifier().classify(RoutingRequest(task_description=prompt)) for prompt in prompts}
    before: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    after: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for half in range(2):
        shown = set(prompts[half::2])
        snapshot = _observed([call for call in known if call.prompt in shown], models, profiles)
        rest = [call for call in known if call.prompt not in shown]
        for seen, hits in ((Snapshot(), before), (snapshot, after)):
            _judge(rest, models, profiles, seen=seen, hits=hits)
    if lengths:
        _print(f"{path.name}, nothing known: cost inside", {model: [hit[0] for hit in own] for model, own in before.items()})
        _print(f"{path.name}, half observed: cost inside", {model: [hit[0] for hit in own] for model, own in after.items()})
    if known[0].latency_s is not None:
        _print(f"{path.name}, half observed: latency under its p95", {model: [hit[1] for hit in own] for model, own in after.items()})


def _print(what: str, hits: dict[str, list[bool]]) -> None:
    shares = {model: float(np.mean(own)) for model, own in hits.items()}
    every = [hit for own in hits.values() for hit in own]
    print(f"{what} {np.mean(every):.3f} of {len(every)}, models from {min(shares.values()):.3f} to {max(shares.values()):.3f}")


def _judge(
    rest: list[Call], models: tuple[ModelDefinition, ...], profiles: Profiles, *, seen: Snapshot, hits: dict[str, list[tuple[bool, bool]]]
) -> None:
    model_table, place = model_table_of(models), {model.model: at for at, model in enumerate(models)}
    predicted = {
        prompt: forecast(profiles[prompt], model_table, models=models, snapshot=seen, now=NOW) for prompt in {call.prompt for call in rest}
    }
    for call in rest:
        hits[call.model].append(_inside(predicted[call.prompt], place[call.model], call))


def _observed(known: list[Call], models: tuple[ModelDefinition, ...], profiles: Profiles) -> Snapshot:
    by_name = {model.model: model for model in models}
    with contextlib.closing(open_state("memory://", project="bench", clock=FrozenClock(NOW))) as state:
        for call in known:
            _observe(state, call, by_name[call.model], profiles[call.prompt])
        return state.snapshot()


def _observe(state: State, call: Call, model: ModelDefinition, profile: RequestProfile) -> None:
    tokens = round(call.output_tokens)
    state.observe(Observation(model.ref, profile.task_type.value, at=NOW, success=True, latency_s=call.latency_s, output_tokens=tokens))


def _inside(predicted: Forecast, at: int, call: Call) -> tuple[bool, bool]:
    cost, latency = predicted.cost_of(at), predicted.latency_of(at)
    true = PRICE.cost_usd(input_tokens=call.input_tokens, output_tokens=call.output_tokens)
    assert cost.min_usd is not None
    assert cost.max_usd is not None
    return cost.min_usd <= true <= cost.max_usd, call.latency_s is None or latency.p95_s is None or call.latency_s <= latency.p95_s


def _trained(path: Path) -> None:
    """Judge the bands that training learns on 40 % of the prompts, over some splits."""
    table = read_outcomes(path, usd_per_hour=1.0).complete()
    inside = np.zeros((2, len(table.models)))
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(table))
        cut = round(KNOWN * len(table))
        known, rest = table.take(order[:cut]), table.take(order[cut:])
        text, inputs = fit_text(known.prompts, directions=64, seed=seed)
        model = fit_quality(inputs, score=known.score, cost_usd=known.cost_usd, tokens=known.output_tokens, seed=seed).model
        predicted = model(text(rest.prompts))
        for row, (true, said, band) in enumerate(
            ((rest.cost_usd, predicted.cost_usd, model.cost_band), (rest.output_tokens, predicted.tokens, model.tokens_band))
        ):
            inside[row] += ((true >= said * band[0]) & (true <= said * band[1])).mean(axis=0) / SEEDS
    print(f"{path.name}, trained on {KNOWN:.0%} of {len(table)} prompts, {SEEDS} splits, {len(table.models)} models")
    for name, share in zip(("cost", "length"), inside, strict=True):
        print(f"  {name:8} all {share.mean():.3f}, models from {share.min():.3f} to {share.max():.3f}")


if __name__ == "__main__":
    main()
