"""What every outcome is told to: the ledger for history, the state for the next decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from crew_router.errors import AllModelsFailedError, CrewRouterError, ModelCallError
from crew_router.record.ledger.protocol import Ledger, RequestOutcome
from crew_router.record.state.observation import Observation
from crew_router.record.state.protocol import State
from crew_router.types import (
    NANO_PER_USD,
    Attempt,
    ErrorKind,
    Mode,
    ModelRef,
    PolicyEffect,
    RoutedResponse,
    RoutingDecision,
    TaskType,
)
from crew_router.types.clock import Clock
from crew_router.types.outcome import total_nano

HEALTH_CHECK: Final = "health-check"
"""The tag of requests whose latency and length say nothing of real ones; only whether they succeed counts."""


class RecordObserver:
    """Is told what the recorder takes; whoever keeps numbers of its own overrides what it wants to hear of."""

    def decided(self, decision: RoutingDecision) -> None:
        """Take a decision that was recorded."""

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Take one call that ended."""

    def finished(self, decision: RoutingDecision, outcome: RequestOutcome) -> None:
        """Take what a request came to."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes decisions, attempts and outcomes.

    Args:
        ledger: The history.
        state: The numbers that the next decision reads.
        clock: Time.
        observers: Who else is told, in this order.
        learns: Whether reported outcomes change what is known of a model.
        credential: Returns the key of the breaker of a model's credential.
    """

    ledger: Ledger
    state: State
    clock: Clock
    observers: tuple[RecordObserver, ...] = ()
    learns: bool = True
    credential: Callable[[ModelRef], str | None] | None = None

    def decided(self, decision: RoutingDecision, *, text: str, runs: bool = False) -> None:
        """Take a decision, which ``runs`` where it is carried out; every effect of a safety rule leaves an audit row."""
        self.state.decided(decision.selected_model)
        self.ledger.decided(decision, text=text, runs=runs)
        for observer in self.observers:
            observer.decided(decision)
        if decision.effects:
            self.ruled(decision.effects, decision_id=decision.id, model=decision.selected_model)

    def ruled(self, effects: Sequence[PolicyEffect], *, decision_id: str | None = None, model: ModelRef | None = None) -> None:
        """Take what policies did to a request, also to one that no model was left for (requirement D3)."""
        for effect in effects:
            if effect.order == "safety":
                said = {"policy": effect.policy, "effect": effect.effect, "value": effect.value}
                self.ledger.audited("policy", {**said, "decision_id": decision_id, "model": model}, at=self.clock.now())

    def approved(self, decision: RoutingDecision, *, by: str) -> None:
        """Take a person's consent, or with an empty name that it was asked for."""
        detail = {"decision_id": decision.id, "model": decision.selected_model, "because": decision.approval, "by": by}
        self.ledger.audited("approval given" if by else "approval asked", detail, at=self.clock.now())

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Take one call the moment it ends."""
        self.ledger.attempted(decision.id, attempt)
        for observer in self.observers:
            observer.attempted(decision, attempt)
        if HEALTH_CHECK in decision.request.tags:
            at, credential = self.clock.now(), self._credential_of(attempt)
            self.state.observe(
                Observation(
                    attempt.model, None, success=attempt.ok, at=at, error=attempt.error, credential=credential,
                    retry_after_s=attempt.retry_after_s, message=attempt.message,
                )
            )  # fmt: skip
            return
        expected_latency_s, expected_cost_usd = _expected(decision, attempt)
        self.state.observe(
            Observation(
                attempt.model,
                decision.profile.task_type.value,
                success=attempt.ok,
                at=self.clock.now(),
                latency_s=attempt.latency_s if attempt.ok else None,
                ttft_s=attempt.ttft_s,
                cost_usd=attempt.cost_usd,
                output_tokens=None if attempt.usage is None else attempt.usage.output_tokens,
                error=attempt.error,
                credential=self._credential_of(attempt),
                retry_after_s=attempt.retry_after_s,
                message=attempt.message,
                expected_latency_s=expected_latency_s,
                expected_cost_usd=expected_cost_usd,
            )
        )

    def _credential_of(self, attempt: Attempt) -> str | None:
        return None if self.credential is None else self.credential(attempt.model)

    def answered(self, response: RoutedResponse, *, latency_s: float) -> None:
        """Take a request that ended with an answer."""
        self._finished(
            response.decision,
            RequestOutcome(
                response.decision.id,
                model=response.model,
                task_type=response.decision.profile.task_type.value,
                success=True,
                at=self.clock.now(),
                latency_s=latency_s,
                cost_nano=total_nano(response.attempts),
                usage=response.usage,
                confidence=response.confidence,
                escalated=_escalated(response),
            ),
        )

    def failed(self, decision: RoutingDecision, error: BaseException, *, latency_s: float) -> None:
        """Take a request that ended without one; the caller gets the error."""
        attempts: tuple[Attempt, ...] = getattr(error, "attempts", ())
        self._finished(
            decision,
            RequestOutcome(
                decision.id,
                model=decision.candidate,
                task_type=decision.profile.task_type.value,
                success=False,
                at=self.clock.now(),
                latency_s=latency_s,
                cost_nano=total_nano(attempts),
                error=_kind_of(error),
            ),
        )

    def _finished(self, decision: RoutingDecision, outcome: RequestOutcome) -> None:
        self.ledger.finished(outcome)
        for observer in self.observers:
            observer.finished(decision, outcome)

    def reported(self, outcome: RequestOutcome, *, expected_quality: float | None = None) -> None:
        """Take what a caller says an answer or a call of its own came to.

        Args:
            outcome: What was said.
            expected_quality: The P(success) that had been predicted of the request, where it is known.
        """
        self.ledger.finished(outcome)
        if not self.learns:
            return
        observation = Observation(
            outcome.model,
            outcome.task_type,
            success=outcome.success,
            at=outcome.at,
            latency_s=outcome.latency_s,
            cost_usd=None if outcome.cost_nano is None else outcome.cost_nano / NANO_PER_USD,
            quality=float(outcome.success) if outcome.quality is None else outcome.quality,
            expected_quality=expected_quality,
        )
        self.state.observe(observation)


def _expected(decision: RoutingDecision, attempt: Attempt) -> tuple[float | None, float | None]:
    """Return the seconds and USD that had been predicted of a call: only the chosen candidate's own answer was predicted as a whole."""
    if attempt.model != decision.candidate or attempt.role != "answer" or decision.mode is not Mode.SINGLE:
        return None, None
    return decision.latency.expected_s, decision.cost.expected_usd


