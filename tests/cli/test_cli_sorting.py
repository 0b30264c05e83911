"""`--sort-by` orders values as kubectl does."""

from typing import Any

import pytest

from ktui.commands.sorting import sorted_by


@pytest.mark.parametrize(
    "ordered",
    [
        ["512Ki", "1M", "64Mi", "1Gi"],
        ["100m", "1", "1500m", "2"],
        ["web-2", "web-10", "web-a"],
        ["2026-01-02T03:04:05Z", "2026-01-10T00:00:00Z", "2027-01-01T00:00:00Z"],
        [None, 2, 10],
        [None, "a", "b"],
        [False, True],
    ],
)
def test_values_come_in_their_order(ordered: list[Any]) -> None:
    objects = [{"spec": {"x": value} if value is not None else {}} for value in reversed(ordered)]
    found = sorted_by(".spec.x", objects, lambda obj: obj)
    assert [obj["spec"].get("x") for obj in found] == ordered
