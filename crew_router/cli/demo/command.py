"""``crew-router demo``: what the product is for, in four acts on real recordings."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crew_router.cli.console import ConfigOption, JsonOption, one_line_errors, say, say_json, say_table
from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router.types.explain import money

if TYPE_CHECKING:
    from crew_router.cli.demo.curve import Curve, Line
    from crew_router.cli.demo.next_steps import NextSteps
    from crew_router.cli.demo.outage import Outage
    from crew_router.cli.demo.recordings import Halves
    from crew_router.cli.demo.request import Explained
    from crew_router.cli.demo.trial import Trial

_MILLION = 1e6
_SHOWN_MODELS = 8


class Act(StrEnum):
    """One part of the demo."""

    CURVE = "curve"
    OUTAGE = "outage"
    REQUEST = "request"
    NEXT = "next"


def demo(
    *,
    act: Annotated[list[Act] | None, typer.Option("--act", help="Show this act only; may be given several times.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", "--picture", help="Where to draw cost against quality, as SVG.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed splits the tasks into other halves.")] = 7,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Learn from half of the recorded tasks, be judged on the other half: cost and quality, an outage, one request, your own models."""
    from crew_router.cli.demo.recordings import recorded_halves  # comes when the demo runs

    with one_line_errors():
        acts = list(dict.fromkeys(act or Act))
        if plot is not None:
            _check(plot, acts)
        halves = recorded_halves(seed=seed)
        curve, outage, request = _played(acts, halves)
        steps = _steps(request.prompt if request else halves.judged.prompts[0], config) if Act.NEXT in acts else None
        if curve is not None and plot is not None:
            _write(plot, _picture(curve))
        if as_json:
            tasks = {"learnt_from": len(halves.known), "judged_on": len(halves.judged), "seed": seed}
            found: dict[str, object] = {Act.CURVE: curve, Act.OUTAGE: outage, Act.REQUEST: request, Act.NEXT: steps}
            say_json({"tasks": tasks, **found, "plot": None if plot is None else str(plot)})
            return
        _show(halves, curve, outage, request, steps)
        if plot is not None:
            say(f"\npicture: {plot}")


def _check(plot: Path, acts: Sequence[Act]) -> None:
    """Refuse a picture that cannot be drawn before anything is learnt."""
    if plot.suffix.lower() != ".svg":
        raise InvalidRequestError("--plot", str(plot), expected="a name that ends in .svg")
    if Act.CURVE not in acts:
        raise InvalidRequestError("--act", ", ".join(acts), expected="the act curve too, which --plot draws")
    if not plot.absolute().parent.is_dir():
        raise ConfigurationError("--plot", "", f"{plot} cannot be written (there is no folder {plot.parent})", cure="name a writable path.")


def _played(acts: Sequence[Act], halves: Halves) -> tuple[Curve | None, Outage | None, Explained | None]:
    """Play the acts that need a router that has learnt; the last two at the setting that the first one chose."""
    if set(acts) <= {Act.NEXT}:
        return None, None, None
    from crew_router.cli.demo.curve import draw_curve  # comes when the demo runs
    from crew_router.cli.demo.outage import play_outage
    from crew_router.cli.demo.request import explain_one
    from crew_router.cli.demo.trial import SETTINGS, learn_from

    with tempfile.TemporaryDirectory() as folder, _bar(SETTINGS) as advance:
        trial: Trial = learn_from(halves, Path(folder) / "model")
        curve = draw_curve(trial, progress=advance)
        worth = curve.chosen.worth_usd
        outage = play_outage(trial, worth_usd=worth) if Act.OUTAGE in acts else None
        request = explain_one(trial, worth_usd=worth) if Act.REQUEST in acts else None
    return curve if Act.CURVE in acts else None, outage, request


def _steps(prompt: str, config: Path | None) -> NextSteps:
    from crew_router.cli.demo.next_steps import next_steps  # comes when the demo runs

    return next_steps(prompt, config=config)


@contextlib.contextmanager
def _bar(total: int) -> Generator[Callable[[], None], None, None]:
    from rich.console import Console  # comes when the demo runs
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("learning, then judging", total=total)
        yield lambda: bar.advance(task)


def _show(halves: Halves, curve: Curve | None, outage: Outage | None, request: Explained | None, steps: NextSteps | None) -> None:
    from crew_router.cli.demo.recordings import PRICES  # comes when the demo runs

    say(f"{len(halves.known)} recorded tasks to learn from, {len(halves.judged)} others to be judged on; three small models; {PRICES}.")
    if curve is not None:
        _show_curve(curve)
    if outage is not None:
        _show_outage(outage)
    if request is not None:
        _show_request(request)
    if steps is not None:
        _show_steps(steps)


