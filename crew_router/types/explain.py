"""Turning the table behind a decision into evidence, a sentence, and the whole story (requirement A8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol, cast

from crew_router.types.candidates import Candidates, DecisionTable
from crew_router.types.evidence import CandidateRow, Change, CostPrediction, Evidence, Rejection
from crew_router.types.outcome import TradeOff
from crew_router.types.profile import Reading, RequestProfile
from crew_router.types.vocabulary import Mode, ModelRef

_SHOWN_CANDIDATES: Final = 8
_WIDER: Final = {"cost_budget": True, "quality_requirement": False, "max_latency_s": True}  # whether more lets more models through
_PROFILE_FIELDS: Final = ("task_type", "complexity", "domain", "risk", "language", "urgency", "input_tokens", "expected_output_tokens")


class Explained(Protocol):
    """What an explanation reads of a decision."""

    @property
    def id(self) -> str: ...  # noqa: D102 - the fields of RoutingDecision
    @property
    def selected_model(self) -> ModelRef: ...  # noqa: D102
    @property
    def candidate(self) -> ModelRef: ...  # noqa: D102
    @property
    def fallbacks(self) -> Sequence[ModelRef]: ...  # noqa: D102
    @property
    def models(self) -> Sequence[ModelRef]: ...  # noqa: D102
    @property
    def judge(self) -> ModelRef | None: ...  # noqa: D102
    @property
    def mode(self) -> Mode: ...  # noqa: D102
    @property
    def strategy(self) -> str: ...  # noqa: D102
    @property
    def profile(self) -> RequestProfile: ...  # noqa: D102
    @property
    def cost(self) -> CostPrediction: ...  # noqa: D102
    @property
    def estimated_cost(self) -> float | None: ...  # noqa: D102
    @property
    def rejected(self) -> Mapping[ModelRef, tuple[Rejection, ...]]: ...  # noqa: D102
    @property
    def approval(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> float: ...  # noqa: D102
    @property
    def trade_off(self) -> TradeOff | None: ...  # noqa: D102
    @property
    def table(self) -> DecisionTable: ...  # noqa: D102


def evidence_of(decision: Explained) -> tuple[Evidence, ...]:
    """Return the evidence for the chosen model: its factors, where its quality comes from, profile, rejections, notes."""
    return tuple(_evidence(decision))


def rationale_of(decision: Explained) -> str:
    """Return one sentence: what was chosen, on what score, at what price, for what, against whom."""
    return said_of(decision, decision.table.columns())


def said_of(decision: Explained, table: Candidates) -> str:
    """Return the sentence of :func:`rationale_of` from the decision's table by column."""
    places, scores = table.passed(), table.figures["score"]
    chosen = next((at for at in places if table.models[at] == decision.candidate), None)
    parts = [] if chosen is None else list(_plainly(table, chosen, places))
    parts.append(f"{decision.candidate} for {decision.profile.task_type.value} (complexity {decision.profile.complexity.value})")
    if chosen is not None and scores[chosen] is not None:
        strongest = max(table.points, key=lambda name: table.points[name][chosen] or 0.0, default="nothing")
        parts.append(f"{scores[chosen]:.1f} of 100 points by {decision.strategy}, most from {strongest}")
    parts.append(f"expected cost {money(decision.estimated_cost)}")
    runner_up = next((at for at in places if at != chosen), None)
    if runner_up is not None and scores[runner_up] is not None:
        parts.append(f"next best {table.models[runner_up]} with {scores[runner_up]:.1f}")
    if table.removed:
        parts.append(f"{len(table.removed)} of {len(table.models)} models removed by constraints")
    return "; ".join(parts) + "."


def _plainly(table: Candidates, chosen: int, places: Sequence[int]) -> Iterator[str]:
    """Say as a person would how often the choice is right, how often the best one would be, and what each costs."""
    chances, costs = table.figures["p_success"], table.figures["cost_usd"]
    mine = chances[chosen]
    if mine is None:
        return
    best = max(places, key=lambda at: (chances[at] or 0.0, at == chosen))
    said = f"{spoken(table.models[chosen])}: right in {_of_100(mine)} of 100 such requests"
    if best == chosen:
        yield f"{said} (the best here), for {money(costs[chosen])}"
        return
    other = f"best here: {_of_100(chances[best] or 0.0)}, {spoken(table.models[best])}"
    yield f"{said} ({other}), for {money(costs[chosen])} instead of {money(costs[best])}"


def spoken(model: ModelRef) -> str:
    """Return a candidate in words.

    Example:
        >>> spoken(ModelRef("openai:gpt-6-luna#low")), spoken(ModelRef("lab:a"))
        ('gpt-6-luna at low effort', 'a')
    """
    if model.effort is None:
        return model.name
    return f"{model.name} without thinking" if model.effort == "none" else f"{model.name} at {model.effort} effort"


def _of_100(share: float) -> str:
    """Return a share in hundreds, with a decimal only near the ends, where a whole number would say never or always."""
    return f"{100 * share:.0f}" if 0.01 <= share <= 0.99 else f"{100 * share:.1f}"  # noqa: PLR2004 - a hundredth from the ends


