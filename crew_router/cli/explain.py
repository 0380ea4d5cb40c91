"""``crew-router explain``: show why an earlier decision was made."""

from __future__ import annotations

from typing import Annotated

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json


def explain(
    decision_id: Annotated[str, typer.Argument(help="Id of a decision, as `ask` and `route` print it.")],
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell why a model was chosen for an earlier request, and what came of it."""
    with one_line_errors(), open_router(config) as router:
        decision = router.explain(decision_id)
        attempts = router.attempts(decision_id)
        if as_json:
            say_json({"decision": decision.to_dict(), "attempts": attempts})
            return
        say(decision.explain())
        for attempt in attempts:
            result = "answered" if attempt.ok else f"failed ({attempt.error})"
            say(f"attempt {attempt.number}: {attempt.model} {result} in {attempt.latency_s:.2f} s")
