"""``crew-router route``: show a decision without executing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from crew_router.cli.console import ConfigOption, JsonOption, VerboseOption, open_router, say_json
from crew_router.cli.decision_view import show_decision
from crew_router.cli.request_options import takes_request
from crew_router.cli.rows import print_rows
from crew_router.types import CandidateRow, RoutingRequest
from crew_router.types.explain import money


@takes_request
def route(
    text: str,
    request: RoutingRequest,
    *,
    pareto: Annotated[bool, typer.Option("--pareto", help="List the models that no other beats in cost, latency and P(success).")] = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show which model would answer, and why, without calling any."""
    request = replace(request, task_description=text)
    with open_router(config) as router:
        if pareto:
            _show_frontier(router.pareto(request), as_json=as_json)
            return
        decision = router.select_model(request)
        if as_json:
            say_json(decision.to_dict())
        else:
            show_decision(decision, verbose=verbose)


def _show_frontier(rows: Sequence[CandidateRow], *, as_json: bool) -> None:
    if as_json:
        say_json(rows)
        return
    header = ("model", "cost", "seconds", "P(success)", "score")
    cells = [(row.model, money(row.cost_usd), _figure(row.latency_s), _figure(row.p_success), _figure(row.score)) for row in rows]
    print_rows(header, cells, title="Models that no other beats")


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
