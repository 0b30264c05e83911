"""The virtual table in a terminal: cursor, marks, sorting, scrolling, repainting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from ktui.widgets.table_model import Column, Row, TableModel
from ktui.widgets.virtual_table import VirtualTable


class TableApp(App[None]):
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.seconds = 0.0
        model = TableModel()
        model.set_columns(
            [
                Column(name="Name"),
                Column(name="Count", right=True),
                Column(name="Age", live=lambda row, now: f"{int(now)}s", min_width=6),
                Column(name="IP", priority=1),
            ]
        )
        model.replace(make(i) for i in range(rows))
        self.table = VirtualTable(model, now=lambda: self.seconds)
        self.messages: list[Any] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_virtual_table_row_chosen(self, event: VirtualTable.RowChosen) -> None:
        self.messages.append(event.row.uid)


def make(i: int, count: int | None = None) -> Row:
    return Row(f"u{i}", (f"row-{i:05d}", str(i if count is None else count), "", f"10.0.0.{i}"))


@asynccontextmanager
async def table_app(
    rows: int, width: int = 60, height: int = 12
) -> AsyncIterator[tuple[TableApp, Pilot[None]]]:
    app = TableApp(rows)
    async with app.run_test(size=(width, height)) as pilot:
        app.table.focus()
        await pilot.pause()
        yield app, pilot


def lines(app: TableApp) -> list[str]:
    return [app.table.render_line(y).text.rstrip() for y in range(app.table.size.height)]


def cursor(app: TableApp) -> str:
    row = app.table.cursor_row
    return row.uid if row else ""


async def test_only_the_columns_without_priority_are_shown_unless_wide() -> None:
    async with table_app(3) as (app, pilot):
        assert "IP" not in lines(app)[0]
        app.table.set_wide(True)
        await pilot.pause()
        assert "IP" in lines(app)[0]
        assert "10.0.0.1" in lines(app)[2]


async def test_keys_move_the_cursor_and_scroll_with_it() -> None:
    async with table_app(1000) as (app, pilot):
        await pilot.press("j", "down", "k")
        assert cursor(app) == "u1"
        await pilot.press("G")
        assert cursor(app) == "u999"
        assert "row-00999" in lines(app)[-1]
        await pilot.press("pageup")
        assert cursor(app) == f"u{999 - app.table.page}"
        await pilot.press("g")
        assert cursor(app) == "u0"
        assert "row-00000" in lines(app)[1]


async def test_the_cursor_follows_its_row_through_inserts_sorts_and_deletes() -> None:
    async with table_app(50) as (app, pilot):
        await pilot.press("down", "down", "down")
        app.table.apply([Row("new", ("a-first", "7", "", ""))])
        assert cursor(app) == "u3"
        app.table.sort_by(1, True)
        assert cursor(app) == "u3"
        app.table.apply((), ["u9", "u30"])
        assert cursor(app) == "u3"
        at = app.table.model.index_of("u3")
        app.table.apply((), ["u3"])
        assert app.table.model.index_of(cursor(app)) == at


async def test_rows_that_come_in_above_do_not_move_the_row_on_the_screen() -> None:
    async with table_app(100) as (app, pilot):
        app.table.move_to("u50")
        await pilot.pause()
        shown_at = next(y for y, line in enumerate(lines(app)) if "row-00050" in line)
        app.table.apply([Row(f"n{i}", (f"a-{i}", "1", "", "")) for i in range(5)])
        await pilot.pause()
        assert "row-00050" in lines(app)[shown_at]


async def test_a_cursor_never_moved_stays_on_top() -> None:
    async with table_app(5) as (app, _):
        app.table.apply([Row("new", ("a-first", "7", "", ""))])
        assert cursor(app) == "new"


async def test_marks_and_ranges() -> None:
    async with table_app(10) as (app, pilot):
        await pilot.press("space", "down", "down", "ctrl+@")
        assert app.table.model.marks == {"u0", "u1", "u2", "u3"}
        assert lines(app)[1].startswith("●")
        await pilot.press("g", "space")
        assert "u0" not in app.table.model.marks


async def test_clicking_a_header_sorts_and_again_reverses() -> None:
    async with table_app(20) as (app, pilot):
        x = next(slot.start for slot in app.table.columns_layout.slots if slot.column == 1)
        await pilot.click(app.table, offset=(x + 1, 0))
        assert (app.table.model.sort_column, app.table.model.descending) == (1, False)
        await pilot.click(app.table, offset=(x + 1, 0))
        assert app.table.model.descending
        assert "COUNT↓" in lines(app)[0]
        assert "row-00019" in lines(app)[1]


async def test_clicks_choose_rows() -> None:
    async with table_app(20) as (app, pilot):
        await pilot.click(app.table, offset=(5, 4))
        assert cursor(app) == "u3"
        await pilot.click(app.table, offset=(5, 6), times=2)
        await pilot.press("enter")
        assert app.messages == ["u5", "u5"]
        await pilot.click(app.table, offset=(5, 8), control=True)
        assert app.table.model.marks == {"u7"}


async def test_arrow_keys_walk_the_sort_column() -> None:
    async with table_app(5) as (app, pilot):
        await pilot.press("shift+right")
        assert app.table.model.sort_column == 1
        await pilot.press("shift+left", "shift+left")
        assert app.table.model.sort_column == 2


async def test_a_table_too_wide_for_the_terminal_scrolls_sideways() -> None:
    async with table_app(5, width=30) as (app, pilot):
        app.table.apply([Row("long", ("n" * 50, "1", "", "end"))])
        app.table.set_wide(True)
        await pilot.pause()
        before = lines(app)[0]
        await pilot.press("right", "right", "right", "right")
        await pilot.pause()
        assert lines(app)[0] != before
        assert app.table.scroll_x > 0


async def test_nothing_is_painted_when_nothing_changed(monkeypatch: Any) -> None:
    async with table_app(200) as (app, pilot):
        painted: list[Any] = []
        real = app.table.refresh

        def record(*regions: Region, **kwargs: Any) -> Any:
            painted.append(regions)
            return real(*regions, **kwargs)

        monkeypatch.setattr(app.table, "refresh", record)
        app.table.apply([make(3)])
        app.table._tick()
        await pilot.pause()
        assert painted == []
        app.table.apply([make(150, 77)])
        assert painted == [], "a change out of sight"
        app.table.apply([make(3, 77)])
        assert len(painted) == 1
        assert painted[0][0].height == 1


async def test_ages_tick_only_when_their_text_changes(monkeypatch: Any) -> None:
    async with table_app(3) as (app, pilot):
        app.seconds = 5.0
        app.table._tick()
        await pilot.pause()
        assert "5s" in lines(app)[1]


async def test_a_changed_cell_flashes_then_fades() -> None:
    async with table_app(3) as (app, _):
        moment = [0.0]
        app.table._flashes._now = lambda: moment[0]

        def background(y: int, text: str) -> Any:
            return next(
                s.style.bgcolor for s in app.table.render_line(y) if s.style and text in s.text.split()
            )

        app.table.apply([make(1, 99)])
        plain = background(3, "2")
        bright = background(2, "99")
        moment[0] = 0.7
        faded = background(2, "99")
        assert len({plain, bright, faded}) == 3
        moment[0] = 2.0
        assert background(2, "99") == plain
        app.table._fade()
        assert not app.table._flashes


async def test_text_is_selected_with_the_mouse() -> None:
    async with table_app(20) as (app, pilot):
        await pilot.mouse_down(app.table, offset=(2, 2))
        await pilot.hover(app.table, offset=(11, 4))
        await pilot.mouse_up(app.table, offset=(11, 4))
        await pilot.pause()
        selected = app.screen.get_selected_text() or ""
        assert selected.splitlines()[0].startswith("row-00001")
        assert selected.splitlines()[-1].strip() == "row-00003"
        assert len(selected.splitlines()) == 3
        highlighted = [s.style.bgcolor for s in app.table.render_line(3) if s.style and "row" in s.text]
        plain = [s.style.bgcolor for s in app.table.render_line(8) if s.style and "row" in s.text]
        assert highlighted != plain


async def test_an_empty_table_shows_its_placeholder() -> None:
    async with table_app(0) as (app, pilot):
        app.table.set_placeholder("No rows\npress x")
        await pilot.pause()
        text = "\n".join(lines(app))
        assert "No rows" in text
        assert "press x" in text
        app.table.apply([make(1)])
        await pilot.pause()
        assert "No rows" not in "\n".join(lines(app))
