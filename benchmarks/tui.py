"""Measure the virtual table against Textual's DataTable in one run: 10,000 pods that change 1,000 times a second.

    python benchmarks/tui.py [--rows 10000] [--changes 1000] [--seconds 10]

Both run headless in a 200×60 terminal, with a driver that writes nowhere. Reported: time to build and to the first
paint, from a key press to the paint it causes (p50, p99) while rows change, as time and as CPU time (which other work
on the machine does not lengthen), CPU while they change, CPU at rest.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from textual import events
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import DataTable

from ktui.kube.kinds import PODS
from ktui.screens.items import columns_of, row_of
from ktui.screens.live_table import BATCH_SECONDS
from ktui.widgets.table_model import TableModel
from ktui.widgets.virtual_table import VirtualTable

COLUMNS = [{"name": name} for name in ("Name", "Ready", "Status", "Restarts", "Age")]
STATUSES = ("Running", "Pending", "CrashLoopBackOff", "Completed", "ContainerCreating")
NOW = 1_772_366_400.0


def table_row(index: int, restarts: int, status: str) -> dict:
    metadata = {
        "name": f"web-{index:05d}-7d9f8b6c5d-x2k4q",
        "namespace": f"team-{index % 20}",
        "uid": f"uid-{index}",
        "creationTimestamp": "2026-03-01T10:00:00Z",
    }
    return {"cells": [metadata["name"], "1/1", status, restarts, "2h"], "object": {"metadata": metadata}}


class Changes:
    """The same endless stream of changes for both tables."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._random = random.Random(7)
        self._count = 0

    def take(self, count: int) -> list[tuple[int, int, str]]:
        self._count += count
        return [
            (self._random.randrange(self._rows), self._random.randrange(100), self._random.choice(STATUSES))
            for _ in range(count)
        ]


class BenchApp(App[None]):
    """A table of either make that takes the changes in batches, 30 a second, as a live view gets them."""

    CSS = "VirtualTable, DataTable { height: 1fr; }"

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.changes = Changes(rows)
        self.paints: list[tuple[float, object]] = []
        """When frames were done, and where the cursor was."""

    def table(self) -> Widget:
        raise NotImplementedError

    def change(self, count: int) -> None:
        raise NotImplementedError

    def fill(self) -> None:
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        self.widget = self.table()
        yield self.widget

    def _display(self, screen, renderable) -> None:
        super()._display(screen, renderable)
        self.paints.append((time.perf_counter(), position(self.widget)))


class VirtualApp(BenchApp):
    def table(self) -> Widget:
        self.model = TableModel()
        self.model.set_columns(columns_of(COLUMNS, namespaced=True))
        return VirtualTable(self.model, now=lambda: NOW + time.monotonic())

    def _rows_of(self, changes: list[tuple[int, int, str]]) -> list:
        columns = self.model.columns
        return [row_of(PODS, columns, table_row(*change), namespaced=True, now=NOW) for change in changes]

    def fill(self) -> None:
        self.model.replace(self._rows_of([(i, 0, "Running") for i in range(self.rows)]))
        self.widget.refresh_rows()

    def change(self, count: int) -> None:
        last = {change[0]: change for change in self.changes.take(count)}
        self.widget.apply(self._rows_of(list(last.values())))


class DataTableApp(BenchApp):
    def table(self) -> Widget:
        return DataTable(cursor_type="row")

    def fill(self) -> None:
        for name in ("Namespace", *(column["name"] for column in COLUMNS)):
            self.widget.add_column(name, key=name)
        for index in range(self.rows):
            row = table_row(index, 0, "Running")
            self.widget.add_row(row["object"]["metadata"]["namespace"], *row["cells"], key=f"uid-{index}")

    def change(self, count: int) -> None:
        for index, restarts, status in self.changes.take(count):
            self.widget.update_cell(f"uid-{index}", "Restarts", str(restarts))
            self.widget.update_cell(f"uid-{index}", "Status", status)


@dataclass
class Result:
    name: str
    build_ms: float
    paint_ms: float
    key_p50_ms: float
    key_p99_ms: float
    key_cpu_p50_ms: float
    key_cpu_p99_ms: float
    busy_cpu: float
    idle_cpu: float


