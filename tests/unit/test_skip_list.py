"""The list of allowed skips."""

from __future__ import annotations

import pytest
from skip_list import SkipList, read_patterns


def test_listed_skip_is_no_complaint():
    """A skip whose id fits a pattern of the list passes."""
    run = SkipList({"tests/a.py::test_x*": "needs a server"}, whole_suite=True, collected={"tests/a.py::test_x[1]"})

    run.skipped.add("tests/a.py::test_x[1]")

    assert list(run.complaints()) == []


def test_unlisted_skip_is_named():
    """A skip that no pattern fits is complained about by its id."""
    run = SkipList({}, whole_suite=False, skipped={"tests/a.py::test_y"})

    assert "tests/a.py::test_y was skipped" in next(run.complaints())


@pytest.mark.parametrize(("whole_suite", "complaints"), [(True, 1), (False, 0)])
def test_stale_line_is_named_when_the_whole_suite_ran(whole_suite: bool, complaints: int):
    """A line that fits no test is complained about, unless only a part of the suite was asked for."""
    run = SkipList({"tests/gone.py::*": "was needed"}, whole_suite=whole_suite, collected={"tests/a.py::test_y"})

    assert len(list(run.complaints())) == complaints


def test_brackets_of_a_pattern_are_parameters():
    """A pattern with the parameters of a test fits that test."""
    run = SkipList({"tests/a.py::test_x[sqlite-*]": "slow"}, whole_suite=True, collected={"tests/a.py::test_x[sqlite-1]"})

    assert list(run.complaints()) == []


def test_line_without_a_reason_is_an_error():
    """A pattern without a reason stops the run with a sentence that says what to write."""
    with pytest.raises(pytest.UsageError, match="names no reason"):
        read_patterns("# comment\n\ntests/a.py::test_x\n")
