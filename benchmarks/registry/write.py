"""Write what was derived from the evidence into config/models/*.yaml, leaving comments, order and all other keys as they are.

    python benchmarks/registry/write.py FOLDER [--dry]    # FOLDER with cells.csv and figures.csv; --dry tells the difference only

Written are ability and its error at each effort, relative output tokens, seconds to the first answer token, speed, dates of release and
retirement, and what input costs that the provider keeps (genai-prices). A second run changes nothing.
"""

from __future__ import annotations

import difflib
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
from evidence import AS_OF, Measured, fitted, read_facts, read_figures, read_measured, usual_speed
from genai_prices import Usage, calc_price

from crew_router.config.ability import TYPICAL_OUTPUT_TOKENS
from crew_router.config.load import packaged_registry
from crew_router.evaluate.abilities import AbilityFit, Estimate, never_falling
from crew_router.types import EFFORT_ORDER, ModelDefinition

FOLDER = Path(__file__).parents[2] / "config" / "models"
OWN_KEYS = ("ability", "default_effort", "efforts", "released", "retires", "verbosity")
MEASURER = "Artificial Analysis"
LEAST_SPREAD = 0.2  # logits; two siblings that happen to agree do not make a step certain
FEW = 3
GENAI = {
    "google_genai": "google", "mistralai": "mistral", "xai": "x-ai", "bedrock_converse": "aws", "azure_openai": "azure",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Level:
    """What goes into the entry of one effort."""

    estimate: Estimate
    kind: str
    as_of: str | None


def main(folder: Path, *, dry: bool) -> None:
    """Write all files, or tell what would change."""
    fit, facts, measured = fitted(read_figures(folder)), read_facts(), read_measured(folder)
    registry = packaged_registry()
    missing = {model.ref for model in registry} ^ set(facts)
    if missing:
        sys.exit(f"benchmarks/registry/models.yaml and the registry differ in {sorted(missing)}")
    steps = all_steps(fit, facts)
    middle = statistics.median(default_tokens(measured, facts).values())
    at_medium = tokens_at_medium(measured, facts)
    for path in sorted(FOLDER.glob("*.yaml")):
        before = path.read_text(encoding="utf-8")
        after = before
        for model in registry:
            if f'  "{model.ref}":\n' in after:
                after = rewritten(
                    after,
                    model,
                    entry_lines(model, facts[model.ref], fit=fit, measured=measured, steps=steps, middle=middle, at_medium=at_medium),
                )
                after = with_latency(after, model, latency_of(model, facts[model.ref], measured))
                after = with_cache_writes(after, model)
        if dry:
            sys.stdout.writelines(
                difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), path.name, path.name)
            )
        else:
            path.write_text(after, encoding="utf-8")


# Abilities of efforts


def all_steps(fit: AbilityFit, facts: Mapping[str, Any]) -> dict[tuple[str, str], list[float]]:
    """Return, for every two efforts, the differences of ability in all models that were measured at both."""
    steps: dict[tuple[str, str], list[float]] = {}
    for name in {known["evidence"]: None for known in facts.values() if known.get("efforts") and known["evidence"]}:
        known = next(each for each in facts.values() if each["evidence"] == name)
        found = measured_levels(known, fit)
        for low in found:
            for high in found:
                steps.setdefault((low, high), []).append(found[high].value - found[low].value)
    return steps


def measured_levels(known: Mapping[str, Any], fit: AbilityFit) -> dict[str, Estimate]:
    """Return the efforts of a model that the fit has, by the provider's name of the level."""
    names = {
        level: known["evidence"] + (f"@{suffix}" if suffix else "") for level, suffix in known["efforts"].items() if suffix is not None
    }
    return {level: fit.abilities[name] for level, name in names.items() if name in fit.abilities}


