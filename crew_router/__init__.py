"""Picks the model that serves a request best, runs it, remembers what came of it, and can say why.

Importing this package reads no file, no environment and no network; each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crew_router.config.router_config import RouterConfig
    from crew_router.decide.filter import hard_filter
    from crew_router.decide.score import factor
    from crew_router.decide.strategies import Choice, strategy
    from crew_router.errors import (
        AllModelsFailedError,
        ApprovalRequiredError,
        BudgetExceededError,
        ConfigurationError,
        CrewRouterError,
        DeadlineExceededError,
        InvalidRequestError,
        MissingDependencyError,
        ModelCallError,
        NoCandidateError,
        RegistryError,
        StorageError,
        UnknownDecisionError,
        UnknownModelError,
    )
    from crew_router.execute.executor import Options
    from crew_router.router.router import Router
    from crew_router.types import (
        Attempt,
        CircuitBreakerState,
        CostPrediction,
        ErrorKind,
        Evidence,
        FeedbackData,
        Latency,
        LatencyPrediction,
        Limits,
        Mode,
        ModelCapability,
        ModelDefinition,
        ModelRef,
        PerformanceMetrics,
        Price,
        Provider,
        Rejection,
        RequestProfile,
        Risk,
        RoutedChunk,
        RoutedResponse,
        RoutingDecision,
        RoutingRequest,
        TaskType,
        Tier,
        Urgency,
        Usage,
    )
    from crew_router.types.transport import Payload

__version__ = "0.1.0"

_HOMES = {
    "crew_router.config.router_config": "RouterConfig",
    "crew_router.decide.filter": "hard_filter",
    "crew_router.decide.score": "factor",
    "crew_router.decide.strategies": "Choice strategy",
    "crew_router.errors": (
        "AllModelsFailedError ApprovalRequiredError BudgetExceededError ConfigurationError CrewRouterError "
        "DeadlineExceededError InvalidRequestError MissingDependencyError ModelCallError NoCandidateError RegistryError "
        "StorageError UnknownDecisionError UnknownModelError"
    ),
    "crew_router.execute.executor": "Options",
    "crew_router.router.router": "Router",
    "crew_router.types": (
        "Attempt CircuitBreakerState CostPrediction ErrorKind Evidence FeedbackData Latency LatencyPrediction Limits "
        "Mode ModelCapability ModelDefinition ModelRef PerformanceMetrics Price Provider Rejection RequestProfile Risk "
        "RoutedChunk RoutedResponse RoutingDecision RoutingRequest TaskType Tier Urgency Usage"
    ),
    "crew_router.types.transport": "Payload",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AllModelsFailedError",
    "ApprovalRequiredError",
    "Attempt",
    "BudgetExceededError",
    "Choice",
    "CircuitBreakerState",
    "ConfigurationError",
    "CostPrediction",
    "CrewRouterError",
    "DeadlineExceededError",
    "ErrorKind",
    "Evidence",
    "FeedbackData",
    "InvalidRequestError",
    "Latency",
    "LatencyPrediction",
    "Limits",
    "MissingDependencyError",
    "Mode",
    "ModelCallError",
    "ModelCapability",
    "ModelDefinition",
    "ModelRef",
    "NoCandidateError",
    "Options",
    "Payload",
    "PerformanceMetrics",
    "Price",
    "Provider",
    "RegistryError",
    "Rejection",
    "RequestProfile",
    "Risk",
    "RoutedChunk",
    "RoutedResponse",
    "Router",
    "RouterConfig",
    "RoutingDecision",
    "RoutingRequest",
    "StorageError",
    "TaskType",
    "Tier",
    "UnknownDecisionError",
    "UnknownModelError",
    "Urgency",
    "Usage",
    "__version__",
    "factor",
    "hard_filter",
    "strategy",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name not in _HOME_OF:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
