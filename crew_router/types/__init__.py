"""Values that the steps share; all are frozen."""

from crew_router.types.candidates import DecisionTable, RecordedTable
from crew_router.types.decision import RoutingDecision
from crew_router.types.evidence import CandidateRow, Change, CostPrediction, Draw, Evidence, LatencyPrediction, PolicyEffect, Rejection
from crew_router.types.model import (
    NANO_PER_USD,
    TOKENS_PER_PRICE,
    Latency,
    Limits,
    ModelDefinition,
    Price,
    PriceTier,
    PriceWindow,
)
from crew_router.types.outcome import Attempt, CircuitBreakerState, Member, PerformanceMetrics, Snapshot, ToolCall, TradeOff, Usage
from crew_router.types.profile import Reading, RequestProfile
from crew_router.types.request import FeedbackData, RoutingRequest
from crew_router.types.response import RoutedChunk, RoutedResponse
from crew_router.types.vocabulary import (
    Domain,
    ErrorKind,
    Mode,
    ModelCapability,
    ModelRef,
    Provider,
    Risk,
    TaskType,
    Tier,
    Urgency,
)

__all__ = [
    "NANO_PER_USD",
    "TOKENS_PER_PRICE",
    "Attempt",
    "CandidateRow",
    "Change",
    "CircuitBreakerState",
    "CostPrediction",
    "DecisionTable",
    "Domain",
    "Draw",
    "ErrorKind",
    "Evidence",
    "FeedbackData",
    "Latency",
    "LatencyPrediction",
    "Limits",
    "Member",
    "Mode",
    "ModelCapability",
    "ModelDefinition",
    "ModelRef",
    "PerformanceMetrics",
    "PolicyEffect",
    "Price",
    "PriceTier",
    "PriceWindow",
    "Provider",
    "Reading",
    "RecordedTable",
    "Rejection",
    "RequestProfile",
    "Risk",
    "RoutedChunk",
    "RoutedResponse",
    "RoutingDecision",
    "RoutingRequest",
    "Snapshot",
    "TaskType",
    "Tier",
    "ToolCall",
    "TradeOff",
    "Urgency",
    "Usage",
]
