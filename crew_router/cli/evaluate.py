"""``crew-router evaluate``: run the real router over recorded outcomes, beside baselines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, say, say_json, say_table
from crew_router.cli.train import HourOption
from crew_router.errors import ConfigurationError

if TYPE_CHECKING:
    from crew_router.evaluate.evaluation import Evaluation, Figures
    from crew_router.evaluate.tier_report import TierReport

_PER_THOUSAND = 1000.0


def evaluate(
    *,
    data: Annotated[Path, typer.Option("--data", help="Outcome file: JSON lines, plain or .gz.")],
    model: Annotated[Path | None, typer.Option("--model", help="Folder that `crew-router train` wrote.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Where to draw cost against quality, as SVG.")] = None,
    rows: Annotated[Path | None, typer.Option("--rows", help="Where to write one JSON object per setting and prompt.")] = None,
    preset: Annotated[Literal["smart_cost"] | None, typer.Option("--preset", help="Report the figures of the tier cascade.")] = None,
    leave_one_domain_out: Annotated[
        bool, typer.Option("--leave-one-domain-out", help="Train on all domains but one, judge on that one.")
    ] = False,
    usd_per_hour: HourOption = 0.04,
    as_json: JsonOption = False,
    config: ConfigOption = None,  # noqa: ARG001 - every command has it; the models are those of the file
) -> None:
    """Run the router over recorded outcomes at many settings of the dial; report its cost-quality curve beside the baselines."""
    with one_line_errors():
        from crew_router.evaluate.outcomes import read_outcomes  # slow to import, so only when the command runs

        table = read_outcomes(data, usd_per_hour=usd_per_hour)
        with _bar() as advance:
            if leave_one_domain_out:
                from crew_router.evaluate.leave_one_domain_out import evaluate_left_out_domains

                evaluation = evaluate_left_out_domains(table, progress=advance)
            else:
                from crew_router.evaluate.artifact_report import evaluate_artifact

                evaluation = evaluate_artifact(table, model, progress=advance)
        _write(evaluation, rows=rows, plot=plot)
        tiers = None
        if preset is not None:
            from crew_router.evaluate.tier_report import tier_report

            tiers = tier_report(evaluation, table)
        if as_json:
            say_json(_document(evaluation, tiers))
        else:
            _print(evaluation, tiers)


@contextlib.contextmanager
def _bar() -> Generator[Callable[[int], None], None, None]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("routing", total=None)

        def advance(total: int) -> None:
            bar.update(task, advance=1, total=total)

        yield advance


def _write(evaluation: Evaluation, *, rows: Path | None, plot: Path | None) -> None:
    if rows is not None:
        fields = ("setting", "id", "models", "answered_by", "score", "cost_usd")
        lines = (json.dumps({name: getattr(row, name) for name in fields}, ensure_ascii=False) for row in evaluation.rows)
        _text(rows, "".join(f"{line}\n" for line in lines), option="--rows")
    if plot is not None:
        _text(plot, _picture(evaluation), option="--plot")


def _text(path: Path, text: str, *, option: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(option, "", f"{path} cannot be written ({error.strerror})", cure="name a writable path.") from error


def _picture(evaluation: Evaluation) -> str:
    from crew_router.cli.svg import Point, cost_quality_svg

    points = [
        Point(name, _PER_THOUSAND * point.cost_usd, point.quality, "single")
        for name, point in zip(evaluation.models, evaluation.singles, strict=True)
    ]
    points += [Point(f"worth ${each.worth_usd:.3g}", _PER_THOUSAND * each.cost_usd, each.quality, "router") for each in evaluation.settings]
    return cost_quality_svg(f"{evaluation.prompts} prompts, {len(evaluation.models)} models", points, unit="USD per 1,000 requests")


def _figures(name: str, figures: Figures) -> tuple[str, ...]:
    return (name, f"{figures.aiq:.4f}", f"{figures.max_quality:.4f}", _usd(figures.cost_at_95_usd), _usd(figures.cost_at_100_usd))


def _usd(cost_usd: float | None) -> str:
    return "never" if cost_usd is None else f"{_PER_THOUSAND * cost_usd:.4f}"


def _print(evaluation: Evaluation, tiers: TierReport | None) -> None:
    header = ("who", "AIQ", "best quality", "$/1k at 95 %", "$/1k at 100 %")
    lines = [_figures("router", evaluation.router), *(_figures(baseline.name, figures) for baseline, figures in evaluation.baselines)]
    say_table(f"{evaluation.prompts} prompts, {len(evaluation.models)} models; shares of the best single model", header, lines)
    settings = [
        (f"{worth:.3g}", f"{_PER_THOUSAND * cost:.4f}", f"{quality:.4f}", f"{error:.4f}", f"{calls:.2f}")
        for worth, cost, quality, error, calls in (
            (each.worth_usd, each.cost_usd, each.quality, each.standard_error, each.calls) for each in evaluation.settings
        )
    ]
    say_table("settings of the dial", ("a right answer is worth $", "$/1k", "quality", "± standard error", "calls"), settings)
    say(f"decision: p50 {1000 * evaluation.decision_p50_s:.2f} ms, p99 {1000 * evaluation.decision_p99_s:.2f} ms")
    if evaluation.apgr is not None:
        say(f"APGR {evaluation.apgr:.3f}, CPT(50 %) {evaluation.cpt_50}, CPT(80 %) {evaluation.cpt_80}")
    if tiers is not None:
        say_table("smart_cost", ("what", "figure", "goal", "met"), [line.cells() for line in tiers.lines])


def _document(evaluation: Evaluation, tiers: TierReport | None) -> dict[str, object]:
    return {
        "prompts": evaluation.prompts,
        "models": [
            {"model": name, "cost_usd": point.cost_usd, "quality": point.quality}
            for name, point in zip(evaluation.models, evaluation.singles, strict=True)
        ],
        "router": evaluation.router,
        "settings": evaluation.settings,
        "yardsticks": [
            {"name": baseline.name, "figures": figures, "points": baseline.points} for baseline, figures in evaluation.baselines
        ],
        "apgr": evaluation.apgr,
        "cpt_50": evaluation.cpt_50,
        "cpt_80": evaluation.cpt_80,
        "decision_p50_s": evaluation.decision_p50_s,
        "decision_p99_s": evaluation.decision_p99_s,
        "smart_cost": None if tiers is None else tiers.lines,
    }
