"""Active health checks of models (requirement C3), by their server's listing or by a tiny real call.

The time of a check and the number of simultaneous checks are limited, and results are kept for a while. Failures count for
breakers. The cost of a tiny call is recorded in ledger and budgets like any other, but performance figures do not change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from crew_router.errors import AllModelsFailedError, CrewRouterError, ModelCallError, NoCandidateError
from crew_router.execute.executor import Options
from crew_router.record.recorder import HEALTH_CHECK
from crew_router.record.state.observation import Observation
from crew_router.router.probe import listing
from crew_router.types import ErrorKind, ModelDefinition, ModelRef, RoutingRequest, TaskType, Urgency
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.redaction import redacted
from crew_router.types.transport import Payload

if TYPE_CHECKING:
    from crew_router.config.settings import HealthSettings
    from crew_router.types import RoutedResponse, RoutingDecision
    from crew_router.types.clock import Clock

_PROMPT: Final = "Reply with the word OK."
_MAX_TOKENS: Final = 512  # enough for models that reason before they answer
_OK: Final = 200
_REFUSED: Final = {401: ErrorKind.AUTH, 403: ErrorKind.AUTH, 429: ErrorKind.RATE_LIMIT}
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of checking one model.

    Args:
        model: The model.
        ok: Whether it can be called.
        how: Whether its server's listing or a call was used.
        detail: The result in words.
        latency_s: Time of the check.
        cost_usd: Cost of the check; ``None`` where it is unknown.
        at: When it was checked, in monotonic seconds.
    """

    model: ModelRef
    _: KW_ONLY
    ok: bool
    how: Literal["listing", "call"]
    detail: str
    latency_s: float
    cost_usd: float | None
    at: float

    def as_data(self, *, now: float) -> dict[str, object]:
        """Return the result as plain data, with its age in seconds."""
        plain = asdict(self)
        return {**{key: value for key, value in plain.items() if key not in {"model", "at"}}, "age_s": max(now - self.at, 0.0)}


@dataclass(slots=True, weakref_slot=True)
class CheckResults:
    """The newest result of each model; the lock lets one round of checks run at a time."""

    by_model: dict[ModelRef, CheckResult] = field(default_factory=dict[ModelRef, CheckResult])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Be free in a forked child."""
        free_in_child(self, "lock")


class Checks:
    """Checks models. Safe to call from any thread.

    Args:
        results: Where results are kept.
        settings: Limits of a check.
        clock: Source of the time.
        decide: Decides the tiny request.
        run: Executes and records a decision with a payload and options.
        observe: Gets every failure that a listing shows, for the breakers.
        credential: Returns the breaker key of a model's credential.
    """

    def __init__(
        self,
        results: CheckResults,
        settings: HealthSettings,
        clock: Clock,
        *,
        decide: Callable[[RoutingRequest], RoutingDecision],
        run: Callable[[RoutingDecision, Payload, Options], RoutedResponse],
        observe: Callable[[Observation], None],
        credential: Callable[[ModelRef], str | None],
    ) -> None:
        self._results, self._settings, self._clock = results, settings, clock
        self._decide, self._run, self._observe, self._credential = decide, run, observe, credential

    def check(self, models: Iterable[ModelDefinition]) -> Mapping[ModelRef, CheckResult]:
        """Return a result for each model, at most ``health.max_age_s`` seconds old."""
        models_to_check, settings = list(models), self._settings
        with self._results.lock:
            stale = [model for model in models_to_check if self._age(model.ref) >= settings.max_age_s]
            with ThreadPoolExecutor(settings.at_once, "crew-router-health") as pool:
                self._results.by_model |= {checked.model: checked for checked in pool.map(self._check_one, stale)}
            return {model.ref: self._results.by_model[model.ref] for model in models_to_check}

    def _age(self, ref: ModelRef) -> float:
        kept = self._results.by_model.get(ref)
        return float("inf") if kept is None else self._clock.monotonic() - kept.at

    def _check_one(self, model: ModelDefinition) -> CheckResult:
        if model.instance is None and model.base_url is not None:
            by_listing = self._check_listing(model, model.base_url)
            if by_listing is not None:
                return by_listing
        return self._check_call(model)

    def _check_listing(self, model: ModelDefinition, base_url: str) -> CheckResult | None:
        """Return the result by the server's listing; ``None`` when it lists nothing, so that a call is needed."""
        started_s = self._clock.monotonic()
        answer = listing(base_url, api_key=model.api_key, timeout_s=self._settings.timeout_s)
        if answer is None:
            return self._failed(model, ErrorKind.CONNECTION, f"no server answers at {base_url}", started_s=started_s)
        if answer.status in _REFUSED or answer.status >= _SERVER_ERROR:
            kind = _REFUSED.get(answer.status, ErrorKind.OVERLOAD)
            return self._failed(model, kind, f"the server at {base_url} answers {answer.status}", started_s=started_s)
        if answer.status != _OK or not answer.models:
            return None
        if model.model not in answer.models:
            return self._failed(model, ErrorKind.NOT_FOUND, f"the server at {base_url} does not list {model.model}", started_s=started_s)
        return self._result(model, ok=True, how="listing", detail="listed", started_s=started_s, cost_usd=0.0)

    def _failed(self, model: ModelDefinition, kind: ErrorKind, detail: str, *, started_s: float) -> CheckResult:
        credential = self._credential(model.ref)
        self._observe(Observation(model.ref, None, success=False, at=self._clock.now(), error=kind, credential=credential))
        return self._result(model, ok=False, how="listing", detail=redacted(detail), started_s=started_s, cost_usd=0.0)

    def _check_call(self, model: ModelDefinition) -> CheckResult:
        """Ask a model for one word, by a request that may go to no other model."""
        started_s = self._clock.monotonic()
        request = RoutingRequest(
            TaskType.GENERAL, _PROMPT, expected_output_tokens=1, deadline_s=self._settings.timeout_s,
            force_model=model.ref, fallbacks=False, parallel=False, urgency=Urgency.BATCH, tags=frozenset({HEALTH_CHECK}),
        )  # fmt: skip
        try:
            decision = self._decide(request)
        except CrewRouterError as error:
            return self._result(model, ok=False, how="call", detail=_reason(error), started_s=started_s, cost_usd=0.0)
        payload = Payload((_PROMPT,), parameters={"max_tokens": _MAX_TOKENS})
        try:
            response = self._run(decision, payload, Options(attempts=1))
        except CrewRouterError as error:
            return self._result(model, ok=False, how="call", detail=_reason(error), started_s=started_s, cost_usd=None)
        return self._result(model, ok=True, how="call", detail="answered", started_s=started_s, cost_usd=response.cost_usd)

    def _result(
        self, model: ModelDefinition, *, ok: bool, how: Literal["listing", "call"], detail: str, started_s: float, cost_usd: float | None
    ) -> CheckResult:
        now = self._clock.monotonic()
        return CheckResult(model.ref, ok=ok, how=how, detail=detail, latency_s=now - started_s, cost_usd=cost_usd, at=now)


def _reason(error: CrewRouterError) -> str:
    if isinstance(error, NoCandidateError):
        return "; ".join(str(each) for reasons in error.rejected.values() for each in reasons)
    cause = error.exceptions[-1] if isinstance(error, AllModelsFailedError) else error
    return f"{cause.kind}: {cause.message}" if isinstance(cause, ModelCallError) else str(cause).splitlines()[0]
