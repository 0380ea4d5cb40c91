"""What clients may read without calling a tool, and texts that start a conversation."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from fastmcp.exceptions import ResourceError, ToolError

from crew_router.errors import InvalidRequestError
from crew_router.types import TaskType
from crew_router.types.codec import encode
from crew_router.types.explain import money
from crew_router_mcp.answers.figures import finite
from crew_router_mcp.answers.models import ListedModel
from crew_router_mcp.boundary import explained
from crew_router_mcp.tools.parameters import resolved
from crew_router_mcp.tools.reporting import ReportTools

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from crew_router.router.router import Router

_JSON: Final = "application/json"
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
_MODEL_CHARS: Final = 200
_COMPLETIONS: Final = 100


class Readings:
    """Resources over a router, each as text.

    Args:
        router: Knows everything that there is to read.
    """

    def __init__(self, router: Router) -> None:
        self._router, self._reports = router, ReportTools(router)

    def models(self) -> str:
        """Every model of the registry with its price, quality and capabilities."""
        reachable = self._router.reachable()
        return _json([ListedModel.of(model, reachable=reachable, detail="short").model_dump() for model in self._router.models])

    def model(self, ref: str) -> str:
        """One model: its registry entry, and how it has done so far."""
        name = unquote(ref)
        if not name.strip() or len(name) > _MODEL_CHARS or not name.isprintable():
            raise InvalidRequestError("ref", name, expected="a model such as openai:gpt-4o")
        found = resolved(self._router, name)
        entry = next(model for model in self._router.models if model.ref == found)
        listed = ListedModel.of(entry, reachable=self._router.reachable(), detail="full")
        return _json({"entry": listed.model_dump(), "performance": encode(self._router.performance(found))})

    def policies(self) -> str:
        """The rules that hold, in the configuration's own words."""
        return _json([encode(rule) for rule in self._router.config.policies])

    def decision(self, decision_id: str) -> str:
        """One decision with its table and the calls that were made for it."""
        name = unquote(decision_id)
        if not _ID.fullmatch(name):
            raise InvalidRequestError("decision_id", name, expected="the id of a decision")
        decision, attempts = self._router.explain(name), self._router.attempts(name)
        return _json({"decision": decision.to_dict(), "attempts": [encode(attempt) for attempt in attempts]})

    def budgets(self) -> str:
        """The configured budgets and what they have left."""
        return _json(self._reports.get_budget().model_dump())

    def statistics(self) -> str:
        """What requests came to since the last reset."""
        return _json(self._reports.get_stats().model_dump())

    def dashboard(self) -> str:
        """Spend, success and health as a page of Markdown."""
        stats, health = self._reports.get_stats(), self._router.health()
        week = self._reports.get_stats(hours=168.0)
        states = health.get("models")
        ready = sum(state == "ready" for state in states.values()) if isinstance(states, dict) else 0
        lines = [
            f"# crew-router: {stats.project}",
            "",
            "| | since the last reset | last 7 days |",
            "|---|---|---|",
            f"| requests | {stats.requests} | {week.requests} |",
            f"| served | {_share(stats.success_rate)} | {_share(week.success_rate)} |",
            f"| cost | {money(stats.cost_usd)} | {money(week.cost_usd)} |",
            "",
            f"{ready} of {stats.models} models can be called.",
        ]
        budgets = self._reports.get_budget().budgets
        if budgets:
            lines += ["", "| budget | limit | left |", "|---|---|---|"]
            lines += [f"| {line.budget} | {money(line.limit_usd)} | {_left(line.remaining_usd)} |" for line in budgets]
        return "\n".join(lines)


def choose_model_for_my_task(task: str, budget_usd: str = "") -> str:
    """Find the model for a task, with its price and the alternatives."""
    limit = f" It may cost at most {budget_usd} USD." if budget_usd.strip() else ""
    return (
        f"Call suggest_model for the task below and compare_models for the alternatives.{limit} Then tell me which model to use, "
        f"what it will cost, how likely it is to serve, and what I would give up with a cheaper one.\n\nTask:\n{task}"
    )


def review_last_weeks_spend() -> str:
    """Look at what was spent in the last seven days, and what could have been saved."""
    return (
        "Call get_stats with hours 168 and get_budget, and read crew-router://dashboard. Tell me what was spent, how many requests served, "
        "which budget runs out first at this rate, and what to change; check each proposal with simulate_route before you make it."
    )


def write_a_policy_for(goal: str) -> str:
    """Write a rule for the router's configuration and try it out."""
    return (
        f"Write one entry of `policies:` for crew-router that does this: {goal}\n\nRead crew-router://policies for the form: name, order "
        "(safety, budget, quality or latency), when (conditions), then (effects). Try it with simulate_route and its argument policies on "
        "three tasks that it should change and one that it should not, and show me the YAML with what it changed."
    )


def add_readings(server: FastMCP, router: Router) -> None:
    """Add resources, prompts, and completions where the library has them."""
    readings = Readings(router)
    fixed = {
        "models": (readings.models, "Models"),
        "policies": (readings.policies, "Policies"),
        "budgets": (readings.budgets, "Budgets"),
        "statistics": (readings.statistics, "Statistics"),
    }
    for name, (read, title) in fixed.items():
        _add(server, f"crew-router://{name}", read, title=title)
    _add(server, "crew-router://dashboard", readings.dashboard, title="Dashboard", kind="text/markdown")
    _add(server, "crew-router://models/{ref*}", readings.model, title="One model")
    _add(server, "crew-router://decisions/{decision_id}", readings.decision, title="One decision")
    server.prompt(choose_model_for_my_task, title="Choose a model for my task")
    server.prompt(review_last_weeks_spend, title="Review last week's spend")
    server.prompt(write_a_policy_for, title="Write a policy for …")
    if hasattr(server, "completion"):
        server.completion(functools.partial(_complete, router))


def _add(server: FastMCP, uri: str, read: Callable[..., str], *, title: str, kind: str = _JSON) -> None:
    described = " ".join((read.__doc__ or title).split())
    server.resource(uri, name=title, title=title, description=described, mime_type=kind)(_sentences(read))


def _sentences(read: Callable[..., str]) -> Callable[..., Any]:
    """Return a resource whose errors are sentences too."""
    told = explained(read)

    @functools.wraps(read)
    def reading(*args: Any, **kwargs: Any) -> Any:
        try:
            return told(*args, **kwargs)
        except ToolError as error:
            raise ResourceError(str(error)) from None

    return reading


async def _complete(router: Router, ref: Any, argument: Any, context: Any = None) -> list[str]:  # noqa: ARG001 - the library's signature
    """Complete model ids and task types; other arguments have no list."""
    typed = str(argument.value).lower()
    known = {"ref": [str(model.ref) for model in router.models], "task_type": [str(task) for task in TaskType]}.get(argument.name, [])
    return [name for name in known if typed in name.lower()][:_COMPLETIONS]


def _json(value: object) -> str:
    return json.dumps(finite(value), ensure_ascii=False, allow_nan=False)


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"


def _left(value: float | None) -> str:
    return "one for each" if value is None else money(value)
