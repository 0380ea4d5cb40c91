"""The experiments of a project: which one a request takes part in, the counts of each arm, and conclusions from them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cachetools import FIFOCache

from crew_router.decide.strategies.assignment import unit_of
from crew_router.errors import InvalidRequestError
from crew_router.learn.experiments.analysis import UNITS, Report, analyze, group, next_state
from crew_router.learn.experiments.plan import Arm, Experiment
from crew_router.record.recorder import RecordObserver
from crew_router.record.state.store import StoreError
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.decide.strategies import Strategy
    from crew_router.learn.feedback import Answered
    from crew_router.record.ledger.protocol import RequestOutcome
    from crew_router.record.state.protocol import State
    from crew_router.types import Draw, RoutingDecision, RoutingRequest
    from crew_router.types.clock import Clock

_DOCUMENT: Final = "experiments"
_REFRESH_S: Final = 1.0
_UNITS_KEPT: Final = 100_000
_TRIES: Final = 20
_PLAN_FIELDS: Final = ("arms", "control", "primary", "guardrails", "min_samples", "alpha", "unit", "task_types", "adopt", "stages")
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment with the strategies of its arms; an arm without one uses the router's own."""

    experiment: Experiment
    strategies: Mapping[str, Strategy]


class Trials(RecordObserver):
    """Holds the experiments of one project; every process sees what another starts or concludes within about a second.

    Args:
        state: Where plans and counts are shared by all processes.
        clock: Source of the time.
        build: Makes the strategy of an arm, ``None`` for the router's own.
        enabled: False (``ROUTING_AB_TEST_ENABLED``) gives every request to the router's own strategy.
    """

    def __init__(self, state: State, clock: Clock, build: Callable[[Arm], Strategy | None], *, enabled: bool = True) -> None:
        self._state, self._clock, self._build, self._enabled = state, clock, build, enabled
        self._running: tuple[Running, ...] = ()
        self._version, self._read_at = -1, clock.monotonic()
        self._units: FIFOCache[tuple[str, int, str], None] = FIFOCache(_UNITS_KEPT)
        self._lock = threading.RLock()
        free_in_child(self, make=threading.RLock)

    # Plans

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """Every experiment; a request takes part in the first one that applies to it."""
        self.refresh(force=True)
        return tuple(each.experiment for each in self._running)

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """The strategies of all arms."""
        return tuple(strategy for each in self._running for strategy in each.strategies.values())

    def named(self, name: str) -> Experiment:
        """Return the experiment of a name.

        Raises:
            InvalidRequestError: There is none of that name.
        """
        for experiment in self.experiments:
            if experiment.name == name:
                return experiment
        raise InvalidRequestError("experiment", name, expected=f"one of {[each.name for each in self.experiments]}")

    def declare(self, experiments: Sequence[Experiment]) -> None:
        """Add the experiments of the configuration; counts so far are kept, and a changed plan starts a new stage."""

        def added(known: tuple[Experiment, ...]) -> tuple[Experiment, ...]:
            by_name = {each.name: each for each in known}
            merged = {each.name: _merged_with_known(each, by_name.get(each.name)) for each in experiments}
            return (*(merged.pop(each.name, each) for each in known), *merged.values())

        if experiments:
            self._change(added)

    def put(self, experiment: Experiment) -> None:
        """Add an experiment, or replace the one of the same name."""
        self._change(lambda known: (*(each for each in known if each.name != experiment.name), experiment))

    def report(self, name: str) -> Report:
        """Return the report of an experiment."""
        return analyze(self.named(name), self._state.snapshot().sums)

    def refresh(self, *, force: bool = False) -> None:
        """Read what other processes changed, at most once a second."""
        if not force and self._clock.monotonic() - self._read_at < _REFRESH_S:
            return
        self._read_at = self._clock.monotonic()
        try:
            document = self._state.document(_DOCUMENT)
        except StoreError as error:
            _log.warning("the state cannot be read, so experiments continue as this process knows them: %s", error)
            return
        self._adopt(document.version, _from_json(document.text))

    # Assignment

    def of(self, request: RoutingRequest, task_type: str) -> Running | None:
        """Return the experiment that a request takes part in: the first active one for its task type, else ``None``."""
        if not self._enabled or request.force_model is not None:
            return None
        for each in self._running:
            experiment = each.experiment
            goes_on = experiment.status == "running" or (experiment.status == "won" and experiment.adopt)
            if goes_on and (not experiment.task_types or task_type in experiment.task_types):
                return each
        return None

    # Counting

    def decided(self, decision: RoutingDecision) -> None:
        """Count the unit for its arm, once, and whether each shadow arm chose the same model."""
        self.refresh()
        experiment = self._experiment_of(decision.draw)
        if experiment is None:
            return
        stage = int(decision.draw.detail.get("stage", 0.0))
        shares = experiment.shares(stage) if experiment.stages else experiment.shares()
        if self._is_new(experiment, stage, decision):
            for name, share in shares.items():
                if share > 0:
                    self._state.count(f"{group(experiment.name, stage)}/{name}:{UNITS}", (float(name == decision.draw.arm), share))
        for arm in experiment.arms:
            same = decision.draw.detail.get(f"shadow:{arm.name}")
            if same is not None:
                self._count(decision.draw, f"{arm.name}:shadow", same)

    def finished(self, decision: RoutingDecision, outcome: RequestOutcome) -> None:
        """Add the figures of a finished request to those of its arm."""
        draw = decision.draw
        if self._experiment_of(draw) is None:
            return
        figures = {
            "success": float(outcome.success),
            "cost_usd": None if outcome.cost_nano is None else outcome.cost_nano / 1e9,
            "latency_s": outcome.latency_s,
            "confidence": outcome.confidence,
        }
        for metric, value in figures.items():
            if value is not None:
                self._count(draw, f"{draw.arm}:{metric}", value)
        self._conclude(draw)

    def heard(self, subject: Answered, reward: float, previous: float | None) -> None:
        """Add a reward to those of its arm, or correct an earlier one."""
        draw = subject.draw
        if draw is None or self._experiment_of(draw) is None:
            return
        for name in ("reward", f"reward@{subject.task_type}"):
            self._count(draw, f"{draw.arm}:{name}", reward, previous=previous)
        self._conclude(draw)

    def _count(self, draw: Draw, name: str, value: float, previous: float | None = None) -> None:
        prefix = group(str(draw.experiment), int(draw.detail.get("stage", 0.0)))
        change = (1.0, value, value * value) if previous is None else (0.0, value - previous, value * value - previous * previous)
        self._state.count(f"{prefix}/{name}", change)

    def _experiment_of(self, draw: Draw) -> Experiment | None:
        if draw.experiment is None:
            return None
        return next((each.experiment for each in self._running if each.experiment.name == draw.experiment), None)

    def _is_new(self, experiment: Experiment, stage: int, decision: RoutingDecision) -> bool:
        """Tell whether a unit is counted for the first time; a request without user, session or run is a unit of its own."""
        unit = unit_of(experiment.unit, decision.request)
        if unit is None:
            return True
        key = (experiment.name, stage, unit)
        with self._lock:
            is_new = key not in self._units
            self._units[key] = None
        return is_new

    def _conclude(self, draw: Draw) -> None:
        experiment = self._experiment_of(draw)
        if experiment is None or experiment.status != "running":
            return
        after = next_state(experiment, analyze(experiment, self._state.snapshot().sums))
        if after != experiment:
            _log.info("experiment %s: %s, stage %d, winner %r", after.name, after.status, after.stage, after.winner)
            # Replaced only if it has not changed: another process may have concluded the same already.
            self._change(lambda known: tuple(after if each == experiment else each for each in known))

    def _change(self, change: Callable[[tuple[Experiment, ...]], tuple[Experiment, ...]]) -> None:
        """Change the shared document by compare-and-swap; without the store, change it in this process only."""
        for _ in range(_TRIES):
            try:
                document = self._state.document(_DOCUMENT)
                current = _from_json(document.text)
                after = change(current)
                if after == current or self._state.swap(_DOCUMENT, _to_json(after), expected=document.version):
                    self._adopt(document.version + (after != current), after)
                    return
            except StoreError as error:
                _log.warning("experiments are changed in this process only: %s", error)
                self._adopt(self._version, change(tuple(each.experiment for each in self._running)), force=True)
                return
        _log.warning("experiments were changed by others %d times in a row; this change is left out", _TRIES)

    def _adopt(self, version: int, experiments: tuple[Experiment, ...], *, force: bool = False) -> None:
        with self._lock:
            if version == self._version and not force:
                return
            self._version = version
            self._running = tuple(Running(each, self._strategies_of(each.arms)) for each in experiments)

    def _strategies_of(self, arms: Iterable[Arm]) -> dict[str, Strategy]:
        made = ((arm.name, self._build(arm)) for arm in arms)
        return {name: strategy for name, strategy in made if strategy is not None}


def _merged_with_known(plan: Experiment, known: Experiment | None) -> Experiment:
    """Return the plan of the configuration, continued from the experiment of that name that is already known."""
    if known is None:
        return plan
    if all(getattr(plan, name) == getattr(known, name) for name in _PLAN_FIELDS):
        return known
    return replace(plan, stage=0 if plan.stages else known.stage + 1)


def _from_json(text: str) -> tuple[Experiment, ...]:
    return tuple(map(Experiment.from_dict, json.loads(text))) if text else ()


def _to_json(experiments: Sequence[Experiment]) -> str:
    return json.dumps([each.to_dict() for each in experiments])