def _show_curve(curve: Curve) -> None:
    say("\n1. Cost and quality")
    header = ("who answers", "right", "$/M tasks", "cost", "s/task", "mix")
    alone = [(*_cells(line, curve.largest), "") for line in (*curve.singles, curve.mix)]
    routed = [(*_cells(offer.line, curve.largest, star=offer.line == curve.chosen.line), f"{offer.mixed:.1%}") for offer in curve.offers]
    oracle = (*_cells(curve.oracle, curve.largest), "")
    say_table("", header, [*alone, *routed, oracle])
    say("router at $N: a million right answers are worth $N; * chosen before judging, by what the router promised.")
    say("cost: as a share of the largest model's; mix: the share right that a mix of single models reaches for the same money.")
    if curve.dominated:
        say(f"{curve.dominated} more settings are not offered: another one is right as often for less.")
    say(f"{curve.conclusion} One standard error of these shares is {curve.standard_error:.1%}.")


def _cells(line: Line, largest: Line, *, star: bool = False) -> tuple[str, ...]:
    cost = f"{line.cost_usd / largest.cost_usd:.0%}"
    return line.name + " *" * star, f"{line.accuracy:.1%}", f"{_MILLION * line.cost_usd:.2f}", cost, f"{line.seconds:.2f}"


def _show_outage(outage: Outage) -> None:
    say(f"\n2. After {outage.after} requests the largest model dies")
    answered = ", ".join(f"{name} {share:.0%}" for name, share in outage.answered)
    rescuers = f"; {', '.join(outage.rescuers)} answered instead" if outage.rescuers else ""
    say(f"{outage.after + outage.later} requests, {outage.lost} lost.")
    say(f"{outage.wanted} of the {outage.later} later ones would have called {outage.model}.")
    say(f"Calls that went to the dead model: {outage.dead_calls}{rescuers}. It was left alone from then on.")
    say(f"The later requests were answered by {answered}.")
    say(
        f"Right before: {outage.accuracy_before:.1%}; after: {outage.accuracy_later:.1%}, where it would have been "
        f"{outage.accuracy_living:.1%} with all models alive. Without other models none of them would have an answer."
    )


def _show_request(request: Explained) -> None:
    say(f"\n3. One request explained ({request.id})")
    say("\n".join(f"  | {line}" for line in request.prompt.splitlines()))
    for call in request.calls:
        say(f"{call.model} for {money(call.cost_usd)}: {_short(call.answer)!r}")
    verdict = f"{request.answered_by}'s answer was taken: {request.score:.0%} right for {money(request.cost_usd)}"
    say(f"{verdict}; {request.largest} alone: {request.largest_score:.0%} right for {money(request.largest_cost_usd)}.")
    say(request.story)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 100 else f"{flat[:99]}…"  # noqa: PLR2004 - about what a line of a terminal leaves


def _show_steps(steps: NextSteps) -> None:
    say("\n4. With your keys and servers")
    if not steps.models:
        say(steps.rationale)
        return
    say(f"{len(steps.models)} models can be called: " + ", ".join(f"{name} {count}" for name, count in steps.providers))
    more = len(steps.models) - _SHOWN_MODELS
    say("\n".join(f"  {ref}" for ref in steps.models[:_SHOWN_MODELS]) + (f"\n  and {more} more: crew-router models" if more > 0 else ""))
    if steps.choice is None:
        say(f"None of them would be chosen for that request: {steps.rationale}")
        return
    say(f"That request would go to {steps.choice} for about {money(steps.estimated_cost_usd)}: {steps.rationale}")
    say("Try it: crew-router ask 'your question'; learn from your own history: crew-router train --from-ledger --out model")


def _picture(curve: Curve) -> str:
    from crew_router.cli.svg import Point, cost_quality_svg  # comes when the demo runs

    def point(line: Line, kind: str, *, star: bool = False) -> Point:
        return Point(line.name + ", chosen beforehand" * star, _MILLION * line.cost_usd, line.accuracy, kind)

    points = [
        *(point(line, "single") for line in curve.singles),
        *(point(line, "yardstick") for line in (curve.mix, curve.oracle)),
        *(point(offer.line, "router", star=offer.line == curve.chosen.line) for offer in curve.offers),
    ]
    return cost_quality_svg(f"{curve.judged} judged tasks, three recorded models", points, unit="USD per million tasks")


def _write(path: Path, svg: str) -> None:
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("--plot", "", f"{path} cannot be written ({error.strerror})", cure="name a writable path.") from error
