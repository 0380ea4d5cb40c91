"""``crew-router policy``: check policies against each other, and test them with a team's own cases."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crew_router.cli.console import FAILED, ConfigOption, JsonOption, one_line_errors, open_router, say, say_json
from crew_router.config.load import load_config
from crew_router.config.schema.yaml_reader import read_mapping
from crew_router.decide.policies.cases import CaseResult, read_cases, run_cases
from crew_router.decide.policies.conflicts import findings
from crew_router.router.rules import check_strategy, rules_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from crew_router.router.router import Router
    from crew_router.types import RoutingDecision, RoutingRequest

app: Final = typer.Typer(help="Check policies, and test them with cases of your own.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="File or folder with the policies; the configuration that holds when absent.")] = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Report rules that mean nothing, never count, contradict each other, or leave no model over; exit 1 when there are any."""
    with one_line_errors():
        loaded = load_config(file or config, env=os.environ, check_strategy=check_strategy)
        policies = rules_of(loaded, loaded.registry).policies
        problems = findings(policies, loaded.registry.models)
        if as_json:
            say_json({"ok": not problems, "policies": len(policies), "findings": problems})
        else:
            for each in problems:
                say(f"{each.kind}: {each.policy!r}{f' with {each.other!r}' if each.other else ''}: {each.text}")
            say(f"{len(policies)} policies, {len(problems)} findings")
        if problems:
            raise typer.Exit(FAILED)


@app.command("test")
def run_tests(
    cases: Annotated[Path, typer.Argument(help="YAML file with cases: [{name, request, expect}, …].")],
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Decide every case without calling or recording anything; exit 1 when one is not decided as expected."""
    with one_line_errors(), open_router(config) as router:
        loaded_cases = read_cases(read_mapping(cases, str(cases)), place=str(cases))
        results = run_cases(loaded_cases, _decider(router), tier_of=lambda ref: _tier(router, ref))
        failed = sum(bool(result.problems) for result in results)
        if as_json:
            say_json({"ok": not failed, "cases": len(results), "failed": failed, "verdicts": results})
        else:
            for result in results:
                say(_result_line(result))
            say(f"{len(results)} cases, {failed} failed")
        if failed:
            raise typer.Exit(FAILED)


def _decider(router: Router) -> Callable[[RoutingRequest], RoutingDecision]:
    def decide(request: RoutingRequest) -> RoutingDecision:
        return router.select_model(request, record=False)

    return decide


def _tier(router: Router, ref: str) -> str | None:
    return next((None if model.tier is None else str(model.tier) for model in router.models if model.ref == ref), None)


def _result_line(result: CaseResult) -> str:
    return f"FAILED {result.case}: {'; '.join(result.problems)}" if result.problems else f"passed {result.case}"
