"""Fails a run when a test is skipped that ``tests/skips.txt`` does not list, or when a line there fits no test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

_LIST = Path(__file__).parents[1] / "skips.txt"


def read_patterns(text: str) -> dict[str, str]:
    """Return reason by pattern; a line without a reason is an error."""
    patterns: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, colon, reason = line.partition(": ")
        if not colon or not reason.strip():
            msg = f"tests/skips.txt: {line!r} names no reason. Write 'pattern: reason'."
            raise pytest.UsageError(msg)
        patterns[pattern.strip()] = reason.strip()
    return patterns


@dataclass(eq=False)
class SkipList:
    """What was collected and skipped in one run, held against the list."""

    patterns: dict[str, str]
    whole_suite: bool
    collected: set[str] = field(default_factory=set[str])
    skipped: set[str] = field(default_factory=set[str])

    def complaints(self) -> Iterator[str]:
        """Yield one line for each unlisted skip and each line of the list that fits no test."""
        for test in sorted(self.skipped):
            if not any(_fits(test, pattern) for pattern in self.patterns):
                yield f"{test} was skipped; make it run, or list it in tests/skips.txt with the reason"
        if not self.whole_suite:
            return
        for pattern in self.patterns:
            if not any(_fits(test, pattern) for test in self.collected):
                yield f"tests/skips.txt lists {pattern!r}, which fits no test; delete the line"

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what was collected in this process."""
        self.collected.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note what a worker of pytest-xdist collected."""
        self.collected.update(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skips itself."""
        if report.skipped:
            self.skipped.add(report.nodeid)
            self.collected.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test; an expected failure is none."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Turn a green run red when there is something to complain about."""
        if exitstatus == pytest.ExitCode.OK and any(self.complaints()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the complaints."""
        _print_all(self.complaints(), terminalreporter)


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run, in the process that reports it."""
    if not hasattr(config, "workerinput"):
        patterns = read_patterns(_LIST.read_text(encoding="utf-8"))
        config.pluginmanager.register(SkipList(patterns, _is_whole_suite(config)), "skip-list-of-this-run")


def _is_whole_suite(config: pytest.Config) -> bool:
    asked = {Path(config.invocation_params.dir, argument).resolve() for argument in config.args}
    options = config.option
    narrowed = options.keyword or options.markexpr or options.deselect or getattr(options, "lf", False) or options.maxfail
    return asked == {_LIST.parent} and not narrowed


def _fits(test: str, pattern: str) -> bool:
    # Square brackets stand for the parameters of a test, not for a set of characters.
    return fnmatchcase(test, pattern.replace("[", "[[]"))


def _print_all(lines: Iterable[str], reporter: pytest.TerminalReporter) -> None:
    for line in lines:
        reporter.write_line(f"skip list: {line}", red=True)