def levels_of(known: Mapping[str, Any], fit: AbilityFit, steps: Mapping[tuple[str, str], Sequence[float]]) -> dict[str, Level]:
    """Return every effort of a model: measured where it was, else stepped from the nearest that was."""
    found = {level: Level(estimate, "measured", newest(estimate)) for level, estimate in measured_levels(known, fit).items()}
    if "judged" in known:
        judged = known["judged"]
        at = known["default"]
        found[at] = Level(
            Estimate(judged["value"], judged["error"], judged.get("figures", 0), tuple(judged["sources"])),
            "estimated",
            str(judged["as_of"]),
        )
    siblings = [measured_levels(sibling, fit) for sibling in known.get("like", ())]
    solid = {level: each for level, each in found.items() if each.estimate.figures >= FEW or each.kind == "estimated"}
    whole: dict[str, Level] = {}
    for level in (effort for effort in EFFORT_ORDER if effort in known["efforts"]):
        if level in solid:
            whole[level] = solid[level]
            continue
        guess = stepped(level, solid, siblings, steps)
        whole[level] = guess if level not in found else joined(found[level], guess)
    values = never_falling([each.estimate for each in whole.values()])
    return {level: replace(each, estimate=value) for (level, each), value in zip(whole.items(), values, strict=True)}


def stepped(
    level: str, solid: Mapping[str, Level], siblings: Sequence[Mapping[str, Estimate]], steps: Mapping[tuple[str, str], Sequence[float]]
) -> Level:
    """Return an effort that was not measured, from its neighbours on both sides, else by the step that siblings or all models make."""
    order = EFFORT_ORDER.index
    below = [name for name in solid if order(name) < order(level)]
    above = [name for name in solid if order(name) > order(level)]
    if below and above and not any(level in sibling for sibling in siblings):
        low, high = solid[max(below, key=order)].estimate, solid[min(above, key=order)].estimate
        error = float(np.hypot((low.error + high.error) / 2, abs(high.value - low.value) / 2))
        return guessed((low.value + high.value) / 2, error, "between its neighbours")
    near = min(solid, key=lambda name: abs(order(name) - order(level)))
    own = [sibling[level].value - sibling[near].value for sibling in siblings if level in sibling and near in sibling]
    taken = own or list(steps.get((near, level), ()))
    if not taken:  # no model has both; walk there through the effort between
        way = [name for name in EFFORT_ORDER if (near, name) in steps and (name, level) in steps and name not in {near, level}]
        taken = [float(np.mean(steps[near, name]) + np.mean(steps[name, level])) for name in way]
    spread = max(float(np.std(taken, ddof=1)) if len(taken) > 1 else 0.0, LEAST_SPREAD)
    base = solid[near].estimate
    why = f"{near}, stepped as {'its siblings' if own else 'other models'}"
    return guessed(base.value + float(np.mean(taken)), float(np.hypot(base.error, spread)), why)


def guessed(value: float, error: float, why: str) -> Level:
    """Return an estimated effort."""
    return Level(Estimate(value, error, 0, (why,)), "estimated", None)


def joined(measured: Level, guess: Level) -> Level:
    """Return one or two figures of an effort together with what the step from its neighbours says, each by its weight."""
    ours, theirs = measured.estimate, guess.estimate
    weight = 1 / ours.error**2, 1 / theirs.error**2
    value = (weight[0] * ours.value + weight[1] * theirs.value) / sum(weight)
    merged = Estimate(value, sum(weight) ** -0.5, ours.figures, (*ours.sources, *theirs.sources))
    return Level(merged, "measured", measured.as_of)


def newest(estimate: Estimate) -> str | None:
    """Return the newest day of the sources of an estimate."""
    return max((AS_OF[source] for source in estimate.sources), default=None)


# Verbosity and times


