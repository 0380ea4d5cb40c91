"""``crew-router explain``: show why an earlier decision was made."""

from __future__ import annotations

from typing import Annotated

import typer

from crew_router.cli.console import ConfigOption, JsonOption, VerboseOption, one_line_errors, open_router, say, say_json
from crew_router.cli.decision_view import show_decision
from crew_router.cli.history import found_id


def explain(
    decision_id: Annotated[str, typer.Argument(help="Id of a decision, as `ask`, `route` and `log` print it, or last.")],
    *,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell why a model was chosen for an earlier request, and what came of it."""
    with one_line_errors(), open_router(config) as router:
        known = found_id(router, decision_id)
        decision, attempts = router.explain(known), router.attempts(known)
        if as_json:
            say_json({"decision": decision.to_dict(), "attempts": attempts})
            return
        show_decision(decision, verbose=verbose)
        for attempt in attempts:
            result = "answered" if attempt.ok else f"failed ({attempt.error})"
            say(f"attempt {attempt.number}: {attempt.model} {result} in {attempt.latency_s:.2f} s")
