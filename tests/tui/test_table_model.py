"""Rows in order: sorting as a person would, deltas, filtering, marks."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktui.widgets.natural import duration_seconds, natural_key, number_of
from ktui.widgets.table_layout import TableLayout, Wanted, fit_cell, lay_out
from ktui.widgets.table_model import Column, Row, TableModel

NAME, COUNT = Column(name="Name"), Column(name="Count")


def model_of(*rows: tuple[str, str]) -> TableModel:
    model = TableModel()
    model.set_columns([NAME, COUNT])
    model.replace(Row(name, (name, count)) for name, count in rows)
    return model


def names(model: TableModel) -> list[str]:
    return [row.cells[0] for row in model.rows()]


@pytest.mark.parametrize(
    "cells",
    [
        ["2", "10", "100"],
        ["web-2", "web-10", "web-10-a"],
        ["250m", "1", "1500m", "2"],
        ["900Ki", "512Mi", "1Gi"],
        ["0/3", "1/3", "3/3"],
        ["3", "12 (5m ago)", "100 (2s ago)"],
        ["5%", "41%", "100%"],
        ["alpha", "Beta", "gamma", "<none>"],
    ],
)
def test_cells_sort_naturally(cells: list[str]) -> None:
    shuffled = cells[:]
    random.Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == cells


def test_durations_sort_by_length() -> None:
    cells = ["9s", "119s", "2m5s", "179m", "7h59m", "47h", "7d23h", "2y10d"]
    shuffled = cells[:]
    random.Random(2).shuffle(shuffled)
    assert sorted(shuffled, key=lambda cell: natural_key(cell, duration=True)) == cells
    assert duration_seconds("1m30s") == 90
    assert duration_seconds("web") is None


def test_numbers_are_read_from_what_a_cell_starts_with() -> None:
    assert number_of("7 (3m ago)") == 7
    assert number_of("250m") == 0.25
    assert number_of("2/3") == 2
    assert number_of("7zip") is None


@given(st.lists(st.text(max_size=8), max_size=20))
@settings(deadline=None, max_examples=60)
def test_any_two_cells_compare(cells: list[str]) -> None:
    keys = [natural_key(cell) for cell in cells]
    assert all((a < b) + (a == b) + (a > b) == 1 for a in keys for b in keys)


def test_a_batch_reports_changed_cells_without_a_move() -> None:
    model = model_of(("a", "1"), ("b", "2"))
    delta = model.apply([Row("b", ("b", "3"))])
    assert delta.changed == {"b": (1,)}
    assert not delta.moved


def test_a_change_of_the_sort_cell_moves_the_row() -> None:
    model = model_of(("a", "1"), ("b", "2"), ("c", "3"))
    model.sort(1)
    assert model.apply([Row("a", ("a", "9"))]).moved
    assert names(model) == ["b", "c", "a"]
    assert [model.index_of(uid) for uid in "bca"] == [0, 1, 2]


def test_descending_order_and_positions_agree() -> None:
    model = model_of(*((f"row-{i}", str(i)) for i in range(30)))
    model.sort(1, descending=True)
    assert names(model)[0] == "row-29"
    assert all(model.index_of(row.uid) == i for i, row in enumerate(model.rows()))


def test_a_row_leaves_and_returns_as_the_filter_says() -> None:
    model = model_of(("a", "1"), ("b", "2"))
    model.filter(lambda row: row.cells[1] != "2")
    assert names(model) == ["a"]
    assert model.index_of("b") is None
    assert model.apply([Row("b", ("b", "5"))]).moved
    assert names(model) == ["a", "b"]
    assert model.apply([Row("a", ("a", "2"))]).moved
    assert names(model) == ["b"]
    assert model.total == 2


def test_removed_rows_lose_their_mark() -> None:
    model = model_of(("a", "1"), ("b", "2"))
    model.marks = {"a", "b"}
    model.apply((), ["a", "unknown"])
    assert [row.uid for row in model.marked()] == ["b"]


def test_hidden_marked_rows_still_count_as_marked() -> None:
    model = model_of(("a", "1"), ("b", "2"))
    model.marks = {"a", "b"}
    model.filter(lambda row: row.uid == "b")
    assert [row.uid for row in model.marked()] == ["b", "a"]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 30)), max_size=80))
@settings(deadline=None, max_examples=80)
def test_deltas_end_where_a_fresh_sort_would(changes: list[tuple[int, int]]) -> None:
    model = model_of()
    model.sort(1)
    model.filter(lambda row: row.cells[1] != "7")
    world: dict[str, Row] = {}
    for name, count in changes:
        uid = f"r{name}"
        if count < 0:
            world.pop(uid, None)
            model.apply((), [uid])
        else:
            world[uid] = Row(uid, (uid, str(count)))
            model.apply([world[uid]])
    expected = sorted(
        (row for row in world.values() if row.cells[1] != "7"), key=lambda r: (int(r.cells[1]), r.uid)
    )
    assert model.rows() == expected
    assert all(model.index_of(row.uid) == i for i, row in enumerate(expected))


def placed(widths: list[int], room: int, *, fit: bool = True) -> TableLayout:
    return lay_out([Wanted(i, width) for i, width in enumerate(widths)], room, fit=fit)


def test_long_columns_shrink_to_fit_from_the_widest_down() -> None:
    layout = placed([60, 8, 6], 50)
    assert layout.width <= 50
    assert [slot.width for slot in layout.slots][1:] == [8, 6]


def test_gaps_and_readable_widths_give_way_before_a_column_leaves_the_screen() -> None:
    layout = placed([30, 24, 6, 18, 6], 80)
    assert layout.width <= 80
    assert [slot.width for slot in layout.slots] == [22, 22, 6, 18, 6]
    assert placed([30, 24, 6, 18, 6], 60).width <= 60


def test_a_column_with_a_brief_form_gives_way_first() -> None:
    layout = lay_out([Wanted(0, 30), Wanted(1, 20, brief=10), Wanted(2, 6)], 52, fit=True)
    assert [slot.width for slot in layout.slots] == [30, 10, 6]


def test_what_cannot_shrink_is_left_to_scrolling() -> None:
    assert placed([30] * 6, 60).width > 60
    assert placed([60, 8], 40, fit=False).width > 40


def test_a_click_anywhere_on_a_column_finds_it() -> None:
    layout = lay_out([Wanted(3, 10), Wanted(1, 5)], 40, fit=True)
    assert layout.column_at(0) is None
    assert layout.column_at(layout.slots[0].start) == 3
    assert layout.column_at(layout.slots[1].start + 2) == 1


def test_cells_fit_their_width() -> None:
    assert fit_cell("web-7d9f8b-x2k4q", 11) == "web-7…x2k4q"
    assert fit_cell("Back-off restarting failed container", 12) == "Back-off re…"
    assert fit_cell("ab", 4, right=True) == "  ab"
    assert fit_cell("日本語", 8) == "日本語  "
    assert fit_cell("日本語", 4) == "日…" or len(fit_cell("日本語", 4)) <= 4
