"""A decision on a screen: the choice in three lines, the candidates as a table, what was removed grouped by reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crew_router.cli.console import say
from crew_router.cli.rows import print_rows
from crew_router.types import CandidateRow, ModelRef, Rejection, RoutingDecision
from crew_router.types.explain import money

_SHOWN_MODELS = 3
_OUT_OF_REACH = {"key": "no key for", "package": "no client package for", "server": "no server for", "": "no key, package or server for"}


def show_decision(decision: RoutingDecision, *, verbose: bool) -> None:
    """Print a decision.

    Args:
        decision: What was decided.
        verbose: Print the whole story instead: every model with every reason, the readings of the prompt, the notes.
    """
    if verbose:
        say(decision.explain())
        return
    say(f"{decision.selected_model} ({decision.mode}, strategy {decision.strategy})")
    say(f"why: {decision.rationale}")
    say(f"decision {decision.id}; fallbacks: {', '.join(decision.fallbacks) or 'none'}")
    if decision.approval:
        say(f"waits for a person: {decision.approval}")
    rows = [row for row in decision.table.candidates() if not row.rejections]
    chosen_first = sorted(rows, key=lambda row: (row.model != decision.selected_model, -(row.score or 0.0)))
    print_rows(("model", "score", "cost", "seconds", "P(success)", "quality from"), [_cells(row) for row in chosen_first])
    for line in removed_lines(decision.rejected):
        say(line)


def removed_lines(rejected: Mapping[ModelRef, Sequence[Rejection]]) -> Iterator[str]:
    """Yield one line for each reason that removed models, with their number, the most frequent first.

    Example:
        >>> away = Rejection("reachable", "OPENAI_API_KEY is not set", "key", "OPENAI_API_KEY")
        >>> list(removed_lines({ModelRef("openai:a"): (away,), ModelRef("openai:b"): (away,)}))
        ['removed: 2 not reachable: no key for openai']
    """
    groups: dict[str, list[tuple[ModelRef, Rejection]]] = {}
    for model, reasons in rejected.items():
        first = next((each for each in reasons if each.filter == "reachable"), reasons[0])
        groups.setdefault(first.filter, []).append((model, first))
    for name, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        told = _unreachable(members) if name == "reachable" else _alike(name, members)
        yield f"removed: {len(members)} {told}"


def _unreachable(members: Sequence[tuple[ModelRef, Rejection]]) -> str:
    by_kind: dict[str, dict[str, None]] = {}
    for model, reason in members:
        by_kind.setdefault(reason.value if reason.value in _OUT_OF_REACH else "", {})[model.provider] = None
    return "not reachable: " + "; ".join(f"{_OUT_OF_REACH[kind]} {', '.join(providers)}" for kind, providers in by_kind.items())


def _alike(name: str, members: Sequence[tuple[ModelRef, Rejection]]) -> str:
    told = "; ".join(f"{model} {reason.reason}" for model, reason in members[:_SHOWN_MODELS])
    more = len(members) - _SHOWN_MODELS
    return f"by {name}: {told}" + (f"; and {more} more (--verbose)" if more > 0 else "")


def _cells(row: CandidateRow) -> tuple[str, ...]:
    return (
        str(row.model),
        "" if row.score is None else f"{row.score:.1f}",
        money(row.cost_usd),
        "unknown" if row.latency_s is None else f"{row.latency_s:.2f}",
        "unknown" if row.p_success is None else f"{row.p_success:.2f}",
        row.quality_source,
    )
