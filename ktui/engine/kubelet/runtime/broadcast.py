"""One stream of runtime events to any number of listeners: each has a queue, none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from ktui.engine.kubelet.runtime.base import RuntimeEvent


class EventBroadcast:
    """Gives every listener the events sent after it began to listen."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[RuntimeEvent]] = set()

    def send(self, event: RuntimeEvent) -> None:
        """Hand `event` to everyone who listens."""
        for queue in self._listeners:
            queue.put_nowait(event)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[RuntimeEvent], None]:
        """Events from now on; the stream never ends by itself."""
        queue: asyncio.Queue[RuntimeEvent] = asyncio.Queue()

        async def stream() -> AsyncGenerator[RuntimeEvent, None]:
            while True:
                yield await queue.get()

        self._listeners.add(queue)
        try:
            yield stream()
        finally:
            self._listeners.discard(queue)
