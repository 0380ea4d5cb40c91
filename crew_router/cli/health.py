"""``crew-router health``: show which models can be called from here, and the state of the stores."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, cast

import typer

from crew_router.cli.console import FAILED, ConfigOption, JsonOption, one_line_errors, open_router, say, say_json
from crew_router.cli.rows import print_rows

READY: Final = "ready"
_LEAST_STATE: Final = 20


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
    for key, value in report.items():
        if key not in {"models", "checks"}:
            say(f"{key}: {_said(value)}")
    checks = cast("Mapping[object, Mapping[str, object]]", report.get("checks", {}))
    if checks:
        rows = [(str(ref), str(each["how"]), str(each["detail"]), f"{each['latency_s']:.2f} s") for ref, each in checks.items()]
        print_rows(("checked model", "by", "result", "took"), rows)
    models = cast("Mapping[object, object]", report.get("models") or {})
    states = sorted(((str(ref), str(state)) for ref, state in models.items()), key=lambda row: row[1] != READY)
    print_rows(("model", "state"), [_fitting(row, width=_state_width(states)) for row in states])


def _said(value: object) -> str:
    """Return a part of the report as people write it: no brackets, quotes or names of types."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_said(each)}" for key, each in cast("Mapping[object, object]", value).items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(_said(each) for each in cast("Sequence[object]", value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _state_width(states: Sequence[tuple[str, str]]) -> int | None:
    """Return the characters that are left for a state beside the longest id on a terminal, ``None`` where there is no end."""
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns - max((len(ref) for ref, _ in states), default=0) - 2, _LEAST_STATE)


def _fitting(row: tuple[str, str], *, width: int | None) -> tuple[str, str]:
    ref, state = row
    return (ref, state) if width is None or len(state) <= width else (ref, f"{state[: width - 1]}…")
