"""Report which models can be called from here, and the state of the stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crew_router.config.credential import breaker_keys, is_credential
from crew_router.router.decisions import decide
from crew_router.router.request_observer import RequestObserver
from crew_router.types import ModelDefinition, ModelRef

if TYPE_CHECKING:
    from crew_router.execute.executor import Options
    from crew_router.router.health import CheckResult, Checks
    from crew_router.router.runtime import Runtime
    from crew_router.types import RoutedResponse, RoutingDecision
    from crew_router.types.transport import Payload


def health(runtime: Runtime) -> dict[str, object]:
    """Return the state of every model and of the stores."""
    states = {model.ref: _state_of(runtime, model, None) for model in runtime.models.registry.models}
    return _report(runtime, states)


def check_health(runtime: Runtime, model_id: str | None, *, active: bool) -> dict[str, object]:
    """Check local servers, and with ``active`` every model, and return the report; of one model only when it is named.

    Raises:
        UnknownModelError: The registry has no such model.
    """
    runtime.models.discover()
    registry = runtime.models.registry
    models = registry.models if model_id is None else (registry.resolve(model_id),)
    ready = [model for model in models if model.enabled and runtime.models.obstacle(model) is None]
    checked: Mapping[ModelRef, CheckResult] = _checks(runtime).check(ready) if active else {}
    report = _report(runtime, {model.ref: _state_of(runtime, model, checked.get(model.ref)) for model in models})
    now = runtime.clock.monotonic()
    return {**report, "checks": {ref: each.as_data(now=now) for ref, each in checked.items()}} if active else report


def _checks(runtime: Runtime) -> Checks:
    from crew_router.router.health import Checks

    return Checks(
        runtime.kept.checked,
        runtime.config.health,
        runtime.clock,
        decide=lambda request: decide(runtime, request, executing=True),
        run=lambda decision, payload, options: _run_check(runtime, decision, payload, options),
        observe=runtime.state.observe,
        credential=runtime.models.credential_of,
    )


def _run_check(runtime: Runtime, decision: RoutingDecision, payload: Payload, options: Options) -> RoutedResponse:
    """Execute and record the tiny request of a health check; performance figures are not changed by it."""
    runtime.recorder.decided(decision, text="", runs=True)
    with RequestObserver(decision, recorder=runtime.recorder, clock=runtime.clock) as observer:
        return observer.answered(runtime.executor.run(decision, payload, options=options))


def _report(runtime: Runtime, states: Mapping[ModelRef, str]) -> dict[str, object]:
    return {
        "ok": any(state == "ready" for state in states.values()),
        "project": runtime.config.project,
        "models": dict(states),
        "state": dict(runtime.state.health()),
        "ledger": dict(runtime.ledger.health()),
    }


def _state_of(runtime: Runtime, model: ModelDefinition, checked: CheckResult | None) -> str:
    failed = "" if checked is None or checked.ok else f"check failed: {checked.detail}"
    obstacle = runtime.models.obstacle(model)
    return str(obstacle) if obstacle is not None else failed or _breaker_state(runtime, model)


def _breaker_state(runtime: Runtime, model: ModelDefinition) -> str:
    """Return the state of a reachable model in words: of its breakers, or whether it is enabled."""
    breakers = runtime.state.snapshot().breakers
    for key in breaker_keys(model):
        state = breakers.get(key)
        if state is None or state.phase == "closed":
            continue
        because = f" ({state.cause})" if state.cause else ""
        if is_credential(key) and state.phase == "open":
            wait_s = max((state.retry_at or 0.0) - runtime.clock.now(), 0.0)
            return f"its key was refused{because}; set another, or wait {wait_s:.0f} s for the next try"
        if not is_credential(key):
            return f"breaker of {key} is {state.phase.replace('_', '-')}{because}"
    return "ready" if model.enabled else "switched off"
