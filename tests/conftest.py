"""What holds for all tests."""

from __future__ import annotations

import pytest

_SHOWN_LINES = 30
_WITH_PROCESSES = ("e2e", "kubectl", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for other processes on a shared machine are run once more before they count as failed.

    Every such rerun is reported with what went wrong; a test that needs one again and again is to be mended.
    """
    for item in items:
        is_real = item.get_closest_marker("podman") or item.get_closest_marker("tmux")
        if is_real or item.path.parent.name in _WITH_PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What went wrong before a rerun, or it could never be mended."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"rerun: {report.nodeid} ({report.when})", sep="_")
        said = [text for name, text in report.sections if not name.startswith("Captured")]
        for text in (report.longreprtext, *said):
            for line in text.splitlines()[-_SHOWN_LINES:]:
                terminalreporter.line(line)
