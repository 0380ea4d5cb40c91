"""Active checks (requirement C3): is a model there, by what its server lists or by a real tiny call.

A check is bounded (seconds, checks at once) and its result is kept for a while. What fails counts against breakers; what a tiny
call costs stands in ledger and budgets like any other request, but its figures move no statistics.
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
from crew_router.types.transport import Payload

if TYPE_CHECKING:
    from crew_router.config.settings import HealthSettings
    from crew_router.types import RoutedResponse, RoutingDecision
    from crew_router.types.clock import Clock

_QUESTION: Final = "Reply with the word OK."
_MAX_TOKENS: Final = 512  # room for models that think first
_OK: Final = 200
_REFUSED: Final = {401: ErrorKind.AUTH, 403: ErrorKind.AUTH, 429: ErrorKind.RATE_LIMIT}
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of one model found; ``at`` is in monotonic seconds, ``cost_usd`` ``None`` where it is unknown."""

    model: ModelRef
    _: KW_ONLY
    ok: bool
    how: Literal["listing", "call"]
    detail: str
    latency_s: float
    cost_usd: float | None
    at: float

    def told(self, *, now: float) -> dict[str, object]:
        """Return the result as plain data, with its age in seconds."""
        plain = asdict(self)
        return {**{key: value for key, value in plain.items() if key not in {"model", "at"}}, "age_s": max(now - self.at, 0.0)}


@dataclass(slots=True)
class CheckResults:
    """The results of the newest checks; one round of checks runs at a time."""

    by_model: dict[ModelRef, Checked] = field(default_factory=dict[ModelRef, Checked])
    lock: threading.Lock = field(default_factory=threading.Lock)


class Checks:
    """Checks models. Safe to call from any thread.

    Args:
        results: Where results are kept.
        settings: Bounds of a check.
        clock: Time.
        decide: Makes the decision for a tiny request.
        run: Executes and records a decision with a payload and options.
        observe: Takes what a listing showed of a model.
        credential: Returns the key of the breaker of a model's credential.
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

    def check(self, models: Iterable[ModelDefinition]) -> Mapping[ModelRef, Checked]:
        """Return a result for each model, from the last ``health.max_age_s`` seconds or fresh."""
        wanted, settings = list(models), self._settings
        with self._results.lock:
            stale = [model for model in wanted if self._age(model.ref) >= settings.max_age_s]
            with ThreadPoolExecutor(settings.at_once, "crew-router-health") as pool:
                self._results.by_model |= {checked.model: checked for checked in pool.map(self._checked, stale)}
            return {model.ref: self._results.by_model[model.ref] for model in wanted}

    def _age(self, ref: ModelRef) -> float:
        kept = self._results.by_model.get(ref)
        return float("inf") if kept is None else self._clock.monotonic() - kept.at

    def _checked(self, model: ModelDefinition) -> Checked:
        if model.instance is None and model.base_url is not None:
            by_listing = self._listed(model, model.base_url)
            if by_listing is not None:
                return by_listing
        return self._called(model)

    def _listed(self, model: ModelDefinition, base_url: str) -> Checked | None:
        """Return what the server's listing says of a model, ``None`` where it has none or leaves the model open."""
        began = self._clock.monotonic()
        found = listing(base_url, api_key=model.api_key, timeout_s=self._settings.timeout_s)
        if found is None:
            return self._failed(model, ErrorKind.CONNECTION, f"no server answers at {base_url}", began=began)
        if found.status in _REFUSED or found.status >= _SERVER_ERROR:
            kind = _REFUSED.get(found.status, ErrorKind.OVERLOAD)
            return self._failed(model, kind, f"the server at {base_url} answers {found.status}", began=began)
        if found.status != _OK or not found.models:
            return None
        if model.model not in found.models:
            return self._failed(model, ErrorKind.NOT_FOUND, f"the server at {base_url} does not list {model.model}", began=began)
        return self._result(model, ok=True, how="listing", detail="listed", began=began, cost_usd=0.0)

    def _failed(self, model: ModelDefinition, kind: ErrorKind, detail: str, *, began: float) -> Checked:
        credential = self._credential(model.ref)
        self._observe(Observation(model.ref, None, success=False, at=self._clock.now(), error=kind, credential=credential))
        return self._result(model, ok=False, how="listing", detail=detail, began=began, cost_usd=0.0)

    def _called(self, model: ModelDefinition) -> Checked:
        """Ask a model for one word, as a request that may go nowhere else."""
        began = self._clock.monotonic()
        request = RoutingRequest(
            TaskType.GENERAL, _QUESTION, expected_output_tokens=1, deadline_s=self._settings.timeout_s,
            force_model=model.ref, fallbacks=False, parallel=False, urgency=Urgency.BATCH, tags=frozenset({HEALTH_CHECK}),
        )  # fmt: skip
        try:
            decision = self._decide(request)
        except CrewRouterError as error:
            return self._result(model, ok=False, how="call", detail=_reason(error), began=began, cost_usd=0.0)
        payload = Payload((_QUESTION,), parameters={"max_tokens": _MAX_TOKENS})
        try:
            response = self._run(decision, payload, Options(attempts=1))
        except CrewRouterError as error:
            return self._result(model, ok=False, how="call", detail=_reason(error), began=began, cost_usd=None)
        return self._result(model, ok=True, how="call", detail="answered", began=began, cost_usd=response.cost_usd)

    def _result(
        self, model: ModelDefinition, *, ok: bool, how: Literal["listing", "call"], detail: str, began: float, cost_usd: float | None
    ) -> Checked:
        now = self._clock.monotonic()
        return Checked(model.ref, ok=ok, how=how, detail=detail, latency_s=now - began, cost_usd=cost_usd, at=now)


def _reason(error: CrewRouterError) -> str:
    if isinstance(error, NoCandidateError):
        return "; ".join(str(each) for reasons in error.rejected.values() for each in reasons)
    cause = error.exceptions[-1] if isinstance(error, AllModelsFailedError) else error
    return f"{cause.kind}: {cause.message}" if isinstance(cause, ModelCallError) else str(cause).splitlines()[0]
