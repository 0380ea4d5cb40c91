"""The Typer application; each command stands in a module of its own."""

from __future__ import annotations

from typing import Final

import typer

from crew_router.cli import ab_test, ask, config, demo, evaluate, explain, health, mcp, models, policy, replay, route, storage, train
from crew_router.cli.console import JsonOption, one_line_errors, say, say_json

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
app.command()(mcp.mcp)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(storage.cost)
app.command()(storage.export)
app.command(name="import")(storage.take_in)
app.command()(storage.reset)
app.add_typer(config.app, name="config")
app.add_typer(policy.app, name="policy")
app.command()(replay.replay)
app.add_typer(ab_test.app, name="ab-test")


@app.command(name="help")
def show_help(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show this help; with --json, every command with the first line of its help."""
    if as_json:
        commands = typer.main.get_group(app).commands.items()
        say_json({name: (command.help or "").strip().partition("\n")[0] for name, command in sorted(commands)})
    else:
        say(context.parent.get_help() if context.parent else context.get_help())


def run() -> None:
    """Run the application; our errors become one line on stderr."""
    with one_line_errors():
        try:
            app()
        except typer.Exit as leave:  # raised by our own handler inside a callback
            raise SystemExit(leave.exit_code) from None
