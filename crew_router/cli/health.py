"""``crew-router health``: show which models can be called from here, and the state of the stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

import typer

from crew_router.cli.console import FAILED, ConfigOption, JsonOption, one_line_errors, open_router, say, say_json, say_table


def health(
    model: Annotated[str | None, typer.Argument(help="Report this model only.")] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Ask every model: what its server lists, or a call of a few tokens.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask local servers whether they answer and show which models can be called; exit 1 when none can."""
    with one_line_errors(), open_router(config) as router:
        report = router.check_health(model, active=check)
        if as_json:
            say_json(report)
        else:
            _print(report)
        if not report["ok"]:
            raise typer.Exit(FAILED)


def _print(report: Mapping[str, object]) -> None:
    models = report.get("models")
    for key, value in report.items():
        if key not in {"models", "checks"}:
            say(f"{key}: {value}")
    checks = cast("Mapping[object, Mapping[str, object]]", report.get("checks", {}))
    if checks:
        rows = [(str(ref), str(each["how"]), str(each["detail"]), f"{each['latency_s']:.2f} s") for ref, each in checks.items()]
        say_table("checks", ("model", "by", "result", "took"), rows)
    if isinstance(models, Mapping):
        say_table("models", ("model", "state"), [(str(ref), str(state)) for ref, state in cast("Mapping[object, object]", models).items()])
