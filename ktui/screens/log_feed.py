"""From streams to a buffer: the sink that merges what containers say and hands it on thirty times a second.

In: `LogStreams`' calls. Out: lines appended to a `LogBuffer`, and a call whenever there are more. Streams that are
faster than the merge are held back, so that memory stays flat.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ktui.screens.log_merge import LogMerge
from ktui.widgets.log_buffer import NOTE, LogBuffer

_EVERY_SECONDS = 1 / 30
_ROOM = 50_000
"""Lines that may wait for their turn before streams have to wait."""
NOTES = 0xFFFF
"""The source of remarks that are about no container."""


class LogFeed:
    """A `LogSink`. `pods` and `containers` name the sources by number."""

    def __init__(self, buffer: LogBuffer, on_change: Callable[[], None]) -> None:
        self.pods: list[str] = []
        self.containers: list[str] = []
        self._buffer = buffer
        self._on_change = on_change
        self._merge = LogMerge()
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def add_source(self, pod: str, container: str) -> int:
        self.pods.append(pod)
        self.containers.append(container)
        number = len(self.pods) - 1
        self._merge.open(number, time.monotonic())
        self._on_change()
        return number

    async def take(self, source: int, lines: Sequence[bytes]) -> None:
        self._merge.push(source, lines, time.monotonic())
        self._came.set()
        if self._merge.waiting >= _ROOM:
            self._room.clear()
        await self._room.wait()

    def end(self, source: int) -> None:
        self._merge.close(source)
        self._came.set()

    def note(self, source: int | None, text: str) -> None:
        number = NOTES if source is None else source
        self._merge.push(number, [NOTE + text.replace("\n", " ").encode()], time.monotonic())
        if source is None:
            self._merge.close(number)
        self._came.set()

    async def run(self) -> None:
        """Move lines until cancelled; asleep while there are none."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._merge.waiting:
                self.flush()
                await asyncio.sleep(_EVERY_SECONDS)

    def flush(self) -> None:
        """Append what may be shown now."""
        runs = self._merge.drain(time.monotonic())
        for source, lines in runs:
            self._buffer.append(lines, source)
        if self._merge.waiting < _ROOM:
            self._room.set()
        if runs:
            self._on_change()

    @property
    def names(self) -> list[str]:
        """A short name a source: the container, the pod, or both, whatever tells them apart."""
        if len(set(self.pods)) <= 1:
            return list(self.containers)
        pods = shortened(self.pods)
        if len(set(self.containers)) <= 1:
            return pods
        return [f"{pod}/{container}" for pod, container in zip(pods, self.containers, strict=True)]


def shortened(names: Sequence[str]) -> list[str]:
    """Pod names without what they all begin with, cut at a dash: `web-6f9c-x2x1` → `x2x1`."""
    different = sorted(set(names))
    low, high = different[0], different[-1]
    common = 0
    while common < min(len(low), len(high)) and low[common] == high[common]:
        common += 1
    cut = low.rfind("-", 0, common) + 1
    return [name[cut:] or name for name in names]
