"""``crew-router log`` and ``feedback``: past decisions, and what somebody says of their answers."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json
from crew_router.cli.rows import print_rows
from crew_router.errors import InvalidRequestError, UnknownDecisionError
from crew_router.types import FeedbackData, RoutingDecision
from crew_router.types.clock import SystemClock
from crew_router.types.explain import money

if TYPE_CHECKING:
    from crew_router.router.router import Router

LAST: Final = "last"
_LOOKS_BACK_S: Final = (3_600.0, 86_400.0, 30 * 86_400.0)  # an hour, a day, a month; then everything


def log(
    *,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List the newest decisions of this project, the newest first, with the reward that their answers got."""
    with one_line_errors(), open_router(config) as router:
        found = newest(router, number)
        if as_json:
            say_json([_fields(decision, reward) for decision, reward in found])
            return
        print_rows(("decision", "when (UTC)", "model", "expected cost", "reward", "task"), [_row(*each) for each in found])


def feedback(
    decision_id: Annotated[str, typer.Argument(help="Id of a decision, or last.")],
    verdict: Annotated[str, typer.Argument(help="good, bad, or a number from 0 to 1.")],
    *,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Why.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say how good an answer was; the next decisions learn from it."""
    with one_line_errors(), open_router(config) as router:
        known = found_id(router, decision_id)
        router.explain(known)  # an unknown id is told before anything is written
        reward = router.record_feedback(_feedback(known, verdict, comment))
        say_json({"decision_id": known, "reward": reward}) if as_json else say(f"{known}: noted, reward {reward:.2f}")


def found_id(router: Router, decision_id: str) -> str:
    """Return the id, or that of the newest decision for ``last``.

    Raises:
        UnknownDecisionError: There is no decision yet.
    """
    if decision_id != LAST:
        return decision_id
    found = newest(router, 1)
    if not found:
        raise UnknownDecisionError(LAST)
    return found[0][0].id


def newest(router: Router, number: int) -> list[tuple[RoutingDecision, float | None]]:
    """Return the newest decisions with their rewards, the newest first; no more of a long history is read than it takes."""
    now = SystemClock().now()
    found: deque[tuple[RoutingDecision, float | None]] = deque(maxlen=number)
    for since in (*(now - seconds for seconds in _LOOKS_BACK_S), None):
        found = deque(router.history.logged(since=since), maxlen=number)
        if len(found) == number:
            break
    return list(reversed(found))


def _feedback(decision_id: str, verdict: str, comment: str) -> FeedbackData:
    if verdict in {"good", "bad"}:
        return FeedbackData(decision_id, outcome="success" if verdict == "good" else "failure", comment=comment)
    try:
        quality = float(verdict)
    except ValueError:
        quality = -1.0
    if not 0 <= quality <= 1:
        raise InvalidRequestError("verdict", verdict, expected="good, bad, or a number from 0 to 1")
    return FeedbackData(decision_id, quality_score=quality, comment=comment)


def _fields(decision: RoutingDecision, reward: float | None) -> dict[str, object]:
    return {
        "decision_id": decision.id,
        "at": decision.at,
        "model": decision.selected_model,
        "mode": decision.mode,
        "strategy": decision.strategy,
        "task_type": decision.profile.task_type.value,
        "estimated_cost_usd": decision.estimated_cost,
        "reward": reward,
    }


def _row(decision: RoutingDecision, reward: float | None) -> tuple[str, ...]:
    return (
        decision.id,
        f"{datetime.fromtimestamp(decision.at, UTC):%Y-%m-%d %H:%M:%S}",
        str(decision.selected_model),
        money(decision.estimated_cost),
        "" if reward is None else f"{reward:.2f}",
        str(decision.profile.task_type.value),
    )
