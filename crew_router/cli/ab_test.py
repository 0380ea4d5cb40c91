"""``crew-router ab-test``: comparisons of strategies or models on live traffic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json, say_table

if TYPE_CHECKING:
    from crew_router.learn.experiments import Report

app: Final = typer.Typer(name="ab-test", help="Compare strategies or models on live traffic.", invoke_without_command=True)
Name = Annotated[str, typer.Argument(help="Name of an experiment.")]


@app.callback()
def ab_test(context: typer.Context, *, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show every experiment and its result so far; looking often does not raise the error rate."""
    if context.invoked_subcommand is not None:
        return
    with one_line_errors(), open_router(config) as router:
        reports = [router.experiments.analyze(each.name) for each in router.experiments.all]
        if as_json:
            say_json([document(report) for report in reports])
            return
        for report in reports:
            show(report)
        if not reports:
            say("No experiment. Start one with `crew-router ab-test start five_strategies`.")


@app.command()
def start(
    preset: Annotated[str, typer.Argument(help="five_strategies or rollout; others come from `experiments:` in the configuration.")],
    *,
    name: Annotated[str | None, typer.Option(help="Name of the experiment.", show_default="that of the preset")] = None,
    baseline: Annotated[str | None, typer.Option(help="Model that a roll-out starts from.", show_default="configured")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Start a preset experiment in every process of the project."""
    with one_line_errors(), open_router(config) as router:
        plan = router.experiments.start(preset, name=name, baseline=baseline)
        if as_json:
            say_json(plan.to_dict())
        else:
            say(f"{plan.name} runs: " + ", ".join(f"{arm} {share:.0%}" for arm, share in plan.shares().items()))


@app.command()
def analyze(name: Name, *, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the result of one experiment so far."""
    with one_line_errors(), open_router(config) as router:
        report = router.experiments.analyze(name)
        if as_json:
            say_json(document(report))
        else:
            show(report)


@app.command()
def assign(
    name: Name, user: Annotated[str, typer.Argument(help="Id of a user.")], *, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Tell which arm a user gets."""
    with one_line_errors(), open_router(config) as router:
        arm = router.experiments.assign(name, user)
        if as_json:
            say_json({"experiment": name, "user": user, "arm": arm})
        else:
            say(arm)


@app.command()
def stop(
    name: Name,
    *,
    winner: Annotated[str | None, typer.Option(help="Arm that gets everything from here on.", show_default="none")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """End an experiment."""
    with one_line_errors(), open_router(config) as router:
        ended = router.experiments.stop(name, winner=winner)
        if as_json:
            say_json(ended.to_dict())
        else:
            say(f"{name} {ended.status}" + (f", {ended.winner} gets everything" if ended.winner else ""))


def document(report: Report) -> dict[str, object]:
    """Return a report as plain data; a mean without values is null."""
    means = {
        arm: {metric: {"mean": None if math.isnan(mean) else mean, "n": count} for metric, (mean, count) in cells.items()}
        for arm, cells in report.means.items()
    }
    return {
        "experiment": report.experiment.to_dict(),
        "means": means,
        "comparisons": report.comparisons,
        "better": report.better,
        "harmful": dict(report.harmful),
        "ready": report.ready,
        "ratio_alarm": report.ratio_alarm,
        "preferences": {task: {"arm": arm, "mean": mean} for task, (arm, mean) in report.preferences.items()},
        "shadows": dict(report.shadows),
    }


def show(report: Report) -> None:
    """Print a report as text."""
    plan = report.experiment
    metrics = list(next(iter(report.means.values())))
    shares = plan.shares()
    rows = [
        [arm, f"{shares[arm]:.0%}", *(_mean_text(cells[metric][0]) for metric in metrics), f"{cells[plan.primary][1]:.0f}"]
        for arm, cells in report.means.items()
    ]
    say_table(f"{plan.name}: {plan.status}{f', winner {plan.winner}' if plan.winner else ''}", ["arm", "share", *metrics, "n"], rows)
    for each in report.comparisons:
        span = each.interval
        say(f"{each.arm} minus {each.against}, {each.metric}: {span.estimate:+.4f} ({span.low:+.4f} to {span.high:+.4f})")
    if report.ratio_alarm:
        say("Sample ratio mismatch: arms do not get their shares, so nothing above is to be believed; look for requests that are lost.")
    for arm, metric in report.harmful.items():
        say(f"{arm} does harm: {metric}")


def _mean_text(mean: float) -> str:
    return "" if math.isnan(mean) else f"{mean:.4g}"
