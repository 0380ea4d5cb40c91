"""What the finish reasons of all providers make of an answer."""

from __future__ import annotations

import pytest
from execute_bench import Bench

from crew_router.execute.policy import ExecutionPolicy, StreamPolicy
from crew_router.testing import ScriptedModel, ScriptedReply
from crew_router.types import ErrorKind
from crew_router.types.transport import Payload

HELLO = Payload(("Say hello.",))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("content_filter", ErrorKind.CONTENT_POLICY),
        ("refusal", ErrorKind.CONTENT_POLICY),
        ("SAFETY", ErrorKind.CONTENT_POLICY),
        ("PROHIBITED_CONTENT", ErrorKind.CONTENT_POLICY),
        ("RECITATION", ErrorKind.CONTENT_POLICY),
        ("guardrail_intervened", ErrorKind.CONTENT_POLICY),
        ("ERROR_TOXIC", ErrorKind.CONTENT_POLICY),
        ("model_context_window_exceeded", ErrorKind.CONTEXT_OVERFLOW),
        ("MALFORMED_FUNCTION_CALL", ErrorKind.MALFORMED),
        ("ERROR", ErrorKind.TRUNCATED),
        ("stop", ErrorKind.EMPTY),
    ],
)
def test_an_answer_without_text_is_the_fault_that_its_finish_reason_names(reason, kind):
    """Another model answers, and only what the model itself did wrong counts against it."""
    bench = Bench({"a": ScriptedModel(ScriptedReply(finish_reason=reason)), "b": ScriptedModel("Hello.")})

    response = bench.executor.run(bench.decision(), HELLO)

    assert (response.text, [attempt.error for attempt in response.attempts]) == ("Hello.", [kind, None])


@pytest.mark.parametrize("reason", ["error", "ERROR", "TIMEOUT", "MALFORMED_FUNCTION_CALL", "malformed_tool_use"])
@pytest.mark.parametrize("streamed", [False, True])
def test_half_an_answer_that_the_provider_broke_off_is_no_answer(reason, streamed):
    """Text before a finish reason that names an error is not taken for a whole answer."""
    bench = Bench(
        {"a": ScriptedModel(ScriptedReply("Half", finish_reason=reason)), "b": ScriptedModel("Hello.")},
        policy=ExecutionPolicy(stream=StreamPolicy.BUFFER),
    )

    text = _streamed(bench) if streamed else bench.executor.run(bench.decision(), HELLO).text

    assert (text, bench.models["b"].calls) == ("Hello.", 1)


def _streamed(bench):
    return "".join(chunk.text for chunk in bench.executor.stream(bench.decision(), HELLO))