def story_of(decision: Explained) -> str:
    """Return the whole story of a decision as lines of text."""
    return "\n".join(_story(decision))


def money(usd: float | None) -> str:
    """Return USD as text that keeps small sums readable; unknown prices are said to be unknown."""
    if usd is None:
        return "unknown"
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.6f}"


def _story(decision: Explained) -> Iterator[str]:
    yield f"decision {decision.id}: {decision.candidate} ({decision.mode}, strategy {decision.strategy})"
    yield f"why: {rationale_of(decision)}"
    yield "profile: " + ", ".join(_said(name, getattr(decision.profile, name)) for name in _PROFILE_FIELDS)
    chosen, others = _split(decision)
    rows = [row for row in (chosen, *others) if row is not None]
    yield "candidates:"
    for row in islice(rows, _SHOWN_CANDIDATES):
        points = " ".join(f"{name}={value:.1f}" for name, value in row.points.items())
        score = "-" if row.score is None else f"{row.score:.1f}"
        yield f"  {row.model}: {score} ({points}) cost {money(row.cost_usd)}, quality source: {row.quality_source}"
    if len(rows) > _SHOWN_CANDIDATES:
        yield f"  and {len(rows) - _SHOWN_CANDIDATES} more"
    if decision.rejected:
        yield "removed:"
        for model, reasons in decision.rejected.items():
            yield f"  {model}: {'; '.join(map(str, reasons))}"
    if decision.mode is not Mode.SINGLE:
        joined = " then " if decision.mode is Mode.CASCADE else ", "
        judge = f"; judge {decision.judge}" if decision.judge is not None else ""
        yield f"members: {joined.join(decision.models)}{judge}; all of it {money(decision.estimated_cost)}"
    yield f"fallbacks: {', '.join(decision.fallbacks) or 'none'}"
    if decision.approval:
        yield f"waits for a person: {decision.approval}"
    for change in decision.table.changes():
        yield f"would change it: {said_change(change)}"
    if decision.trade_off is not None:
        yield from _traded(decision.trade_off)
    for note in decision.table.notes():
        yield f"note ({note.source}): {note.detail}"


def _traded(report: TradeOff) -> Iterator[str]:
    """Say what several calls brought against the best of them alone."""
    agreement = "" if report.agreement is None else f", {report.agreement:.0%} of the answers agree"
    yield f"{report.mode}: {money(report.cost_usd)} in {report.latency_s:.2f} s{agreement}{_right(report.quality)}"
    yield f"  {report.single} alone: {money(report.single_cost_usd)} in {report.single_latency_s:.2f} s{_right(report.single_quality)}"
    for member in report.members:
        what = member.error or {None: "answered", True: "agrees", False: "differs"}[member.agrees]
        answer = f": {member.answer}" if member.answer else ""
        yield f"  {member.role} {member.model}: {what}, {money(member.cost_usd)}, {member.latency_s:.2f} s{answer}"


def _right(probability: float | None) -> str:
    return "" if probability is None else f", right with {probability:.0%}"


def said_change(change: Change) -> str:
    """Return a change as words, with figures in few digits."""
    wide = _WIDER[change.field]
    tighter = change.given is None or (change.value < change.given) == wide
    figure = {"cost_budget": money, "max_latency_s": "{:.2f} s".format}.get(change.field, "{:.3f}".format)(change.value)
    where = f"{'below' if wide else 'above'} {figure}" if tighter else f"{'from' if wide else 'down to'} {figure}"
    return f"{change.field} {where} → {change.model or 'no model would be left'}"


def _evidence(decision: Explained) -> Iterator[Evidence]:
    chosen, _ = _split(decision)
    task = decision.profile.task_type
    yield Evidence("classification", f"{task.value} from {task.source}", task.confidence, decision.at)
    if chosen is not None:
        for name, points in chosen.points.items():
            yield Evidence(f"score.{name}", f"{points:.2f} points", points, decision.at)
        yield Evidence("registry", f"quality source: {chosen.quality_source}", 0.0, decision.at)
    yield Evidence(
        "cost", f"expected {money(decision.estimated_cost)} ({decision.cost.source})", decision.estimated_cost or 0.0, decision.at
    )
    for model, reasons in decision.rejected.items():
        yield Evidence(f"filter.{reasons[0].filter}", f"{model}: {reasons[0].reason}", 0.0, decision.at)
    yield from decision.table.notes()


def _split(decision: Explained) -> tuple[CandidateRow | None, list[CandidateRow]]:
    kept = [row for row in decision.table.candidates() if not row.rejections]
    chosen = next((row for row in kept if row.model == decision.candidate), None)
    return chosen, [row for row in kept if row.model != decision.candidate]


def _said(name: str, reading: Reading[object]) -> str:
    value = reading.value
    text = "/".join(sorted(map(str, cast("frozenset[object]", value)))) or "none" if isinstance(value, frozenset) else str(value)
    return f"{name} {text} ({reading.confidence:.0%}, {reading.source})"