def measured_at(measured: Mapping[tuple[str, str], Measured], ref: str, known: Mapping[str, Any], level: str | None) -> Measured:
    """Return what was measured of a model at one of its efforts, or of a model without efforts."""
    levels = list(known.get("efforts", ()))
    if level is None:
        top = str(known["evidence"]).endswith("@top")
        names = (
            ["highest tested"]
            if top
            else ["no reasoning", "none"]
            if str(known["evidence"]).endswith("@none")
            else ["as served", "default", "max"]
        )
    else:
        names = [level]
        if level == levels[-1]:
            names.append("highest tested")
        if level in {"none", "minimal"}:
            names.append("no reasoning")
        if known["efforts"][level] == "":
            names += ["as served", "default"]
    found = [measured[ref, name] for name in names if (ref, name) in measured]

    def first(values: Sequence[float | None]) -> float | None:
        return next((value for value in values if value is not None), None)

    return Measured(
        first([each.output_tokens for each in found]),
        first([each.ttft_s for each in found]),
        first([each.tokens_per_s for each in found]),
        max((each.as_of for each in found), default=""),
    )


def default_of(known: Mapping[str, Any]) -> str | None:
    """Return the default effort, the lowest one where none is documented, none of a model without efforts."""
    levels = known.get("efforts")
    return None if not levels else known.get("default") or next(iter(levels))


def default_tokens(measured: Mapping[tuple[str, str], Measured], facts: Mapping[str, Any]) -> dict[str, float]:
    """Return the output tokens per task of every model that was measured at its default effort, each evidence once."""
    tokens: dict[str, float] = {}
    for ref, known in facts.items():
        found = measured_at(measured, ref, known, default_of(known)).output_tokens if known["evidence"] else None
        if found is not None:
            tokens.setdefault(known["evidence"], found)
    return tokens


def tokens_from_another_effort(
    measured: Mapping[tuple[str, str], Measured], ref: str, known: Mapping[str, Any]
) -> tuple[float, str] | None:
    """Return the output tokens per task at the default effort of a model that was measured at another one, and which that was."""
    usual = default_of(known)
    if usual is None or known["evidence"] is None:
        return None
    for name in known["efforts"]:
        tokens = measured_at(measured, ref, known, name).output_tokens
        if tokens is not None:
            return tokens * TYPICAL_OUTPUT_TOKENS[usual] / TYPICAL_OUTPUT_TOKENS[name], name
    return None


def maker(known: Mapping[str, Any]) -> str:
    """Return the first part of a model's name, which makers give to all their models."""
    return str(known["evidence"] or "").partition("-")[0]


def tokens_at_medium(measured: Mapping[tuple[str, str], Measured], facts: Mapping[str, Any]) -> dict[str, float]:
    """Return what each maker's measured models with efforts write per task at medium, the geometric mean, each evidence once."""
    found: dict[str, dict[str, float]] = {}
    for ref, known in facts.items():
        usual = default_of(known)
        if usual is None or not known["evidence"]:
            continue
        own = measured_at(measured, ref, known, usual).output_tokens
        other = tokens_from_another_effort(measured, ref, known)
        tokens = own if own is not None else None if other is None else other[0]
        if tokens is not None:
            found.setdefault(maker(known), {}).setdefault(known["evidence"], tokens / TYPICAL_OUTPUT_TOKENS[usual])
    return {name: statistics.geometric_mean(values.values()) for name, values in found.items()}


def latency_of(model: ModelDefinition, known: Mapping[str, Any], measured: dict[tuple[str, str], Measured]) -> str | None:
    """Return the line of times at the default effort, where the vendor's own service was measured."""
    if known.get("host", "own") != "own" or known["evidence"] is None:
        return None
    at, speed = measured_at(measured, model.ref, known, default_of(known)), usual_speed(measured, model.ref)
    parts = [] if at.ttft_s is None else [f"ttft_s: {brief(at.ttft_s)}"]
    parts += [] if speed is None else [f"tokens_per_s: {brief(speed[0])}"]
    day = max([at.as_of, "" if speed is None else speed[1]])
    return f'    latency: {{{", ".join(parts)}, source: "{MEASURER}, {day}"}}\n' if parts else None


# The text of an entry


