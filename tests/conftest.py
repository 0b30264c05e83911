"""What holds for all tests."""

from __future__ import annotations

import pytest

_WITH_PROCESSES = ("e2e", "kubectl", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for other processes on a shared machine are run once more before they count as failed.

    pytest reports every such rerun; a test that needs one again and again is to be mended.
    """
    for item in items:
        is_real = item.get_closest_marker("podman") or item.get_closest_marker("tmux")
        if is_real or item.path.parent.name in _WITH_PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=1))
