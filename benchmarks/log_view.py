"""How a log of a million lines is taken, drawn, searched: ktui's view beside Textual's RichLog and Log, in one run.

Usage: python benchmarks/log_view.py [--lines 1000000]. Prints a table for docs/benchmarks.md. Each widget takes the
lines in batches of 1,000 as a stream would hand them, in an app of 160x50; memory is what the process grew by.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Log, RichLog

from ktui.widgets.log_buffer import LogBuffer
from ktui.widgets.log_view import LogView

_BATCH = 1000
_SIZE = (160, 50)


def resident_mb() -> float:
    """The process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def batch(start: int) -> list[bytes]:
    """Stamped lines as the API sends them, about 110 bytes each."""
    return [
        f"2026-03-01T12:00:00.{n % 1000:03}000000Z {'ERROR' if n % 5000 == 0 else 'INFO'} request {n} handled "
        f"path=/api/v1/orders/{n % 977} status=200 took=12ms".encode()
        for n in range(start, start + _BATCH)
    ]


class Bench(App[None]):
    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


async def append(widget: Widget, take: Callable[[list[bytes]], None], lines: int) -> tuple[float, float]:
    """Seconds and megabytes to take the lines, with the loop running between batches."""
    gc.collect()
    before, spent = resident_mb(), 0.0
    for start in range(0, lines, _BATCH):
        made = batch(start)
        begun = time.perf_counter()
        take(made)
        spent += time.perf_counter() - begun
        if start % (20 * _BATCH) == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    gc.collect()
    return spent, resident_mb() - before


async def paint_ms(widget: Any, top: int) -> float:
    """Milliseconds to draw a whole screen at a scroll position never drawn before."""
    widget.scroll_to(y=top, animate=False, force=True)
    await asyncio.sleep(0)
    begun = time.perf_counter()
    for y in range(_SIZE[1]):
        widget.render_line(y)
    return (time.perf_counter() - begun) * 1000


async def ktui(lines: int) -> dict[str, str]:
    buffer = LogBuffer()
    view = LogView(buffer)
    app = Bench(view)
    async with app.run_test(size=_SIZE):

        def take(made: list[bytes]) -> None:
            buffer.append(made)
            view.changed()

        seconds, grown = await append(view, take, lines)
        view.set_follow(False)
        paints = [await paint_ms(view, top) for top in range(0, lines - 60, max(1, lines // 40))]
        view.set_search("error")
        begun, slices = time.perf_counter(), []
        more = True
        while more:
            at = time.perf_counter()
            more = view.model.scan(0.006)
            slices.append((time.perf_counter() - at) * 1000)
        search = time.perf_counter() - begun
        found = view.counts.matches
        worst = max(slices)
    buffer.close()
    return {
        "append": f"{lines / seconds:,.0f}",
        "memory": f"{grown:,.0f}",
        "screen": f"{statistics.median(paints):.2f} / {max(paints):.2f}",
        "search": f"{search:.2f} s for {found} lines, at most {worst:.1f} ms at a time",
    }


async def textual_widget(kind: str, lines: int) -> dict[str, str]:
    rich = RichLog(wrap=False)
    plain = Log()
    widget: Any = rich if kind == "RichLog" else plain
    app = Bench(widget)
    async with app.run_test(size=_SIZE):

        def take(made: list[bytes]) -> None:
            texts = [line.decode() for line in made]
            if kind == "Log":
                plain.write_lines(texts)
            else:
                for text in texts:
                    rich.write(text)

        seconds, grown = await append(widget, take, lines)
        paints = [await paint_ms(widget, top) for top in range(0, lines - 60, max(1, lines // 40))]
    return {
        "append": f"{lines / seconds:,.0f}",
        "memory": f"{grown:,.0f}",
        "screen": f"{statistics.median(paints):.2f} / {max(paints):.2f}",
        "search": "none",
    }


async def main(lines: int) -> None:
    print("| | lines taken | lines/s | memory, MB | a new screen, ms (median / worst) | search of all |")
    print("|:--|--:|--:|--:|--:|:--|")
    rich_lines = min(lines, 100_000)
    for name, count, run in (
        ("ktui", lines, ktui(lines)),
        ("Log", lines, textual_widget("Log", lines)),
        ("RichLog", rich_lines, textual_widget("RichLog", rich_lines)),
    ):
        r = await run
        print(
            f"| {name} | {count:,} | {r['append']} | {r['memory']} | {r['screen']} | {r['search']} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().lines))
