"""A decision, a call and an outcome with every field filled, for tests of storage."""

from crew_router.record.ledger.protocol import RequestOutcome
from crew_router.types import (
    Attempt,
    CandidateRow,
    CostPrediction,
    Domain,
    Draw,
    Evidence,
    LatencyPrediction,
    Mode,
    ModelRef,
    Reading,
    RecordedTable,
    Rejection,
    RequestProfile,
    RoutingDecision,
    RoutingRequest,
    TaskType,
    Urgency,
    Usage,
)

A, B = ModelRef("lab:a"), ModelRef("lab:b")
NOON = 1_800_000_000.0


def decision(number=1, *, risk=(), at=NOON, **asked):
    """Return a decision with a table, a draw and evidence."""
    profile = RequestProfile(
        Reading(TaskType.CODE_GENERATION, 0.9, "rules"),
        Reading(4, 0.5, "rules"),
        domain=Reading(Domain.CODE, 0.8, "rules"),
        risk=Reading(frozenset(risk), 1.0, "rules"),
        modality=Reading(frozenset(), 1.0, "rules"),
        language=Reading("en", 0.9, "rules"),
        urgency=Reading(Urgency.NORMAL, 1.0, "default"),
        input_tokens=Reading(120, 0.9, "count"),
        expected_output_tokens=Reading(400, 0.3, "prior"),
        needs_retrieval=Reading(False, 0.9, "rules"),
        content_type=Reading("text", 0.9, "rules"),
        task_scores=((TaskType.CODE_GENERATION, 0.9), (TaskType.TESTING, 0.05)),
        text_chars=33,
    )
    rejection = Rejection("cost", "too dear", value="0.5", limit="0.1")
    rows = (
        CandidateRow(A, rank=80.0, score=76.2, points={"quality": 40.0}, p_success=0.9, cost_usd=0.001, latency_s=2.0, quality_source="x"),
        CandidateRow(
            B,
            rank=None,
            score=None,
            points={},
            p_success=None,
            cost_usd=None,
            latency_s=None,
            quality_source="unmeasured",
            rejections=(rejection,),
        ),
    )
    return RoutingDecision(
        f"d-{number}",
        A,
        (B,),
        mode=Mode.SINGLE,
        models=(A,),
        judge=None,
        strategy="weighted",
        request=RoutingRequest(**{"task_type": "code_generation", "tags": ["x"], "session_id": "s1", **asked}),
        profile=profile,
        cost=CostPrediction(A, min_usd=0.0007, expected_usd=0.001, max_usd=0.0013, input_tokens=120, output_tokens=400),
        latency=LatencyPrediction(A, expected_s=2.0, ttft_s=0.4, p95_s=3.5),
        score=76.2,
        confidence=0.7,
        propensity=1.0,
        policy_version="p1",
        project="crew",
        at=at,
        draw=Draw("e1", "arm-a", {"theta": 0.4}),
        table=RecordedTable(rows, (Evidence("policy", "none applied", 0.0, NOON),)),
    )


def attempt(number=1, **figures):
    """Return a call."""
    given = {"latency_s": 1.5, "ttft_s": 0.3, "usage": Usage(120, 380, cached_tokens=20), "cost_nano": 123_456_789, **figures}
    return Attempt(A, number=number, started_at=NOON, finish_reason="stop", **given)


def outcome(number=1, at=NOON, **figures):
    """Return what a request came to."""
    given = {"success": True, "latency_s": 1.5, "cost_nano": 1_000_000, "confidence": 0.8, "quality": 0.9, **figures}
    return RequestOutcome(f"d-{number}", model=A, task_type=TaskType.CODE_GENERATION, at=at, usage=Usage(120, 380), **given)
