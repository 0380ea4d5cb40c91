"""``router.experiments``: start, assign, analyze and stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crew_router.decide.strategies.assignment import arm_of
from crew_router.errors import InvalidRequestError
from crew_router.learn.experiments.plan import Arm, Experiment
from crew_router.learn.experiments.presets import five_strategies, rollout
from crew_router.types import ModelRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.config.settings import ArmSettings, ExperimentSettings
    from crew_router.learn.experiments.analysis import Report
    from crew_router.learn.experiments.trials import Trials
    from crew_router.types import RoutingDecision

PRESETS: Final = ("five_strategies", "rollout")
_SHADOW: Final = "shadow:"


class Experiments:
    """Comparisons of strategies or models on live traffic (requirements A13, E5).

    Args:
        trials: The experiments of the project.
        baseline: The model that a roll-out starts from.

    Example:
        >>> from crew_router import Router
        >>> from crew_router.learn.experiments import Arm, Experiment
        >>> from crew_router.testing import ScriptedModel
        >>> models = {"lab:a": ScriptedModel("a"), "lab:b": ScriptedModel("b")}
        >>> with Router(models=models, ledger_url="sqlite://") as router:
        ...     plan = Experiment(name="b", arms=(Arm(name="control", model="lab:a"), Arm(name="b", model="lab:b")))
        ...     _ = router.experiments.start(plan)
        ...     router.experiments.analyze("b").ready
        False
    """

    def __init__(self, trials: Trials, *, baseline: str | None = None) -> None:
        self._trials, self._baseline = trials, baseline

    @property
    def all(self) -> tuple[Experiment, ...]:
        """Every experiment of the project; a request takes part in the first that is for its task type."""
        return self._trials.experiments

    def start(self, experiment: Experiment | str, *, name: str | None = None, baseline: str | None = None) -> Experiment:
        """Start an experiment in every process of the project.

        Args:
            experiment: The plan, or the name of a preset: ``five_strategies`` or ``rollout``.
            name: Name of a preset's experiment, that of the preset when not given.
            baseline: The model that a roll-out starts from, the configured baseline when not given.

        Raises:
            InvalidRequestError: The name is taken or the preset is not known.
            ConfigurationError: A strategy or a parameter is not known.
        """
        plan = experiment if isinstance(experiment, Experiment) else self._preset(experiment, name, baseline or self._baseline)
        if any(known.name == plan.name and known.status == "running" for known in self.all):
            raise InvalidRequestError("name", plan.name, expected="a name that no running experiment has; stop that one first")
        self._trials.put(plan)
        return plan

    def assign(self, name: str, user_id: str) -> str:
        """Return the arm of a user: always the same until weights change, and then as few users as possible move."""
        experiment = self._trials.named(name)
        return arm_of(name, f"user:{user_id}", experiment.shares())

    def analyze(self, name: str) -> Report:
        """Return what an experiment shows so far; however often this is called, the error rate stays ``alpha``."""
        return self._trials.report(name)

    def stop(self, name: str, *, winner: str | None = None) -> Experiment:
        """End an experiment; a winner named here gets all requests.

        Raises:
            InvalidRequestError: There is no such experiment or arm.
        """
        experiment = self._trials.named(name)
        if winner is not None and winner not in [arm.name for arm in experiment.live]:
            raise InvalidRequestError("winner", winner, expected=f"one of {[arm.name for arm in experiment.live]}")
        ended = replace(experiment, status="won" if winner else "stopped", winner=winner or "")
        self._trials.put(ended)
        return ended

    def shadows(self, decision: RoutingDecision) -> Mapping[str, ModelRef]:
        """Return the model that each shadow arm would have called; force it on a request of your own to see its answer."""
        notes = (note for note in decision.table.notes() if note.source.startswith(_SHADOW))
        return {note.source.removeprefix(_SHADOW): ModelRef(note.detail.split()[0]) for note in notes}

    def _preset(self, preset: str, name: str | None, baseline: str | None) -> Experiment:
        if preset == "five_strategies":
            return five_strategies(name or preset)
        if preset != "rollout":
            raise InvalidRequestError("experiment", preset, expected=f"a plan or one of {', '.join(PRESETS)}")
        if baseline is None:
            raise InvalidRequestError("baseline", baseline, expected="a model to start from, or baseline: in the configuration")
        return rollout(name or preset, baseline=baseline)


def plan_of(settings: ExperimentSettings) -> Experiment:
    """Return an experiment as the configuration describes it."""
    return Experiment(
        name=settings.name,
        arms=tuple(map(_arm_of, settings.arms)),
        control=settings.control or "",
        primary=settings.primary,
        guardrails={str(metric): tolerance for metric, tolerance in settings.guardrails.items()},
        min_samples=settings.min_samples,
        alpha=settings.alpha,
        unit=settings.unit,
        task_types=tuple(str(task) for task in settings.task_types),
        adopt=settings.adopt,
        stages=tuple(settings.stages),
    )


def _arm_of(arm: ArmSettings) -> Arm:
    name, parameters = (None, {}) if arm.strategy is None else (arm.strategy.name, dict(arm.strategy.parameters))
    return Arm(name=arm.name, weight=arm.weight, strategy=name, parameters=parameters, model=arm.model, shadow=arm.shadow)
