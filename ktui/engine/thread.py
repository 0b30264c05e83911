"""The engine in a thread of its own with its own loop, so that the UI's thread never waits for it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from ktui.client.base import Client
from ktui.client.bridge import BridgeClient
from ktui.engine.engine import Engine, EngineOptions


class EngineThread:
    """Starts an engine, offers its client to other loops, and stops it."""

    def __init__(self, options: EngineOptions) -> None:
        self.engine = Engine(options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()

    async def start(self) -> Client:
        """Start the engine; the client is for the loop that called. Raises what `Engine.start` raises."""
        future: Future[None] = asyncio.run_coroutine_threadsafe(self.engine.start(), self._loop)
        await asyncio.wrap_future(future)
        return BridgeClient(self.engine.client, self._loop)

    def stop(self, *, stop_pods: bool = False) -> None:
        """Stop the engine and end the thread; blocks until it is done."""
        stopping = asyncio.run_coroutine_threadsafe(self.engine.stop(stop_pods=stop_pods), self._loop)
        stopping.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5.0)
