"""``crew-router override``: pin a model or cap the cost of every request of the project, without a restart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json
from crew_router.errors import InvalidRequestError
from crew_router.router.overrides import CLEARED_EVENT, SET_EVENT
from crew_router.types.clock import SystemClock

app: Final = typer.Typer(help="Pin a model or cap the cost of every request of the project, at once, everywhere.", no_args_is_help=True)
_HOURS_S: Final = 3600.0
_BY: Final = "command line"


@app.command(name="set")
def order(
    *,
    pin: Annotated[str | None, typer.Option("--pin", help="The model that answers first wherever it can.")] = None,
    cost_ceiling: Annotated[float | None, typer.Option("--cost-ceiling", help="Most USD a request may be expected to cost.")] = None,
    hours: Annotated[float | None, typer.Option("--hours", help="When it ends; by default when it is cleared.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Set what holds for every request; it takes the place of what was set before."""
    with one_line_errors(), open_router(config) as router:
        if hours is not None and not hours > 0:
            raise InvalidRequestError("--hours", hours, expected="a number above 0")
        router.override(pin=pin, cost_ceiling=cost_ceiling, until=None if hours is None else SystemClock().now() + hours * _HOURS_S, by=_BY)
        _show(router.history.last_event((SET_EVENT, CLEARED_EVENT)), as_json=as_json)


@app.command()
def show(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what holds at the moment."""
    with one_line_errors(), open_router(config) as router:
        _show(router.history.last_event((SET_EVENT, CLEARED_EVENT)), as_json=as_json)


@app.command()
def clear(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Take back what was set."""
    with one_line_errors(), open_router(config) as router:
        router.clear_override(by=_BY)
        _show(None, as_json=as_json)


def _show(event: tuple[str, Mapping[str, object]] | None, *, as_json: bool) -> None:
    fields: Mapping[str, object] = event[1] if event is not None and event[0] == SET_EVENT else {}
    until = fields.get("until")
    if not fields or (isinstance(until, (int, float)) and until <= SystemClock().now()):
        say_json(None) if as_json else say("no override holds")
        return
    if as_json:
        say_json(fields)
        return
    pin, ceiling = fields.get("pin"), fields.get("cost_ceiling_usd")
    parts = [f"{pin} answers first"] if pin else []
    parts += [f"a request may cost ${ceiling:g} at most"] if isinstance(ceiling, (int, float)) else []
    end = f"until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC" if isinstance(until, (int, float)) else "until it is cleared"
    say(f"{' and '.join(parts)}, {end} (by {fields.get('by')})")
