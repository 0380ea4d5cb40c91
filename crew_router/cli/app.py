"""The Typer application; each command stands in a module of its own."""

from __future__ import annotations

from typing import Final

import typer

from crew_router.cli import ask, config, demo, explain, health, models, route
from crew_router.cli.console import one_line_errors, say

app: Final = typer.Typer(
    name="crew-router",
    help="Pick the model that serves a request best, run it, and say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(ask.ask)
app.command()(route.route)
app.command()(models.models)
app.command()(health.health)
app.command()(explain.explain)
app.command()(demo.demo)
app.add_typer(config.app, name="config")


@app.command(name="help")
def show_help(context: typer.Context) -> None:
    """Show this help."""
    say(context.parent.get_help() if context.parent else context.get_help())


def run() -> None:
    """Run the application; our errors become one line on stderr."""
    with one_line_errors():
        try:
            app()
        except typer.Exit as leave:  # raised by our own handler inside a callback
            raise SystemExit(leave.exit_code) from None
