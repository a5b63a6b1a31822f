"""A skip is green only where it is expected: every other one fails the run.

``pytest --permitted-skips FILE`` (repeat it) reads regular expressions, one a line, that the reason of a skip
must match whole. ``.ci/run`` does so; a person's own run only lists its skips (``-rs``).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_OPTION = "--permitted-skips"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.addoption(
        _OPTION,
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="fail where a test is skipped for a reason that no line of FILE matches",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watches the run, once: beside pytest-xdist's workers, where they report to."""
    files: list[Path] = config.getoption(_OPTION)
    if files and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipsWatch(read_patterns(files)), "skips-watch")


def read_patterns(files: list[Path]) -> list[re.Pattern[str]]:
    """The expressions in the files; empty lines and those that begin with ``#`` are for people.

    Raises:
        pytest.UsageError: a file cannot be read, or a line of it is no regular expression.
    """
    found = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise pytest.UsageError(f"{_OPTION}: cannot read {file}: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.startswith("#"):
                try:
                    found.append(re.compile(line.strip()))
                except re.error as error:
                    raise pytest.UsageError(f"{file}:{number}: {error}") from error
    return found


class SkipsWatch:
    """Fails a run in which something was skipped that may not be.

    Args:
        permitted: what a skip's reason may be.
    """

    def __init__(self, permitted: list[re.Pattern[str]]) -> None:
        self._permitted = permitted
        self._others: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test was run, or was not."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file was read, or was skipped as a whole."""
        self._note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The run is over."""
        if self._others and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says which."""
        if not self._others:
            return
        terminalreporter.section("skipped without permission", red=True)
        for where, reason in self._others.items():
            terminalreporter.line(f"{where}: {reason}")

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ").strip()
        if not any(pattern.fullmatch(reason) for pattern in self._permitted):
            self._others[report.nodeid] = reason
