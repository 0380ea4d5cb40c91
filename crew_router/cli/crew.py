"""``crew-router crew``: what a CrewAI project will cost, and a run of it within a budget."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json, say_table
from crew_router.errors import ConfigurationError, InvalidRequestError, MissingDependencyError
from crew_router.types.explain import money

app: Final = typer.Typer(help="Plan and run a CrewAI project within a budget.", no_args_is_help=True)

PathArgument = Annotated[Path, typer.Argument(help="Folder of a CrewAI project.")]
BudgetOption = Annotated[float | None, typer.Option("--budget", help="Most USD that the run may be expected to cost.")]
DeadlineOption = Annotated[float | None, typer.Option("--deadline", help="Most seconds that the run may be expected to take.")]
InputsOption = Annotated[list[str] | None, typer.Option("--inputs", help="An input as name=value; may be repeated.")]


@app.command()
def plan(
    path: PathArgument,
    *,
    budget: BudgetOption = None,
    deadline: DeadlineOption = None,
    inputs: InputsOption = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw what growing budgets buy.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write the plan into tasks.yaml, after showing the difference.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before writing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the applied plan out of tasks.yaml again.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show who would do which task of a project and what the run will cost, without calling any model."""
    files, report, project = _part("plan.apply"), _part("plan.report"), _part("plan.project")
    with one_line_errors():
        shape = project.read_project(path, _inputs(inputs))
        if undo:
            files.undo(_tasks_file(shape))
            say(f"{shape.tasks_file} is as it was.")
            return
    with one_line_errors(), open_router(config) as router:
        made = _part("plan.build").plan_crew(shape, budget_usd=budget, deadline_s=deadline, router=router)
        if as_json:
            say_json(made.to_dict())
        else:
            say_table(f"Plan of {made.crew}", report.HEADER, report.rows(made))
            say("\n".join(report.notes(made)))
            if plot:
                say(report.plot(made))
        if apply:
            _apply(files, _tasks_file(shape), made, yes=yes, quiet=as_json)


def _apply(files: Any, file: Path, made: Any, *, yes: bool, quiet: bool) -> None:
    text = files.written(file, made)
    change = files.difference(file, text)
    if not change:
        typer.echo("The plan stands in the file already.", err=quiet)
        return
    typer.echo(change, err=quiet)
    if not yes:
        typer.confirm(f"Write this into {file}?", abort=True, err=quiet)
    files.apply(file, text)
    typer.echo(f"Written; `crew-router crew plan … --undo` takes it out of {file} again.", err=quiet)


@app.command()
def run(
    path: PathArgument,
    *,
    budget: BudgetOption = None,
    deadline: DeadlineOption = None,
    inputs: InputsOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Run a project within a budget, and report plan against actual. This runs the project's code."""
    with one_line_errors(), open_router(config) as router:
        live, report = _part("plan.live"), _part("plan.report")
        crew, defaults = live.load_crew(path)
        given = {**defaults, **_inputs(inputs)}

        def shown(state: Any) -> None:
            left = "" if state.left_usd is None else f", {money(max(state.left_usd, 0.0))} left"
            last = state.done[-1]
            typer.echo(f"{last.task}: {last.who}, {money(last.cost_usd)}; so far {money(state.cost_usd)}{left}", err=as_json)

        ended = live.run_crew(crew, router, budget_usd=budget, deadline_s=deadline, inputs=given, shown=shown)
        actual = [(each.task, each.who, each.cost_usd, each.calls) for each in ended.done]
        if as_json:
            done = [dict(zip(("task", "candidate", "cost_usd", "calls"), each, strict=True)) for each in actual]
            say_json({"output": str(ended.output), "plan": ended.plan.to_dict(), "actual": done, "cost_usd": ended.cost_usd})
            return
        say(str(ended.output))
        header = ("task", "who", "calls", "planned", "cost", "planned cost")
        say_table("Plan against actual", header, report.compared(ended.plan, actual))


def _inputs(given: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in given or ()]
    for name, sign, _ in pairs:
        if not sign or not name:
            raise InvalidRequestError("inputs", name, expected="name=value")
    return {name: value for name, _, value in pairs}


def _tasks_file(shape: Any) -> Path:
    if shape.tasks_file is None:
        cure = "use `crew-router crew run`, or plan_crew in Python"
        raise ConfigurationError(shape.name, "", "a crew in JSON cannot hold routing blocks", cure=cure)
    file: Path = shape.tasks_file
    return file


def _part(name: str) -> Any:
    """Return a module of the CrewAI adapter, which takes seconds to import."""
    try:
        return importlib.import_module(f"crew_router_crewai.{name}")
    except ModuleNotFoundError as missing:
        raise MissingDependencyError(missing.name or "crewai", extra="crewai") from missing
