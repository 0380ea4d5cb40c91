"""``crew-router train``: train a model from outcomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, open_router, say, say_json, say_table
from crew_router.errors import InvalidRequestError

if TYPE_CHECKING:
    from crew_router.decide.learned.trained_model import TrainedModel
    from crew_router.evaluate.outcomes import OutcomeTable
    from crew_router.evaluate.training import Progress

DataOption = Annotated[Path | None, typer.Option("--data", help="Outcome file: JSON lines, plain or .gz.")]
HourOption = Annotated[float, typer.Option("--usd-per-hour", help="Price of compute time, for outcomes that state a latency but no price.")]
_STEPS = 4


def train(
    *,
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write the trained model to.")],
    from_ledger: Annotated[bool, typer.Option("--from-ledger", help="Learn from this router's own history.")] = False,
    usd_per_hour: HourOption = 0.04,
    seed: Annotated[int, typer.Option(help="Makes training repeatable.")] = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Learn quality, price and length of every model's answers, and a table of plans, from outcomes."""
    with one_line_errors():
        from crew_router.decide.learned.artifact import save  # slow to import, so only when the command runs
        from crew_router.evaluate.training import train as learn

        table = _table(data, from_ledger=from_ledger, usd_per_hour=usd_per_hour, config=config)
        learned = _with_progress(lambda progress: learn(table, seed=seed, progress=progress))
        save(learned, out)
        _print(learned, out, as_json=as_json)


def _table(data: Path | None, *, from_ledger: bool, usd_per_hour: float, config: Path | None) -> OutcomeTable:
    from crew_router.evaluate.outcomes import read_outcomes

    if (data is None) is not from_ledger:
        raise InvalidRequestError("--data", str(data), expected="either --data FILE or --from-ledger")
    if data is not None:
        return read_outcomes(data, usd_per_hour=usd_per_hour)
    from crew_router.evaluate.history import outcomes_of

    with open_router(config) as router:
        return outcomes_of(router.history)


def _with_progress(work: Callable[[Progress], TrainedModel]) -> TrainedModel:
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=_STEPS)

        def progress(step: str) -> None:
            bar.update(task, advance=1, description=f"training: {step} done")

        return work(progress)


def _print(learned: TrainedModel, out: Path, *, as_json: bool) -> None:
    report = learned.report
    if as_json:
        fields = ("rows", "clusters", "explained", "ece_before", "ece_after", "ece_plan")
        figures = {name: value if (value := getattr(report, name)) == value else None for name in fields}
        say_json({"out": str(out), "models": learned.models, "plans": len(learned.plans), **figures})
        return
    rows = [
        ("prompts", str(report.rows)),
        ("models", str(len(learned.models))),
        ("clusters of prompts", str(report.clusters)),
        ("plans", str(len(learned.plans))),
        ("variance explained before a call", f"{report.explained:.1%}"),
        ("calibration error before a call", f"{report.ece_before:.3f}"),
        ("calibration error after reading", f"{report.ece_after:.3f}"),
        ("calibration error of accepted answers", f"{report.ece_plan:.3f}"),
    ]
    say_table("trained, figures on held-out rows", ("what", "figure"), rows)
    say(f"written to {out}; use it with `learning: {{model: {out}}}` or judge it with `crew-router evaluate --data FILE --model {out}`")
