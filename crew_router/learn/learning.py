"""Turn feedback into a reward, and pass the reward to the ledger, the learned weights and the strategies that learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crew_router.decide.bandits.updates import BanditUpdate
from crew_router.errors import ConfigurationError, UnknownDecisionError
from crew_router.learn.feedback import RUN_PREFIX, Answered, Learner, Recent, adds_nothing, merged_feedback, previous_reward
from crew_router.learn.reward import reward_of
from crew_router.types import FeedbackData, ModelRef

if TYPE_CHECKING:
    from crew_router.record.ledger.protocol import Ledger
    from crew_router.record.state.protocol import State
    from crew_router.types import RoutingDecision
    from crew_router.types.clock import Clock

RewardListener = Callable[[Answered, float, float | None], None]


@dataclass(frozen=True, slots=True)
class Learning:
    """Finds the decision that feedback is about, and passes its reward on.

    Args:
        ledger: Where decisions and earlier feedback are read, and feedback is written.
        state: Where learned weights and the sums of the learners are kept.
        clock: Source of the time.
        learners: Returns the strategies that learn.
        enabled: Whether anything is learnt; feedback is written to the ledger in any case.
        heard: Called with every new reward and the one it corrects (``None`` for the first); experiments count them.
        recent: The newest answers of this process.
    """

    ledger: Ledger
    state: State
    clock: Clock
    learners: Callable[[], Sequence[Learner]] = tuple
    enabled: bool = True
    heard: RewardListener | None = None
    recent: Recent = field(default_factory=Recent)

    def remember(self, decision: RoutingDecision, model: ModelRef) -> None:
        """Remember which model answered a request, so that feedback on it needs no read of the ledger."""
        self.recent.put(decision.id, answered_of(decision, model))

    def record(self, feedback: FeedbackData, model: ModelRef | None) -> float:
        """Record feedback and return the reward, 0..1, of all feedback on that answer so far.

        Args:
            feedback: The new feedback.
            model: The model it is about; ``None`` for the one that answered.

        Raises:
            UnknownDecisionError: Neither this process nor the ledger knows the decision, and no model is named.
        """
        if feedback.request_id.startswith(RUN_PREFIX):
            return self._record_run(feedback)
        subject, from_answerer = self._subject(feedback, model)
        merged = merged_feedback(subject.feedback, feedback)
        reward, previous = reward_of(merged), previous_reward(subject.feedback)
        self.ledger.said(feedback, reward=reward, at=self.clock.now())
        positions = dict(subject.positions)
        if not adds_nothing(subject.feedback, merged):
            if self.enabled:
                self.state.learn(subject.model, subject.task_type, reward=reward)
                positions |= self._update_learners(subject, reward, previous)
            if self.heard is not None:
                self.heard(subject, reward, previous)
        if from_answerer:
            self.recent.put(feedback.request_id, replace(subject, feedback=merged, positions=positions))
        return reward

    def record_outcome(self, decision_id: str, *, success: bool, quality: float | None) -> None:
        """Use a reported outcome as a reward, unless there is feedback on the answer already.

        The learned weight (A12) is changed by feedback only. The recorder adds a reported quality to the performance figures.
        """
        subject = self.subject(decision_id)
        feedback = FeedbackData(decision_id, quality_score=float(success) if quality is None else quality)
        if subject.feedback is None:
            reward = reward_of(feedback)
            positions = self._update_learners(subject, reward, None) if self.enabled else {}
            if self.heard is not None:
                self.heard(subject, reward, None)
            self.recent.put(decision_id, replace(subject, feedback=feedback, positions=positions))

    def subject(self, decision_id: str) -> Answered:
        """Return which model answered a decision, and the feedback on it that this process knows.

        Raises:
            UnknownDecisionError: Neither this process nor the ledger knows the decision.
        """
        recent = self.recent.get(decision_id)
        return recent if recent is not None else self._from_ledger(decision_id)

    def _subject(self, feedback: FeedbackData, model: ModelRef | None) -> tuple[Answered, bool]:
        """Return the answer that feedback is about, and whether it is the one of the model that answered."""
        known = self.recent.get(feedback.request_id)
        if known is None:
            try:
                known = self._from_ledger(feedback.request_id)
            except UnknownDecisionError:
                if model is None:
                    raise
                return Answered(model, feedback.task_type, feedback=self._earlier_feedback(feedback.request_id, model)), False
            known = replace(known, feedback=self._earlier_feedback(feedback.request_id, None if model == known.model else model))
        task = feedback.task_type or known.task_type
        if model is not None and model == known.model.model:
            model = known.model  # whoever names the model alone means the effort that answered
        if model is None or model == known.model:
            return replace(known, task_type=task), True
        # The feedback is about another model than the one that answered, as a judge's may be: it does not count for the answer.
        return Answered(model, task, profile=known.profile, feedback=self._earlier_feedback(feedback.request_id, model)), False

    def _from_ledger(self, decision_id: str) -> Answered:
        decision = self.ledger.decision(decision_id)
        answered = [attempt.model for attempt in self.ledger.attempts(decision_id) if attempt.ok]
        return answered_of(decision, answered[-1] if answered else decision.candidate)

    def _earlier_feedback(self, decision_id: str, model: ModelRef | None) -> FeedbackData | None:
        merged: FeedbackData | None = None
        for each in self.ledger.feedback(decision_id):
            if model is None or each.model_id == model:
                merged = merged_feedback(merged, each)
        return merged

    def _update_learners(self, subject: Answered, reward: float, previous: float | None) -> dict[str, float]:
        update = BanditUpdate(
            subject.model, subject.task_type, reward=reward, previous=previous, profile=subject.profile, positions=subject.positions
        )
        return self._apply_update(update, self._learners(subject.strategy))

    def _apply_update(self, update: BanditUpdate, learners: Sequence[Learner]) -> dict[str, float]:
        """Add the reward to the learners' sums and return, by learner, the position where it was added."""
        positions: dict[str, float] = {}
        for learner in learners:
            state_update = learner.state_update(update, self.state.snapshot().sums)
            if state_update is not None:
                positions[learner.memory_name] = state_update.position
                for name, values in state_update.additions:
                    self.state.count(name, values)
        return positions

    def _learners(self, strategy: str) -> Sequence[Learner]:
        """Return the configured learners and, when it learns, the strategy that a request named."""
        from crew_router.decide.strategies import make_strategy  # imports numpy, so only when needed

        learners = self.learners()
        if not strategy:
            return learners
        try:
            named = make_strategy(strategy)
        except ConfigurationError:
            return learners
        return learners_of((*learners, named))

    def _record_run(self, feedback: FeedbackData) -> float:
        """Record feedback on a whole run, and credit each step of the run with it."""
        earlier = self._earlier_feedback(feedback.request_id, None)
        merged = merged_feedback(earlier, feedback)
        reward = reward_of(merged)
        steps = self.ledger.run(feedback.request_id.removeprefix(RUN_PREFIX))
        if not steps:
            raise UnknownDecisionError(feedback.request_id)
        self.ledger.said(feedback, reward=reward, at=self.clock.now())
        if self.enabled and not adds_nothing(earlier, merged):
            self._credit_steps([answered_of(decision, model) for decision, model in steps], reward)
        return reward

    def _credit_steps(self, steps: Sequence[Answered], reward: float) -> None:
        for steps_from_end, step in enumerate(reversed(steps)):
            for learner in self._learners(step.strategy):
                weight = learner.step_discount**steps_from_end
                update = BanditUpdate(step.model, step.task_type, reward=reward, profile=step.profile, weight=weight, of_run=True)
                self._apply_update(update, (learner,))


def answered_of(decision: RoutingDecision, model: ModelRef) -> Answered:
    """Return what later feedback needs to know of an answer."""
    profile = decision.profile
    return Answered(
        model,
        profile.task_type.value,
        profile=profile,
        strategy=decision.strategy,
        draw=decision.draw,
        expected=decision.confidence,
        session=decision.request.session_id or decision.request.run_id,
    )


def learners_of(strategies: Iterable[object]) -> tuple[Learner, ...]:
    """Return the strategies that learn; of several that share a memory, only one."""
    return tuple({each.memory_name: each for each in strategies if isinstance(each, Learner)}.values())
