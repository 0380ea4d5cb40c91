"""From what somebody says of an answer to what every learner makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crew_router.decide.bandits.updates import BanditUpdate
from crew_router.errors import ConfigurationError, UnknownDecisionError
from crew_router.learn.feedback import RUN, Answered, Learner, Recent, reward_before, same, whole
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
    """Finds the decision that feedback belongs to, and tells its reward to the ledger, the learned weights and the learners.

    Args:
        ledger: Where decisions and earlier feedback are read.
        state: Where weights and sums are kept.
        clock: Time.
        learners: Returns the strategies that learn.
        enabled: Whether anything is learnt; feedback is kept in any case.
        heard: Told of every new reward with the one it corrects, as experiments count them.
    """

    ledger: Ledger
    state: State
    clock: Clock
    learners: Callable[[], Sequence[Learner]] = tuple
    enabled: bool = True
    heard: RewardListener | None = None
    recent: Recent = field(default_factory=Recent)

    def answered(self, decision: RoutingDecision, model: ModelRef) -> None:
        """Remember who answered a request."""
        self.recent.put(decision.id, answered_by(decision, model))

    def take(self, feedback: FeedbackData, model: ModelRef | None) -> float:
        """Take feedback and return the reward 0..1 of everything said of that answer so far.

        Args:
            feedback: What was said.
            model: The model it is about, when the feedback names one; else the one that answered.

        Raises:
            UnknownDecisionError: Nobody knows the decision and no model is named.
        """
        if feedback.request_id.startswith(RUN):
            return self._of_run(feedback)
        subject, recalled = self._subject(feedback, model)
        said = whole(subject.said, feedback)
        reward, previous = reward_of(said), reward_before(subject.said)
        self.ledger.said(feedback, reward=reward, at=self.clock.now())
        marks = dict(subject.marks)
        if not same(subject.said, said):
            if self.enabled:
                self.state.learn(subject.model, subject.task_type, reward=reward)
                marks |= self._teach(subject, reward, previous)
            if self.heard is not None:
                self.heard(subject, reward, previous)
        if recalled:
            self.recent.put(feedback.request_id, replace(subject, said=said, marks=marks))
        return reward

    def reported(self, decision_id: str, *, success: bool, quality: float | None) -> None:
        """Take what a caller reports an answer came to as a reward, unless feedback already said more.

        The learned weight (A12) moves by feedback only; a reported quality reaches the performance figures by itself.
        """
        subject = self.subject(decision_id)
        said = FeedbackData(decision_id, quality_score=float(success) if quality is None else quality)
        if subject.said is None:
            reward = reward_of(said)
            marks = self._teach(subject, reward, None) if self.enabled else {}
            if self.heard is not None:
                self.heard(subject, reward, None)
            self.recent.put(decision_id, replace(subject, said=said, marks=marks))

    def subject(self, decision_id: str) -> Answered:
        """Return who answered a decision.

        Raises:
            UnknownDecisionError: Neither this process nor the ledger knows it.
        """
        known = self.recent.get(decision_id)
        return known if known is not None else self._read(decision_id)

    def _subject(self, feedback: FeedbackData, model: ModelRef | None) -> tuple[Answered, bool]:
        known = self.recent.get(feedback.request_id)
        if known is None:
            try:
                known = self._read(feedback.request_id)
            except UnknownDecisionError:
                if model is None:
                    raise
                return Answered(model, feedback.task_type, said=self._said(feedback.request_id, model)), False
            known = replace(known, said=self._said(feedback.request_id, None if model == known.model else model))
        task = feedback.task_type or known.task_type
        if model is not None and model == known.model.model:
            model = known.model  # whoever names the model alone means the effort that answered
        if model is None or model == known.model:
            return replace(known, task_type=task), True
        # Said of another model than the one that answered, as a judge may: it is no statement about the answer.
        return Answered(model, task, profile=known.profile, said=self._said(feedback.request_id, model)), False

    def _read(self, decision_id: str) -> Answered:
        decision = self.ledger.decision(decision_id)
        answered = [attempt.model for attempt in self.ledger.attempts(decision_id) if attempt.ok]
        return answered_by(decision, answered[-1] if answered else decision.candidate)

    def _said(self, decision_id: str, model: ModelRef | None) -> FeedbackData | None:
        said: FeedbackData | None = None
        for each in self.ledger.feedback(decision_id):
            if model is None or each.model_id == model:
                said = whole(said, each)
        return said

    def _teach(self, subject: Answered, reward: float, previous: float | None) -> dict[str, float]:
        credit = BanditUpdate(
            subject.model, subject.task_type, reward=reward, previous=previous, profile=subject.profile, marks=subject.marks
        )
        return self._credited(credit, self._learners(subject.strategy))

    def _credited(self, credit: BanditUpdate, learners: Sequence[Learner]) -> dict[str, float]:
        marks: dict[str, float] = {}
        for learner in learners:
            lesson = learner.lesson(credit, self.state.snapshot().sums)
            if lesson is not None:
                marks[learner.memory_name] = lesson.mark
                for name, values in lesson.additions:
                    self.state.count(name, values)
        return marks

    def _learners(self, strategy: str) -> Sequence[Learner]:
        """Return the configured learners, with the strategy that a request asked for by name where it learns."""
        from crew_router.decide.strategies import make_strategy  # numpy comes when first needed

        learners = self.learners()
        if not strategy:
            return learners
        try:
            asked = make_strategy(strategy)
        except ConfigurationError:
            return learners
        return learners_of((*learners, asked))

    def _of_run(self, feedback: FeedbackData) -> float:
        earlier = self._said(feedback.request_id, None)
        said = whole(earlier, feedback)
        reward = reward_of(said)
        steps = self.ledger.run(feedback.request_id.removeprefix(RUN))
        if not steps:
            raise UnknownDecisionError(feedback.request_id)
        self.ledger.said(feedback, reward=reward, at=self.clock.now())
        if self.enabled and not same(earlier, said):
            self._credit_steps([answered_by(decision, model) for decision, model in steps], reward)
        return reward

    def _credit_steps(self, steps: Sequence[Answered], reward: float) -> None:
        for back, step in enumerate(reversed(steps)):
            for learner in self._learners(step.strategy):
                weight = learner.step_discount**back
                credit = BanditUpdate(step.model, step.task_type, reward=reward, profile=step.profile, weight=weight, of_run=True)
                self._credited(credit, (learner,))


def answered_by(decision: RoutingDecision, model: ModelRef) -> Answered:
    """Return what has to be remembered of an answer."""
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
    """Return the strategies that learn, one for each memory."""
    return tuple({each.memory_name: each for each in strategies if isinstance(each, Learner)}.values())