def entry_lines(
    model: ModelDefinition,
    known: Mapping[str, Any],
    *,
    fit: AbilityFit,
    measured: Mapping[tuple[str, str], Measured],
    steps: Mapping[tuple[str, str], Sequence[float]],
    middle: float,
    at_medium: Mapping[str, float],
) -> list[str]:
    """Return the lines that this script owns."""
    lines = [f"    released: {known['released']}\n"] if "released" in known else []
    if "retires" in known:
        lines.append(f"    retires: {flow(known['retires'])}\n")
    local = known.get("host") == "local"
    usual = measured_at(measured, model.ref, known, default_of(known)) if known["evidence"] else Measured()
    if usual.output_tokens is not None:
        lines.append(f"    verbosity: {brief(usual.output_tokens / middle)}\n")
    elif (found := tokens_from_another_effort(measured, model.ref, known)) is not None:
        tokens, effort = found
        lines.append(f"    verbosity: {brief(tokens / middle)}  # from {effort}, by what efforts take in the mean\n")
    elif (tokens := at_medium.get(maker(known), 0.0) * TYPICAL_OUTPUT_TOKENS.get(default_of(known) or "", 0.0)) > 0:
        lines.append(f"    verbosity: {brief(tokens / middle)}  # not measured: that of the maker's other models\n")
    if "efforts" not in known:
        level = single(known, fit)
        return lines if level is None else [*lines, f"    ability: {ability_text(level)}\n"]
    if "default" in known:
        lines.append(f"    default_effort: {known['default']}\n")
    lines.append("    efforts:\n")
    for name, level in levels_of(known, fit, steps).items():
        at = measured_at(measured, model.ref, known, name)
        parts = [f"ability: {ability_text(level)}"]
        if at.output_tokens is not None and usual.output_tokens is not None:
            parts.append(f"output_tokens: {brief(at.output_tokens / usual.output_tokens)}")
        if at.ttft_s is not None and not local:
            parts.append(f"ttft_s: {brief(at.ttft_s)}")
        lines.append(f"      {name}: {{{', '.join(parts)}}}\n")
    return lines


def single(known: Mapping[str, Any], fit: AbilityFit) -> Level | None:
    """Return the ability of a model without efforts."""
    if "judged" in known:
        judged = known["judged"]
        found = Estimate(judged["value"], judged["error"], judged.get("figures", 0), tuple(judged["sources"]))
        return Level(found, "estimated", str(judged["as_of"]))
    if known["evidence"] is None:
        return None
    found = fit.abilities[known["evidence"]]
    return Level(found, "measured", newest(found))


def ability_text(level: Level) -> str:
    """Return an ability as flow YAML."""
    found = level.estimate
    parts = [f"value: {found.value:.2f}", f"error: {found.error:.2f}"]
    parts += [f"figures: {found.figures}"] if found.figures else []
    parts += [f"sources: [{', '.join(quoted(source) for source in found.sources)}]"]
    parts += [f"as_of: {level.as_of}"] if level.as_of else []
    parts += [f"kind: {level.kind}"] if level.kind != "measured" else []
    return f"{{{', '.join(parts)}}}"


def flow(values: Mapping[str, object]) -> str:
    """Return a flat mapping as flow YAML."""
    return f"{{{', '.join(f'{key}: {quoted(str(value))}' for key, value in values.items())}}}"


def quoted(text: str) -> str:
    """Return a text as flow YAML takes it."""
    return f'"{text}"' if re.search(r"[:,{}\[\]#]", text) else text


def brief(value: float) -> str:
    """Return a number with three digits that count."""
    return f"{float(f'{value:.3g}'):g}"


def rewritten(text: str, model: ModelDefinition, lines: Sequence[str]) -> str:
    """Return a file whose entry of a model has these lines in the place of those that this script wrote before."""
    before, entry, after = split(text, model)
    return before + "".join([*dropped(entry, OWN_KEYS), *lines]) + after


