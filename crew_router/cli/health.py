"""``crew-router health``: show which models can be called from here, and the state of the stores."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, cast

import typer

from crew_router.cli.console import FAILED, ConfigOption, JsonOption, one_line_errors, open_router, say, say_json
from crew_router.cli.rows import print_rows

READY: Final = "ready"


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
        if key not in {"models", "checks", "configuration"}:
            say(f"{key}: {_said(value)}")
    if "configuration" in report:
        say(f"configuration: {_said(_shortened(cast('Mapping[object, object]', report['configuration'])))}")
    checks = cast("Mapping[object, Mapping[str, object]]", report.get("checks", {}))
    if checks:
        rows = [(str(ref), str(each["how"]), str(each["detail"]), f"{each['latency_s']:.2f} s") for ref, each in checks.items()]
        print_rows(("checked model", "by", "result", "took"), rows)
    models = cast("Mapping[object, object]", report.get("models") or {})
    states = sorted(((str(ref), str(state)) for ref, state in models.items()), key=lambda row: row[1] != READY)
    if not sys.stdout.isatty():
        print_rows(("model", "state"), states)
        return
    print_rows(("model", "state"), [row for row in states if row[1] == READY])
    for line in grouped(row for row in states if row[1] != READY):
        say(line)


def grouped(states: Iterable[tuple[str, str]]) -> list[str]:
    """Return one line for each state, with the models that are in it, by provider where there are many.

    Example:
        >>> grouped([("openai:a", "no key"), ("openai:b", "no key"), ("lab:x", "switched off")])
        ['2 of openai: no key', 'lab:x: switched off']
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for ref, state in states:
        groups.setdefault((ref.partition(":")[0], state), []).append(ref)
    return [f"{refs[0] if len(refs) == 1 else f'{len(refs)} of {provider}'}: {state}" for (provider, state), refs in groups.items()]


def _shortened(configuration: Mapping[object, object]) -> dict[object, object]:
    """Leave out the files of the package, which are always read, and write the time as people do."""
    kept = dict(configuration)
    sources = cast("Sequence[str]", kept.pop("sources", ()))
    loaded_at = kept.pop("loaded_at", None)
    kept["read from"] = [each for each in sources if not each.startswith("config/")] or "the package alone"
    if isinstance(loaded_at, float):
        kept["loaded at"] = f"{datetime.fromtimestamp(loaded_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return kept


def _said(value: object) -> str:
    """Return a part of the report as people write it: no brackets, quotes or names of types."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_said(each)}" for key, each in cast("Mapping[object, object]", value).items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(_said(each) for each in cast("Sequence[object]", value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