def outcome_reported(
    model: ModelRef,
    task_type: TaskType | None,
    *,
    decision_id: str | None,
    success: bool,
    at: float,
    latency_ms: float | None,
    cost_usd: float | None,
    quality: float | None,
) -> RequestOutcome:
    """Build an outcome from the figures a caller reports: milliseconds and USD."""
    return RequestOutcome(
        decision_id,
        model=model,
        task_type=task_type,
        success=success,
        at=at,
        latency_s=None if latency_ms is None else latency_ms / 1000.0,
        cost_nano=None if cost_usd is None else round(cost_usd * NANO_PER_USD),
        quality=quality,
        source="caller",
    )


def _escalated(response: RoutedResponse) -> bool:
    """Tell whether a weak answer was passed over; a fallback after a fault is no escalation (E2)."""
    return response.decision.mode is Mode.CASCADE and response.model != response.decision.candidate


def _kind_of(error: BaseException) -> ErrorKind:
    if isinstance(error, ModelCallError):
        return error.kind
    if isinstance(error, AllModelsFailedError):
        last = error.exceptions[-1]
        return last.kind if isinstance(last, ModelCallError) else ErrorKind.UNKNOWN
    if isinstance(error, TimeoutError):
        return ErrorKind.TIMEOUT
    return ErrorKind.UNKNOWN if isinstance(error, CrewRouterError) else ErrorKind.CANCELLED
