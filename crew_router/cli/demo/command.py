"""``crew-router demo``: the main job on real recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, say, say_json, say_table
from crew_router.errors import ConfigurationError

if TYPE_CHECKING:
    from crew_router.cli.demo.run import Report


def demo(
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    picture: Annotated[Path, typer.Option(help="Where to write the cost-quality picture.")] = Path("crew-router-demo.svg"),
) -> None:
    """Route 121 real tasks over three real recorded models; compare with each single model, a random mix and the oracle."""
    from crew_router.cli.demo.recordings import CORES, USD_PER_CORE_HOUR, load_tasks  # comes when the demo runs
    from crew_router.cli.demo.run import run_demo, steps

    with one_line_errors():
        tasks = load_tasks()
        report = _with_progress(steps(tasks), lambda progress: run_demo(tasks, config=config, progress=progress))
        _write(picture, report)
        if as_json:
            say_json({"tasks": len(tasks), "lines": report.lines, "headline": report.headline, "picture": str(picture)})
            return
        rows = [(line.name, f"{line.accuracy:.1%}", f"{line.seconds:.2f}", f"{1000 * line.cost_usd:.4f}") for line in report.lines]
        title = f"{len(tasks)} tasks, three models recorded on {CORES} cores, ${USD_PER_CORE_HOUR}/core-hour"
        say_table(title, ("who answers", "right", "seconds/task", "$/1000 tasks"), rows)
        say(
            f"\nheadline setting: {report.headline.name}; used "
            + ", ".join(f"{name} {share:.0%}" for name, share in report.headline.shares)
        )
        say("\nthe trail of one decision:\n" + report.trail.explain())
        say(f"\npicture: {picture}")


def _with_progress(total: int, work: Callable[[Callable[[], None]], Report]) -> Report:
    from rich.console import Console  # comes when the demo runs
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("routing", total=total)
        return work(lambda: bar.advance(task))


def _write(path: Path, report: Report) -> None:
    from crew_router.cli.svg import Point, cost_quality_svg  # comes when the demo runs

    points = [Point(line.name, 1000 * line.cost_usd, line.accuracy, line.kind) for line in report.lines]
    svg = cost_quality_svg("Accuracy and compute cost of 121 real tasks", points, unit="USD of compute per 1,000 tasks")
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("--picture", "", f"{path} cannot be written ({error.strerror})", cure="name a writable path") from error
