"""Rows of a Table as rows to draw: columns, ages, colours, trouble."""

from __future__ import annotations

import pytest

from ktui.kube.kinds import EVENTS, NODES, PODS
from ktui.kube.resource import Object
from ktui.screens.items import columns_of, default_sort, row_of
from ktui.screens.tones import status_tone
from ktui.widgets.table_model import Row, TableModel

NOW = 1_770_000_000.0
POD_COLUMNS = [{"name": n} for n in ("Name", "Ready", "Status", "Restarts", "Age")] + [
    {"name": "IP", "priority": 1}
]


def row(cells: list[object], created: str | None = None, **kwargs: object) -> Row:
    metadata: Object = {"name": str(cells[0]), "namespace": "default", "uid": f"uid-{cells[0]}"}
    if created:
        metadata["creationTimestamp"] = created
    columns = columns_of(POD_COLUMNS, namespaced=False)
    return row_of(
        PODS, columns, {"cells": cells, "object": {"metadata": metadata}}, namespaced=False, now=NOW
    )


def tones(*cells: object) -> dict[str, str]:
    columns = columns_of(POD_COLUMNS, namespaced=False)
    found = row(list(cells))
    return {c.name: c.tone(found, t) for c, t in zip(columns, found.cells, strict=True) if c.tone(found, t)}


def test_columns_are_the_servers_with_the_namespace_first_when_asked() -> None:
    columns = columns_of(POD_COLUMNS, namespaced=True)
    assert [c.name for c in columns] == ["Namespace", "Name", "Ready", "Status", "Restarts", "Age", "IP"]
    assert [c.name for c in columns if c.priority] == ["IP"]


def test_ages_tick_from_the_creation_time() -> None:
    columns = columns_of(POD_COLUMNS, namespaced=False)
    age = columns[4]
    found = row(["web", "1/1", "Running", 0, "whatever", None], "2026-02-02T02:39:00Z")
    assert age.live is not None
    created = found.data.since[1]
    assert age.live(found, created + 59) == "59s"
    assert age.live(found, created + 300) == "5m"
    assert found.cells[5] == "<none>"


def test_how_long_ago_the_last_restart_was_ticks() -> None:
    restarts = columns_of(POD_COLUMNS, namespaced=False)[3]
    assert restarts.live is not None
    crashed = row(["web", "0/1", "CrashLoopBackOff", "3 (5s ago)", "9m"])
    assert crashed.cells[3] == "3"
    assert restarts.live(crashed, NOW) == "3 (5s ago)"
    assert restarts.live(crashed, NOW + 7) == "3 (12s ago)"
    assert restarts.live(row(["web", "1/1", "Running", "0", "9m"]), NOW + 7) == "0"


def test_restarts_are_told_in_the_room_there_is() -> None:
    restarts = columns_of(POD_COLUMNS, namespaced=False)[3]
    assert restarts.room is not None and restarts.brief is not None
    assert restarts.room(row(["web", "0/1", "Error", "3 (5s ago)", "9m"])) == len("3 (5m59s ago)")
    assert restarts.room(row(["web", "1/1", "Running", "0", "9m"])) == 1
    assert restarts.brief("3 (5m59s ago)", 10) == "3 (5m59s)"
    assert restarts.brief("128 (5m59s ago)", 10) == "128"


def test_younger_rows_come_first_when_sorted_by_age() -> None:
    model = TableModel()
    model.set_columns(columns_of(POD_COLUMNS, namespaced=False))
    times = {"old": "2026-01-01T00:00:00Z", "new": "2026-02-01T00:00:00Z", "mid": "2026-01-15T00:00:00Z"}
    model.replace(row([name, "1/1", "Running", 0, "", None], when) for name, when in times.items())
    model.sort(4)
    assert [r.cells[0] for r in model.rows()] == ["new", "mid", "old"]


def test_events_start_newest_first_and_last_seen_ticks_from_the_servers_text() -> None:
    columns = columns_of([{"name": n} for n in ("Last Seen", "Type", "Reason")], namespaced=True)
    assert default_sort(EVENTS, columns) == (1, False)
    event = {"cells": ["3m", "Warning", "BackOff"], "object": {"metadata": {"name": "e", "uid": "e"}}}
    found = row_of(EVENTS, columns, event, namespaced=True, now=NOW)
    assert columns[1].live is not None
    assert columns[1].live(found, NOW + 60) == "4m"
    assert columns[2].tone(found, "Warning") == "warn"
    assert found.trouble


@pytest.mark.parametrize(
    ("status", "tone"),
    [
        ("Running", "good"), ("Completed", "dim"), ("Pending", "warn"), ("ContainerCreating", "warn"),
        ("Init:0/1", "warn"), ("Init:CrashLoopBackOff", "bad"), ("CrashLoopBackOff", "bad"), ("Error", "bad"),
        ("ErrImagePull", "bad"), ("ImagePullBackOff", "bad"), ("OOMKilled", "bad"), ("Evicted", "bad"),
        ("CreateContainerConfigError", "bad"), ("Terminating", "warn"), ("Ready", "good"),
        ("Ready,SchedulingDisabled", "warn"), ("NotReady", "bad"), ("NotReady,SchedulingDisabled", "bad"),
        ("Active", "good"), ("Unknown", "bad"), ("Whatever", ""),
    ],
)  # fmt: skip
def test_status_words_have_their_tone(status: str, tone: str) -> None:
    assert status_tone(status) == tone


def test_only_the_cell_that_explains_is_coloured() -> None:
    assert tones("web", "1/1", "Running", 0, "", "10.0.0.1") == {"Status": "good"}
    assert tones("web", "0/1", "CrashLoopBackOff", "4 (2s ago)", "", "10.0.0.1") == {
        "Ready": "bad",
        "Status": "bad",
        "Restarts": "warn",
    }
    assert tones("web", "1/2", "Running", 0, "", "10.0.0.1") == {"Ready": "warn", "Status": "good"}
    assert tones("job", "0/1", "Completed", 0, "", "10.0.0.1") == {"Ready": "dim", "Status": "dim"}


def test_trouble_is_what_wants_attention() -> None:
    assert not row(["web", "1/1", "Running", 0, "", None]).trouble
    assert not row(["job", "0/1", "Completed", 0, "", None]).trouble
    assert not row(["web", "1/1", "Running", "3 (2d ago)", "", None]).trouble
    assert row(["web", "0/1", "Running", 0, "", None]).trouble
    assert row(["web", "0/1", "Pending", 0, "", None]).trouble


def test_deployment_counts_are_judged_against_the_wanted_number() -> None:
    columns = columns_of(
        [{"name": n} for n in ("Name", "Ready", "Up-to-date", "Available")], namespaced=False
    )
    cells = {"cells": ["web", "1/3", 2, 1], "object": {"metadata": {"name": "web", "uid": "w"}}}
    found = row_of(NODES, columns, cells, namespaced=False, now=NOW)
    assert [c.tone(found, "") for c in columns] == ["", "warn", "warn", "warn"]


def test_rows_without_uid_are_known_by_name() -> None:
    columns = columns_of([{"name": "Name"}], namespaced=False)
    found = row_of(
        PODS, columns, {"cells": ["a"], "object": {"metadata": {"name": "a"}}}, namespaced=False, now=0
    )
    assert found.uid == "/a"
