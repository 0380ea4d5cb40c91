"""The Typer application; each command has a module of its own."""

from __future__ import annotations

import logging
from typing import Annotated, Final

import typer

from crew_router.cli import (
    ab_test,
    ask,
    config,
    crew,
    doctor,
    evaluate,
    explain,
    health,
    history,
    mcp,
    models,
    override,
    policy,
    replay,
    route,
    storage,
    train,
)
from crew_router.cli.console import FAILED, WRONG_USE, JsonOption, one_line_errors, one_line_logs, say, say_json
from crew_router.cli.demo.command import demo

# click's error for a wrong command line. Depending on its version, typer contains a copy of click or uses the package, so the
# class is found among the bases of typer's own error.
_USAGE_ERROR: Final = next(base for base in typer.BadParameter.__mro__ if issubclass(base, Exception) and base.__name__ == "ClickException")

app: Final = typer.Typer(
    name="crew-router",
    help="Pick the model that serves a request best, run it, and say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # slow, and nobody else asks

        say(f"crew-router {version('crew-router')}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")] = False,
) -> None:
    """Pick the model that serves a request best, run it, and say why."""


app.command()(ask.ask)
app.command()(route.route)
app.add_typer(models.app, name="models")
app.command()(health.health)
app.command()(doctor.doctor)
app.command()(explain.explain)
app.command()(history.log)
app.command()(history.feedback)
app.add_typer(override.app, name="override")
app.command()(demo)
app.add_typer(mcp.app, name="mcp")
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
app.add_typer(crew.app, name="crew")


@app.command(name="help")
def show_help(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show this help; with --json, every command with the first line of its help."""
    if as_json:
        commands = typer.main.get_group(app).commands.items()
        say_json({name: (command.help or "").strip().partition("\n")[0] for name, command in sorted(commands)})
    else:
        say(context.parent.get_help() if context.parent else context.get_help())


def run() -> None:
    """Run the application; our errors, wrong use and log records are each printed as one line on stderr."""
    logging.basicConfig(handlers=[one_line_logs()])
    try:
        with one_line_errors():
            code = app(prog_name="crew-router", standalone_mode=False)
    except typer.Exit as leave:  # raised by our own handler
        code = leave.exit_code
    except typer.Abort:
        typer.echo("crew-router: aborted", err=True)
        code = FAILED
    except _USAGE_ERROR as error:
        code = _report_wrong_use(error)
    raise SystemExit(code or 0)


def _report_wrong_use(error: Exception) -> int:
    """Print what is wrong with a command line, and where its help is; for one without arguments, print the help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]  # click's own
        return WRONG_USE
    context = getattr(error, "ctx", None)
    path = "crew-router" if context is None else context.command_path
    message = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]  # as above
    typer.echo(f"crew-router: {message}; see `{path} --help`", err=True)
    return WRONG_USE
