"""Writing the shown lines of a log to a file, a slice at a time so that keys are answered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ktui.screens.log_streams import LogTarget
from ktui.screens.save import new_path
from ktui.widgets.log_model import LogModel
from ktui.widgets.log_paint import plain_line

_SLICE = 2000


def default_path(target: LogTarget, now: float) -> Path:
    """A new file named after the target."""
    return new_path((target.namespace, target.name, target.container), ".log", now)


async def save_lines(model: LogModel, numbers: Sequence[int], path: str) -> tuple[int, Path]:
    """Write lines with timestamp and source; returns how many, and where. Raises OSError."""
    where = Path(path).expanduser().absolute()
    several = len(model.sources) > 1
    written = 0
    with where.open("w", encoding="utf-8") as file:
        for start in range(0, len(numbers), _SLICE):
            slice_ = numbers[start : start + _SLICE]
            for number in slice_:
                try:
                    source, raw = model.buffer.line(number)
                except IndexError:
                    continue  # Dropped meanwhile.
                file.write(plain_line(raw, model.source_name(source) if several else "") + "\n")
                written += 1
            await asyncio.sleep(0)
    return written, where