def with_latency(text: str, model: ModelDefinition, line: str | None) -> str:
    """Return a file whose entry has this latency, unless it holds one of another measurer."""
    before, entry, after = split(text, model)
    own = [part for part in entry if part.startswith("    latency:") and MEASURER in part]
    others = any(part.startswith("    latency:") for part in entry if part not in own)
    if line is None or others:
        return text
    kept = [part for part in entry if part not in own]
    at = next((place for place, part in enumerate(kept) if part.startswith("    tier:")), len(kept) - 1) + 1
    return before + "".join([*kept[:at], line, *kept[at:]]) + after


def with_cache_writes(text: str, model: ModelDefinition) -> str:
    """Return a file whose prices say what input costs that the provider keeps, where that is dearer than other input."""
    price = model.price
    if price is None or price.as_of is None or not price.input:
        return text
    before, entry, after = split(text, model)
    noon = datetime.combine(price.as_of, time(12), tzinfo=UTC)
    whole = "".join(entry)
    for tokens, rate in [(0, price.input), *((tier.above_input_tokens, tier.input) for tier in price.tiers)]:
        write = write_rate(model, tokens, noon)
        if write is not None and write > rate:
            start = whole.index(f"above_input_tokens: {tokens}") if tokens else whole.index("    price:")
            whole = whole[:start] + put_write(whole[start:], write)
    return before + whole + after


def put_write(text: str, write: float) -> str:
    """Return a price whose first ``cached_input`` (else ``output``) is followed by the price of writing."""
    text = re.sub(r"(, cache_write: [\d.]+|\n +cache_write: [\d.]+)", "", text, count=1) if early(text, "cache_write") else text
    key = "cached_input" if early(text, "cached_input") else "output"
    found = re.search(rf"(?P<lead>, |\n +|{{){key}: [\d.]+", text)
    if found is None:
        message = f"no price to put the price of writing behind in {text[:80]!r}"
        raise ValueError(message)
    lead = found["lead"] if found["lead"] != "{" else ", "
    return f"{text[: found.end()]}{lead}cache_write: {write!r}{text[found.end() :]}"


def early(text: str, key: str) -> bool:
    """Tell whether a key stands in the first price of a text, before its tiers."""
    first = re.split(r"\n +(?:tiers|windows|context_window|- )|\}", text, maxsplit=1)[0]
    return f"{key}:" in first


def write_rate(model: ModelDefinition, above: int, noon: datetime) -> float | None:
    """Return USD per million tokens of written input, as genai-prices has it; none where it has no such price."""
    if above:
        tokens = above + 1
        usage, plain = Usage(input_tokens=tokens, cache_write_tokens=tokens), Usage(input_tokens=tokens)
    else:
        tokens = 1000
        usage, plain = Usage(input_tokens=tokens, cache_write_tokens=tokens), Usage(input_tokens=tokens)
    provider = GENAI.get(model.ref.provider, model.ref.provider)
    written = float(calc_price(usage, model.model, provider_id=provider, genai_request_timestamp=noon).total_price)
    fresh = float(calc_price(plain, model.model, provider_id=provider, genai_request_timestamp=noon).total_price)
    return None if written == fresh else round(written / tokens * 1e6, 6)


def split(text: str, model: ModelDefinition) -> tuple[str, list[str], str]:
    """Return what stands before an entry, its lines, and what stands after them."""
    head = f'  "{model.ref}":\n'
    start = text.index(head)
    rest = text[start + len(head) :].splitlines(keepends=True)
    size = next((place for place, line in enumerate(rest) if line.strip() and not line.startswith("    ")), len(rest))
    while size and (not rest[size - 1].strip() or rest[size - 1].startswith("  #")):
        size -= 1
    return text[: start + len(head)], rest[:size], "".join(rest[size:])


def dropped(lines: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Return lines of an entry without some keys and what stands under them."""
    kept: list[str] = []
    skipping = False
    for line in lines:
        if re.match(r"    \S", line):
            skipping = line.strip().partition(":")[0] in keys
        if not skipping:
            kept.append(line)
    return kept


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--dry"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    main(Path(arguments[0]), dry="--dry" in sys.argv)
