"""What calls cost whose usage never arrived."""

from __future__ import annotations

import contextlib

import pytest
from execute_bench import Bench

from crew_router.errors import ModelCallError
from crew_router.execute.executor import Options
from crew_router.execute.policy import StreamPolicy
from crew_router.execute.token_calibration import TokenCalibrator
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types import ModelRef, Usage
from crew_router.types.transport import Payload

A = ModelRef("lab:a")
TEXT = "one two three four five six seven eight"
HELLO = Payload(("Say hello.",))
INPUT, EXPECTED = 10, 5  # what the bench's decision counts and expects


@pytest.mark.parametrize(
    ("seen", "received", "expected"),
    [(0, (100, 10), (100, 50)), (200, (200, 30), (200, 100))],
    ids=["by the general rule", "as its other calls were billed"],
)
def test_tokens_are_counted_as_the_models_other_calls_were_billed(seen, received, expected):
    """Input, characters and expected length of an unread call are scaled by what the provider reported of others."""
    calibrator = TokenCalibrator()
    for _ in range(seen):
        calibrator.seen(A, Usage(200, 100), input_tokens=100, chars=400 // 3, expected_tokens=50)

    came = calibrator.received(A, input_tokens=100, chars=40)
    unread = calibrator.expected(A, input_tokens=100, expected_tokens=50)

    assert (came.input_tokens, came.output_tokens) == pytest.approx(received, abs=1)
    assert (unread.input_tokens, unread.output_tokens) == pytest.approx(expected, abs=1)
    assert came.estimated
    assert unread.estimated


@pytest.mark.parametrize(
    ("fault", "live", "tokens"),
    [
        ("overload", False, None),
        ("connection", True, None),
        ("timeout", False, (INPUT, 0)),
        ("malformed", False, (INPUT, EXPECTED)),
        ("malformed", True, (INPUT, 0)),
        ("truncated@4", True, (INPUT, 5)),
        ("connection@4", True, (INPUT, 5)),
    ],
)
def test_each_fault_costs_what_may_have_been_billed(fault, live, tokens):
    """Refused or never connected is nothing; what came is input and the text received, or the expected answer where it was unread."""
    clock = FrozenClock()
    bench = Bench({"a": ScriptedModel(TEXT, faults=[fault], usage=None, clock=clock), "b": ScriptedModel("Hello.")}, clock=clock)
    options = Options(stream=StreamPolicy.RAISE)

    with contextlib.suppress(ModelCallError):  # a stream that broke after it was shown
        if live:
            list(bench.executor.stream(bench.decision(), HELLO, options=options))
        else:
            bench.executor.run(bench.decision(), HELLO)
    attempt = bench.notebook.attempts[0]

    assert (attempt.usage and (attempt.usage.input_tokens, attempt.usage.output_tokens)) == tokens
    assert attempt.cost_nano == (0 if tokens is None else tokens[0] * 1000 + tokens[1] * 2000)
