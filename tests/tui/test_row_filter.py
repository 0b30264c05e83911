"""The filter line: text, regex, inverse, labels, fuzzy, column queries."""

from __future__ import annotations

import pytest

from ktui.kube.kinds import PODS
from ktui.screens.items import columns_of, row_of
from ktui.screens.row_filter import FilterError, compile_filter
from ktui.widgets.table_model import Row

NOW = 1_770_000_000.0
DEFINITIONS = [{"name": name} for name in ("Name", "Ready", "Status", "Restarts", "Last Seen", "Age")]
COLUMNS = columns_of(DEFINITIONS, namespaced=True)


def pod(name: str, status: str = "Running", restarts: str = "0", age: int = 60, **labels: str) -> Row:
    created = f"2026-02-02T02:{40 - age // 60:02d}:00Z"
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": name,
        "labels": labels,
        "creationTimestamp": created,
    }
    cells = [name, "1/1", status, restarts, "5m", "old text"]
    return row_of(PODS, COLUMNS, {"cells": cells, "object": {"metadata": metadata}}, namespaced=True, now=NOW)


ROWS = [
    pod("web-1", app="web", tier="front"),
    pod("web-proxy", "Pending", app="web"),
    pod("db-0", "CrashLoopBackOff", "12 (3m ago)", age=600, app="db"),
    pod("job x", "Completed", "3", app="job"),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", ["web-1", "web-proxy"]),
        ("WEB", ["web-1", "web-proxy"]),
        ("!web", ["db-0", "job x"]),
        ("! web", ["db-0", "job x"]),
        ("job x", ["job x"]),
        ("^shop (web-1|db)", ["web-1", "db-0"]),
        ("-l app=web", ["web-1", "web-proxy"]),
        ("-l app in (web, db),!tier", ["web-proxy", "db-0"]),
        ("-f wpx", ["web-proxy"]),
        ("status:pending", ["web-proxy"]),
        ("status:pending web", ["web-proxy"]),
        ("restarts>3", ["db-0"]),
        ("restarts>=3", ["db-0", "job x"]),
        ("restarts=12", ["db-0"]),
        ("restarts!=0", ["db-0", "job x"]),
        ("name=web-1", ["web-1"]),
        ("lastseen>1m status:b", ["db-0"]),
        ("stat:run ns:shop", []),
        ("nosuch:thing", []),
        ("!status:running", ["web-proxy", "db-0", "job x"]),
        ("", None),
        ("!", None),
    ],
)
def test_filter_keeps(text: str, found: list[str] | None) -> None:
    predicate = compile_filter(text, COLUMNS, now=lambda: NOW)
    if found is None:
        assert predicate is None
    else:
        assert predicate is not None
        assert [row.data.name for row in ROWS if predicate(row)] == found


def test_ages_compare_with_durations() -> None:
    created = ROWS[2].data.since[2]
    older = compile_filter("age>5m", COLUMNS, now=lambda: created + 600)
    assert older is not None
    assert [row.data.name for row in ROWS if older(row)] == ["db-0"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("web[", "regular expression"),
        ("-l", "label selector"),
        ("-l app==!", "unable to parse"),
        ("-f", "letters"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(text: str, problem: str) -> None:
    with pytest.raises(FilterError, match=problem):
        compile_filter(text, COLUMNS)