async def paint_after(app: BenchApp, do: Callable[[], object], timeout: float = 5.0) -> float:
    """Milliseconds from an act to the end of the first paint after it."""
    app.paints.clear()
    start = time.perf_counter()
    do()
    while not app.paints and time.perf_counter() - start < timeout:
        await asyncio.sleep(0.0005)
    return 1000 * ((app.paints[0][0] if app.paints else time.perf_counter()) - start)


async def measure(name: str, app: BenchApp, changes: int, seconds: float) -> Result:
    async with app.run_test(size=(200, 60)) as pilot:
        app.widget.focus()
        await pilot.pause()
        start = time.perf_counter()
        app.fill()
        build = 1000 * (time.perf_counter() - start)
        paint = await paint_after(app, app.widget.refresh)
        await asyncio.sleep(0.5)
        gc.collect()
        gc.freeze()
        gc.disable()

        async def collect() -> None:
            # As ktui's engine does in this process: a full collection stops everything for 100 ms and more.
            while True:
                await asyncio.sleep(0.1)
                gc.collect(0)

        collecting = asyncio.create_task(collect())

        async def churn() -> None:
            due = time.perf_counter()
            while True:
                app.change(round(changes * BATCH_SECONDS))
                due = max(due + BATCH_SECONDS, time.perf_counter())
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

        task = asyncio.create_task(churn())
        await asyncio.sleep(1.0)
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        busy = (time.process_time() - cpu) / (time.perf_counter() - wall)
        for key in ("pagedown",) * 20:
            await key_to_paint(app, key)
        rng = random.Random(3)
        keys: list[tuple[float, float]] = []
        for _ in range(max(60, round(seconds * 20))):
            keys.append(
                await key_to_paint(app, rng.choice(["down", "down", "up", "up", "pagedown", "pageup"]))
            )
            await asyncio.sleep(rng.random() * 0.05)
        task.cancel()
        await asyncio.sleep(2.0)
        collecting.cancel()
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.sleep(max(3.0, seconds / 2))
        idle = (time.process_time() - cpu) / (time.perf_counter() - wall)
    gc.enable()
    gc.unfreeze()
    walls, cpus = [wall for wall, _ in keys], [cpu for _, cpu in keys]
    return Result(
        name, build, paint, statistics.median(walls), p99(walls), statistics.median(cpus), p99(cpus),
        100 * busy, 100 * idle,
    )  # fmt: skip


def p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(0.99 * len(values)))]


async def key_to_paint(app: BenchApp, key: str) -> tuple[float, float]:
    """Milliseconds from a key event's arrival to the end of the first frame after the cursor has moved, and those of
    CPU time spent meanwhile."""
    before = position(app.widget)
    app.paints.clear()
    start, cpu = time.perf_counter(), time.process_time()
    app.post_message(events.Key(key, None))
    while time.perf_counter() - start < 5.0:
        painted = next((moment for moment, where in app.paints if where != before), None)
        if painted is not None:
            return 1000 * (painted - start), 1000 * (time.process_time() - cpu)
        await asyncio.sleep(0.0005)
    raise RuntimeError(f"no paint within 5 s after {key}")


def position(table: Widget) -> object:
    return table.cursor_row if isinstance(table, DataTable) else table._cursor_index


def report(results: list[Result], args: argparse.Namespace) -> None:
    print(
        f"{args.rows:,} rows, {args.changes:,} changes/s, 200x60, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
    )
    print(
        "| | build | first paint | key to paint p50 | p99 | its CPU p50 | p99 | CPU while changing | CPU at rest |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for r in results:
        print(
            f"| {r.name} | {r.build_ms:.0f} ms | {r.paint_ms:.0f} ms | {r.key_p50_ms:.1f} ms | {r.key_p99_ms:.1f} ms "
            f"| {r.key_cpu_p50_ms:.1f} ms | {r.key_cpu_p99_ms:.1f} ms | {r.busy_cpu:.1f} % | {r.idle_cpu:.2f} % |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    results = [
        asyncio.run(measure("ktui's VirtualTable", VirtualApp(args.rows), args.changes, args.seconds)),
        asyncio.run(measure("Textual's DataTable", DataTableApp(args.rows), args.changes, args.seconds)),
    ]
    report(results, args)


if __name__ == "__main__":
    main()
